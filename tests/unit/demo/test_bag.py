"""Volumes read by others: what is wrong with one is told, by the tools and by the comparison."""

import hashlib
import io
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from gateway.demo import bag
from gateway.demo.examining import read_volumes, strays
from gateway.demo.keeping import Volume
from gateway.demo.made import ct_series
from gateway.demo.material import Sample
from gateway.demo.part10 import write_meta

ID = "01K9RZ4M2Y8Q3T5V7W9X1Z3B5D"
KEY = f"volumes/v/{ID}.tar"
VOLUME = Volume(ID, KEY, "1.2", "kept", "verified", 3)

pytestmark = pytest.mark.skipif("tar" in bag.missing(), reason="tar is not installed")


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    return list(ct_series(tmp_path_factory.mktemp("made"), "bag", 3))


def files_of(samples: list[Sample]) -> dict[str, bytes]:
    return {
        f"data/0001/{number:06d}.dcm": write_meta(
            sop_class=s.sop_class, sop_instance=s.sop_instance, transfer_syntax=s.transfer_syntax
        )
        + s.data_set()
        for number, s in enumerate(samples, 1)
    }


def bagged(files: Mapping[str, bytes]) -> dict[str, bytes]:
    tags = {
        "bagit.txt": b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n",
        "bag-info.txt": f"Payload-Oxum: {sum(map(len, files.values()))}.{len(files)}\n".encode(),
        "manifest-sha256.txt": manifest(files),
    }
    return {**files, **tags, "tagmanifest-sha256.txt": manifest(tags)}


def manifest(files: Mapping[str, bytes]) -> bytes:
    return "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in files.items()).encode()


def write(store: Path, files: Mapping[str, bytes]) -> None:
    path = store / KEY
    path.parent.mkdir(parents=True)
    with tarfile.open(path, "w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(f"{ID}/{name}")
            info.size, info.mode = len(data), 0o444
            tar.addfile(info, io.BytesIO(data))


async def read(store: Path, samples: list[Sample]) -> list[str]:
    said, comparison = await read_volumes([VOLUME], store, store / "unpacked", samples)
    assert not (store / "unpacked").exists()
    return [*said, *(str(mismatch) for mismatch in comparison.mismatches())]


async def test_a_sound_volume_has_no_findings(samples: list[Sample], tmp_path: Path) -> None:
    write(tmp_path, bagged(files_of(samples)))
    assert await read(tmp_path, samples) == []
    assert strays(tmp_path, [VOLUME]) == []


FIRST = "data/0001/000001.dcm"


def flipped(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


def flip_behind_the_manifest(files: dict[str, bytes]) -> dict[str, bytes]:
    whole = bagged(files)
    return {**whole, FIRST: flipped(whole[FIRST])}


def flip_before_the_manifest(files: dict[str, bytes]) -> dict[str, bytes]:
    return bagged({**files, FIRST: flipped(files[FIRST])})


def leave_one_out(files: dict[str, bytes]) -> dict[str, bytes]:
    return bagged({name: data for name, data in files.items() if name != FIRST})


def double_one(files: dict[str, bytes]) -> dict[str, bytes]:
    return bagged({**files, "data/0001/000004.dcm": files[FIRST]})


def flip_a_tag_file(files: dict[str, bytes]) -> dict[str, bytes]:
    whole = bagged(files)
    return {**whole, "bag-info.txt": whole["bag-info.txt"].replace(b"Oxum", b"oxum")}


def fill_the_preamble(files: dict[str, bytes]) -> dict[str, bytes]:
    return bagged({**files, FIRST: b"II*\0" + files[FIRST][4:]})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (flip_behind_the_manifest, "sha256sum"),
        (flip_before_the_manifest, "the first that differs"),
        (leave_one_out, "did not come back"),
        (double_one, "more than once"),
        (flip_a_tag_file, "sha256sum"),
        (fill_the_preamble, "preamble"),
    ],
)
async def test_whatever_is_wrong_with_a_volume_is_found(
    samples: list[Sample],
    tmp_path: Path,
    change: Callable[[dict[str, bytes]], dict[str, bytes]],
    words: str,
) -> None:
    write(tmp_path, change(files_of(samples)))
    assert any(words in finding for finding in await read(tmp_path, samples))


@pytest.mark.skipif("bagit" in bag.missing(), reason="bagit is not installed")
async def test_bagit_has_its_own_word(samples: list[Sample], tmp_path: Path) -> None:
    files = bagged(files_of(samples))
    write(tmp_path, {**files, "bagit.txt": b"BagIt-Version: 1.0\n"})
    assert any(finding.startswith("bagit: ") for finding in await read(tmp_path, samples))


async def test_a_file_that_is_no_tar_is_told(samples: list[Sample], tmp_path: Path) -> None:
    (tmp_path / KEY).parent.mkdir(parents=True)
    (tmp_path / KEY).write_bytes(b"not a TAR file" * 100)
    assert any("tar: " in finding for finding in await read(tmp_path, samples))


def test_store_and_catalogue_must_name_the_same_volumes(samples: list[Sample], tmp_path: Path) -> None:
    write(tmp_path, bagged(files_of(samples)))
    left = tmp_path / "volumes/v" / f".{ID}.tar.0123.unfinished"
    left.touch()
    assert len(strays(tmp_path, [VOLUME])) == 1
    left.unlink()
    assert len(strays(tmp_path, [])) == 1
    (tmp_path / KEY).unlink()
    assert len(strays(tmp_path, [VOLUME])) == 1
