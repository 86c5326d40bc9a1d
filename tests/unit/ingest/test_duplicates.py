"""Opening studies: every question has one deadline, and a silent catalogue is not asked again at once."""

import asyncio
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from gateway.errors import CatalogueUnavailableError
from gateway.ingest import duplicates as room
from gateway.ingest.duplicates import StudyOpener
from gateway.model.batch import Known

VAULT = UUID(int=8)


class Both:
    """A catalogue that may be frozen or away, and a journal that remembers."""

    def __init__(self) -> None:
        self.frozen = self.away = False
        self.asked = 0
        self.opened: list[str] = []
        self.failed: list[str] = []

    async def known(self, vault: UUID, study: str) -> Known:
        self.asked += 1
        if self.away:
            raise CatalogueUnavailableError("away")
        if self.frozen:
            await asyncio.Event().wait()
        return Known()

    async def study_opened(self, vault: UUID, study: str, known: Known) -> None:
        self.opened.append(study)

    def study_failed(self, vault: UUID, study: str) -> None:
        self.failed.append(study)


@pytest.fixture
def both(monkeypatch: pytest.MonkeyPatch) -> Both:
    monkeypatch.setattr(room, "KNOWN_SECONDS_MAX", 0.2)
    monkeypatch.setattr(room, "SILENT_SECONDS", 0.1)
    return Both()


def opening(study: str) -> Any:
    return SimpleNamespace(vault=VAULT.bytes, study=study)


def opener(both: Both) -> StudyOpener:
    return StudyOpener(both, both, asking_max=2)  # type: ignore[arg-type]


async def test_studies_that_wait_for_a_place_fail_within_the_one_deadline(both: Both):
    both.frozen = True
    made = opener(both)
    async with asyncio.timeout(0.35):
        await asyncio.gather(*(made.open(opening(f"1.{n}")) for n in range(20)))
    assert len(both.failed) == 20


async def test_after_silence_studies_fail_at_once_for_a_while_and_then_are_asked_for_again(both: Both):
    both.frozen = True
    made = opener(both)
    await made.open(opening("1.1"))
    both.frozen = False
    await made.open(opening("1.2"))
    assert (both.asked, both.failed, both.opened) == (1, ["1.1", "1.2"], [])
    await asyncio.sleep(0.12)
    await made.open(opening("1.3"))
    assert both.opened == ["1.3"]


async def test_a_catalogue_that_refuses_at_once_is_asked_for_the_next_study(both: Both):
    both.away = True
    made = opener(both)
    await made.open(opening("1.1"))
    both.away = False
    await made.open(opening("1.2"))
    assert (both.failed, both.opened) == (["1.1"], ["1.2"])
