"""What came back is held against what was sent, and each way in which it can differ is found."""

from dataclasses import replace
from pathlib import Path

import pytest

from gateway.demo.compare import Comparison, Fetched, difference
from gateway.demo.material import Description, Sample, write_sample

DATA_SET = bytes(range(256)) * 40


def sample(folder: Path, name: str = "one") -> Sample:
    what = Description(
        "1.2.840.10008.5.1.4.1.1.2", f"2.25.{len(name)}", "2.25.8", "2.25.9", "1.2.840.10008.1.2"
    )
    return write_sample(folder, name=name, origin="test", data_set=DATA_SET, what=what)


def came_back(one: Sample) -> Fetched:
    return Fetched(one.sop_class, one.sop_instance, one.transfer_syntax, one.data_set())


def test_the_same_bytes_are_no_difference(tmp_path: Path) -> None:
    one = sample(tmp_path)
    assert difference(one, came_back(one)) == ""


@pytest.mark.parametrize("offset", [0, 1, 4999, len(DATA_SET) - 1])
def test_a_flipped_bit_is_reported_with_its_offset(tmp_path: Path, offset: int) -> None:
    one = sample(tmp_path)
    flipped = bytearray(DATA_SET)
    flipped[offset] ^= 1
    assert difference(one, replace(came_back(one), data_set=bytes(flipped))).endswith(f"byte {offset}")


@pytest.mark.parametrize("data_set", [b"", DATA_SET[:-1], DATA_SET + b"\0"])
def test_another_length_is_reported(tmp_path: Path, data_set: bytes) -> None:
    one = sample(tmp_path)
    assert f"{len(data_set)} bytes, sent {len(DATA_SET)}" in difference(
        one, replace(came_back(one), data_set=data_set)
    )


@pytest.mark.parametrize("field", ["sop_class", "transfer_syntax"])
def test_another_class_or_syntax_is_reported(tmp_path: Path, field: str) -> None:
    one = sample(tmp_path)
    assert "1.2.3" in difference(one, replace(came_back(one), **{field: "1.2.3"}))


def test_everything_back_leaves_no_mismatch(tmp_path: Path) -> None:
    samples = [sample(tmp_path, name) for name in ("a", "bb", "ccc")]
    comparison = Comparison(samples)
    for one in samples:
        comparison.take(came_back(one))
    assert comparison.mismatches() == ()
    assert (comparison.instances, comparison.length) == (3, 3 * len(DATA_SET))


def test_what_does_not_come_back_is_a_mismatch(tmp_path: Path) -> None:
    comparison = Comparison([sample(tmp_path)])
    (mismatch,) = comparison.mismatches()
    assert str(mismatch) == "one: did not come back"


def test_what_comes_back_twice_is_a_mismatch(tmp_path: Path) -> None:
    one = sample(tmp_path)
    comparison = Comparison([one])
    comparison.take(came_back(one))
    comparison.take(came_back(one))
    assert [m.what for m in comparison.mismatches()] == ["came back more than once"]


def test_what_was_never_sent_is_a_mismatch(tmp_path: Path) -> None:
    comparison = Comparison([])
    comparison.take(came_back(sample(tmp_path)))
    assert [m.what for m in comparison.mismatches()] == ["came back, but was never sent or was refused"]


def test_what_was_never_answered_may_come_back_or_not_but_not_changed(tmp_path: Path) -> None:
    one = sample(tmp_path)
    assert Comparison([], possible=[one]).mismatches() == ()
    comparison = Comparison([], possible=[one])
    comparison.take(came_back(one))
    assert comparison.mismatches() == ()
    changed = Comparison([], possible=[one])
    changed.take(replace(came_back(one), data_set=DATA_SET[:-1]))
    assert len(changed.mismatches()) == 1
