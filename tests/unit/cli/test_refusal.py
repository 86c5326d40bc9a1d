"""`kuva refusal`, and the document that is made of the catalogue."""

from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from gateway.cli.commands import app
from gateway.cli.explaining import document, example_comment, facts
from gateway.model.refusal import StatusAnswer
from gateway.wire.dicom.refusals import CATALOGUE, comment_of, recognise

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "operating" / "refusals.md"


def test_the_document_is_the_one_made_from_the_catalogue():
    assert DOCUMENT.read_text("utf-8") == document(), "run `make docs`"


def test_the_document_has_a_section_of_every_code():
    sections = [line.removeprefix("### ") for line in document().splitlines() if line.startswith("### ")]
    assert sorted(sections) == sorted(CATALOGUE)


@pytest.mark.parametrize("code", CATALOGUE)
def test_every_code_is_shown_with_all_that_is_known_of_it(code: str):
    shown = CliRunner().invoke(app, ["refusal", "show", code])
    assert shown.exit_code == 0
    # The terminal folds long lines; words stay whole.
    folded = " ".join(shown.output.split())
    assert code in folded
    assert CATALOGUE[code].mend.split()[0] in folded
    plain = orjson.loads(CliRunner().invoke(app, ["refusal", "show", code, "--json"]).output)
    assert (plain["code"], plain["mend"]) == (code, CATALOGUE[code].mend)


def test_an_unknown_code_is_a_wrong_use_and_the_nearest_is_named():
    assert CliRunner().invoke(app, ["refusal", "show", "nope"]).exit_code == 2
    asked = CliRunner().invoke(app, ["refusal", "show", "data-set-truncatd"])
    assert asked.exit_code == 2
    assert "did you mean data-set-truncated?" in " ".join(asked.output.split())


def test_the_list_can_be_had_by_family():
    every = orjson.loads(CliRunner().invoke(app, ["refusal", "list", "--json"]).output)["refusals"]
    assert [one["code"] for one in every] == list(CATALOGUE)
    some = CliRunner().invoke(app, ["refusal", "list", "--family", "rejection"]).output
    assert "called-ae-title" in some
    assert "uid-invalid" not in some


def test_every_answer_by_status_has_an_example_and_no_fact_is_empty():
    for refusal in CATALOGUE.values():
        assert (example_comment(refusal) is None) != isinstance(refusal.answer, StatusAnswer)
        assert all(sentence for _, sentence in facts(refusal)), refusal.code


def test_our_own_comments_are_recognised_by_their_words():
    by_status = [r for r in CATALOGUE.values() if isinstance(r.answer, StatusAnswer)]
    for refusal in by_status:
        tag = refusal.attribute if refusal.attribute is not None else 0x7FE00010
        for place in ({"offending": tag}, {"offending": tag, "byte": 4096}):
            found = recognise(comment_of(refusal, **place), refusal.status)
            assert found == refusal, refusal.code


def test_other_peoples_comments_are_not():
    assert recognise("Unable to process", 0xC000) is None
    assert recognise("", 0xA700) is None
    assert recognise(CATALOGUE["uid-invalid"].text, 0xA700) is None
