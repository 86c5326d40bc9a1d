"""The journal's format document suffices: an independent reader reads what the journal wrote.

The sample is made by `rust_core/tests/journal_files.rs`, which also checks that it is still what the
journal writes.
"""

import gzip
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

VECTORS = Path(__file__).parents[2] / "vectors"


def _reader() -> ModuleType:
    spec = importlib.util.spec_from_file_location("journal_reader", VECTORS / "journal_reader.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["journal_reader"] = module
    spec.loader.exec_module(module)
    return module


journal_reader = _reader()
BLOCK = 131_008
FIRST = 8192


def vector(name: str) -> bytes:
    return gzip.decompress((VECTORS / name).read_bytes())


@pytest.fixture(scope="module")
def sample() -> bytes:
    return vector("journal-sample.segment.gz")


ROSTER = vector("journal-sample.roster.gz")


def made(length: int) -> bytes:
    return bytes(n % 251 for n in range(length))


def test_the_crc_is_castagnolis() -> None:
    assert journal_reader.crc32c(b"123456789") == 0xE3069283


def test_every_kept_instance_is_read_bit_for_bit_in_position_order(sample: bytes) -> None:
    journal = journal_reader.read_journal([ROSTER, sample])
    assert [journal.data_set(closing) for closing in journal.instances] == [
        b"",
        made(5001),
        made(BLOCK + 100),
    ]
    positions = [closing.receive_id[2] for closing in journal.instances]
    assert positions == sorted(positions)
    assert not journal.damaged
    assert not journal.forgotten


def test_particulars_are_read(sample: bytes) -> None:
    second = journal_reader.read_journal([ROSTER, sample]).instances[1]
    assert second.receive_id[:2] == (b"node of the test", 1)
    assert second.texts[:3] == ("1.2.246.1.2", "1.2.246.2.2", "1.2.246.3.2")
    assert second.texts[5:] == ("MODALITY", "KUVA", "127.0.0.1:104")
    assert (second.verdict, second.length, second.received_at, second.flags) == (1, 5001, -1, 2)
    assert second.captured == ((0x0010_0020, b"LO", False, (2).to_bytes(8, "little")),)


def test_what_was_discarded_is_void_and_its_reason_is_kept(sample: bytes) -> None:
    journal = journal_reader.read_journal([ROSTER, sample])
    (discard,) = journal.discarded
    assert discard.reason == "Päällekkäinen lähetys"
    ((receive_id, _place),) = discard.closings
    assert receive_id not in [closing.receive_id for closing in journal.instances]


@pytest.mark.parametrize("offset", [FIRST + 3, FIRST + 500, 12288 + 700, 12288 + 4095 + 64])
def test_rot_below_what_was_durable_is_found(sample: bytes, offset: int) -> None:
    rotten = bytearray(sample)
    rotten[offset] ^= 0x40
    with pytest.raises(journal_reader.RotError):
        journal_reader.read_journal([ROSTER, bytes(rotten)])


def test_a_torn_write_above_it_is_skipped(sample: bytes) -> None:
    journal = journal_reader.read_journal([ROSTER, sample])
    # Without the orderly end, nothing says that the last closing record was durable.
    cut = bytearray(sample)
    end = max(journal.segments[1].records)
    last = max(
        at for at, header in journal.segments[1].records.items() if header.kind == journal_reader.CLOSING
    )
    cut[end : end + 64] = bytes(64)
    cut[last + 80] ^= 1
    assert len(journal_reader.read_journal([ROSTER, bytes(cut)]).instances) == len(journal.instances) - 1


def test_a_lost_segment_header_is_rot_and_an_unused_segment_is_none(sample: bytes) -> None:
    with pytest.raises(journal_reader.RotError):
        journal_reader.read_journal([ROSTER, bytes(4096) + sample[4096:]])
    assert journal_reader.read_journal([bytes(1 << 20)]).instances == []


def test_the_roster_is_read(sample: bytes) -> None:
    roster = journal_reader.read_journal([sample, ROSTER]).roster
    assert roster.node == b"node of the test"
    assert (roster.segment_length, roster.segments) == (1 << 20, {1: (1, 0)})


@pytest.mark.parametrize("left", [[], [bytes(1 << 20)]], ids=["missing", "blank"])
def test_a_segment_that_the_roster_knows_and_that_is_gone_is_rot(left: list[bytes]) -> None:
    with pytest.raises(journal_reader.RotError, match="segment 1, generation 1"):
        journal_reader.read_journal([ROSTER, *left])


@pytest.mark.parametrize("left", [[], [bytes(2 << 20)]], ids=["missing", "blank"])
def test_a_roster_that_is_gone_is_rot(sample: bytes, left: list[bytes]) -> None:
    with pytest.raises(journal_reader.RotError, match="the roster is gone"):
        journal_reader.read_journal([*left, sample])


def test_a_segment_from_before_the_roster_is_read_without_one() -> None:
    journal = journal_reader.read_journal([vector("journal-sample-v1.segment.gz")])
    assert [closing.length for closing in journal.instances] == [0, 5001, BLOCK + 100]
    assert journal.roster is None


def test_a_newer_format_is_refused_and_not_passed_over(sample: bytes) -> None:
    newer = bytearray(sample)
    newer[5] = journal_reader.VERSION + 1
    assert journal_reader.scan(bytes(newer[:4096]) + bytes(len(sample) - 4096)) is None, "damaged: no record"
    covered = newer[40:48] + newer[:60] + newer[64 : 64 + 24]
    newer[60:64] = journal_reader.crc32c(bytes(covered)).to_bytes(4, "little")
    with pytest.raises(journal_reader.NewerFormatError):
        journal_reader.read_journal([ROSTER, bytes(newer)])


def test_of_two_closing_records_the_copys_counts() -> None:
    everything = vector("journal-copied.gz")
    roster, rest = everything[: 2 << 20], everything[2 << 20 :]
    segments = [rest[at : at + (1 << 20)] for at in range(0, len(rest), 1 << 20)]
    journal = journal_reader.read_journal([roster, *segments])
    assert [journal.data_set(closing) for closing in journal.instances] == [
        made(BLOCK + 10 * number) for number in range(1, 7)
    ]
    copied = [closing for closing in journal.instances if closing.copies]
    assert copied
    assert {closing.receive_id for closing in journal.replaced} <= {closing.receive_id for closing in copied}
    assert any(closing.verdict == 1 for closing in journal.replaced), "what it replaces is still there"


@pytest.mark.parametrize("name", ["journal-sample-v2", "journal-sample"])
def test_journals_from_before_there_were_copies_are_read(name: str) -> None:
    journal = journal_reader.read_journal([vector(f"{name}.roster.gz"), vector(f"{name}.segment.gz")])
    assert [closing.length for closing in journal.instances] == [0, 5001, BLOCK + 100]
