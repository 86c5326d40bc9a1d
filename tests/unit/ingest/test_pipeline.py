"""The pipeline: wake-ups go to their associations, flushes land in order and again until they do."""

import asyncio
import os
import threading
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
import structlog.testing

from gateway.errors import CatalogueUnavailableError, JournalError
from gateway.ingest import pipeline as room
from gateway.ingest.landing import flush_of
from gateway.ingest.pipeline import Pipeline
from gateway.model.batch import Flush, Known

NODE, VAULT = UUID(int=7), UUID(int=8)


class Journal:
    """A journal that is told what happened."""

    identifier, epoch = NODE, 2

    def __init__(self) -> None:
        self.wake_fd, self._signal = os.pipe()
        self.wakes: list[Any] = []
        self.flushes: list[Any] = []
        self.landings: list[tuple[int, int]] = []
        self.opened: list[str] = []
        self.failed: list[str] = []
        self.unreadable = 0

    def say(self, **what: Any) -> None:
        wake = {
            "opening": [],
            "resume": [],
            "output": [],
            "landing": False,
            "refused": [],
            "damaged": [],
            "journal_stopped": None,
        } | what
        self.wakes.append(SimpleNamespace(**wake))
        os.write(self._signal, b"x")

    def drain(self) -> Any:
        os.read(self.wake_fd, 1)
        return self.wakes.pop(0)

    async def take_flush(self) -> Any:
        if self.unreadable:
            self.unreadable -= 1
            raise JournalError("unreadable")
        return self.flushes[0] if self.flushes else None

    def landed(self, epoch: int, through: int) -> None:
        assert (self.flushes[0].epoch, self.flushes[0].through) == (epoch, through)
        self.flushes.pop(0)
        self.landings.append((epoch, through))

    def evict(self, now: int) -> None:
        assert now > 0

    async def study_opened(self, vault: UUID, study: str, known: Known) -> None:
        self.opened.append(study)

    def study_failed(self, vault: UUID, study: str) -> None:
        self.failed.append(study)


class Catalogue:
    """A catalogue that can be away."""

    def __init__(self) -> None:
        self.away = 0
        self.flushes: list[Flush] = []
        self.error: Exception = CatalogueUnavailableError("away")

    async def land(self, flush: Flush) -> int:
        if self.away:
            self.away -= 1
            raise self.error
        self.flushes.append(flush)
        return 0

    async def known(self, vault: UUID, study: str) -> Known:
        if self.away:
            raise CatalogueUnavailableError("away")
        return Known()

    async def upkeep(self) -> None:
        return None


def flush(epoch: int, through: int) -> Any:
    return SimpleNamespace(epoch=epoch, through=through, batches=[], quarantined=[])


async def run(journal: Journal, catalogue: Catalogue, *, lines: dict[int, Any] | None = None) -> Pipeline:
    """Runs until everything that is closed has landed."""
    made = Pipeline(journal, catalogue, (lines or {}).get, [(1, 5)])  # type: ignore[arg-type]
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        tasks.create_task(made.run())
        while journal.flushes or journal.wakes or made.behind:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        made.finish()
    return made


async def test_flushes_land_in_order_each_after_what_landed_before(monkeypatch: Any):
    monkeypatch.setattr(room, "GATHER_SECONDS", 0.0)
    journal, catalogue = Journal(), Catalogue()
    journal.flushes = [flush(1, 9), flush(2, 3)]
    await run(journal, catalogue)
    assert [(f.epoch, f.after, f.through) for f in catalogue.flushes] == [(1, 5, 9), (2, 0, 3)]
    assert journal.landings == [(1, 9), (2, 3)]


@pytest.mark.parametrize(
    "error", [CatalogueUnavailableError("away"), ValueError("a defect"), JournalError("unreadable")]
)
async def test_what_did_not_land_is_landed_again(monkeypatch: Any, error: Exception):
    monkeypatch.setattr(room, "GATHER_SECONDS", 0.0)
    monkeypatch.setattr(room, "RETRY_SECONDS_LEAST", 0.01)
    journal, catalogue = Journal(), Catalogue()
    catalogue.away, catalogue.error = 3, error
    journal.flushes = [flush(2, 3)]
    made = await run(journal, catalogue)
    assert journal.landings == [(2, 3)]
    assert not made.behind


async def test_what_was_closed_behind_a_flush_that_did_not_land_follows_it(monkeypatch: Any):
    monkeypatch.setattr(room, "GATHER_SECONDS", 0.0)
    monkeypatch.setattr(room, "RETRY_SECONDS_LEAST", 0.01)
    journal, catalogue = Journal(), Catalogue()
    catalogue.away = 1
    journal.flushes = [flush(2, 1)]
    journal.say(closed_instances=1)

    async def close_more() -> None:
        while catalogue.away != 0:  # noqa: ASYNC110
            await asyncio.sleep(0)
        journal.flushes.append(flush(2, 6))  # the wake-up for it comes while the retry waits
        journal.say(closed_instances=5)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(close_more())
        tasks.create_task(run(journal, catalogue))
    assert journal.landings == [(2, 1), (2, 6)]


async def test_a_flush_that_cannot_be_taken_is_taken_again(monkeypatch: Any):
    monkeypatch.setattr(room, "GATHER_SECONDS", 0.0)
    monkeypatch.setattr(room, "RETRY_SECONDS_LEAST", 0.01)
    journal, catalogue = Journal(), Catalogue()
    journal.flushes, journal.unreadable = [flush(2, 3)], 2
    await run(journal, catalogue)
    assert journal.landings == [(2, 3)]


async def test_a_drain_in_the_middle_of_a_write_resumes_nobody_within_it():
    journal, heard = Journal(), list[Any]()
    line = SimpleNamespace(answered=heard.append, resume=lambda: heard.append("resume"))
    made = Pipeline(journal, Catalogue(), {1: line}.get, [])  # type: ignore[arg-type]
    made.drain()  # not running: nothing to drain into
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(made.run())
        await asyncio.sleep(0.01)
        journal.say(output=[(1, b"one")], resume=[1])
        made.drain()
        assert heard == [b"one"]
        await asyncio.sleep(0.01)
        assert heard == [b"one", "resume"]
        made.finish()


async def test_output_and_resumption_reach_their_association_and_nobody_else():
    journal = Journal()
    heard: list[Any] = []
    line = SimpleNamespace(answered=heard.append, resume=lambda: heard.append("resume"))
    journal.say(output=[(1, b"one"), (2, b"gone"), (1, b"two")], resume=[1, 2])
    await run(journal, Catalogue(), lines={1: line})
    assert heard == [b"one", b"two", "resume"]


async def test_a_study_that_opens_is_asked_for_once_and_failed_if_nobody_answers():
    journal, catalogue = Journal(), Catalogue()
    journal.say(opening=[SimpleNamespace(vault=VAULT.bytes, study="1.2")])
    await run(journal, catalogue)
    assert (journal.opened, journal.failed) == (["1.2"], [])
    catalogue.away = 1_000
    journal.say(opening=[SimpleNamespace(vault=VAULT.bytes, study="1.3")])
    await run(journal, catalogue)
    assert (journal.opened, journal.failed) == (["1.2"], ["1.3"])


async def test_a_journal_that_stopped_is_remembered():
    journal = Journal()
    journal.say(journal_stopped="a write failed")
    assert (await run(journal, Catalogue())).stopped == "a write failed"


async def test_every_refusal_told_by_the_core_is_one_line_of_the_log():
    refused = SimpleNamespace(
        association=7, address="10.0.0.1:99", calling="CT1", sop_instance="1.2.3", code="study-uid-missing",
        status=0xA900, comment="why", offending=0x0020000D, byte=None,
    )  # fmt: skip
    journal = Journal()
    journal.say(refused=[refused])
    with structlog.testing.capture_logs() as lines:
        await run(journal, Catalogue())
    (line,) = [line for line in lines if line["event"] == "instance refused"]
    assert (line["association"], line["sop_instance"], line["code"], line["status"]) == (
        7,
        "1.2.3",
        "study-uid-missing",
        "A900H",
    )
    assert (line["address"], line["calling"], line["turn"]) == ("10.0.0.1:99", "CT1", "sender")
    assert (line["attribute"], line["value_class"]) == ("StudyInstanceUID (0020,000D)", "missing")
    assert line["rule"]
    assert line["mend"]


async def test_what_peers_wrote_is_decoded_beside_the_event_loop(monkeypatch: pytest.MonkeyPatch):
    journal, catalogue = Journal(), Catalogue()
    journal.flushes = [flush(2, 3)]
    decoded: list[int] = []

    def recorded(*given: Any) -> Flush:
        decoded.append(threading.get_ident())
        return flush_of(*given)

    monkeypatch.setattr(room, "flush_of", recorded)
    journal.say(landing=True)
    await run(journal, catalogue)
    assert decoded
    assert threading.get_ident() not in decoded
