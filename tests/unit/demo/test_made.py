"""Made material is the same at every run, and encoded as it claims."""

from pathlib import Path

import pytest
from pydicom import dcmread, uid
from pydicom.encaps import generate_frames

from gateway.demo import made
from gateway.demo.kinds import KINDS
from gateway.demo.material import Sample
from gateway.demo.part10 import read_meta
from gateway.demo.pixels import rle, slice_of, swapped


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    return list(made.made(tmp_path_factory.mktemp("made")))


def test_made_material_is_the_same_every_time(samples: list[Sample], tmp_path: Path) -> None:
    again = list(made.made(tmp_path))
    assert [s.path.read_bytes() for s in again] == [s.path.read_bytes() for s in samples]


def test_every_instance_has_its_own_uid_under_2_25(samples: list[Sample]) -> None:
    uids = {s.sop_instance for s in samples}
    assert len(uids) == len(samples)
    assert all(u.startswith("2.25.") and len(u) <= 64 for u in uids | {s.study for s in samples})


def test_every_kind_and_every_uncompressed_syntax_is_there(samples: list[Sample]) -> None:
    assert {f"made/{kind}" for kind in KINDS} <= {s.name for s in samples}
    syntaxes = {s.transfer_syntax for s in samples}
    assert syntaxes == {
        uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian,
        uid.DeflatedExplicitVRLittleEndian, uid.RLELossless,
    }  # fmt: skip


def test_files_say_what_the_samples_say(samples: list[Sample]) -> None:
    for sample in samples:
        read = dcmread(sample.path)
        meta = read_meta(sample.path.read_bytes())
        assert read.SOPInstanceUID == sample.sop_instance == meta.sop_instance
        assert read.SOPClassUID == sample.sop_class == meta.sop_class
        assert read.StudyInstanceUID == sample.study
        assert meta.transfer_syntax == sample.transfer_syntax
        assert (meta.offset, meta.offset + sample.length) == (sample.offset, sample.path.stat().st_size)


def test_slices_are_encoded_as_claimed(samples: list[Sample]) -> None:
    slices = [s for s in samples if "/ct-" in s.name]
    assert len(slices) == made.SERIES_LENGTH
    for sample in slices:
        read = dcmread(sample.path)
        pixels = slice_of(made.SIDE, read.InstanceNumber)
        match sample.transfer_syntax:
            case uid.RLELossless:
                (frame,) = generate_frames(read.PixelData, number_of_frames=1)
                assert frame == rle(pixels, columns=made.SIDE)
            case uid.ExplicitVRBigEndian:
                assert read.PixelData == swapped(pixels)
            case _:
                assert read.PixelData == pixels


def test_finnish_names_are_in_both_character_sets(samples: list[Sample]) -> None:
    sets = set()
    for sample in samples:
        if "/ct-" in sample.name:
            read = dcmread(sample.path, stop_before_pixels=True)
            assert read.PatientName == "Mäkinen^Åke Öyvind"
            sets.add(read.SpecificCharacterSet)
    assert sets == {"ISO_IR 100", "ISO_IR 192"}
