"""Facts: what is written is read back, and nothing else is taken for one."""

import json
from datetime import UTC, datetime
from uuid import UUID

import pytest

from gateway.model.fact import CustodyFact, Run, VaultFact, VolumeCustody, parse_fact
from gateway.model.identifiers import NodeId, VaultId, VolumeId, ulid, ulid_time
from gateway.model.instance import ReceiveId

VAULT, NODE = VaultId(UUID(int=1)), NodeId(UUID(int=2))
VOLUME = VolumeId("01ARZ3NDEKTSV4RRFFQ69G5FAV")
CUSTODY = {
    "kind": "custody", "vault": str(VAULT), "since": "2026-11-25T12:00:00.000001+00:00", "calling": "CT1",
    "transaction_uid": "2.25.1",
    "volumes": [
        {"volume": VOLUME, "members": [{"node": str(NODE), "epoch": 3, "positions": [[1, 4], [7, 7]]}]},
        {"volume": VOLUME, "members": None},
    ],
}  # fmt: skip


def test_a_vault_and_custody_are_read() -> None:
    vault = {"kind": "vault", "vault": str(VAULT), "name": "north"}
    assert parse_fact(json.dumps(vault).encode()) == VaultFact(VAULT, "north")
    runs = (Run(NODE, 3, 1, 4), Run(NODE, 3, 7, 7))
    assert parse_fact(json.dumps(CUSTODY).encode()) == CustodyFact(
        VAULT, datetime(2026, 11, 25, 12, 0, 0, 1, UTC), "CT1", "2.25.1",
        (VolumeCustody(VOLUME, runs), VolumeCustody(VOLUME, None)),
    )  # fmt: skip
    assert [p for p in range(1, 9) if any(r.holds(ReceiveId(NODE, 3, p)) for r in runs)] == [1, 2, 3, 4, 7]
    assert not runs[0].holds(ReceiveId(NODE, 4, 1))
    assert not runs[0].holds(ReceiveId(NodeId(UUID(int=3)), 3, 1))


@pytest.mark.parametrize(
    "harm",
    [
        {"kind": "merge"}, {"kind": None}, {"vault": "x"}, {"vault": 1}, {"since": "yesterday"}, {"since": 1},
        {"since": "2026-11-25T12:00:00"}, {"calling": ""}, {"calling": None}, {"volumes": None},
        {"volumes": [1]}, {"volumes": [{"volume": VOLUME}]}, {"volumes": [{"volume": 1, "members": None}]},
        {"volumes": [{"volume": VOLUME, "members": {}}]}, {"volumes": [{"volume": VOLUME, "members": [1]}]},
        {"volumes": [{"volume": VOLUME, "members": [{"node": str(NODE), "epoch": "3", "positions": []}]}]},
        {"volumes": [{"volume": VOLUME, "members": [{"node": str(NODE), "epoch": 3, "positions": [[1]]}]}]},
        {"volumes": [{"volume": VOLUME, "members": [{"node": str(NODE), "epoch": 3, "positions": [["", 1]]}]}]},
    ],
)  # fmt: skip
def test_what_is_no_fact_is_refused(harm: dict[str, object]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        parse_fact(json.dumps({**CUSTODY, **harm}).encode())


@pytest.mark.parametrize(
    "payload", [b"", b"null", b"[]", b"{", b"\xff", b"[" * 100_000, b'{"kind": "vault"}']
)
def test_garbage_is_refused(payload: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        parse_fact(payload)


def test_a_ulid_tells_when_it_was_made() -> None:
    at = datetime(2026, 11, 25, 12, 0, 0, 123_000, UTC)
    assert ulid_time(ulid(int(at.timestamp() * 1000), bytes(range(10)))) == at
    for wrong in ("", "0" * 25, "0" * 27, "8" + "0" * 25, "0" * 25 + "U"):
        with pytest.raises(ValueError):  # noqa: PT011
            ulid_time(wrong)
