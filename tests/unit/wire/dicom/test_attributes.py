"""Attributes: text by its own character set, and a flag where that fails."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.dicom.attributes import decode_text, study_attributes

NAME, CHARACTER_SET = 0x00100010, 0x00080005


def named(name: bytes, character_set: bytes = b"") -> tuple[str, bool]:
    decoded = study_attributes([(CHARACTER_SET, b"CS", character_set), (NAME, b"PN", name)])
    return decoded.attributes.patient_name, decoded.undecodable


@pytest.mark.parametrize(
    ("character_set", "name", "text"),
    [
        (b"", b"Meik\x20", "Meik"),
        (b"ISO_IR 100", "Sälä^Åke".encode("latin-1"), "Sälä^Åke"),
        (b"ISO_IR 192", "Sälä^Åke=山田".encode(), "Sälä^Åke=山田"),
        (b"ISO_IR 144 ", "Люкceмбypг".encode("iso-8859-5"), "Люкceмбypг"),
        # PS3.5 H.3.1 and I.2: ISO 2022 escapes, reset at component delimiters.
        (
            b"\\ISO 2022 IR 87",
            b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
            "Yamada^Tarou=山田^太郎=やまだ^たろう",
        ),
        (
            b"\\ISO 2022 IR 149",
            b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
            "Hong^Gildong=洪^吉洞=홍^길동",
        ),
        (b"GB18030", "王^小东".encode("gb18030"), "王^小东"),
    ],
)
def test_names_are_read_by_their_character_set(character_set: bytes, name: bytes, text: str):
    assert named(name, character_set) == (text, False)


@pytest.mark.parametrize(
    ("character_set", "name"),
    [
        (b"", "Sälä".encode("latin-1")),
        (b"ISO_IR 192", "Sälä".encode("latin-1")),
        (b"ISO_IR 999", b"Sala"),
        (b"\xff\xfe", b"Sala"),
        (b"ISO 2022 IR 87\\ISO_IR 100\\nonsense", b"Sala"),
    ],
)
def test_what_cannot_be_decoded_is_flagged_and_still_text(character_set: bytes, name: bytes):
    text, undecodable = named(name, character_set)
    assert undecodable
    assert "S" in text


def test_dates_and_codes_are_not_touched_by_the_character_set():
    decoded = study_attributes(
        [
            (CHARACTER_SET, b"CS", b"\\ISO 2022 IR 87"),
            (0x00080020, b"DA", b"20240229"),
            (0x00080060, b"CS", b"CT"),
        ]
    ).attributes
    assert (decoded.study_date, decoded.modality, decoded.patient_id) == ("20240229", "CT", "")


@given(st.binary(max_size=100), st.binary(max_size=40))
def test_any_bytes_give_text_without_control_characters(value: bytes, character_set: bytes):
    text, _ = named(value, character_set)
    assert not any(ord(character) < 32 for character in text)
    assert isinstance(decode_text(value, character_set), str)
