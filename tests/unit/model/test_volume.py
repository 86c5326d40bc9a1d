"""Volumes: what a plan may be of."""

import dataclasses

import pytest

from gateway.model.volume import BatchKey, VolumeKind
from tests.catalogue_samples import node_id, vault_id
from tests.volume_samples import plan_of


@pytest.mark.parametrize(
    "wrong",
    [
        {"batches": ()},
        {"incidents": (1,)},
        {"kind": VolumeKind.QUARANTINED},
        {"kind": VolumeKind.QUARANTINED, "batches": (), "incidents": (1,), "excluded": ((1, 1),)},
    ],
)
def test_a_plan_is_of_batches_or_of_newcomers(wrong: dict[str, object]) -> None:
    plain = plan_of(vault_id(), node_id(), (1, 1))
    with pytest.raises(ValueError, match="batches"):
        dataclasses.replace(plain, **wrong)  # type: ignore[arg-type]
    dataclasses.replace(plain, kind=VolumeKind.QUARANTINED, batches=(), incidents=(1,))
    assert BatchKey(1, 2) < BatchKey(2, 1)
