"""What packages carry is taken whole, and what must come of each follows from the file."""

import struct
import zlib
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
    assert expected["pydicom/chrJapMulti"] is Expectation.REFUSED, "an image without pixels"
    assert expected["pydicom/reportsi"] is Expectation.KEPT, "a report needs none"
    assert expected["pydicom/CT_small"] is Expectation.KEPT
    assert expected["pydicom/hotiron"] is Expectation.NOT_NEGOTIATED


def test_one_of_each_uid_is_kept_and_its_twins_are_known(found: list[Sample | LeftOut]) -> None:
    named = list(with_twins_named(samples(found)))
    kept = [s.sop_instance for s in named if s.expectation is Expectation.KEPT]
    assert len(set(kept)) == len(kept)
    by_name = {s.name: s.expectation for s in named}
    assert by_name["pydicom/MR_small"] is Expectation.KEPT
    assert by_name["pydicom/MR_small_implicit"] is Expectation.CONFLICTING
    assert by_name["pydicom/SC_rgb_jpeg_app14_dcmd"] is Expectation.IDENTICAL
    assert by_name["pydicom/SC_rgb_jpeg_dcmd"] is Expectation.KEPT, "the other file of that UID is broken"


def test_data_sets_are_copied_byte_for_byte(found: list[Sample | LeftOut]) -> None:
    import pydicom

    original = Path(pydicom.__file__).parent / "data" / "test_files" / "CT_small.dcm"
    (sample,) = (s for s in samples(found) if s.name == "pydicom/CT_small")
    assert original.read_bytes().endswith(sample.data_set())
    assert sample.length > 39_000 - 500


def test_files_named_as_broken_are_broken_as_said(found: list[Sample | LeftOut]) -> None:
    """Each reason in `packages.py` is held against the bytes, so that no good file can be excused."""
    data = {s.name: s.data_set() for s in samples(found)}
    assert not data["pydicom/SC_rgb_jpeg"][4:6].isalpha(), "an explicit VR would stand here"
    for name in ("pydicom/image_dfl", "pynetdicom/SCImageStorage_Deflated"):
        stream = zlib.decompressobj(-zlib.MAX_WBITS)
        inflated = stream.decompress(data[name])
        assert struct.unpack("<II", stream.unused_data) == (zlib.crc32(inflated), len(inflated))
    for name in ("pydicom/MR_truncated", "pydicom/rtplan_truncated"):
        assert _end_of_last_element(data[name], explicit="MR" in name) > len(data[name])


def _end_of_last_element(data: bytes, *, explicit: bool) -> int:
    """Walks top-level elements of defined length, as far as they go."""
    at = 0
    while at + 8 <= len(data):
        vr = data[at + 4 : at + 6]
        if explicit and vr in (b"OB", b"OW", b"SQ", b"UN", b"UT"):
            at += 12 + struct.unpack_from("<I", data, at + 8)[0]
        elif explicit:
            at += 8 + struct.unpack_from("<H", data, at + 6)[0]
        else:
            at += 8 + struct.unpack_from("<I", data, at + 4)[0]
    return at
