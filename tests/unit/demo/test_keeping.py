"""What the gateway says of its volumes and requests is read, and held to what must be."""

from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.demo.examining import lifecycle_findings, report_findings, request_findings, volume_findings
from gateway.demo.keeping import (
    Lifecycle,
    Request,
    Volume,
    lifecycle_from,
    request_from,
    volume_from,
)
from gateway.demo.running import GatewayFailed

SHOWN: dict[str, Any] = {
    "id": "01K9RZ4M2Y8Q3T5V7W9X1Z3B5D", "key": "volumes/v/01K9RZ4M2Y8Q3T5V7W9X1Z3B5D.tar", "study_uid": "1.2",
    "kind": "kept", "state": "verified", "instances": 48, "stored_at": "2026-11-25T18:40:20.161983Z",
    "verified_at": "2026-11-25T18:40:21.000000Z", "superseded_by": None, "damaged_at": None,
}  # fmt: skip


def volume(**changes: Any) -> Volume:
    return volume_from({**SHOWN, **changes})


def test_a_volume_is_read() -> None:
    assert volume().verified_at == datetime(2026, 11, 25, 18, 40, 21, tzinfo=UTC)
    assert volume(verified_at=None, state="stored").verified_at is None
    for broken in ({"instances": "many"}, {"verified_at": "soon"}):
        with pytest.raises(GatewayFailed):
            volume(**broken)


@pytest.mark.parametrize(
    ("changes", "live", "sound"),
    [
        ({}, True, True),
        ({"state": "planned"}, True, False),
        ({"state": "stored"}, True, False),
        ({"state": "abandoned"}, False, False),
        ({"superseded_by": "01K9"}, False, True),
        ({"kind": "quarantined"}, False, True),
        ({"damaged_at": "2026-11-25T18:40:21.000000Z"}, True, False),
    ],
)
def test_which_volumes_count_follows_from_their_state(
    changes: dict[str, Any], live: bool, sound: bool
) -> None:
    assert (volume(**changes).live, volume(**changes).sound) == (live, sound)


def test_a_study_in_one_volume_twice_or_not_wholly_is_found() -> None:
    assert volume_findings([volume()], 48) == []
    assert volume_findings([volume(), volume()], 48)
    assert volume_findings([], 48)
    assert volume_findings([volume(state="stored")], 48)


def test_a_study_that_waits_or_lacks_a_stage_is_found() -> None:
    counts = dict.fromkeys(("received", "planned", "stored", "verified", "committed"), 48)
    assert lifecycle_findings(lifecycle_from({**counts, "waits": []}), 48) == []
    assert lifecycle_findings(lifecycle_from({**counts, "committed": 47, "waits": []}), 48)
    wait = {"turn": "operator", "what": "2 open incidents"}
    waiting = lifecycle_from({**counts, "waits": [wait]})
    assert waiting == Lifecycle(48, 48, 48, 48, 48, ("operator: 2 open incidents",))
    assert lifecycle_findings(waiting, 48)


def test_a_request_with_no_result_or_two_is_found() -> None:
    shown = {"transaction_uid": "1.2.9", "instances": 48, "committed": 48, "failed": 0}
    done = request_from(shown)
    assert done == Request("1.2.9", 48, 48, 0)
    assert request_findings([done], 48) == []
    assert request_findings([done, done], 48)
    assert request_findings([request_from({**shown, "committed": None, "failed": None})], 48)


def test_no_report_is_a_finding() -> None:
    assert report_findings([], []) == ["no report came"]
