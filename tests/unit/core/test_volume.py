"""Volumes through the typed door: foreign tools read them, and every read is checked.

What the core itself promises is tested in `rust_core/tests/volume`.
"""

import ctypes
import gzip
import importlib.util
import io
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import bagit
import pytest

from gateway import _core
from gateway.errors import (
    DamagedInstanceError,
    Fault,
    InstanceAbsentError,
    JournalError,
    JournalRotError,
    LocalError,
    UnavailableError,
    VolumeMismatchError,
)
from tests.instances import EXPLICIT, Instance, ct, study_of
from tests.node import LOCATOR_KEY, NODE, SUCCESS, VAULT, Sender, positions, running_node

VOLUME = "01K4M8Q2ZJ5W3T7N9V6X1B0CDE"
PLANNED_AT = 1_790_000_123_456_789
VECTORS = Path(__file__).parents[2] / "vectors"


def _reader() -> ModuleType:
    spec = importlib.util.spec_from_file_location("volume_reader", VECTORS / "volume_reader.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["volume_reader"] = module
    spec.loader.exec_module(module)
    return module


volume_reader = _reader()


@dataclass
class Made:
    """A volume, and what it was made of."""

    node: _core.Node
    instances: list[Instance]
    tar: bytes
    assembled: _core.Assembled


def assemble(
    node: _core.Node, study: str, instances: list[tuple[int, int]], **other: object
) -> _core.Assembly:
    plan = {"volume": VOLUME, "vault": VAULT, "study": study, "planned_at": PLANNED_AT}
    return node.assemble(instances=instances, **(plan | other))  # type: ignore[arg-type]


def address_of(view: memoryview) -> int:
    made = ctypes.create_string_buffer(128)  # a Py_buffer, which begins with the address
    assert ctypes.pythonapi.PyObject_GetBuffer(ctypes.py_object(view), made, 0) == 0
    ctypes.pythonapi.PyBuffer_Release(made)
    return ctypes.c_size_t.from_buffer(made).value


def pieces(assembly: _core.Assembly) -> list[_core.Piece]:
    return list(iter(assembly.next, None))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    folder = tmp_path_factory.mktemp("volume")
    instances = study_of(5, series=2)
    instances.append(ct(study=instances[0].study, side=800))  # 1.28 MB: more than one range
    with running_node(folder / "journal") as node:
        sender = Sender(node)
        assert [sender.store(instance, folder) for instance in instances] == [SUCCESS] * 6
        assembly = assemble(node, instances[0].study, positions(node))
        tar = b"".join(pieces(assembly))
        assert len(tar) == assembly.length
        yield Made(node, instances, tar, assembly.finish())


def bodies(instances: list[Instance]) -> dict[str, bytes]:
    return {instance.sop_instance: instance.data_set for instance in instances}


# --- foreign tools


def test_pythons_tarfile_reads_it(made: Made) -> None:
    with tarfile.open(fileobj=io.BytesIO(made.tar)) as archive:
        members = archive.getmembers()
        assert {(one.mode, one.uid, one.gid, one.uname, one.gname) for one in members} == {
            (0o444, 0, 0, "", "")
        }
        assert {one.mtime for one in members} == {PLANNED_AT // 1_000_000}
        assert all(one.isfile() and one.name.startswith(f"{VOLUME}/") for one in members)
        assert len(members) == 6 + len(made.instances)


def test_plain_tar_and_sha256sum_read_and_check_it(made: Made, tmp_path: Path) -> None:
    (tmp_path / "volume.tar").write_bytes(made.tar)
    subprocess.run(["tar", "-xf", "volume.tar"], cwd=tmp_path, check=True, capture_output=True)
    bag = tmp_path / VOLUME
    for manifest in ("manifest-sha256.txt", "tagmanifest-sha256.txt"):
        subprocess.run(["sha256sum", "--strict", "-c", manifest], cwd=bag, check=True, capture_output=True)
    listed = (bag / "instances.tsv").read_text().splitlines()
    assert len(listed) == 1 + len(made.instances)


def test_the_bagit_package_validates_it_and_finds_a_changed_byte(made: Made, tmp_path: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(made.tar)) as archive:
        archive.extractall(tmp_path, filter="data")
    bag = bagit.Bag(str(tmp_path / VOLUME))
    bag.validate()
    assert bag.info["External-Identifier"] == made.instances[0].study
    assert bag.info["Kuva-Kind"] == "kept"
    file = tmp_path / VOLUME / "data" / "0001" / "000001.dcm"
    file.chmod(0o644)
    file.write_bytes(file.read_bytes()[:-1] + b"\0\0")
    with pytest.raises(bagit.BagValidationError):
        bagit.Bag(str(tmp_path / VOLUME)).validate()


def test_pydicom_reads_every_file_as_it_was_received(made: Made) -> None:
    from pydicom import dcmread

    received = bodies(made.instances)
    with tarfile.open(fileobj=io.BytesIO(made.tar)) as archive:
        for member in archive.getmembers():
            if not member.name.endswith(".dcm"):
                continue
            file = archive.extractfile(member)
            assert file is not None
            whole = file.read()
            read = dcmread(io.BytesIO(whole))
            assert read.file_meta.TransferSyntaxUID == EXPLICIT
            assert read.file_meta.MediaStorageSOPInstanceUID == read.SOPInstanceUID
            assert whole.endswith(received.pop(str(read.SOPInstanceUID)))
    assert received == {}


def test_an_independent_reader_written_from_the_document_agrees(made: Made) -> None:
    volume = volume_reader.read_volume(made.tar)
    assert {one.sop_instance: one.data_set for one in volume.instances} == bodies(made.instances)
    known = _core.decode_block(made.assembled.block)
    told = [(one.sop_instance, one.offset, one.ranges_offset, one.blake3[:32]) for one in volume.instances]
    assert told == [(one.sop_instance, one.offset, one.ranges_offset, one.digest.hex()) for one in known]
    assert volume.digest == made.assembled.digest.hex()
    assert volume.tell("Kuva-Planned-At") == ["2026-09-21T14:15:23.456789Z"]


def test_the_independent_reader_and_the_core_read_the_sample_of_the_format() -> None:
    sample = gzip.decompress((VECTORS / "volume-sample.tar.gz").read_bytes())
    volume = volume_reader.read_volume(sample)
    assert [len(one.data_set) for one in volume.instances] == [190, 482, 1_053_758]
    assert volume.instances[0].calling == "MODALITY\t%"
    found = scan(sample)
    assert (found.volume, found.study, found.instances) == (VOLUME, "1.2.246.10.1", 3)
    assert found.supersedes == volume.tell("Kuva-Supersedes")
    assert (
        found.digest.hex()
        == volume.digest
        == "975828919a49cdaee786788321d3b48439d5fcda7c8fd64d0ce8b962f98deff9"
    )


def test_the_independent_readers_blake3_is_blake3() -> None:
    # The official test vectors' input and digests.
    data = bytes(at % 251 for at in range(2049))
    assert volume_reader.blake3(b"").hex().startswith("af1349b9f5f9a1a6a0404dea36dcc949")
    assert volume_reader.blake3(data[:1]).hex().startswith("2d3adedff11b61f14c886e35afa03673")
    assert volume_reader.blake3(data).hex().startswith("5f4d72f40d7a5f82b15ca2b2e44b1de3")


# --- the typed door


def test_the_same_plan_gives_the_same_bytes_in_any_order(made: Made) -> None:
    again = assemble(made.node, made.instances[0].study, positions(made.node)[::-1])
    assert b"".join(pieces(again)) == made.tar
    assert again.finish().digest == made.assembled.digest


def test_pieces_lie_as_a_medium_takes_them_and_nothing_is_finished_before_the_last(made: Made) -> None:
    assembly = assemble(made.node, made.instances[0].study, positions(made.node))
    with pytest.raises(LocalError):
        assembly.finish()
    first = assembly.next()
    assert first is not None
    view = memoryview(first)
    assert view.readonly
    assert address_of(view) % 4096 == 0
    assert assembly.next() is None
    assert assembly.next() is None
    assert assembly.finish().length == len(first)


def test_what_is_read_back_is_verified_by_any_buffer_and_a_flipped_bit_is_told(made: Made) -> None:
    for buffer in (made.tar, bytearray(made.tar), memoryview(made.tar)):
        verification = made.assembled.verification()
        verification.feed(buffer)
        verification.feed(b"")
        verification.finish()
    known = _core.decode_block(made.assembled.block)[0]
    assert known.offset is not None
    damaged = bytearray(made.tar)
    damaged[known.offset + 100] ^= 1
    verification = made.assembled.verification()
    with pytest.raises(
        VolumeMismatchError, match=r"000001\.dcm: the BLAKE3 is not that of closing record 1/"
    ):
        verification.feed(damaged)
    with pytest.raises(VolumeMismatchError, match=r"000001\.dcm"):
        verification.finish()
    with pytest.raises(LocalError):
        verification.finish()
    with pytest.raises(ValueError, match="contiguous"):
        made.assembled.verification().feed(memoryview(made.tar)[::2])


def scan(tar: bytes) -> _core.VolumeContents:
    reading = _core.VolumeScan(LOCATOR_KEY)
    for at in range(0, len(tar), 100_000):
        reading.feed(memoryview(tar)[at : at + 100_000])
    return reading.finish()


def test_the_scan_tells_what_landing_and_assembly_told(made: Made) -> None:
    found, assembled = scan(made.tar), made.assembled
    assert (found.volume, found.vault, found.study) == (VOLUME, VAULT, made.instances[0].study)
    assert (found.planned_at, found.quarantined, found.supersedes) == (PLANNED_AT, False, [])
    for name in ("digest", "length", "block", "instances", "data_length", "received_from", "received_to"):
        assert getattr(found, name) == getattr(assembled, name), name
    flush = made.node.take_flush()
    assert flush is not None
    assert found.captured == flush.batches[0].captured
    known = _core.decode_block(found.block)
    assert found.locator_hashes == [_core.locator_hash(LOCATOR_KEY, one.sop_instance) for one in known]
    assert {(one.node, one.epoch, one.position) for one in known} == {
        (NODE, *at) for at in positions(made.node)
    }
    damaged = bytearray(made.tar)
    damaged[-1025] ^= 1
    with pytest.raises(VolumeMismatchError):
        scan(bytes(damaged))


def test_errors_name_the_instance_that_is_why(made: Made) -> None:
    study, here = made.instances[0].study, positions(made.node)
    with pytest.raises(InstanceAbsentError, match="1/99") as caught:
        assemble(made.node, study, [*here, (1, 99)])
    assert caught.value.instance == (1, 99)
    assert JournalError.instance is None
    for wrong in ([], [here[0], here[0]]):
        with pytest.raises(LocalError):
            assemble(made.node, study, wrong)
    with pytest.raises(LocalError):
        assemble(made.node, "1.2.3", here)
    for other in ({"vault": bytes(16)}, {"volume": "nonsense"}, {"quarantined": True}):
        with pytest.raises(LocalError):
            assemble(made.node, study, here, **other)


def test_rot_in_the_journal_names_the_instance_and_the_others_make_a_volume(tmp_path: Path) -> None:
    instances = study_of(3)
    with running_node(tmp_path / "journal") as node:
        sender = Sender(node)
        for instance in instances:
            assert sender.store(instance, tmp_path) == SUCCESS
        for segment in (tmp_path / "journal").glob("*.segment"):
            data = segment.read_bytes()
            if (at := data.find(instances[1].data_set)) >= 0:
                with segment.open("r+b") as file:
                    file.seek(at + 50)
                    file.write(bytes([data[at + 50] ^ 1]))
        here = positions(node)
        with pytest.raises((JournalRotError, DamagedInstanceError)) as caught:
            pieces(assemble(node, instances[0].study, here))
        assert caught.value.instance == here[1]
        rest = assemble(node, instances[0].study, [here[0], here[2]])
        volume = volume_reader.read_volume(b"".join(pieces(rest)))
        assert len(volume.instances) == 2


# --- reading out of volumes


def source(known: _core.KnownInstance, read: object) -> _core.InstanceSource:
    assert known.offset is not None
    return _core.InstanceSource.from_volume(
        sop_class=known.sop_class, sop_instance=known.sop_instance, transfer_syntax=known.transfer_syntax,
        offset=known.offset, length=known.length, digest=known.digest, ranges_offset=known.ranges_offset,
        read=read,  # type: ignore[arg-type]
    )  # fmt: skip


def sent(known: _core.KnownInstance, read: object) -> bytes:
    """Everything that a C-STORE of it would put on the wire."""
    context = _core.ProposedContextSpec(1, known.sop_class, [known.transfer_syntax])
    requestor, _ = _core.Association.requestor(called="A", calling="B", contexts=[context])
    transfer = requestor.store(1, 1, source(known, read))
    return b"".join(iter(transfer.next, None))


def test_a_data_set_leaves_a_volume_as_it_came(made: Made) -> None:
    received = bodies(made.instances)
    for known in _core.decode_block(made.assembled.block):
        reads: list[int] = []

        def read(offset: int, length: int, reads: list[int] = reads) -> bytes:
            reads.append(length)
            return made.tar[offset : offset + length]

        assert unwrapped(sent(known, read)) == received[known.sop_instance]
        assert max(reads) <= 1 << 20


def unwrapped(pdus: bytes) -> bytes:
    """The data set in P-DATA-TF PDUs (PS3.8 9.3.5)."""
    data, at = b"", 0
    while at < len(pdus):
        end = at + 6 + int.from_bytes(pdus[at + 2 : at + 6], "big")
        at += 6
        while at < end:
            length = int.from_bytes(pdus[at : at + 4], "big")
            if not pdus[at + 5] & 1:
                data += pdus[at + 6 : at + 4 + length]
            at += 4 + length
    return data


def test_no_byte_of_a_damaged_data_set_leaves_a_volume(made: Made) -> None:
    for known in _core.decode_block(made.assembled.block):
        assert known.offset is not None
        damaged = bytearray(made.tar)
        damaged[known.offset + known.length - 1] ^= 1
        with pytest.raises(VolumeMismatchError):
            sent(known, lambda at, length, damaged=damaged: bytes(damaged[at : at + length]))
        with pytest.raises(VolumeMismatchError):
            sent(known, lambda at, length: made.tar[at : at + length - 1])


def test_what_the_store_raises_comes_out_as_it_is(made: Made) -> None:
    class AwayError(UnavailableError):
        pass

    def away(_offset: int, _length: int) -> bytes:
        raise AwayError("no store")

    known = _core.decode_block(made.assembled.block)[0]
    with pytest.raises(AwayError, match="no store"):
        sent(known, away)
    with pytest.raises(TypeError):
        sent(known, lambda _at, _length: "text")
    assert VolumeMismatchError.fault is Fault.RESOURCE


# --- duplicates


def test_what_a_verified_volume_holds_is_identical_on_any_node_and_is_not_kept_again(
    made: Made, tmp_path: Path
) -> None:
    with running_node(tmp_path / "other", node=b"another node....") as other:
        sender = Sender(other, volumes=[made.assembled.block])
        assert [sender.store(instance, tmp_path) for instance in made.instances] == [SUCCESS] * 6
        assert positions(other) == []
        newcomer = ct(study=made.instances[0].study)
        assert sender.store(newcomer, tmp_path) == SUCCESS
        assert len(positions(other)) == 1
        conflicting = ct(study=newcomer.study, sop_instance=made.instances[0].sop_instance)
        assert sender.store(conflicting, tmp_path) == 0xC0D1


def test_the_block_of_a_batch_or_of_a_quarantine_volume_is_no_volume_to_rest_on(made: Made) -> None:
    flush = made.node.take_flush()
    assert flush is not None
    for block in (flush.batches[0].block, b"nonsense"):
        with pytest.raises(ValueError, match="block"):
            made.node.study_opened(VAULT, "1.2.3", [], [], [], [], [], volumes=[block])
