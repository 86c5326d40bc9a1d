"""The embedded server: killed, restarted, shared, and started as root below a closed folder."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pytest

from gateway.catalogue import Catalogue
from gateway.catalogue import cluster as cluster_room
from gateway.catalogue.cluster import locate, prepare
from gateway.catalogue.embedded import EmbeddedServer, _pid_in, _processes
from gateway.catalogue.migrator import migrate
from gateway.errors import CatalogueUnavailableError, EmbeddedServerError
from tests.catalogue_samples import STUDY, batch, flush, node_id, vault_id, verify
from tests.postgresql import scratch

LIVING = """
import asyncio, sys
from pathlib import Path
from gateway.catalogue.embedded import EmbeddedServer
async def main():
    server = EmbeddedServer(Path(sys.argv[1]))
    await server.start()
    print("ready", flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


@pytest.fixture
def home() -> Iterator[Path]:
    folder = scratch()  # closed to everybody else, as mktemp leaves it
    yield folder / "postgresql"
    shutil.rmtree(folder, ignore_errors=True)


def _postmaster(home: Path) -> int:
    return _pid_in(home / "data" / "postmaster.pid")


async def test_what_is_committed_outlives_a_killed_server_which_is_started_again(home: Path) -> None:
    server = EmbeddedServer(home)
    await server.start()
    await migrate(server.owner)
    catalogue = await Catalogue.open(server.gateway, verify, query_seconds_max=5.0)
    vault, node = vault_id(), node_id()
    await catalogue.grants.create_vault(vault, "a")
    epoch = (await catalogue.nodes.start(node)).epoch
    supervisor = asyncio.create_task(server.supervise())
    lost = 0
    for position in range(12):
        one = flush(node, epoch, batch(vault, [(position + 1, f"1.{position}", "x")]), after=position)
        if position in (4, 8):
            os.kill(_postmaster(home), signal.SIGKILL)
        while True:
            try:
                await catalogue.land(one)
                break
            except CatalogueUnavailableError:
                lost += 1
                await asyncio.sleep(0.05)
    study = await catalogue.studies.find(vault, STUDY)
    assert study is not None
    assert study.instances == 12
    assert lost > 0
    supervisor.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await supervisor
    await catalogue.close()
    await server.stop()
    assert not _processes(prepare(home))


async def test_a_killed_gateway_leaves_no_server_and_the_next_one_starts_at_once(home: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    cluster = prepare(home)
    for _ in range(2):
        living = subprocess.Popen(  # noqa: ASYNC220
            [sys.executable, "-c", LIVING, str(home)], stdout=subprocess.PIPE, env=environment
        )
        assert living.stdout is not None
        assert await asyncio.to_thread(living.stdout.readline) == b"ready\n"
        assert _processes(cluster)
        living.kill()
        living.wait()
        living.stdout.close()
        server = EmbeddedServer(home)
        await server.start()
        assert len([pid for pid in _processes(cluster) if pid == _postmaster(home)]) == 1
        await server.stop()
    living = subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, "-c", LIVING, str(home)], stdout=subprocess.PIPE, env=environment
    )
    assert living.stdout is not None
    await asyncio.to_thread(living.stdout.readline)
    living.kill()
    living.wait()
    living.stdout.close()
    deadline = time.monotonic() + 10
    while _processes(cluster) and time.monotonic() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    assert not _processes(cluster)


async def test_a_second_starter_uses_the_running_server_and_does_not_stop_it(home: Path) -> None:
    first, second = EmbeddedServer(home), EmbeddedServer(home)
    await first.start()
    await second.start()  # while the first holds the folder
    assert (first.running, second.running) == (True, False)
    await second.stop()
    connection = await asyncpg.connect(**first.gateway.arguments())
    assert await connection.fetchval("SELECT 1") == 1
    await connection.close()
    await first.stop()


async def test_a_lock_file_whose_process_id_is_somebody_elses_does_not_stop_the_start(home: Path) -> None:
    server = EmbeddedServer(home)
    await server.start()
    os.kill(_postmaster(home), signal.SIGKILL)
    await server.stop()
    pid_file = home / "data" / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    # Of the same account: PostgreSQL forgives a process that it may not signal.
    account = prepare(home).account.arguments()
    stranger = subprocess.Popen(["sleep", "60"], cwd="/", **account)  # noqa: ASYNC220
    try:
        pid_file.write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")
        again = EmbeddedServer(home)
        await again.start()
        assert again.running
        await again.stop()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


async def test_a_first_start_that_was_killed_is_begun_again(home: Path) -> None:
    part = home / "data.part"
    part.mkdir(parents=True)
    (part / "PG_VERSION").write_text("18\n")
    server = EmbeddedServer(home)
    await server.start()
    await server.stop()
    assert not part.exists()


FAILS_HALF_WAY = """#!/bin/sh
for last; do case $last in --pgdata=*) part=${last#--pgdata=};; esac; done
echo run >> "$(dirname "$part")/run/runs"
if [ "$(wc -l < "$(dirname "$part")/run/runs")" -le FAILURES ]; then
    mkdir "$part/global"; echo 18 > "$part/PG_VERSION"
    echo "PANIC:  cannot abort transaction 1, it was already committed" >&2
    exit 134
fi
exec "REAL" "$@"
"""


@pytest.fixture
def initdb_fails(home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Makes initdb fail so many times, leaving half a cluster each time; then it is the real one."""

    def make(times: int) -> None:
        real = locate(home).programs
        programs = home.parent / "programs"
        programs.mkdir(mode=0o755)
        (programs / "postgres").symlink_to(real / "postgres")
        text = FAILS_HALF_WAY.replace("FAILURES", str(times)).replace("REAL", str(real / "initdb"))
        (programs / "initdb").write_text(text)
        (programs / "initdb").chmod(0o755)
        monkeypatch.setattr(cluster_room, "_programs", lambda home, account: programs)

    return make


async def test_an_initdb_that_fails_half_way_is_cleared_and_tried_again(
    home: Path, initdb_fails: Callable[[int], None]
) -> None:
    initdb_fails(1)
    server = EmbeddedServer(home)
    await server.start()
    await server.stop()
    assert (home / "run" / "runs").read_text() == "run\nrun\n"
    assert not (home / "data.part").exists()


async def test_an_initdb_that_fails_twice_is_told_in_its_own_words(
    home: Path, initdb_fails: Callable[[int], None]
) -> None:
    initdb_fails(2)
    with pytest.raises(EmbeddedServerError, match="status 134: PANIC:  cannot abort transaction 1"):
        await EmbeddedServer(home).start()
    assert not (home / "data").exists()
    assert not (home / "data.part").exists()
    server = EmbeddedServer(home)
    await server.start()  # and the next start is not hindered by it
    await server.stop()


async def test_an_initdb_that_hangs_is_ended_with_all_that_it_started(
    home: Path, initdb_fails: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    initdb_fails(0)
    monkeypatch.setattr(cluster_room, "_INITDB_SECONDS_MAX", 0.5)
    (home.parent / "programs" / "initdb").write_text("#!/bin/sh\necho waiting\nsleep 97531\n")
    with pytest.raises(EmbeddedServerError, match=r"did not end within 0\.5 s: waiting"):
        await EmbeddedServer(home).start()
    left = subprocess.run(["pgrep", "-f", "sleep 97531"], capture_output=True, check=False)  # noqa: ASYNC221
    assert left.returncode == 1


async def test_too_little_room_is_told_before_initdb_aborts_for_it(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_room, "_INITDB_BYTES", 1 << 62)
    with pytest.raises(EmbeddedServerError, match="MiB are free in"):
        await EmbeddedServer(home).start()


async def test_a_folder_that_is_no_whole_cluster_is_neither_used_nor_removed(home: Path) -> None:
    (home / "data").mkdir(parents=True)
    (home / "data" / "PG_VERSION").write_text("18\n")
    with pytest.raises(EmbeddedServerError, match="no whole PostgreSQL cluster"):
        await EmbeddedServer(home).start()
    assert (home / "data" / "PG_VERSION").exists()


async def test_variables_for_other_servers_do_not_reach_ours(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (
        ("PGPORT", "1"), ("PGHOST", "db.invalid"), ("PGSSLMODE", "verify-full"), ("PGUSER", "x"),
        ("PGDATA", "/nowhere"), ("PGTARGETSESSIONATTRS", "standby"), ("LC_ALL", "xx_XX.UTF-8"),
    ):  # fmt: skip
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("HOME", raising=False)
    server = EmbeddedServer(home)
    await server.start()
    assert await migrate(server.owner)
    await server.stop()


async def test_nobody_connects_over_the_network_or_under_another_account(home: Path) -> None:
    server = EmbeddedServer(home)
    await server.start()
    connection = await asyncpg.connect(**server.gateway.arguments())
    assert await connection.fetchval("SHOW listen_addresses") == ""
    assert [
        await connection.fetchval(f"SHOW {name}")
        for name in ("fsync", "synchronous_commit", "data_checksums")
    ] == ["on"] * 3
    row = await connection.fetchrow(
        "SELECT rolsuper, rolbypassrls, rolcreaterole FROM pg_roles WHERE rolname = current_user"
    )
    assert row is not None
    assert not any(row.values())
    await connection.close()
    await server.stop()
    assert (home / "run").stat().st_mode & 0o077 == 0
    assert (home / "data").stat().st_mode & 0o077 == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root lends PostgreSQL another account")
async def test_as_root_only_its_account_may_pass_the_closed_folder_above(home: Path) -> None:
    cluster = await asyncio.to_thread(prepare, home)
    assert cluster.account.uid != 0
    assert home.parent.stat().st_mode & 0o007 == 0  # still closed to everybody else
    assert (home / "data").stat().st_uid == cluster.account.uid
    assert os.getxattr(home.parent, "system.posix_acl_access")
    stranger = {"user": 12345, "group": 12345, "extra_groups": []}
    assert subprocess.run(["ls", str(home)], capture_output=True, **stranger).returncode != 0  # type: ignore[call-overload] # noqa: ASYNC221, PLW1510


async def test_a_long_path_and_programs_out_of_reach_do_not_stop_the_start(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A socket address holds a hundred bytes; a virtual environment is often closed to other accounts."""
    monkeypatch.setattr(cluster_room, "_runs", lambda programs, account: False)
    deep = home.parent / ("a" * 60) / ("b" * 60)
    server = EmbeddedServer(deep)
    await server.start()
    connection = await asyncpg.connect(**server.gateway.arguments())
    assert await connection.fetchval("SELECT 1") == 1
    await connection.close()
    await server.stop()
    folder = server.gateway.socket_folder
    assert folder is not None
    assert not folder.startswith(str(deep))
    assert server._cluster is not None
    assert server._cluster.programs.is_relative_to(deep)
    shutil.rmtree(folder)
