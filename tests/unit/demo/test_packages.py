"""What packages carry is taken whole, and what must come of each follows from the file."""

from pathlib import Path

import pytest

from gateway.demo.material import Expectation, LeftOut, Sample, with_twins_named
from gateway.demo.packages import carried


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[Sample | LeftOut]:
    return list(carried(tmp_path_factory.mktemp("carried")))


def samples(found: list[Sample | LeftOut]) -> list[Sample]:
    return [one for one in found if isinstance(one, Sample)]


def test_packages_carry_many_kinds(found: list[Sample | LeftOut]) -> None:
    assert len(samples(found)) > 150
    assert len({s.sop_class for s in samples(found)}) >= 10
    assert len({s.transfer_syntax for s in samples(found)}) >= 10


def test_nothing_is_hidden(found: list[Sample | LeftOut]) -> None:
    left_out = {one.name: one.why for one in found if isinstance(one, LeftOut)}
    assert left_out["pydicom/no_meta"].startswith("not a Part 10 file")
    assert left_out["pydicom/meta_missing_tsyntax"].startswith("names no transfer syntax")


def test_what_is_damaged_or_without_uids_must_be_refused(found: list[Sample | LeftOut]) -> None:
    expected = {s.name: s.expectation for s in samples(found)}
    assert expected["pydicom/MR_truncated"] is Expectation.REFUSED
    assert expected["pydicom/JPEGLSNearLossless_08"] is Expectation.REFUSED
    assert expected["pydicom/CT_small"] is Expectation.KEPT
    assert expected["pydicom/hotiron"] is Expectation.NOT_NEGOTIATED


def test_one_of_each_uid_is_kept_and_its_twins_are_known(found: list[Sample | LeftOut]) -> None:
    named = list(with_twins_named(samples(found)))
    kept = [s.sop_instance for s in named if s.expectation is Expectation.KEPT]
    assert len(set(kept)) == len(kept)
    by_name = {s.name: s.expectation for s in named}
    assert by_name["pydicom/MR_small"] is Expectation.KEPT
    assert by_name["pydicom/MR_small_implicit"] is Expectation.CONFLICTING
    assert by_name["pynetdicom/SCImageStorage_Deflated"] is Expectation.IDENTICAL


def test_data_sets_are_copied_byte_for_byte(found: list[Sample | LeftOut]) -> None:
    import pydicom

    original = Path(pydicom.__file__).parent / "data" / "test_files" / "CT_small.dcm"
    (sample,) = (s for s in samples(found) if s.name == "pydicom/CT_small")
    assert original.read_bytes().endswith(sample.data_set())
    assert sample.length > 39_000 - 500
