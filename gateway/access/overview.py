"""Overview: one study as an operator sees it: series, instances, bytes, flags, and where they lie."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from gateway import _core
from gateway.access.lifecycle import Lifecycle, Standing, lifecycle
from gateway.catalogue import Catalogue, IncidentFilters
from gateway.errors import NotFoundError
from gateway.model.identifiers import StudyUid, VaultId
from gateway.model.study import Study, StudyBlock
from gateway.wire.dicom.attributes import decode_text

_BEGAN = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class InstanceShown:
    """One instance."""

    sop_instance: str
    sop_class: str
    transfer_syntax: str
    length: int
    received_at: datetime
    flags: tuple[str, ...]
    """Content rules that it broke and was kept all the same."""
    place: str
    """`journal NODE/EPOCH/POSITION`, or `volume KEY#PATH`: the object in the store, and the file in it."""


@dataclass(frozen=True, slots=True)
class SeriesShown:
    """One series."""

    uid: str
    modality: str
    description: str
    number: int | None
    instances: tuple[InstanceShown, ...]
    length: int


@dataclass(frozen=True, slots=True)
class StudyShown:
    """One study of one vault."""

    study: Study
    series: tuple[SeriesShown, ...]
    flags: tuple[str, ...]
    findable: bool
    """Whether a C-GET finds it: all that is shown here is catalogued."""
    lifecycle: Lifecycle


class Overview:
    """Reads the catalogue, and asks who plans and who stores."""

    def __init__(
        self,
        catalogue: Catalogue,
        standing: Callable[[VaultId, StudyUid], Standing | None] = lambda vault, study: None,
        store_waits_for: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._catalogue, self._standing, self._store_waits_for = catalogue, standing, store_waits_for

    async def study(self, uid: str, vaults: Sequence[VaultId]) -> tuple[StudyShown, ...]:
        """The study in every vault that has it. Raises `NotFoundError`."""
        shown: list[StudyShown] = []
        for vault in vaults:
            try:
                study, blocks = await self._catalogue.studies.get(vault, StudyUid(uid))
            except NotFoundError:
                continue
            shown.append(await asyncio.to_thread(_shown, study, blocks, await self._lifecycle(study)))
        if not shown:
            raise NotFoundError(f"no study {uid}")
        return tuple(shown)

    async def _lifecycle(self, study: Study) -> Lifecycle:
        volumes = await self._catalogue.volumes.of_study(study.vault, study.uid)
        filters = IncidentFilters((study.vault,), study_uid=study.uid)
        return lifecycle(
            study, volumes, self._standing(study.vault, study.uid), now=datetime.now(UTC),
            incidents=len(await self._catalogue.incidents.list(filters)),
            store_waits_for=self._store_waits_for(),
        )  # fmt: skip


def _shown(study: Study, blocks: Sequence[StudyBlock], so_far: Lifecycle) -> StudyShown:
    names = {bit: code for code, bit, *_ in _core.rule_codes()}
    series: dict[str, list[InstanceShown]] = {}
    heads: dict[str, _core.KnownInstance] = {}
    for block in blocks:
        for known in _core.decode_block(block.block):
            heads.setdefault(known.series, known)
            series.setdefault(known.series, []).append(_instance(block, known, names))
    shown = sorted(
        (_series(heads[uid], instances) for uid, instances in series.items()),
        key=lambda s: (s.number is None, s.number or 0, s.uid),
    )
    flags = {flag for one in shown for instance in one.instances for flag in instance.flags}
    return StudyShown(study, tuple(shown), tuple(sorted(flags)), study.instances > 0, so_far)


def _series(head: _core.KnownInstance, instances: Sequence[InstanceShown]) -> SeriesShown:
    length = sum(instance.length for instance in instances)
    description = decode_text(head.series_description, head.series_character_set)
    return SeriesShown(head.series, head.modality, description, head.series_number, tuple(instances), length)


def _place(block: StudyBlock, known: _core.KnownInstance) -> str:
    if block.volume is None:
        return f"journal {block.node}/{known.epoch}/{known.position}"
    return f"volume {block.key}#{known.path}"


def _instance(block: StudyBlock, known: _core.KnownInstance, names: dict[int, str]) -> InstanceShown:
    flags = tuple(sorted(name for bit, name in names.items() if known.flags >> bit & 1))
    received = _BEGAN + timedelta(microseconds=known.received_at)
    return InstanceShown(
        known.sop_instance, known.sop_class, known.transfer_syntax, known.length, received, flags,
        _place(block, known),
    )  # fmt: skip
