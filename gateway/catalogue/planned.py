"""Planned volumes: what a live plan takes, and the rules under which it may."""

from collections.abc import Sequence

from gateway.catalogue.database import Connection
from gateway.catalogue.queries import queries
from gateway.catalogue.wording import Row
from gateway.errors import PlanError, VolumeStateError
from gateway.model.identifiers import NodeId, StudyUid, VaultId, VolumeId
from gateway.model.volume import (
    BatchKey,
    PlannedBatch,
    PlannedVolume,
    VolumeKind,
    VolumePlan,
    VolumeState,
)

LIVE = frozenset((VolumeState.PLANNED, VolumeState.STORED))


async def insert_plan(connection: Connection, plan: VolumePlan) -> PlannedVolume:
    """Writes a plan in the caller's transaction; the same plan again is accepted.

    Errors as `Volumes.plan`.
    """
    row = await connection.fetchrow(queries("volumes")["lock"], plan.id, plan.vault)
    if row is not None:
        return _same(await planned_of(connection, row), plan)
    study: int | None = await connection.fetchval(queries("volumes")["study"], plan.vault, plan.study_uid)
    if study is None:
        raise PlanError(f"there is no study {plan.study_uid} to plan a volume of")
    take = _take_batches if plan.kind is VolumeKind.KEPT else _take_newcomers
    await take(connection, plan, study)
    row = await connection.fetchrow(queries("volumes")["row"], plan.id, [plan.vault])
    assert row is not None
    return await planned_of(connection, row)


async def planned_of(connection: Connection, row: Row) -> PlannedVolume:
    """What a row of `volume` that is live takes. Raises `VolumeStateError` for another."""
    state = VolumeState(row["state"])
    if state not in LIVE:
        raise VolumeStateError(f"volume {row['id']} is {state.value}; no plan is left of it")
    batches = await connection.fetch(queries("volumes")["planned_batches"], row["id"])
    newcomers = await connection.fetch(queries("volumes")["planned_newcomers"], row["id"])
    plan = VolumePlan(
        id=VolumeId(row["id"]), key=row["key"], vault=VaultId(row["vault"]),
        study_uid=StudyUid(row["study_uid"]), node=NodeId(row["node"]), planned_at=row["planned_at"],
        batches=tuple(BatchKey(b["epoch"], b["first_position"]) for b in batches),
        excluded=tuple(zip(row["excluded_epochs"] or (), row["excluded_positions"] or (), strict=True)),
        kind=VolumeKind(row["kind"]), incidents=tuple(n["id"] for n in newcomers),
        supersedes=tuple(VolumeId(one) for one in row["supersedes"] or ()),
    )  # fmt: skip
    return PlannedVolume(
        plan, state, row["instances"], tuple(PlannedBatch(**dict(b)) for b in batches),
        tuple((n["epoch"], n["position"]) for n in newcomers), row["length"], row["digest"],
    )  # fmt: skip


def _same(recorded: PlannedVolume, wanted: VolumePlan) -> PlannedVolume:
    if _comparable(recorded.plan) != _comparable(wanted):
        raise VolumeStateError(f"volume {wanted.id} was planned otherwise")
    return recorded


def _comparable(plan: VolumePlan) -> tuple[object, ...]:
    return (
        plan.key, plan.study_uid, plan.node, plan.planned_at, plan.kind, plan.supersedes,
        sorted(plan.batches), sorted(plan.excluded), sorted(plan.incidents),
    )  # fmt: skip


async def _take_batches(connection: Connection, plan: VolumePlan, study: int) -> None:
    wanted = (
        study, plan.vault, plan.node, [b.epoch for b in plan.batches],
        [b.first_position for b in plan.batches],
    )  # fmt: skip
    rows = await _free_batches(connection, plan, wanted)
    _check_excluded(plan, rows)
    await _insert(connection, plan, study, sum(row["instances"] for row in rows) - len(plan.excluded))
    await connection.execute(
        queries("volumes")["take_batches"], plan.id, study, plan.vault, plan.node,
        [row["epoch"] for row in rows], [row["first_position"] for row in rows],
        [row["landed_at"] for row in rows],
    )  # fmt: skip
    # Whoever had them in a volume that was verified just now, while our rows waited for its: they are gone.
    await _free_batches(connection, plan, wanted)


async def _free_batches(
    connection: Connection, plan: VolumePlan, wanted: tuple[object, ...]
) -> Sequence[Row]:
    rows: Sequence[Row] = await connection.fetch(queries("volumes")["free_batches"], *wanted)
    if len(rows) != len(set(plan.batches)) or len(rows) != len(plan.batches):
        raise PlanError(
            f"volume {plan.id}: {len(rows)} of its {len(plan.batches)} batches are open and compared"
        )
    return rows


def _check_excluded(plan: VolumePlan, rows: Sequence[Row]) -> None:
    for epoch, position in plan.excluded:
        if not any(
            row["epoch"] == epoch and row["first_position"] <= position <= row["last_position"]
            for row in rows
        ):
            raise PlanError(f"volume {plan.id} excludes {epoch}/{position}, which is in none of its batches")


async def _take_newcomers(connection: Connection, plan: VolumePlan, study: int) -> None:
    wanted = (list(plan.incidents), plan.vault, plan.study_uid, plan.node)
    rows = await connection.fetch(queries("volumes")["free_newcomers"], *wanted)
    if len(rows) != len(plan.incidents):
        raise PlanError(
            f"volume {plan.id}: {len(rows)} of its {len(plan.incidents)} newcomers are in no volume"
        )
    await _insert(connection, plan, study, len(rows))
    await connection.execute(queries("volumes")["take_newcomers"], plan.id, plan.vault, list(plan.incidents))
    if len(await connection.fetch(queries("volumes")["free_newcomers"], *wanted)) != len(rows):
        raise PlanError(f"volume {plan.id}: its newcomers went into another one just now")


async def _insert(connection: Connection, plan: VolumePlan, study: int, instances: int) -> None:
    if instances <= 0:
        raise PlanError(f"volume {plan.id} would be empty")
    await connection.execute(
        queries("volumes")["insert"], plan.id, plan.key, study, plan.vault, plan.node, plan.kind.value,
        instances, plan.planned_at, [e for e, _ in plan.excluded] or None,
        [p for _, p in plan.excluded] or None,
        list(plan.supersedes) or None,
    )  # fmt: skip
