"""D rows: framing, encodings, and too much of everything (PS3.5)."""

import os
import struct
import zlib
from collections.abc import Callable
from functools import cache

import pytest

from tests.adversity.conftest import Left
from tests.adversity.data_sets import (
    ITEM,
    ITEM_END,
    SEQUENCE_END,
    UNDEFINED,
    element,
    image,
    item,
)
from tests.adversity.peer import HostilePeer
from tests.adversity.storing import (
    CANNOT_UNDERSTAND,
    MISMATCH,
    flags_of,
    kept,
    refused,
)
from tests.gateway_process import GatewayProcess
from tests.instances import CT, EXPLICIT, IMPLICIT, Instance, ct, reencoded

DEFLATED, BIG_ENDIAN = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"


# --- D1: cut --------------------------------------------------------------------------------------


def test_d1_cut_at_every_byte_of_the_last_element_is_refused(hostile: HostilePeer):
    one, data_set = image()
    hostile.established()
    for end in range(len(data_set) - 44, len(data_set)):
        answer = hostile.store(one, data_set[:end])
        assert answer.status in (CANNOT_UNDERSTAND, MISMATCH), (end, answer)


def test_d1_cut_in_the_middle_of_every_element_says_truncated(hostile: HostilePeer):
    one, data_set = image()
    hostile.established()
    for end in range(1, 200, 7):
        answer = hostile.store(one, data_set[:end])
        assert answer.status in (CANNOT_UNDERSTAND, MISMATCH), (end, answer)
    assert "truncated" in hostile.store(one, data_set[:-3]).comment.lower()


# --- D2 to D4: lengths and nesting ----------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"pixels": element(0x7FE00010, "OW", bytes(32), length=34)},
        {"pixels": element(0x7FE00010, "OB", b"abc", length=0xFFFFFFFE)},
        {"after_identity": element(0x00080060, "CS", "CT", length=60_000)},
    ],
    ids=["two-past-the-end", "4-gib", "swallows-the-rest"],
)
def test_d2_a_length_past_the_end_is_refused(hostile: HostilePeer, victim: GatewayProcess, wrong):
    before = victim.rss()
    refused(hostile, *image(**wrong), CANNOT_UNDERSTAND)
    assert victim.rss() - before < 32 << 20


def test_d2_an_odd_length_is_kept_and_flagged(hostile: HostilePeer, victim: GatewayProcess, left: Left):
    one, data_set = image(patient_id=element(0x00100020, "LO", b"ABC", length=3))
    kept(hostile, left, one, data_set)
    assert "odd-length" in flags_of(victim, one)


def _nested(depth: int) -> bytes:
    opening = struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, UNDEFINED) + item(ITEM, length=UNDEFINED)
    return opening * depth


@pytest.mark.parametrize("depth", [65, 300, 100_000])
def test_d3_sequences_nested_too_deep_are_refused(hostile: HostilePeer, depth: int):
    refused(hostile, *image(after_identity=_nested(depth)), CANNOT_UNDERSTAND)


@pytest.mark.parametrize(
    "wrong",
    [
        element(0x00081140, "SQ", item(ITEM, b"", length=100), length=8),
        item(ITEM_END),
        item(SEQUENCE_END),
        struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, UNDEFINED) + item(ITEM),
        element(0x00081140, "SQ", item(SEQUENCE_END)),
    ],
    ids=[
        "item-longer-than-sequence",
        "stray-item-end",
        "stray-sequence-end",
        "no-delimiter",
        "empty-delimited",
    ],
)
def test_d4_items_that_do_not_fit_are_refused(hostile: HostilePeer, wrong: bytes):
    refused(hostile, *image(after_identity=wrong), CANNOT_UNDERSTAND)


# --- D5: deflated ---------------------------------------------------------------------------------


def _deflated(data: bytes) -> bytes:
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    return deflater.compress(data) + deflater.flush()


def _as_deflated(data_set: bytes, change: Callable[[bytes], bytes]) -> tuple[Instance, bytes]:
    one, _ = image()
    changed = change(_deflated(data_set))
    return Instance(one.study, one.series, one.sop_instance, CT, DEFLATED, changed), changed


@pytest.mark.parametrize(
    "change",
    [
        lambda stream: stream[:-4],
        lambda stream: stream[: len(stream) // 2],
        lambda stream: stream + b"much more than a pad byte",
        lambda stream: stream + stream,
        lambda stream: b"\xff" + stream,
        lambda stream: b"",
    ],
    ids=["cut", "half", "bytes-behind", "second-member", "no-stream", "empty"],
)
def test_d5_a_deflated_stream_that_is_not_whole_and_alone_is_refused(hostile: HostilePeer, change):
    refused(hostile, *_as_deflated(image()[1], change), CANNOT_UNDERSTAND)


@cache
def _bomb() -> bytes:
    """A megabyte that inflates to one gibibyte, inside an element that claims four."""
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    head = image()[1] + element(0x7FE10010, "OB", b"", length=0xFFFFFFFE)
    zeros = bytes(1 << 20)
    return (
        deflater.compress(head) + b"".join(deflater.compress(zeros) for _ in range(1024)) + deflater.flush()
    )


def test_d5_a_deflated_gigabyte_is_inflated_into_nothing(hostile: HostilePeer, victim: GatewayProcess):
    before = victim.rss_peak()
    one, _ = image()
    bomb = Instance(one.study, one.series, one.sop_instance, CT, DEFLATED, _bomb())
    refused(hostile, bomb, bomb.data_set, CANNOT_UNDERSTAND)
    assert victim.rss_peak() - before < 64 << 20


# --- D11, D12: encodings --------------------------------------------------------------------------


def test_d11_a_vr_that_is_none_is_refused(hostile: HostilePeer):
    refused(hostile, *image(after_identity=element(0x00080060, "ZZ", "CT")), CANNOT_UNDERSTAND)


def test_d11_un_of_undefined_length_is_read_to_its_end_and_kept(hostile: HostilePeer, left: Left):
    content = item(ITEM, struct.pack("<HHI", 0x0008, 0x0100, 4) + b"CODE") + item(SEQUENCE_END)
    unknown = struct.pack("<HH2sHI", 0x0029, 0x1010, b"UN", 0, UNDEFINED) + content
    kept(hostile, left, *image(private=element(0x00290010, "LO", "ACME") + unknown))


def test_d11_un_nested_too_deep_is_refused(hostile: HostilePeer):
    deep = struct.pack("<HH2sHI", 0x0029, 0x1010, b"UN", 0, UNDEFINED)
    deep += (item(ITEM, length=UNDEFINED) + struct.pack("<HHI", 0x0029, 0x1010, UNDEFINED)) * 5_000
    refused(hostile, *image(private=deep), CANNOT_UNDERSTAND)


def _swapped(data: bytes) -> bytes:
    return b"".join(data[n : n + 2][::-1] for n in range(0, len(data), 2))


@pytest.mark.parametrize(
    ("declared", "sent"),
    [
        (EXPLICIT, lambda one: reencoded(one, IMPLICIT).data_set),
        (IMPLICIT, lambda one: one.data_set),
        (BIG_ENDIAN, lambda one: one.data_set),
        (EXPLICIT, lambda one: _swapped(one.data_set)),
        (DEFLATED, lambda one: one.data_set),
        (EXPLICIT, lambda one: _deflated(one.data_set)),
    ],
    ids=["implicit-as-explicit", "explicit-as-implicit", "little-as-big", "swapped", "plain-as-deflated",
         "deflated-as-plain"],
)  # fmt: skip
def test_d12_d13_another_encoding_than_agreed_is_refused(hostile: HostilePeer, declared: str, sent):
    one = ct()
    data_set = sent(one)
    named = Instance(one.study, one.series, one.sop_instance, CT, declared, data_set)
    refused(hostile, named, data_set, CANNOT_UNDERSTAND)


# --- D32 to D34: too little, too much -------------------------------------------------------------


@pytest.mark.parametrize(
    "data_set",
    [b"", element(0x00080000, "UL", struct.pack("<I", 0)) + element(0x00100000, "UL", struct.pack("<I", 0))],
    ids=["empty", "group-lengths"],
)
def test_d32_a_data_set_of_nothing_is_refused(hostile: HostilePeer, data_set: bytes):
    refused(hostile, image()[0], data_set, CANNOT_UNDERSTAND)


def test_d34_a_million_tiny_elements_are_kept(hostile: HostilePeer, victim: GatewayProcess, left: Left):
    before = victim.rss_peak()
    creators = b"".join(element(0x00290000 + n, "LO", "ACME") for n in range(0x10, 0x20))
    tiny = b"".join(element(0x00291000 + n, "US", b"\1\0") for n in range(0x1000))
    many = b"".join(
        struct.pack("<HH2sHI", group, 0x0010, b"SQ", 0, UNDEFINED)
        + item(ITEM, tiny) * 24
        + item(SEQUENCE_END)
        for group in range(0x0041, 0x0055, 2)
    )
    hostile.socket.settimeout(60)
    kept(hostile, left, *image(private=creators + tiny + many))
    assert victim.rss_peak() - before < 64 << 20


def test_d34_twenty_thousand_items_in_one_sequence_are_kept(hostile: HostilePeer, left: Left):
    items = item(ITEM, element(0x00081150, "UI", CT)) * 20_000
    kept(hostile, left, *image(after_identity=element(0x00081140, "SQ", items)))


def test_d24_fifty_megabytes_in_one_private_element_are_kept_and_not_indexed(
    hostile: HostilePeer, victim: GatewayProcess, left: Left
):
    before = victim.rss()
    blob = element(0x00290010, "LO", "ACME") + element(0x00291010, "OB", os.urandom(50 << 20))
    hostile.socket.settimeout(60)
    kept(hostile, left, *image(private=blob))
    assert victim.rss() - before < 80 << 20
