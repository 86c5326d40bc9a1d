"""Identifiers of C-GET (PS3.4 C.4.3.1.3): which instances a peer asks for, and what could not be sent."""

import struct
from dataclasses import dataclass
from enum import Enum

from pydicom import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from gateway.errors import RemoteError
from gateway.model.identifiers import SopInstanceUid, StudyUid, Uid
from gateway.model.refusal import Refusal
from gateway.wire.dicom.refusals import (
    IDENTIFIER_GROUP,
    IDENTIFIER_KEY_MISSING,
    IDENTIFIER_LENGTH,
    IDENTIFIER_LEVEL,
    IDENTIFIER_LIST,
    IDENTIFIER_ORDER,
    IDENTIFIER_TOO_MANY,
    IDENTIFIER_UID,
    IDENTIFIER_UNREADABLE,
    IDENTIFIER_VR,
)

LEVEL, STUDY, SERIES, INSTANCE = 0x00080052, 0x0020000D, 0x0020000E, 0x00080018
FAILED_INSTANCES = 0x00080058
UIDS_MAX = 10_000
"""UIDs in one identifier; more are refused."""
_LONG_VRS = {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
_SHORT_VRS = set(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())
_FIRST_GROUP, _ITEM_GROUP = 0x0008, 0xFFFE
_UID_CHARACTERS = frozenset("0123456789.")


class IdentifierError(RemoteError):
    """The identifier does not say what may be asked (A900H, PS3.4 C.4.3.1.4); `offending` is an element."""

    def __init__(self, refusal: Refusal, offending: int | None = None) -> None:
        super().__init__(refusal.text)
        self.refusal, self.offending = refusal, offending


class Level(Enum):
    """Query/Retrieve Level (0008,0052) of the Study Root."""

    STUDY = "STUDY"
    SERIES = "SERIES"
    IMAGE = "IMAGE"


@dataclass(frozen=True, slots=True)
class RetrieveIdentifier:
    """What a C-GET asks for. Above the level there is one UID of each, at the level one or more."""

    level: Level
    studies: tuple[StudyUid, ...]
    series: tuple[Uid, ...] = ()
    instances: tuple[SopInstanceUid, ...] = ()


def read_retrieve_identifier(data_set: bytes, transfer_syntax: str) -> RetrieveIdentifier:
    """Reads a C-GET identifier. Raises `IdentifierError`."""
    explicit = _explicit(transfer_syntax)
    elements = strict_elements(data_set, explicit=explicit)
    values = {
        tag: elements.get(tag, b"").decode("ascii", "replace") for tag in (LEVEL, STUDY, SERIES, INSTANCE)
    }
    level = _level(values[LEVEL])
    asked = [(STUDY, Level.STUDY), (SERIES, Level.SERIES), (INSTANCE, Level.IMAGE)]
    depth = [own for _, own in asked].index(level)
    uids = [
        _uids(values[tag], tag, many=(own is level)) if position <= depth else ()
        for position, (tag, own) in enumerate(asked)
    ]
    studies, series, instances = uids
    return RetrieveIdentifier(
        level,
        tuple(StudyUid(uid) for uid in studies),
        tuple(Uid(uid) for uid in series),
        tuple(SopInstanceUid(uid) for uid in instances),
    )


def write_failed_instances(uids: tuple[str, ...], transfer_syntax: str) -> bytes:
    """The data set of a final C-GET-RSP that names what could not be sent (PS3.4 C.4.3.1.3.2)."""
    data_set = Dataset()
    data_set.FailedSOPInstanceUIDList = list(uids)
    buffer = DicomBytesIO()
    buffer.is_little_endian = True
    buffer.is_implicit_VR = not _explicit(transfer_syntax)
    write_dataset(buffer, data_set)
    return buffer.getvalue()


def strict_elements(data_set: bytes, *, explicit: bool) -> dict[int, bytes]:
    """Values as they came: lengths that meet the end exactly, tags in order, VRs that exist, nothing nested.

    Read here and not by the library, which is more forgiving (what has no VR it reads as implicit) and
    warns into the log, in the peer's own words, of things that nobody asked it.
    """
    values: dict[int, bytes] = {}
    at, last = 0, -1
    while at < len(data_set):
        tag, value_at, length = _element(data_set, at, explicit=explicit)
        if tag <= last:
            raise IdentifierError(IDENTIFIER_ORDER, tag)
        if not _FIRST_GROUP <= tag >> 16 < _ITEM_GROUP:
            raise IdentifierError(IDENTIFIER_GROUP, tag)
        if length > len(data_set) - value_at or length % 2:
            raise IdentifierError(IDENTIFIER_LENGTH, tag)
        at, last = value_at + length, tag
        values[tag] = data_set[value_at:at]
    return values


def _element(data: bytes, at: int, *, explicit: bool) -> tuple[int, int, int]:
    """(tag, offset of the value, its length)."""
    try:
        group, element = struct.unpack_from("<HH", data, at)
        tag = group << 16 | element
        if not explicit:
            return tag, at + 8, struct.unpack_from("<I", data, at + 4)[0]
        vr = data[at + 4 : at + 6]
        if vr in _LONG_VRS:
            return tag, at + 12, struct.unpack_from("<I", data, at + 8)[0]
        if vr not in _SHORT_VRS:
            raise IdentifierError(IDENTIFIER_VR, tag)
        return tag, at + 8, struct.unpack_from("<H", data, at + 6)[0]
    except struct.error:
        raise IdentifierError(IDENTIFIER_UNREADABLE) from None


def _explicit(transfer_syntax: str) -> bool:
    if transfer_syntax == ExplicitVRLittleEndian:
        return True
    if transfer_syntax == ImplicitVRLittleEndian:
        return False
    raise IdentifierError(IDENTIFIER_UNREADABLE)


def _level(text: str) -> Level:
    try:
        return Level(text.strip(" \0"))
    except ValueError:
        raise IdentifierError(IDENTIFIER_LEVEL, LEVEL) from None


def _uids(text: str, tag: int, *, many: bool) -> tuple[str, ...]:
    if text.count("\\") >= UIDS_MAX:
        raise IdentifierError(IDENTIFIER_TOO_MANY, tag)
    uids = tuple(part.strip(" \0") for part in text.split("\\")) if text else ()
    if not uids:
        raise IdentifierError(IDENTIFIER_KEY_MISSING, tag)
    if not many and len(uids) > 1:
        raise IdentifierError(IDENTIFIER_LIST, tag)
    if any(not 1 <= len(uid) <= 64 or not _UID_CHARACTERS.issuperset(uid) for uid in uids):
        raise IdentifierError(IDENTIFIER_UID, tag)
    return tuple(dict.fromkeys(uids))
