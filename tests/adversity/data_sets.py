"""Data sets by hand, in Explicit VR Little Endian, for what no toolkit will write."""

import struct

from tests.instances import CT, EXPLICIT, Instance, new_uid

LONG = frozenset({"OB", "OW", "SQ", "UN", "UT", "UC", "OF", "OD", "OL", "OV"})
"""VRs with a length of four bytes, of those used here (PS3.5 table 7.1-1)."""
UNDEFINED = 0xFFFFFFFF
SOP_CLASS, SOP_INSTANCE, STUDY, SERIES = 0x00080016, 0x00080018, 0x0020000D, 0x0020000E
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD


def element(tag: int, vr: str, value: bytes | str, *, length: int | None = None) -> bytes:
    """One element; `length` is what it claims, by default the truth, padded to be even."""
    data = value.encode() if isinstance(value, str) else value
    if length is None:
        data += (b"\0" if vr in ("UI", "OB", "UN") else b" ") * (len(data) % 2)
        length = len(data)
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr.encode())
    return head + (struct.pack("<HI", 0, length) if vr in LONG else struct.pack("<H", length)) + data


def us(tag: int, value: int) -> bytes:
    return element(tag, "US", struct.pack("<H", value))


def item(tag: int, content: bytes = b"", *, length: int | None = None) -> bytes:
    """An item or a delimiter (PS3.5 7.5)."""
    claimed = len(content) if length is None else length
    return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, claimed) + content


def image(**changed: bytes) -> tuple[Instance, bytes]:
    """A CT slice of 4 x 4 as (its identity, its data set); each part may be changed or, by b"", left out."""
    study, series, sop_instance = new_uid(), new_uid(), new_uid()
    parts = {
        "meta": b"",
        "character_set": element(0x00080005, "CS", "ISO_IR 192"),
        "sop_class": element(SOP_CLASS, "UI", CT),
        "sop_instance": element(SOP_INSTANCE, "UI", sop_instance),
        "study_date": element(0x00080020, "DA", "20240229"),
        "after_identity": b"",
        "patient_name": element(0x00100010, "PN", "Meikäläinen^Matti"),
        "patient_id": element(0x00100020, "LO", "TEST-1"),
        "after_patient": b"",
        "study": element(STUDY, "UI", study),
        "series": element(SERIES, "UI", series),
        "before_pixels": b"",
        "samples": us(0x00280002, 1),
        "frames": b"",
        "rows": us(0x00280010, 4),
        "columns": us(0x00280011, 4),
        "bits": us(0x00280100, 16),
        "private": b"",
        "pixels": element(0x7FE00010, "OW", bytes(range(32))),
        "behind": b"",
    }
    unknown = changed.keys() - parts.keys()
    assert not unknown, unknown
    data_set = b"".join({**parts, **changed}.values())
    return Instance(study, series, sop_instance, CT, EXPLICIT, data_set), data_set
