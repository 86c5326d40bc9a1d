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


@pytest.fixture(scope="module")
def sample() -> bytes:
    return gzip.decompress((VECTORS / "journal-sample.segment.gz").read_bytes())


def made(length: int) -> bytes:
    return bytes(n % 251 for n in range(length))


def test_the_crc_is_castagnolis() -> None:
    assert journal_reader.crc32c(b"123456789") == 0xE3069283


def test_every_kept_instance_is_read_bit_for_bit_in_position_order(sample: bytes) -> None:
    journal = journal_reader.read_journal([sample])
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
    second = journal_reader.read_journal([sample]).instances[1]
    assert second.receive_id[:2] == (b"node of the test", 1)
    assert second.texts[:3] == ("1.2.246.1.2", "1.2.246.2.2", "1.2.246.3.2")
    assert second.texts[5:] == ("MODALITY", "KUVA", "127.0.0.1:104")
    assert (second.verdict, second.length, second.received_at, second.flags) == (1, 5001, -1, 2)
    assert second.captured == ((0x0010_0020, b"LO", False, (2).to_bytes(8, "little")),)


def test_what_was_discarded_is_void_and_its_reason_is_kept(sample: bytes) -> None:
    journal = journal_reader.read_journal([sample])
    (discard,) = journal.discarded
    assert discard.reason == "Päällekkäinen lähetys"
    ((receive_id, _place),) = discard.closings
    assert receive_id not in [closing.receive_id for closing in journal.instances]


@pytest.mark.parametrize("offset", [FIRST + 3, FIRST + 500, 12288 + 700, 12288 + 4095 + 64])
def test_rot_below_what_was_durable_is_found(sample: bytes, offset: int) -> None:
    rotten = bytearray(sample)
    rotten[offset] ^= 0x40
    with pytest.raises(journal_reader.RotError):
        journal_reader.read_journal([bytes(rotten)])


def test_a_torn_write_above_it_is_skipped(sample: bytes) -> None:
    journal = journal_reader.read_journal([sample])
    # Without the orderly end, nothing says that the last closing record was durable.
    cut = bytearray(sample)
    end = max(journal.segments[1].records)
    last = max(
        at for at, header in journal.segments[1].records.items() if header.kind == journal_reader.CLOSING
    )
    cut[end : end + 64] = bytes(64)
    cut[last + 80] ^= 1
    assert len(journal_reader.read_journal([bytes(cut)]).instances) == len(journal.instances) - 1


def test_a_lost_segment_header_is_rot_and_an_unused_segment_is_none(sample: bytes) -> None:
    with pytest.raises(journal_reader.RotError):
        journal_reader.read_journal([bytes(4096) + sample[4096:]])
    assert journal_reader.read_journal([bytes(1 << 20)]).instances == []
