"""Rebuild: a lost catalogue is the same again, from volumes, facts and the journal, wherever it was stopped."""

import asyncio
import contextlib
import json
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.catalogue import Catalogue
from gateway.catalogue.embedded import EmbeddedServer
from gateway.catalogue.migrator import migrate
from gateway.custody.rebuilding import Progress, Rebuilder, Rebuilt
from gateway.errors import RebuildError, StoreUnavailableError
from gateway.ingest.arbitration import matches
from gateway.journal.room import LOCATOR_KEY_LENGTH
from gateway.storage.local import LocalStore
from tests.gateway_process import CommandFailedError, GatewayProcess
from tests.instances import study_of
from tests.kept_archive import KeptArchive, Told, keep_archive, told_by, told_of, vault_of
from tests.postgresql import Server, running

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def archive(tmp_path_factory: pytest.TempPathFactory) -> KeptArchive:
    gateway = GatewayProcess(tmp_path_factory.mktemp("kept")).start()
    return await keep_archive(gateway, [study_of(5, 2), study_of(6), study_of(3)])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Server]:
    async with running("embedded") as started:
        yield started


@pytest_asyncio.fixture(loop_scope="module")
async def lost(server: Server) -> AsyncIterator[Catalogue]:
    """An empty, migrated catalogue."""
    catalogue = await Catalogue.open(server.address("kuva_gateway", await server.new_database()), matches)
    yield catalogue
    await catalogue.close()


async def _rebuild(
    catalogue: Catalogue, data: Path, told: Callable[[Progress], None] = lambda progress: None, **how: bool
) -> Rebuilt:
    store = await LocalStore.open(data / "store")
    try:
        key = (await catalogue.nodes.locator_key())[:LOCATOR_KEY_LENGTH]
        return await Rebuilder(catalogue, store, key, told).run(**how)
    finally:
        await store.close()


def _in_volumes(archive: KeptArchive) -> dict[str, Told]:
    """What a rebuild gives back before any node has started."""
    return {uid: told for uid, told in archive.told.items() if uid != archive.left}


async def test_the_archive_has_what_this_is_about(archive: KeptArchive) -> None:
    whole, part, left = (archive.told[uid] for uid in (archive.whole, archive.part, archive.left))
    assert [custody[0] for custody in whole.custody.values()] == [0]
    assert sorted(custody[0] for custody in part.custody.values()) == [1, 3]
    assert (len(left.open), left.custody, len(part.blocks)) == (3, {}, 2)


async def test_a_rebuilt_catalogue_says_what_the_lost_one_said(archive: KeptArchive, lost: Catalogue) -> None:
    rebuilt = await _rebuild(lost, archive.data)
    assert (rebuilt.volumes, rebuilt.instances, rebuilt.custody, rebuilt.uncommitted) == (3, 11, 7, 2)
    assert (rebuilt.damaged, rebuilt.unread, rebuilt.lost, rebuilt.finished) == ({}, {}, {}, True)
    assert await told_of(lost) == _in_volumes(archive)
    assert await lost.facts.unwritten() == ()  # nothing was decided anew
    with pytest.raises(RebuildError, match="not empty"):
        await _rebuild(lost, archive.data)


async def test_what_was_committed_is_found_and_may_be_asked_again(
    archive: KeptArchive, lost: Catalogue
) -> None:
    await _rebuild(lost, archive.data)
    known = await lost.known(vault_of(archive.data), archive.part)
    assert (len(known.volumes), known.blocks) == (2, ())


class _StoppedError(Exception):
    """As if the process had ended."""


@pytest.mark.parametrize("after", [0, 1, 2, 3])
async def test_it_may_be_stopped_anywhere_and_run_again(
    archive: KeptArchive, lost: Catalogue, after: int
) -> None:
    seen: list[Progress] = []

    def stop(progress: Progress) -> None:
        seen.append(progress)
        if len(seen) > after:
            raise _StoppedError

    with pytest.raises(_StoppedError):
        await _rebuild(lost, archive.data, stop)
    assert await lost.rebuilding.unfinished()
    rebuilt = await _rebuild(lost, archive.data)
    assert (rebuilt.volumes_before, rebuilt.volumes) == (after, 3 - after)
    assert await told_of(lost) == _in_volumes(archive)
    assert not await lost.rebuilding.unfinished()


async def test_cancelled_at_any_moment_it_goes_on(archive: KeptArchive, lost: Catalogue) -> None:
    for milliseconds in range(0, 200, 10):
        task = asyncio.ensure_future(_rebuild(lost, archive.data))
        await asyncio.sleep(milliseconds / 1000)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, RebuildError):
            await task
    if await lost.rebuilding.unfinished():
        await _rebuild(lost, archive.data)
    assert await told_of(lost) == _in_volumes(archive)


@pytest.mark.parametrize("harm", ["bit", "cut", "other vault", "swapped"])
async def test_a_damaged_volume_is_told_and_does_not_stop_the_others(
    archive: KeptArchive, lost: Catalogue, tmp_path: Path, harm: str
) -> None:
    data = archive.copy(tmp_path)
    (volume,) = archive.told[archive.whole].custody
    vault = vault_of(data)
    path = data / "store" / "volumes" / str(vault) / f"{volume}.tar"
    _harm(path, harm)
    rebuilt = await _rebuild(lost, data)
    assert len(rebuilt.damaged) == (2 if harm == "swapped" else 1)
    assert volume in rebuilt.lost  # it was in custody
    assert rebuilt.finished
    told = await told_of(lost)
    assert archive.whole not in told
    if harm != "swapped":
        assert told == {archive.part: archive.told[archive.part]}


def _harm(path: Path, harm: str) -> None:
    path.parent.chmod(0o700)
    path.chmod(0o600)
    content = path.read_bytes()
    if harm == "bit":
        middle = len(content) // 2
        path.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    elif harm == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif harm == "other vault":
        elsewhere = path.parent.parent / "00000000-0000-4000-8000-000000000000"
        elsewhere.mkdir()
        path.rename(elsewhere / path.name)
    else:
        other = next(one for one in sorted(path.parent.iterdir()) if one != path)
        other.chmod(0o600)
        path.write_bytes(other.read_bytes())
        other.write_bytes(content)


async def test_without_facts_there_is_no_custody_and_it_is_said(
    archive: KeptArchive, lost: Catalogue, tmp_path: Path
) -> None:
    data = archive.copy(tmp_path)
    shutil.rmtree(data / "store" / "facts")
    rebuilt = await _rebuild(lost, data)
    assert (rebuilt.facts, rebuilt.custody, rebuilt.uncommitted, rebuilt.volumes) == (0, 0, 3, 3)
    told = await told_of(lost)
    assert all(rows == () for one in told.values() for _, rows in one.custody.values())
    (fact,) = await lost.facts.unwritten()  # the vault leaves one again
    vault = vault_of(data)
    assert json.loads(fact.payload) == {"kind": "vault", "vault": str(vault), "name": f"recovered {vault}"}


async def test_a_fact_that_cannot_be_understood_is_told(
    archive: KeptArchive, lost: Catalogue, tmp_path: Path
) -> None:
    data = archive.copy(tmp_path)
    facts = sorted((data / "store" / "facts").rglob("*.json"))
    custody = next(path for path in facts if b"custody" in path.read_bytes())
    custody.chmod(0o600)
    custody.write_bytes(custody.read_bytes()[:-1])
    rebuilt = await _rebuild(lost, data)
    assert [Path(key).name for key in rebuilt.damaged] == [custody.name]
    assert (rebuilt.facts, rebuilt.finished) == (len(facts) - 1, True)


async def test_what_cannot_be_read_keeps_the_archive_shut_until_somebody_says_so(
    archive: KeptArchive, lost: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = archive.copy(tmp_path)
    (volume,) = archive.told[archive.whole].custody
    away = LocalStore.read_back

    def failing(self: LocalStore, key: str) -> AsyncIterator[bytes | memoryview]:
        if volume in key:
            raise StoreUnavailableError("input/output error")
        return away(self, key)

    monkeypatch.setattr(LocalStore, "read_back", failing)
    rebuilt = await _rebuild(lost, data)
    assert (list(rebuilt.unread.values()), rebuilt.finished) == (["input/output error"], False)
    assert await lost.rebuilding.unfinished()
    again = await _rebuild(lost, data, leave_unread=True)
    assert (again.volumes_before, again.finished) == (2, True)


async def test_a_store_with_nothing_in_it_is_not_taken_for_the_archive(
    lost: Catalogue, tmp_path: Path
) -> None:
    with pytest.raises(RebuildError, match="neither volumes nor facts"):
        await _rebuild(lost, tmp_path)
    assert not await lost.rebuilding.unfinished()


async def test_the_command_rebuilds_and_the_next_start_lands_the_rest(
    archive: KeptArchive, tmp_path: Path
) -> None:
    data = archive.copy(tmp_path)
    gateway = GatewayProcess(tmp_path)
    told = await asyncio.to_thread(gateway.kuva, "rebuild")
    assert (told["volumes"], told["custody"], told["finished"]) == (3, 7, True)
    with pytest.raises(CommandFailedError, match="not empty"):
        await asyncio.to_thread(gateway.kuva, "rebuild")
    await asyncio.to_thread(gateway.start)
    assert await asyncio.to_thread(gateway.stop) == 0
    assert await told_by(data) == archive.told


async def test_an_unfinished_rebuild_keeps_the_gateway_from_starting(
    archive: KeptArchive, tmp_path: Path
) -> None:
    data = archive.copy(tmp_path)
    embedded = EmbeddedServer(data / "postgresql")
    await embedded.start()
    await migrate(embedded.owner)
    catalogue = await Catalogue.open(embedded.gateway, matches)
    await catalogue.rebuilding.begin()
    await catalogue.close()
    await embedded.stop()
    gateway = GatewayProcess(tmp_path)
    with pytest.raises(AssertionError, match="run 'kuva rebuild' again"):
        await asyncio.to_thread(gateway.start)
    assert await asyncio.to_thread(gateway.wait) == 1
    assert (await asyncio.to_thread(gateway.kuva, "rebuild"))["finished"]
    await asyncio.to_thread(gateway.start)
    assert await asyncio.to_thread(gateway.stop) == 0


async def test_the_command_names_what_is_damaged_and_lost(archive: KeptArchive, tmp_path: Path) -> None:
    data = archive.copy(tmp_path)
    (volume,) = archive.told[archive.whole].custody
    _harm(next((data / "store" / "volumes").rglob(f"{volume}.tar")), "cut")
    with pytest.raises(CommandFailedError, match=f"IN CUSTODY, AND NOT THERE: {volume}") as ended:
        await asyncio.to_thread(lambda: GatewayProcess(tmp_path).kuva("rebuild", plain=True))
    assert ended.value.code == 3
