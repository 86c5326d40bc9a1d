"""D rows: pixels that are not as described, and values that cannot be read."""

import struct

import pytest

from tests.adversity.conftest import Left
from tests.adversity.data_sets import (
    ITEM,
    SEQUENCE_END,
    UNDEFINED,
    element,
    image,
    item,
    us,
)
from tests.adversity.peer import HostilePeer
from tests.adversity.storing import (
    CANNOT_UNDERSTAND,
    flags_of,
    kept,
    refused,
)
from tests.gateway_process import GatewayProcess
from tests.instances import CT, JPEG_BASELINE, Instance

# --- D18 to D21: pixels ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"frames": element(0x00280008, "IS", "1000000000"), "rows": us(0x00280010, 65535),
         "columns": us(0x00280011, 65535)},
        {"rows": us(0x00280010, 5)},
        {"pixels": element(0x7FE00010, "OW", bytes(30))},
        {"pixels": element(0x7FE00010, "OW", b"")},
    ],
    ids=["d18-overflow", "d18-rows", "d20-two-bytes-short", "d20-empty"],
)  # fmt: skip
def test_d18_d20_fewer_pixels_than_described_are_refused(hostile: HostilePeer, wrong):
    refused(hostile, *image(**wrong), CANNOT_UNDERSTAND)


def test_d18_rows_of_another_vr_are_kept_and_flagged(
    hostile: HostilePeer, victim: GatewayProcess, left: Left
):
    one, data_set = image(rows=element(0x00280010, "UL", struct.pack("<I", 4)))
    kept(hostile, left, one, data_set)
    assert "pixel-description" in flags_of(victim, one)


@pytest.mark.parametrize("frames", ["-1", "1\\2", "x", "0"])
def test_d19_a_number_of_frames_that_is_none_is_kept_and_flagged(
    hostile: HostilePeer, victim: GatewayProcess, left: Left, frames: str
):
    one, data_set = image(frames=element(0x00280008, "IS", frames))
    kept(hostile, left, one, data_set)
    assert "number-of-frames" in flags_of(victim, one)


def test_d20_one_byte_more_than_the_pad_is_kept_and_flagged(
    hostile: HostilePeer, victim: GatewayProcess, left: Left
):
    one, data_set = image(pixels=element(0x7FE00010, "OW", bytes(34)))
    kept(hostile, left, one, data_set)
    assert "pixel-data-long" in flags_of(victim, one)


def test_d20_the_pad_byte_of_odd_pixels_is_no_fault(hostile: HostilePeer, victim: GatewayProcess, left: Left):
    bits, odd = us(0x00280100, 8), element(0x7FE00010, "OB", bytes(16))
    one, data_set = image(bits=bits, rows=us(0x00280010, 5), columns=us(0x00280011, 3), pixels=odd)
    kept(hostile, left, one, data_set)
    assert flags_of(victim, one) == []


def _encapsulated(*pieces: bytes) -> tuple[Instance, bytes]:
    pixels = struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, UNDEFINED) + b"".join(pieces)
    one, data_set = image(bits=us(0x00280100, 8), pixels=pixels)
    return Instance(one.study, one.series, one.sop_instance, CT, JPEG_BASELINE, data_set), data_set


def _offsets(*offsets: int) -> bytes:
    return item(ITEM, struct.pack(f"<{len(offsets)}I", *offsets))


@pytest.mark.parametrize(
    "pieces",
    [
        (_offsets(0, 5000), item(ITEM, bytes(20)), item(SEQUENCE_END)),
        (item(ITEM), item(ITEM, bytes(20))),
        (item(ITEM), item(ITEM, bytes(20), length=5000)),
        (item(ITEM, bytes(3)), item(ITEM, bytes(20)), item(SEQUENCE_END)),
        (item(ITEM), item(SEQUENCE_END)),
        (item(ITEM), item(ITEM, length=UNDEFINED), item(SEQUENCE_END)),
        (element(0x00080060, "CS", "CT"), item(SEQUENCE_END)),
    ],
    ids=["offset-past-end", "no-delimiter", "fragment-past-end", "odd-table", "no-fragment", "undefined-fragment",
         "element-instead"],
)  # fmt: skip
def test_d21_encapsulation_that_does_not_fit_is_refused(hostile: HostilePeer, pieces: tuple[bytes, ...]):
    refused(hostile, *_encapsulated(*pieces), CANNOT_UNDERSTAND)


def test_d21_very_many_empty_fragments_cost_linear_time_and_no_memory(
    hostile: HostilePeer, victim: GatewayProcess
):
    before = victim.rss_peak()
    hostile.established((1, CT, [JPEG_BASELINE]))
    hostile.socket.settimeout(60)
    one, data_set = _encapsulated(item(ITEM), item(ITEM) * 5_000_000)  # without a delimiter
    assert hostile.store(one, data_set).status == CANNOT_UNDERSTAND
    assert victim.rss_peak() - before < 64 << 20


# --- D14, D25 and the like: kept with a flag ------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "flag"),
    [
        ({"character_set": element(0x00080005, "CS", "KLINGON")}, "character-set-unknown"),
        ({"patient_name": element(0x00100010, "PN", b"\xff\xfe^X ")}, "text-undecodable"),
        ({"study_date": element(0x00080020, "DA", "99999999")}, "date-unreadable"),
        ({"study_date": element(0x00080020, "DA", "20230229")}, "date-unreadable"),
        ({"patient_id": element(0x00100020, "LO", "")}, "patient-id-empty"),
    ],
    ids=["d14-unknown", "d14-invalid", "d25-no-day", "d25-no-leap-year", "empty-patient"],
)
def test_d14_d25_what_cannot_be_read_is_kept_and_flagged(
    hostile: HostilePeer, victim: GatewayProcess, left: Left, changed: dict[str, bytes], flag: str
):
    one, data_set = image(**changed)
    kept(hostile, left, one, data_set)
    assert flag in flags_of(victim, one)
