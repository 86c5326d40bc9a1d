"""What an operator asks to be recorded of a caller: checked against what exists, the nearest named."""

from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.app import _is_settable, _rule_codes
from gateway.listeners.asked import RequestError
from gateway.listeners.callers import RESETS, Existing, wanted_of
from gateway.model.association import EntityChange, GrantWanted, Role
from gateway.model.identifiers import AeTitle
from gateway.profiles import load

NOW = datetime(2026, 11, 25, tzinfo=UTC)
EXISTING = Existing(
    called_titles=("KUVA", "OTHER"),
    rule_codes=_rule_codes(),
    settable_rules=frozenset(filter(_is_settable, _rule_codes())),
    profile=load("neutral"),
    default_vault=None,
)


def wanted(**body: Any) -> GrantWanted:
    return wanted_of({"calling": "CT1", **body}, EXISTING, NOW)


def test_what_is_not_given_is_left_as_it_is():
    assert wanted() == GrantWanted(EntityChange(AeTitle("CT1")), AeTitle("KUVA"), NOW)
    assert wanted(vault=None, rules=None, prefer=None, reset=None, description=None) == wanted()


def test_everything_that_exists_is_taken():
    asked = wanted(
        called="OTHER", vault="North", role="processor", description="", idle_seconds=30, preset="migration",
        rules={"tag-order": "refuse"}, prefer=["ExplicitVRLittleEndian", "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"],
        reset=list(RESETS),
    )  # fmt: skip
    assert (asked.called, asked.vault, asked.role) == ("OTHER", "North", Role.PROCESSOR)
    change = asked.caller
    assert (change.description, change.idle_seconds, change.rule_preset) == ("", 30.0, "migration")
    assert change.transfer_syntax_preference == ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2")
    assert change.rule_overrides == {"tag-order": "refuse"}
    assert change.reset == frozenset(RESETS.values())


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({"calling": "A\\B"}, "not an AE title"),
        ({"calling": None}, "not an AE title"),
        ({"calling": 7}, "calling is a text"),
        ({"called": "OTTER"}, "not one of ours .*did you mean OTHER?"),
        ({"called": "X"}, "known: KUVA, OTHER"),
        ({"role": "owner"}, "did you mean own?"),
        ({"preset": "migratoin"}, "did you mean migration?"),
        ({"preset": 3}, "preset: a text"),
        (
            {"rules": {"tag-ordre": "flag"}},
            "content rule 'tag-ordre' does not exist; did you mean tag-order?",
        ),
        ({"rules": {"tag-order": "flog"}}, "severity 'flog' does not exist; did you mean flag?"),
        ({"rules": {"uid-invalid": "flag"}}, "uid-invalid always refuses"),
        ({"rules": ["tag-order"]}, "rules"),
        ({"prefer": ["ExplicitVRLittleEndan"]}, "did you mean ExplicitVRLittleEndian?"),
        ({"prefer": ["1.2.840.10008.1.2.4.95"]}, "transfer syntax '1.2.840.10008.1.2.4.95' does not exist"),
        ({"prefer": [3]}, "transfer syntax: a text"),
        ({"prefer": "1.2"}, "a list is expected"),
        ({"reset": ["rule"]}, "did you mean rules?"),
        ({"idle_seconds": float("nan")}, "a number"),
        ({"idle_seconds": True}, "a number"),
        ({"idle_seconds": 1e9}, "1 to 86,400"),
        ({"vault": ""}, "vault: empty"),
        ({"vault": " north"}, "space at an end"),
        ({"vault": "no\x1brth"}, "control characters"),
        ({"vault": "x" * 201}, "at most 200"),
        ({"description": "a\nb"}, "control characters"),
        ({"vualt": "north"}, "vualt: unknown; did you mean vault?"),
    ],
)
def test_what_does_not_exist_is_refused_and_the_nearest_named(body: dict[str, Any], fault: str):
    with pytest.raises(RequestError, match=fault.replace("?", r"\?")):
        wanted(**body)
