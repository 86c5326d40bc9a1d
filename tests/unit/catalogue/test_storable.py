"""Storable text: nothing that a peer wrote can stop a flush."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.catalogue.landing import signed
from gateway.catalogue.storable import TEXT_LENGTH_MAX, storable

ANY_TEXT = st.text(st.characters(exclude_categories=()))  # lone surrogates too


@given(ANY_TEXT)
def test_anything_becomes_text_that_postgresql_takes(text: str) -> None:
    kept = storable(text)
    assert "\x00" not in kept
    assert len(kept.encode("utf-8")) <= 4 * TEXT_LENGTH_MAX


@given(st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=TEXT_LENGTH_MAX))
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert storable(text) == text


@given(st.integers(0, 2**64 - 1))
def test_a_hash_keeps_its_bits(number: int) -> None:
    assert -(2**63) <= signed(number) < 2**63
    assert signed(number) % 2**64 == number
    assert signed(signed(number)) == signed(number)
