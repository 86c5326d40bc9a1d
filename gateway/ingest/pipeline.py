"""The pipeline: the node's wake-ups, routed; and the flush loop that lands what was received."""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import structlog

from gateway import _core
from gateway.catalogue import Catalogue
from gateway.errors import GatewayError
from gateway.ingest.duplicates import StudyOpener
from gateway.ingest.landing import flush_of
from gateway.ingest.recovery import report_damage
from gateway.journal import FLUSH_INSTANCES_MAX, Journal
from gateway.model.batch import Flush
from gateway.wire.dicom.refusals import CATALOGUE, log_fields

log = structlog.get_logger(__name__)

GATHER_SECONDS = 0.25
"""From the first closed instance to the flush that lands it: well below a second, when it must be found."""
RETRY_SECONDS_LEAST, RETRY_SECONDS_MOST = 0.25, 10.0
UPKEEP_SECONDS = 60.0
EVICT_SECONDS = 5.0


class Line(Protocol):
    """An association, as wake-ups see it."""

    def resume(self) -> None:
        """Go on with what the core holds."""

    def answered(self, answer: bytes) -> None:
        """Queue answers that workers handed over."""


class Pipeline:
    """Runs beside the listeners: nothing here is on the answer's path except opening a study."""

    def __init__(
        self,
        journal: Journal,
        catalogue: Catalogue,
        line: Callable[[int], Line | None],
        catalogued: Iterable[tuple[int, int]],
        *,
        on_quarantined: Callable[[], None] = lambda: None,
        on_landed: Callable[[int, float], None] = lambda instances, seconds: None,
        on_kept: Sequence[Callable[[Flush], None]] = (),
        on_damaged: Callable[[], None] = lambda: None,
    ) -> None:
        self._journal, self._catalogue, self._line = journal, catalogue, line
        self._through = dict(catalogued)
        self._opener = StudyOpener(journal, catalogue)
        self._on_quarantined, self._on_landed = on_quarantined, on_landed
        self._on_kept, self._on_damaged = on_kept, on_damaged
        self._closed = asyncio.Event()
        self._closed.set()  # what was recovered waits already
        self._tasks: asyncio.TaskGroup | None = None
        self._finishing = asyncio.Event()
        self.behind = False
        """Whether the last landing failed: answers are given, but what they acknowledge is not yet found."""
        self.stopped: str | None = None
        """Why the journal takes nothing more."""

    async def run(self) -> None:
        """Until `finish`; then what is closed lands, as far as the catalogue lets it, and this returns."""
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            loop.add_reader(self._journal.wake_fd, self.drain)
            upkeep = tasks.create_task(self._upkeep(), name="upkeep")
            try:
                await self._land_until_finished()
            finally:
                self._tasks = None
                loop.remove_reader(self._journal.wake_fd)
                upkeep.cancel()

    def finish(self) -> None:
        """Nothing more comes in: land what is there and end. The rest is landed at the next start."""
        self._finishing.set()
        self._closed.set()

    def drain(self) -> None:
        """Routes what has happened since the last time. Answers are written before this returns.

        Associations call this before they write themselves; therefore nobody is resumed within it.
        """
        if self._tasks is None:
            return
        wake = self._journal.drain()
        for number, answer in wake.output:
            if (line := self._line(number)) is not None:
                line.answered(answer)
        for number in wake.resume:
            if (line := self._line(number)) is not None:
                asyncio.get_running_loop().call_soon(line.resume)
        for opening in wake.opening:
            self._tasks.create_task(self._opener.open(opening), name="study-opening")
        if wake.landing:
            self._closed.set()
        for refused in wake.refused:
            _tell(refused)
        for damaged in wake.damaged:
            self._tasks.create_task(self._damaged(damaged), name="damage")
        if wake.journal_stopped is not None:
            self.stopped = wake.journal_stopped
            log.error("the journal stopped; nothing more is taken", reason=wake.journal_stopped)

    async def _damaged(self, damaged: _core.Damaged) -> None:
        """Found while the journal kept house; it is found again after a restart, should this fail."""
        try:
            await report_damage(
                damaged, self._journal, self._catalogue, "an instance is damaged in the journal"
            )
        except GatewayError as error:
            log.warning("damage could not be recorded", reason=str(error))
        self._on_damaged()

    async def _land_until_finished(self) -> None:
        pause = RETRY_SECONDS_LEAST
        while True:
            await self._closed.wait()
            await self._sleep(GATHER_SECONDS)
            self._closed.clear()
            last = self._finishing.is_set()
            while await self._land_once():
                pass
            if not self.behind:
                pause = RETRY_SECONDS_LEAST
            if last:
                return
            if self.behind:
                await self._sleep(pause)
                pause = min(2 * pause, RETRY_SECONDS_MOST)
            if self.behind or self._finishing.is_set():
                self._closed.set()

    async def _sleep(self, seconds: float) -> None:
        """Sleeps, unless there is nothing to wait for any more."""
        try:
            async with asyncio.timeout(seconds):
                await self._finishing.wait()
        except TimeoutError:
            pass

    async def _land_once(self) -> bool:
        """Lands one flush; True if more may wait behind it: it was full, of an earlier epoch, or late.

        What trickles in meanwhile waits for the next gathering: small flushes would be small batches in the
        catalogue for ever.
        """
        core: _core.Flush | None = None
        more = False
        try:
            core = await self._journal.take_flush()
            if core is not None:
                instances = sum(batch.instances for batch in core.batches) + len(core.quarantined)
                # What comes behind one that is tried again waits already, and nobody will wake us for it.
                more = self.behind or instances >= FLUSH_INSTANCES_MAX or core.epoch != self._journal.epoch
                await self._land(core)
        except (GatewayError, ValueError) as error:  # receiving goes on whatever is wrong with one flush
            self.behind = True
            log.warning(
                "a flush did not land; it is tried again",
                epoch=core and core.epoch,
                through=core and core.through,
                reason=str(error),
            )
            return False
        self.behind = False
        return more

    async def _land(self, core: _core.Flush) -> None:
        began = time.monotonic()
        # In a thread: whatever character sets peers name, and however many studies, the loop goes on.
        flush = await asyncio.to_thread(
            flush_of, core, self._journal.identifier, self._through.get(core.epoch, 0)
        )
        await self._catalogue.land(flush)
        self._through[core.epoch] = core.through
        self._journal.landed(core.epoch, core.through)
        self._on_landed(sum(batch.instances for batch in core.batches), time.monotonic() - began)
        if core.quarantined:
            self._on_quarantined()
        if core.batches:
            for tell in self._on_kept:
                tell(flush)

    async def _upkeep(self) -> None:
        due = 0.0
        while True:
            self._journal.evict(time.time_ns() // 1000)
            if time.monotonic() >= due:
                due = time.monotonic() + UPKEEP_SECONDS
                try:
                    await self._catalogue.upkeep()
                except GatewayError as error:
                    log.warning("upkeep of the catalogue failed", reason=str(error))
            await asyncio.sleep(EVICT_SECONDS)


def _tell(refused: _core.Refused) -> None:
    """One refusal of the core's, in one line of the log."""
    log.warning(
        "request refused" if refused.sop_instance is None else "instance refused",
        association=refused.association, address=refused.address, calling=refused.calling,
        sop_instance=refused.sop_instance, status=f"{refused.status:04X}H", comment=refused.comment,
        **log_fields(CATALOGUE[refused.code], offending=refused.offending, byte=refused.byte),
    )  # fmt: skip
