"""D rows: the data set of a C-STORE (PS3.5)."""

import os
import struct
import zlib
from collections.abc import Callable
from functools import cache

import pytest
import typer

from gateway.cli.asking import ask
from tests.adversity.conftest import Left
from tests.adversity.data_sets import (
    ITEM,
    ITEM_END,
    SEQUENCE_END,
    SERIES,
    SOP_CLASS,
    SOP_INSTANCE,
    STUDY,
    UNDEFINED,
    element,
    image,
    item,
    us,
)
from tests.adversity.peer import HostilePeer
from tests.gateway_process import GatewayProcess, eventually
from tests.instances import CT, EXPLICIT, IMPLICIT, JPEG_BASELINE, Instance, ct, new_uid, reencoded
from tests.raw_peer import c_store_rq, p_data

DEFLATED, BIG_ENDIAN = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
CANNOT_UNDERSTAND, MISMATCH, RESOURCES, CONFLICT = 0xC000, 0xA900, 0xA700, 0xC0D1
PATIENT_ID = element(0x00100020, "LO", "OTHER-1")


def refused(hostile: HostilePeer, instance: Instance, data_set: bytes, status: int) -> str:
    """Stores over a new association and expects this status; its comment, which never quotes a value."""
    hostile.established((1, instance.sop_class, [instance.transfer_syntax]))
    answer = hostile.store(instance, data_set)
    assert f"{answer.status:04X}" == f"{status:04X}", answer
    assert 0 < len(answer.comment) <= 64
    assert "TEST-1" not in answer.comment
    return answer.comment


def kept(hostile: HostilePeer, left: Left, instance: Instance, data_set: bytes) -> None:
    hostile.established((1, instance.sop_class, [instance.transfer_syntax]))
    answer = hostile.store(instance, data_set)
    assert answer.status == 0, answer
    left.kept += 1


def flags_of(gateway: GatewayProcess, instance: Instance) -> list[str]:
    """The content rules that a kept instance broke, as `kuva study show` tells them."""

    shown = eventually(lambda: _instances(gateway, instance.study, 1), 10, "the study being findable")
    return next(one["flags"] for one in shown if one["sop_instance"] == instance.sop_instance)


def _instances(gateway: GatewayProcess, study: str, many: int) -> list[dict] | None:
    """The instances of a study, as `kuva study show` tells them, once there are so many."""
    try:
        shown = ask(gateway.data, f"/studies/{study}")
    except typer.Exit:  # not findable yet
        return None
    found = [one for vault in shown for series in vault["series"] for one in series["instances"]]
    return found if len(found) == many else None


# --- D1: cut --------------------------------------------------------------------------------------


def test_d1_cut_at_every_byte_of_the_last_element_is_refused(hostile: HostilePeer):
    one, data_set = image()
    hostile.established()
    for end in range(len(data_set) - 43, len(data_set)):
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


# --- D6 to D10: identity --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [{"after_patient": PATIENT_ID}, {"before_pixels": element(STUDY, "UI", "1.2.3")}],
    ids=["patient-id", "study"],
)
def test_d6_an_identifier_that_comes_twice_is_refused(hostile: HostilePeer, wrong):
    refused(hostile, *image(**wrong), CANNOT_UNDERSTAND)


def test_d6_descending_tags_are_kept_and_flagged(hostile: HostilePeer, victim: GatewayProcess, left: Left):
    one, data_set = image(after_patient=element(0x00100010, "PN", "X^Y"), patient_name=b"")
    kept(hostile, left, one, data_set)
    assert "tag-order" in flags_of(victim, one)


@pytest.mark.parametrize(
    "smuggled",
    [
        {"meta": element(0x00000002, "UI", CT)},
        {"meta": element(0x00020010, "UI", IMPLICIT)},
        {"behind": item(ITEM, b"")},
    ],
    ids=["command", "file-meta", "item"],
)
def test_d7_groups_that_are_no_data_set_are_refused(hostile: HostilePeer, smuggled):
    refused(hostile, *image(**smuggled), CANNOT_UNDERSTAND)


@pytest.mark.parametrize(
    "wrong",
    [
        {"sop_class": element(SOP_CLASS, "UI", SECONDARY_CAPTURE)},
        {"sop_instance": element(SOP_INSTANCE, "UI", "1.2.3")},
        {"sop_class": b""},
        {"sop_instance": b""},
    ],
    ids=["class-differs", "instance-differs", "no-class", "no-instance"],
)
def test_d8_identity_that_differs_from_the_command_is_refused(hostile: HostilePeer, wrong):
    refused(hostile, *image(**wrong), MISMATCH)


def test_d8_a_class_that_is_not_the_contexts_is_refused(hostile: HostilePeer):
    one, data_set = image(sop_class=element(SOP_CLASS, "UI", SECONDARY_CAPTURE))
    hostile.established()
    hostile.send(p_data(1, c_store_rq(1, SECONDARY_CAPTURE, one.sop_instance), command=True, last=True))
    hostile.send(p_data(1, data_set, command=False, last=True))
    assert hostile.answer().status == MISMATCH


@pytest.mark.parametrize(
    ("uid", "status"),
    [
        ("../../etc/passwd", CANNOT_UNDERSTAND),
        ("/etc/passwd", CANNOT_UNDERSTAND),
        ("1." * 32 + "1", CANNOT_UNDERSTAND),
        ("1..2", CANNOT_UNDERSTAND),
        ("1.2.", CANNOT_UNDERSTAND),
        (".1.2", CANNOT_UNDERSTAND),
        ("1.2.٣", CANNOT_UNDERSTAND),
        ("1.2\n3", CANNOT_UNDERSTAND),
        ("", MISMATCH),
    ],
    ids=[
        "path",
        "absolute",
        "65-characters",
        "two-dots",
        "dot-last",
        "dot-first",
        "unicode",
        "newline",
        "empty",
    ],
)
@pytest.mark.parametrize("where", ["study", "series"])
def test_d9_what_is_no_uid_is_refused(hostile: HostilePeer, uid: str, status: int, where: str):
    tag = STUDY if where == "study" else SERIES
    refused(hostile, *image(**{where: element(tag, "UI", uid)}), status)


def test_d9_a_path_as_sop_instance_uid_is_refused_and_makes_no_file(
    hostile: HostilePeer, victim: GatewayProcess
):
    path = "../../escape"
    _, data_set = image(sop_instance=element(SOP_INSTANCE, "UI", path))
    hostile.established()
    hostile.send(p_data(1, c_store_rq(1, CT, path), command=True, last=True))
    hostile.send(p_data(1, data_set, command=False, last=True))
    assert hostile.answer().status == 0x0212  # mistyped argument: the command itself names no UID
    assert not list(victim.folder.parent.rglob("escape*"))


def test_d9_leading_zeros_are_kept_and_flagged(hostile: HostilePeer, victim: GatewayProcess, left: Left):
    study = f"1.2.0{new_uid()[5:30]}"
    one, data_set = image(study=element(STUDY, "UI", study))
    one = Instance(study, one.series, one.sop_instance, CT, EXPLICIT, data_set)
    kept(hostile, left, one, data_set)
    assert "uid-leading-zero" in flags_of(victim, one)


@pytest.mark.parametrize("padding", [b"\0", b" ", b""], ids=["nul", "space", "none"])
def test_d10_padding_makes_no_second_instance(hostile: HostilePeer, left: Left, padding: bytes):
    one, data_set = image()
    uid = one.sop_instance + "1" * (1 - len(one.sop_instance) % 2)
    uid = uid if len(uid) % 2 else uid[:-1]  # an odd length, which the standard pads with NUL

    def with_padding(pad: bytes) -> bytes:
        value = uid.encode() + pad
        return image_of(one, element(SOP_INSTANCE, "UI", value, length=len(value)))

    hostile.established()
    named = Instance(one.study, one.series, uid, CT, EXPLICIT, data_set)
    assert hostile.store(named, with_padding(b"\0")).status == 0
    left.kept += 1
    answer = hostile.store(named, with_padding(padding)).status
    # Byte for byte the same is identical; any other content under one UID conflicts, however it is padded.
    assert answer == (0 if padding == b"\0" else CONFLICT)
    left.quarantined += padding != b"\0"


def image_of(one: Instance, sop_instance: bytes) -> bytes:
    """The data set of `one` with another element for its SOP Instance UID."""
    own = element(SOP_INSTANCE, "UI", one.sop_instance)
    assert one.data_set.count(own) == 1
    return one.data_set.replace(own, sop_instance)


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


# --- D26 to D28: whose is it ----------------------------------------------------------------------


def test_d26_one_study_uid_with_two_patients_is_kept_and_shown(
    hostile: HostilePeer, victim: GatewayProcess, left: Left
):
    first, data_set = image()
    kept(hostile, left, first, data_set)
    second, _ = image()
    other = image_of(first, element(SOP_INSTANCE, "UI", second.sop_instance)).replace(b"TEST-1", b"TEST-2")
    with HostilePeer(victim.dicom_port, hostile.cutting) as again:
        twin = Instance(first.study, first.series, second.sop_instance, CT, EXPLICIT, other)
        kept(again, left, twin, other)
    shown = eventually(lambda: _instances(victim, first.study, 2), 10)
    assert {one["sop_instance"] for one in shown} == {first.sop_instance, second.sop_instance}


def test_d28_one_bit_that_differs_is_c0d1_for_ever_and_held_apart_once(
    hostile: HostilePeer, victim: GatewayProcess, left: Left
):
    one, data_set = image()
    kept(hostile, left, one, data_set)
    twin = data_set[:-1] + bytes((data_set[-1] ^ 1,))
    statuses = [hostile.store(one, twin).status for _ in range(3)]
    assert statuses == [CONFLICT] * 3
    assert hostile.store(one).status == 0
    left.quarantined = 1
    incidents = eventually(lambda: _incidents(victim, one), 10)
    assert len(incidents) == 1


def _incidents(gateway: GatewayProcess, one: Instance) -> list[dict]:
    found = ask(gateway.data, "/incidents", query={"kind": "quarantine"})
    return [incident for incident in found if incident["sop_uid"] == one.sop_instance]


def test_d27_the_same_uid_from_two_organisations_is_kept_in_both_vaults(
    hostile: HostilePeer, victim: GatewayProcess, left: Left
):
    victim.kuva("ae", "add", "SOUTH", "--vault", "south")
    one, data_set = image()
    kept(hostile, left, one, data_set)
    with HostilePeer(victim.dicom_port, hostile.cutting) as south:
        assert south.associate([(1, CT, [EXPLICIT])], calling="SOUTH")[0] == 2
        assert south.store(one).status == 0
        left.kept += 1
    found = eventually(lambda: _accidents(victim, one), 10, "the incident being opened")
    assert len(found) == 1


def _accidents(gateway: GatewayProcess, one: Instance) -> list[dict]:
    found = ask(gateway.data, "/incidents", query={"kind": "cross_study_uid"})
    return [incident for incident in found if incident["sop_uid"] == one.sop_instance]


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
