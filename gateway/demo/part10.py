"""A Part 10 file as the demo needs it: where the data set begins, and what the file says it is.

Deliberately not the gateway's own reader: the demo must not check the gateway with the gateway.
"""

import struct
from dataclasses import dataclass

PREAMBLE = bytes(128)
PREFIX = b"DICM"
_LONG_FORM = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"UC", b"UN", b"UR", b"UT"})
_SOP_CLASS, _SOP_INSTANCE, _TRANSFER_SYNTAX = 0x0002, 0x0003, 0x0010


class NotPart10Error(ValueError):
    """The bytes are no Part 10 file (PS3.10 7.1)."""


@dataclass(frozen=True, slots=True)
class FileMeta:
    """What the file meta information says; "" where it says nothing. `offset`: of the data set, bytes."""

    sop_class: str
    sop_instance: str
    transfer_syntax: str
    offset: int


def read_meta(data: bytes) -> FileMeta:
    """Reads the elements of group 0002, always Explicit VR Little Endian. Raises `NotPart10Error`.

    The group length (0002,0000) is not believed: some of the files that packages carry have none.
    """
    if data[128:132] != PREFIX:
        raise NotPart10Error("no DICM prefix after the preamble")
    values: dict[int, str] = {}
    offset = 132
    while data[offset : offset + 2] == b"\x02\x00":
        element, offset, length = _header(data, offset)
        values[element] = data[offset : offset + length].rstrip(b"\0 ").decode("ascii", "replace")
        offset += length
    if offset > len(data):
        raise NotPart10Error("the file ends within its meta information")
    return FileMeta(
        values.get(_SOP_CLASS, ""), values.get(_SOP_INSTANCE, ""), values.get(_TRANSFER_SYNTAX, ""), offset
    )


def _header(data: bytes, offset: int) -> tuple[int, int, int]:
    """(element number, offset of the value, its length) of the element at `offset`."""
    try:
        element, vr, length = struct.unpack_from("<2xH2sH", data, offset)
        if vr not in _LONG_FORM:
            return element, offset + 8, length
        return element, offset + 12, struct.unpack_from("<8xI", data, offset)[0]
    except struct.error:
        raise NotPart10Error("the file ends within its meta information") from None


def write_meta(*, sop_class: str, sop_instance: str, transfer_syntax: str) -> bytes:
    """Preamble and file meta information, as a sender writes them in front of a data set."""
    body = (
        _element(0x0001, b"OB", b"\x00\x01")
        + _uid(_SOP_CLASS, sop_class)
        + _uid(_SOP_INSTANCE, sop_instance)
        + _uid(_TRANSFER_SYNTAX, transfer_syntax)
        + _uid(0x0012, "2.25.161803398874989484820458683436563811")
    )
    return PREAMBLE + PREFIX + _element(0x0000, b"UL", struct.pack("<I", len(body))) + body


def _uid(element: int, uid: str) -> bytes:
    value = uid.encode("ascii")
    return _element(element, b"UI", value + b"\0" * (len(value) % 2))


def _element(element: int, vr: bytes, value: bytes) -> bytes:
    form = "<HH2s2xI" if vr in _LONG_FORM else "<HH2sH"
    return struct.pack(form, 0x0002, element, vr, len(value)) + value
