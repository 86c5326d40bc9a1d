"""A foreign peer as the contract sees it: what it is, what it can, and how to make it do that."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from gateway.demo.part10 import NotPart10Error, read_meta
from tests.gateway_process import eventually, free_port
from tests.instances import Instance

ROOT = Path(__file__).resolve().parents[3]
INSTALLED = ROOT / "target" / "interop"
"""Where scripts/interop-peers puts what is no package of the system."""
CALLED, CALLING = "KUVA", "INTEROP"
SECONDS_MAX = 120.0


class PeerFailedError(Exception):
    """A foreign peer said that something went wrong."""


class Peer:
    """One foreign stack. What it cannot do, it does not override."""

    name: str
    sends: Sequence[str] = ()
    """Transfer syntaxes in which it can send what it is given; its comment says why one is missing."""
    gets: Sequence[str] = ()
    """Transfer syntaxes that it can fetch by C-GET."""
    accepts: Sequence[str] = ()
    """Transfer syntaxes that it takes as acceptor."""
    keeps_bytes = False
    """Whether what it sends and what it writes is byte for byte what stood in the file or came."""
    alters: Sequence[str] = ()
    """Transfer syntaxes in which it changes values: there only what went over the wire says anything."""
    stops_at_failure = False
    """Whether it sends nothing more after a failure status."""
    tells_failure = True
    """Whether its end says that an instance was refused; some log that only."""
    knows_not: Sequence[str] = ()
    """SOP classes of which it cannot be SCP."""

    def missing(self) -> str:
        """What is not installed; "" if nothing."""
        raise NotImplementedError

    def version(self) -> str:
        raise NotImplementedError

    def echo(self, port: int) -> None:
        """Raises `PeerFailedError`, as all of these do, where the peer says that it failed."""
        raise NotImplementedError

    def store(self, port: int, files: Sequence[Path]) -> None:
        """Sends the files."""
        raise NotImplementedError

    def get(self, port: int, study: Sequence[Instance], folder: Path) -> None:
        """Fetches the study whole, as Part 10 files into the folder; `study` tells which kinds to propose."""
        raise NotImplementedError

    def accept(self, folder: Path) -> AbstractContextManager[int]:
        """A storage SCP that writes Part 10 files into the folder; its port."""
        raise NotImplementedError


def found(program: str) -> str | None:
    """Where a program is: pynetdicom installs some of the same names beside the interpreter."""
    ours = Path(sys.executable).parent
    folders = [str(INSTALLED / "bin")]
    folders += [one for one in os.environ.get("PATH", "").split(os.pathsep) if Path(one) != ours]
    return shutil.which(program, path=os.pathsep.join(folders))


def missing_of(*programs: str) -> str:
    return ", ".join(program for program in programs if found(program) is None)


def run(program: str, *arguments: object, accepted: Sequence[int] = (0,)) -> str:
    """What a program said. Raises `PeerFailedError`, for any other exit code than those."""
    command = [found(program) or program, *map(str, arguments)]
    done = subprocess.run(
        command, capture_output=True, encoding="utf-8", errors="replace", timeout=SECONDS_MAX,
        check=False, env=_environment(),
    )  # fmt: skip
    said = done.stdout + done.stderr
    if done.returncode not in accepted:
        raise PeerFailedError(f"{program} ended with {done.returncode}: {said[-2000:]}")
    return said


@contextmanager
def running(program: str, *arguments: object, port: int, folder: Path) -> Iterator[int]:
    """A program that listens on `port`, until the end of the block."""
    command = [found(program) or program, *map(str, arguments)]
    log = folder.parent / f"{folder.name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, stdout=output, stderr=subprocess.STDOUT, env=_environment()
        )
    try:
        eventually(lambda: process.poll() is not None or _listens(port), 30.0, f"{program} listening")
        assert process.poll() is None, f"{program} ended: {log.read_text('utf-8', 'replace')[-2000:]}"
        yield port
    finally:
        process.terminate()
        process.wait(10.0)


def _listens(port: int) -> bool:
    """Looks, and does not connect: some acceptors take each connection for an association."""
    wanted = f":{port:04X}"
    lines = [
        line.split()
        for table in ("/proc/net/tcp", "/proc/net/tcp6")
        for line in Path(table).read_text().splitlines()[1:]
    ]
    return any(line[1].endswith(wanted) and line[3] == "0A" for line in lines)


def _environment() -> dict[str, str]:
    # DCMTK waits for acknowledgements of half-filled segments otherwise, 44 ms each.
    return {**os.environ, "TCP_NODELAY": "1"}


def received(folder: Path) -> dict[str, tuple[str, bytes]]:
    """(transfer syntax, data set) of each Part 10 file in the folder and below, by SOP Instance UID."""
    files: dict[str, tuple[str, bytes]] = {}
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        data = path.read_bytes()
        try:
            meta = read_meta(data)
        except NotPart10Error:
            continue
        files[meta.sop_instance] = (meta.transfer_syntax, data[meta.offset :])
    return files


def a_port() -> int:
    return free_port()
