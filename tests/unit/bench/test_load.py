"""The load generator's word: what counts as stored, and what as a problem."""

import sys
from pathlib import Path
from typing import Any

import pytest

from gateway.bench.beside import NOTHING
from gateway.bench.failure import BenchError, RunFailedError
from gateway.bench.load import Answered, Load, answered
from gateway.bench.measuring import missing
from gateway.bench.server import Kept

PLAN = {"seconds_max": 1.0, "answer_seconds_max": 1.0, "window": 1}


def association(**changes: Any) -> dict[str, Any]:
    return {
        "sent": 2, "stored_bytes": 20, "statuses": {"0000": 2}, "latencies": [5, 7], "refusals": [],
        "trouble": None,
    } | changes  # fmt: skip


def report(*associations: dict[str, Any]) -> dict[str, Any]:
    return {"event": "done", "seconds": 2.0, "associations": list(associations), "commitments": []}


def test_associations_are_added_up():
    found = answered(report(association(), association(latencies=[1, 9])))
    assert found == Answered(2.0, 4, 40, (5, 7, 1, 9), ())


def test_whatever_is_not_success_is_a_problem_warnings_too():
    refusal = {"sop_instance": "1.2", "status": "A700", "comment": "full"}
    found = answered(report(association(statuses={"A700": 1, "B000": 1}, refusals=[refusal], stored_bytes=0)))
    assert found.stored == 0
    assert found.problems == ("1 answered A700H (full)", "1 answered B000H")


def test_an_association_that_ended_and_an_answer_that_never_came_are_problems():
    found = answered(report(association(sent=3, trouble="the archive closed the connection")))
    assert len(found.problems) == 2
    assert "1 never answered" in found.problems


@pytest.mark.parametrize(
    ("kept", "words"),
    [
        (Kept(4, 40), []),
        (Kept(4, 99), []),
        (Kept(3, 40), ["4 were acknowledged, 3 were kept"]),
        (Kept(5, 50), ["4 were acknowledged, 5 were kept"]),
        (Kept(4, 39), ["40 bytes were acknowledged, 39 were kept"]),
    ],
)
def test_what_was_acknowledged_must_be_there_neither_fewer_nor_more(kept: Kept, words: list[str]):
    assert list(missing(answered(report(association(), association())), NOTHING, kept)) == words


def test_what_another_load_stored_meanwhile_must_be_there_too():
    measured, other = answered(report(association())), answered(report(association()))
    assert list(missing(measured, other, Kept(4, 40))) == []
    assert list(missing(measured, other, Kept(2, 20))) == ["4 were acknowledged, 2 were kept"]


def generator(folder: Path, body: str) -> Path:
    program = folder / "kuva-load"
    program.write_text(f"#!{sys.executable}\n{body}\n")
    program.chmod(0o755)
    return program


def test_a_generator_that_complains_is_quoted(tmp_path: Path):
    program = generator(tmp_path, "import sys; input(); sys.exit('kuva-load: it does not like you')")
    with pytest.raises(RunFailedError, match="does not like you"):
        Load(program, dict(PLAN))


def test_a_generator_that_is_not_built_is_said_so(tmp_path: Path):
    with pytest.raises(BenchError, match="make bench"):
        Load(tmp_path / "kuva-load", dict(PLAN))
