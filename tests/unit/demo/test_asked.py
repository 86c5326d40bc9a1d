"""What `kuva` commands answer, read; what is no such answer is told, not guessed."""

import pytest

from gateway.demo.asked import Difference, incident_from
from gateway.demo.running import GatewayFailed

SAID = {
    "id": 7,
    "kind": "quarantine",
    "state": "open",
    "sop_uid": "1.2.3",
    "resolution": None,
    "difference": None,
}


def test_an_incident_not_yet_compared_has_no_differences() -> None:
    incident = incident_from(SAID)
    assert (incident.number, incident.sop_instance, incident.differences) == (7, "1.2.3", None)


def test_differences_are_read() -> None:
    one = {"path": "(7FE0,0010)", "kind": "changed", "before": "a", "after": "b"}
    assert incident_from(SAID | {"difference": [one]}).differences == (
        Difference("(7FE0,0010)", "changed", "a", "b"),
    )
    assert incident_from(SAID | {"difference": []}).differences == ()


@pytest.mark.parametrize("said", [None, [], "7", {"id": "7"}, SAID | {"difference": 3}])
def test_anything_else_is_a_failure(said: object) -> None:
    with pytest.raises(GatewayFailed):
        incident_from(said)
