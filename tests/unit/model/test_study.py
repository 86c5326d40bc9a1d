"""Names: what is stored and what is asked meet."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.study import normalise_name


@pytest.mark.parametrize(
    ("name", "normalised"),
    [
        ("Sälä^Åke", "sala ake"),
        ("  VIRTANEN ^^ maija^", "virtanen maija"),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "yamada tarou 山田 太郎 やまた たろう"),
        ("Straße^Ö", "strasse o"),
        ("", ""),
    ],
)
def test_a_name_is_searched_without_case_marks_and_structure(name: str, normalised: str) -> None:
    assert normalise_name(name) == normalised


@given(st.text())
def test_normalising_twice_is_normalising_once(name: str) -> None:
    assert normalise_name(normalise_name(name)) == normalise_name(name)
