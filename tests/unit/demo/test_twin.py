"""A twin differs from its original in one bit of its last byte, and in nothing that identifies it."""

from pathlib import Path

from gateway.demo.made import ct_series
from gateway.demo.material import Expectation
from gateway.demo.twin import twin_of


def test_a_twin_differs_in_one_bit_of_the_pixel_data(tmp_path: Path) -> None:
    (original,) = ct_series(tmp_path, "twin", 1)
    twin = twin_of(original, tmp_path)
    one, other = original.data_set(), twin.data_set()
    different = [(n, a ^ b) for n, (a, b) in enumerate(zip(one, other, strict=True)) if a != b]
    assert different == [(len(one) - 1, 1)]
    assert (twin.sop_instance, twin.study) == (original.sop_instance, original.study)
    assert twin.expectation is Expectation.CONFLICTING
