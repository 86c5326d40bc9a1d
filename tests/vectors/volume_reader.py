"""An independent reader of volumes, written from docs/design/volume-format.md alone.

It shares no code with the archive: TAR headers, BagIt, the file meta group, BLAKE3 and its tree are
all read or computed here, with the standard library and nothing else. It is slow, and it is a proof that the document
suffices. `python volume_reader.py FILE.tar` says what a volume holds, or what is wrong with it.
"""

from __future__ import annotations

import hashlib
import re
import struct
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

UNIT, RANGE, CHUNK = 512, 1 << 20, 1024
HEADING = [
    "path",
    "sop_instance_uid",
    "sop_class_uid",
    "series_instance_uid",
    "transfer_syntax_uid",
    "data_set_offset",
    "data_set_length",
    "blake3",
    "receive_id",
    "received_at",
    "flags",
    "calling_ae_title",
    "called_ae_title",
    "conflicts_with",
]
TAG_FILES = ["bagit.txt", "bag-info.txt", "manifest-sha256.txt", "instances.tsv", "blake3-ranges.txt"]


class WrongError(Exception):
    """The volume is not what it says."""


def check(holds: bool, what: str) -> None:
    if not holds:
        raise WrongError(what)


# --- BLAKE3, from its specification ---------------------------------------------------------------

IV = (0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19)
PERMUTATION = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
CHUNK_START, CHUNK_END, PARENT, ROOT = 1, 2, 4, 8
MASK = 0xFFFFFFFF
MIXES = (
    (0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
    (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14),
)  # fmt: skip


def compress(value: Sequence[int], block: bytes, counter: int, flags: int) -> tuple[int, ...]:
    words = struct.unpack("<16I", block.ljust(64, b"\0"))
    v = [*value, *IV[:4], counter & MASK, counter >> 32, len(block), flags]
    for round_ in range(7):
        for index, (a, b, c, d) in enumerate(MIXES):
            va, vb, vc, vd = v[a], v[b], v[c], v[d]
            va = (va + vb + words[2 * index]) & MASK
            vd ^= va
            vd = (vd >> 16 | vd << 16) & MASK
            vc = (vc + vd) & MASK
            vb ^= vc
            vb = (vb >> 12 | vb << 20) & MASK
            va = (va + vb + words[2 * index + 1]) & MASK
            vd ^= va
            vd = (vd >> 8 | vd << 24) & MASK
            vc = (vc + vd) & MASK
            vb ^= vc
            v[a], v[b], v[c], v[d] = va, (vb >> 7 | vb << 25) & MASK, vc, vd
        if round_ < 6:
            words = tuple(words[at] for at in PERMUTATION)
    return tuple(v[at] ^ v[at + 8] for at in range(8))


def chunk_value(chunk: bytes, counter: int, root: int) -> tuple[int, ...]:
    value: tuple[int, ...] = IV
    blocks = [chunk[at : at + 64] for at in range(0, len(chunk), 64)] or [b""]
    for number, block in enumerate(blocks):
        flags = CHUNK_START if number == 0 else 0
        if number == len(blocks) - 1:
            flags |= CHUNK_END | root
        value = compress(value, block, counter, flags)
    return value


def parent_value(left: Sequence[int], right: Sequence[int], root: int) -> tuple[int, ...]:
    return compress(IV, struct.pack("<16I", *left, *right), 0, PARENT | root)


def left_length(length: int) -> int:
    """Of a subtree: the largest power of two of chunks that leaves something to the right."""
    chunks = (length - 1) // CHUNK
    return CHUNK << (chunks.bit_length() - 1)


def tree(data: bytes, offset: int, root: int) -> tuple[int, ...]:
    """The value of the subtree of these bytes, which begin at that offset of the input."""
    if len(data) <= CHUNK:
        return chunk_value(data, offset // CHUNK, root)
    left = left_length(len(data))
    return parent_value(tree(data[:left], offset, 0), tree(data[left:], offset + left, 0), root)


def encoded(value: Sequence[int]) -> bytes:
    return struct.pack("<8I", *value)


def blake3(data: bytes) -> bytes:
    return encoded(tree(data, 0, ROOT))


def chaining_value(data: bytes, offset: int) -> bytes:
    return encoded(tree(data, offset, 0))


def digest_of(values: Sequence[bytes], root: int = ROOT) -> bytes:
    """The digest of a data set from the chaining values of all its ranges."""
    if len(values) == 1:
        return values[0]
    left = 1 << ((len(values) - 1).bit_length() - 1)
    halves = [digest_of(values[:left], 0), digest_of(values[left:], 0)]
    return encoded(parent_value(*(struct.unpack("<8I", half) for half in halves), root))


# --- TAR ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Member:
    path: str
    offset: int
    size: int
    mtime: int


def members(data: bytes) -> Iterator[Member]:
    at, size_told = 0, None
    while data[at : at + UNIT].strip(b"\0"):
        header = data[at : at + UNIT]
        kind, size = header[156:157], int(header[124:135], 8)
        check(header[257:265] == b"ustar\x0000", "not ustar")
        check(int(header[148:154], 8) == sum(header) - sum(header[148:156]) + 8 * 32, "a header's sum")
        if kind == b"x":
            record = data[at + UNIT : at + UNIT + size].decode()
            found = re.fullmatch(r"\d\d size=(\d+)\n", record)
            assert found is not None, "an unknown pax record"
            size_told = int(found[1])
        else:
            check(kind == b"0", "another kind of member")
            size = size if size_told is None else size_told
            size_told = None
            path = header[:100].rstrip(b"\0").decode()
            yield Member(path, at + UNIT, size, int(header[136:147], 8))
        at += UNIT + -(-size // UNIT) * UNIT
    check(data[at:] == bytes(2 * UNIT), "the end of the TAR file")


# --- the volume -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Instance:
    path: str
    sop_instance: str
    sop_class: str
    series: str
    transfer_syntax: str
    blake3: str
    receive_id: str
    received_at: str
    flags: int
    calling: str
    called: str
    conflicts_with: str | None
    data_set: bytes
    offset: int
    """Of the data set in the TAR file."""
    ranges_offset: int | None


@dataclass(frozen=True)
class Volume:
    identifier: str
    information: list[tuple[str, str]]
    instances: list[Instance]
    digest: str

    def tell(self, label: str) -> list[str]:
        return [value for found, value in self.information if found == label]


def element(data: bytes, at: int) -> tuple[tuple[int, int], bytes, int]:
    """Tag, value and end of one element of the file meta group (Explicit VR Little Endian)."""
    group, number, vr, length = struct.unpack_from("<HH2sH", data, at)
    start = at + 8
    if vr == b"OB":
        (length,) = struct.unpack_from("<I", data, start)
        start += 4
    return (group, number), data[start : start + length], start + length


def file_meta(data: bytes) -> tuple[dict[int, bytes], int]:
    check(data[:132] == bytes(128) + b"DICM", "the preamble")
    _, length, at = element(data, 132)
    end = at + int.from_bytes(length, "little")
    found: dict[int, bytes] = {}
    while at < end:
        (group, number), value, at = element(data, at)
        check(group == 2, "an element outside of group 0002")
        found[number] = value
    check(at == end and list(found) == [1, 2, 3, 0x10, 0x12, 0x13], "the file meta group")
    check(found[1] == b"\0\1" and found[0x13] == b"KUVA_VOLUME_1 ", "the file meta group's constants")
    return found, end


def unescaped(text: str) -> str:
    return re.sub("%([0-9A-F]{2})", lambda found: chr(int(found[1], 16)), text)


def read_volume(data: bytes) -> Volume:
    found = list(members(data))
    identifier = found[0].path.split("/")[0]
    check(re.fullmatch("[0-7][0-9A-HJKMNP-TV-Z]{25}", identifier) is not None, "the volume's id")
    check(all(one.path.startswith(identifier + "/") for one in found), "a member outside of the bag")
    names = [one.path[27:] for one in found]
    payload = [name for name in names if name.startswith("data/")]
    order = [*TAG_FILES[:2], *payload, *TAG_FILES[2:], "tagmanifest-sha256.txt"]
    check(names == order and len({one.mtime for one in found}) == 1, "the members' order or time")
    files = {name: data[one.offset : one.offset + one.size] for name, one in zip(names, found, strict=True)}
    places = {name: one.offset for name, one in zip(names, found, strict=True)}
    check(files["bagit.txt"] == b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n", "bagit.txt")
    check(manifest(files, TAG_FILES) == files["tagmanifest-sha256.txt"], "the tag manifest")
    check(manifest(files, payload) == files["manifest-sha256.txt"], "the manifest")
    lines = files["bag-info.txt"].decode().splitlines()
    information = [(label, value) for label, value in (line.split(": ", 1) for line in lines)]
    found_instances = list(instances(files, places, payload))
    volume = Volume(identifier, information, found_instances, volume_digest(data, found_instances))
    total = sum(len(files[path]) for path in payload)
    check(volume.tell("Payload-Oxum") == [f"{total}.{len(payload)}"], "the Payload-Oxum")
    return volume


def volume_digest(data: bytes, found: Sequence[Instance]) -> str:
    """BLAKE3 of the TAR file, with the BLAKE3 of each data set in its place."""
    parts, at = [], 0
    for one in found:
        parts += [data[at : one.offset], bytes.fromhex(one.blake3)]
        at = one.offset + len(one.data_set)
    return blake3(b"".join([*parts, data[at:]])).hex()


def manifest(files: dict[str, bytes], names: Sequence[str]) -> bytes:
    return "".join(f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in names).encode()


def instances(files: dict[str, bytes], places: dict[str, int], payload: Sequence[str]) -> Iterator[Instance]:
    heading, *lines = files["instances.tsv"].decode().removesuffix("\n").split("\n")
    check(heading.split("\t") == HEADING and len(lines) == len(payload), "instances.tsv")
    values = [bytes.fromhex(line) for line in files["blake3-ranges.txt"].decode().split()]
    used = 0
    for line, path in zip(lines, payload, strict=True):
        told = dict(zip(HEADING, line.split("\t"), strict=True))
        check(told["path"] == path, "the order of instances.tsv")
        meta, start = file_meta(files[path])
        data_set = files[path][start:]
        uids = [meta[number].decode().rstrip("\0") for number in (3, 2, 0x10)]
        names = ("sop_instance_uid", "sop_class_uid", "transfer_syntax_uid")
        check([told[name] for name in names] == uids, f"the UIDs of {path}")
        check((told["data_set_offset"], told["data_set_length"]) == (str(start), str(len(data_set))), path)
        count = -(-len(data_set) // RANGE) if len(data_set) > RANGE else 0
        own, ranges_offset = values[used : used + count], places["blake3-ranges.txt"] + 65 * used
        used += count
        for number, value in enumerate(own):
            at = number * RANGE
            check(chaining_value(data_set[at : at + RANGE], at) == value, f"range {number} of {path}")
        digest = digest_of(own) if own else blake3(data_set)
        check(told["blake3"] == digest.hex(), f"the BLAKE3 of {path}")
        yield Instance(
            path, uids[0], uids[1], told["series_instance_uid"], uids[2], digest.hex(), told["receive_id"],
            told["received_at"], int(told["flags"]), unescaped(told["calling_ae_title"]),
            unescaped(told["called_ae_title"]), told["conflicts_with"] or None, data_set,
            places[path] + start, ranges_offset if own else None,
        )  # fmt: skip
    check(used == len(values), "blake3-ranges.txt")


def main(path: str) -> None:
    volume = read_volume(Path(path).read_bytes())
    print(volume.identifier, volume.digest)
    for label, value in volume.information:
        print(f"{label}: {value}")
    for one in volume.instances:
        print(one.path, one.sop_instance, len(one.data_set), one.blake3)


if __name__ == "__main__":
    main(sys.argv[1])
