"""Made data sets: valid for pydicom, and marked where the load generator looks."""

import random
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from pydicom.filereader import read_dataset

from gateway.bench.kit import load_kit
from gateway.bench.made import MARKS, UID_NUMBER_LENGTH, make, new_prefix
from gateway.bench.workload import Workload

WORKLOADS = load_kit().workloads


def small(workload: Workload) -> Workload:
    """The same with fewer pixels, where there are very many."""
    templates = tuple(
        replace(one, rows=min(one.rows, 512), columns=min(one.columns, 512)) for one in workload.templates
    )
    return replace(workload, templates=templates)


@pytest.mark.parametrize("name", WORKLOADS)
def test_every_data_set_reads_back_whole(name: str, tmp_path: Path):
    workload = small(WORKLOADS[name])
    for made in make(workload, tmp_path):
        encoded = made.path.read_bytes()
        data_set = read_dataset(BytesIO(encoded), is_implicit_VR=False, is_little_endian=True)
        assert data_set.SOPClassUID == made.sop_class
        assert made.length == len(encoded)
        assert len(encoded) % 2 == 0
        template = next(one for one in workload.templates if one.sop_class == made.sop_class)
        if template.text:
            assert sum(len(item.TextValue) for item in data_set.ContentSequence) > template.text * 0.9
        else:
            pixels = template.rows * template.columns * template.frames
            assert len(data_set.PixelData) == 2 * pixels
            assert max(data_set.PixelData[1::2]) < 1 << (template.bits_stored - 8)


@pytest.mark.parametrize("name", WORKLOADS)
def test_every_mark_stands_once_where_the_load_generator_looks(name: str, tmp_path: Path):
    for made in make(small(WORKLOADS[name]), tmp_path):
        begin = made.path.read_bytes()[: 16 << 10]
        assert [begin.count(mark.encode()) for mark in MARKS.values()] == [1, 1, 1, 1]


def test_sizes_are_what_the_names_say(tmp_path: Path):
    ct = make(WORKLOADS["ct"], tmp_path)
    assert all(512 << 10 < one.length < 520 << 10 for one in ct)
    assert len({one.path.read_bytes() for one in ct}) == 16
    assert all(9_000 < one.length < 11_000 for one in make(WORKLOADS["tiny"], tmp_path))
    frames = WORKLOADS["multiframe"].templates[0]
    assert frames.rows * frames.columns * frames.frames * 2 == 150_000_000


def test_kinds_take_turns(tmp_path: Path):
    made = make(WORKLOADS["tiny"], tmp_path)
    assert [one.sop_class for one in made[:4]] == [t.sop_class for t in WORKLOADS["tiny"].templates] * 2


def test_no_two_runs_share_a_uid():
    source = random.Random(1)
    prefixes = {new_prefix(source) for _ in range(100)}
    assert len(prefixes) == 100
    assert {len(prefix) + UID_NUMBER_LENGTH for prefix in prefixes} == {len(MARKS["study"])}
    number = int((prefixes.pop() + "9" * UID_NUMBER_LENGTH).removeprefix("2.25."))
    assert number < 1 << 128
