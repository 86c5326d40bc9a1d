"""Keepers: the tasks that bring what was received into the store, put together and looked at as one."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from gateway.catalogue import Catalogue
from gateway.custody.checking import Checker
from gateway.custody.storing import Reached, Storer
from gateway.errors import StoreError, StoreUnavailableError
from gateway.ingest.planner import Planner
from gateway.ingest.setting_aside import Setter
from gateway.journal import Journal
from gateway.listeners.health import PlannerCollector
from gateway.listeners.status import Keeping
from gateway.model.identifiers import StudyUid, VaultId
from gateway.model.volume import PlannedVolume, VolumeKind
from gateway.settings import VolumesSettings
from gateway.storage.layout import VOLUMES
from gateway.storage.local import LocalStore
from gateway.telemetry import Metrics

log = structlog.get_logger(__name__)


class Outcomes:
    """Passes on what came of a volume to whoever planned it."""

    planner: Planner
    setter: Setter

    def __init__(self) -> None:
        self.on_verified: Callable[[VaultId, StudyUid], None] = lambda vault, study_uid: None

    def verified(self, planned: PlannedVolume) -> None:
        """See `gateway.custody.storing.Outcomes`."""
        if planned.plan.kind is VolumeKind.KEPT:
            self.planner.verified(planned)
            self.on_verified(planned.plan.vault, planned.plan.study_uid)

    def abandoned(self, planned: PlannedVolume, *, counts: bool) -> None:
        """See `gateway.custody.storing.Outcomes`."""
        if planned.plan.kind is VolumeKind.KEPT:
            self.planner.abandoned(planned, counts=counts)
        else:
            self.setter.abandoned(planned)


async def refuse_empty(store: LocalStore, catalogue: Catalogue, folder: Path) -> None:
    """Raises `StoreUnavailableError` if volumes belong in the store, and there never was any in this one."""
    if not await store.has_place(VOLUMES) and await catalogue.volumes.anything():
        raise StoreUnavailableError(
            f"the catalogue has volumes, and {folder} has none: is the store mounted there? "
            f"If they are lost for good, make the folder {folder / VOLUMES}"
        )


class Keepers:
    """Who plans, who stores and reads back, who sets aside, who checks."""

    def __init__(
        self,
        journal: Journal,
        catalogue: Catalogue,
        store: LocalStore,
        settings: VolumesSettings,
        metrics: Metrics,
        *,
        locator_key: bytes,
    ) -> None:
        self._metrics, outcomes = metrics, Outcomes()
        self._outcomes = outcomes
        self.store = store
        self.storer = Storer(
            journal, catalogue, store, assemblies_max=settings.assemblies_max, outcomes=outcomes,
            on_stage=self._count_stage,
        )  # fmt: skip
        self.planner = outcomes.planner = Planner(
            catalogue, journal.identifier, settings, self.storer.take, fill=lambda: journal.space().fill,
            on_planned=lambda reason: metrics.volumes_planned.labels(reason.value).inc(),
        )  # fmt: skip
        self.setter = outcomes.setter = Setter(
            journal, catalogue, self.storer.take, seconds=settings.quarantine_seconds
        )
        self.checker = Checker(journal, catalogue, store, locator_key=locator_key)
        metrics.registry.register(PlannerCollector(self.planner))

    def tell_verified(self, told: Callable[[VaultId, StudyUid], None]) -> None:
        """Who waits for volumes of a study to be verified."""
        self._outcomes.on_verified = told

    def start(self, tasks: asyncio.TaskGroup) -> Sequence[asyncio.Task[None]]:
        """They run until cancelled."""
        return [
            tasks.create_task(self.storer.run(), name="storer"),
            tasks.create_task(self.planner.run(), name="planner"),
            tasks.create_task(self.setter.run(), name="setter"),
            tasks.create_task(self._tidy(), name="store-leftovers"),
        ]

    async def look(self) -> Keeping:
        """How it stands."""
        try:
            store = await self.store.health()
        except StoreError:
            store = None
        return Keeping(
            store, self.storer.working, self.storer.waits_for, self.planner.oldest_seconds(),
            tuple(study for _, study in self.planner.stopped()),
        )  # fmt: skip

    def _count_stage(self, reached: Reached) -> None:
        stage = reached.stage.value
        self._metrics.volumes.labels(stage).inc()
        self._metrics.volume_bytes.labels(stage).inc(reached.length)
        self._metrics.volume_seconds.labels(stage).inc(reached.seconds)

    async def _tidy(self) -> None:
        try:
            await self.store.remove_leftovers()
        except StoreError as error:
            log.warning("the store cannot be looked through for leftovers", reason=str(error))
