"""Identifiers: what text becomes one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.identifiers import parse_ae_title, parse_uid


@pytest.mark.parametrize("text", ["1.2.840.10008.1.2", "0.0", "2.25.0", "1", "1." + "2" * 62])
def test_a_uid_of_the_standards_form_is_one(text: str):
    assert parse_uid(text) == text


@pytest.mark.parametrize(
    "text", ["", ".", "1.", ".1", "1..2", "1.02", "00.1", "1.2a", "1.2\0", "1 2", "1." + "2" * 63, "1.2\n"]
)
def test_anything_else_is_not(text: str):
    with pytest.raises(ValueError, match="not a UID"):
        parse_uid(text)


@given(st.lists(st.integers(0, 10**9 - 1), min_size=1, max_size=6))
def test_whole_numbers_joined_by_dots_are_a_uid(components: list[int]):
    text = ".".join(map(str, components))
    assert parse_uid(text) == text


@pytest.mark.parametrize("text", ["KUVA", "A B", "x", "0123456789ABCDEF"])
def test_an_ae_title_is_one(text: str):
    assert parse_ae_title(text) == text


@pytest.mark.parametrize("text", ["", " ", " A", "A ", "A\\B", "A\n", "A\x1b[0m", "Ä", "0123456789ABCDEFG"])
def test_what_a_log_or_a_path_should_not_meet_is_no_ae_title(text: str):
    with pytest.raises(ValueError, match="not an AE title"):
        parse_ae_title(text)
