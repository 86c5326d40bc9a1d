"""Attributes of patient and study: captured elements, decoded by the data set's own character set."""

import logging
import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydicom import charset
from pydicom.charset import convert_encodings, decode_bytes
from pydicom.valuerep import PN_DELIMS, TEXT_VR_DELIMS

from gateway.model.study import StudyAttributes

# What the library logs quotes values that a peer wrote; we flag instead.
logging.getLogger("pydicom").setLevel(logging.CRITICAL)

CHARACTER_SET = 0x00080005
_FIELDS: dict[int, str] = {
    0x00100020: "patient_id",
    0x00100021: "issuer",
    0x00100010: "patient_name",
    0x00100030: "birth_date",
    0x00100040: "sex",
    0x00080020: "study_date",
    0x00080030: "study_time",
    0x00080201: "timezone_offset",
    0x00080050: "accession_number",
    0x00200010: "study_id",
    0x00081030: "description",
    0x00080090: "referring_physician",
    0x00080060: "modality",
}
_PERSON_NAMES = {0x00100010, 0x00080090}
_PLAIN = {0x00100030, 0x00100040, 0x00080020, 0x00080030, 0x00080201, 0x00080060}
"""VRs DA, TM, CS, SH-like codes that Specific Character Set does not affect (PS3.5 6.1.2.3)."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
_DEFAULT = ["iso8859"]


@dataclass(frozen=True, slots=True)
class Decoded:
    """The attributes, and whether some text could not be decoded whole."""

    attributes: StudyAttributes
    undecodable: bool


def study_attributes(captured: Iterable[tuple[int, bytes, bytes]]) -> Decoded:
    """Decodes captured (tag, VR, value as received).

    Text that its character set cannot explain is shown with U+FFFD and flagged; bytes are kept elsewhere.
    """
    values = {tag: value for tag, _, value in captured}
    encodings, known = _encodings(values.get(CHARACTER_SET, b""))
    undecodable = not known
    texts: dict[str, str] = {}
    for tag, name in _FIELDS.items():
        text, whole = _decode(values, tag, encodings)
        texts[name] = text
        undecodable |= not whole
    return Decoded(StudyAttributes(**texts), undecodable)


def decode_text(value: bytes, character_set: bytes) -> str:
    """One text value (LO, SH, ...) by a Specific Character Set as received."""
    encodings, _ = _encodings(character_set)
    return _decode({0: value}, 0, encodings)[0]


def _encodings(character_set: bytes) -> tuple[list[str], bool]:
    """Python's codecs for Specific Character Set (0008,0005), and whether all terms were known."""
    terms = [term.strip(" \0") for term in character_set.decode("ascii", "replace").split("\\")]
    if not any(terms):
        return _DEFAULT, True
    if not all(term in charset.python_encoding for term in terms):
        return _DEFAULT, False  # the library would take the names of Python's own codecs, too
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            return convert_encodings(terms if len(terms) > 1 else terms[0]), not caught
        except LookupError:
            return _DEFAULT, False


def _decode(values: Mapping[int, bytes], tag: int, encodings: list[str]) -> tuple[str, bool]:
    value = values.get(tag, b"")
    if tag in _PLAIN:
        encodings = _DEFAULT
    elif encodings == _DEFAULT and not value.isascii():
        # Without a character set only ISO-IR 6 is allowed; what is beyond it can only be guessed.
        return _clean(value.decode("ascii", "replace")), False
    delimiters = PN_DELIMS if tag in _PERSON_NAMES else TEXT_VR_DELIMS
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            text = decode_bytes(value, encodings, delimiters)
        except (UnicodeError, LookupError):
            text = value.decode("ascii", "replace")
            return _clean(text), False
    return _clean(text), not caught and "�" not in text


def _clean(text: str) -> str:
    """Without padding and control characters: what is searched and shown, not what is kept."""
    return _CONTROL.sub(" ", text.strip(" \0")).strip()


assert charset.default_encoding == _DEFAULT[0]
