"""An independent reader of journal segments: docs/design/journal-format.md in Python, sharing no code.

Standard library only, no speed: it exists so that the format document is proven to suffice, and so
that a journal can be read on any machine that has Python. `python journal_reader.py SEGMENT...` lists
what the given files of a journal hold; give all of them, the roster (`00000000.segment`) too. It never
writes.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

STEP = 4096
FIRST_RECORD = 8192
HEADER = struct.Struct("<4sBBHIIQIIQQQII")
BLOCK_PAYLOAD = 131_008
SEGMENT, DATA, CLOSING, DISCARD, END, VOID, ROSTER = range(1, 8)
ROSTER_SLOT = 1 << 20
ROSTER_PAYLOAD_MAX = 28 + 65_536 * 12
WITHOUT_ROSTER, VERSION = 1, 3
QUARANTINED = 2
CLOSING_PAYLOAD_MAX = 4 * 1024 * 1024 - 64


class NewerFormatError(Exception):
    """The journal was written by a newer release than this reader knows."""


class RotError(Exception):
    """Something that was known durable is damaged."""


def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        entry = byte
        for _ in range(8):
            entry = entry >> 1 ^ (0x82F63B78 if entry & 1 else 0)
        table.append(entry)
    return table


_TABLE = _crc_table()


def crc32c(data: bytes) -> int:
    """CRC-32C (Castagnoli), reflected, initial value and final xor all ones."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


@dataclass(frozen=True)
class Header:
    """A record header."""

    kind: int
    version: int
    segment: int
    offset: int
    generation: int
    payload_length: int
    epoch: int
    durable_through: int
    nonce: int
    upload: int
    index: int

    @property
    def length(self) -> int:
        """Bytes the record takes in the segment."""
        return -(-(64 + self.payload_length) // STEP) * STEP


@dataclass(frozen=True)
class Closing:
    """A closing record."""

    receive_id: tuple[bytes, int, int]
    verdict: int
    conflicts_with: tuple[bytes, int, int] | None
    vault: bytes
    length: int
    received_at: int
    flags: int
    digest: bytes
    association: int
    texts: tuple[str, ...]
    captured: tuple[tuple[int, bytes, bool, bytes], ...]
    extents: tuple[tuple[int, int, int, int], ...]
    tail: bytes
    upload: int
    copies: int
    """How often the instance had been copied forward."""
    replaces: tuple[int, int, int, int] | None
    """Segment, generation, offset and length of the closing record before."""


@dataclass(frozen=True)
class Discarded:
    """What a discard record takes back."""

    reason: str
    closings: tuple[tuple[tuple[bytes, int, int], tuple[int, int, int, int]], ...]


@dataclass
class Segment:
    """A scanned segment."""

    header: Header
    node: bytes
    records: dict[int, Header] = field(default_factory=dict)
    data: dict[int, bytes] = field(default_factory=dict)
    closings: list[Closing] = field(default_factory=list)
    discards: list[Discarded] = field(default_factory=list)
    gaps: list[int] = field(default_factory=list)
    voids: list[tuple[int, int]] = field(default_factory=list)


def parse_header(data: bytes, at: int) -> Header | None:
    """The whole, undamaged record that begins at `at`, judged by itself."""
    if at + 64 > len(data):
        return None
    fields = HEADER.unpack_from(data, at)
    magic, kind, version, reserved, segment, offset, generation, length, epoch, through = fields[:10]
    nonce, upload, index, crc = fields[10:]
    known = WITHOUT_ROSTER <= version <= VERSION
    if (magic, known, reserved) != (b"KVJ1", True, 0) or not 0 < generation < 1 << 32:
        return None
    fixed = {SEGMENT: 24, DATA: BLOCK_PAYLOAD, END: 0, VOID: 4}
    if kind in fixed:
        fits = length == fixed[kind]
    elif kind == ROSTER:
        fits = 28 <= length <= ROSTER_PAYLOAD_MAX
    else:
        fits = kind in (CLOSING, DISCARD) and 1 <= length <= CLOSING_PAYLOAD_MAX
    if not fits or through > generation << 32 | offset:
        return None
    header = Header(kind, version, segment, offset, generation, length, epoch, through, nonce, upload, index)
    record = data[at : at + header.length]
    if len(record) != header.length or any(record[64 + length :]):
        return None
    covered = nonce.to_bytes(8, "little") + record[:60] + record[64 : 64 + length]
    return header if crc32c(covered) == crc else None


def slot_header(data: bytes, at: int) -> Header | None:
    """As `parse_header`; a whole record of a newer format is refused, not passed over."""
    if at + 64 <= len(data) and data[at : at + 4] == b"KVJ1" and data[at + 5] > VERSION:
        length, nonce = int.from_bytes(data[at + 24 : at + 28], "little"), data[at + 40 : at + 48]
        covered = nonce + data[at : at + 60] + data[at + 64 : at + 64 + length]
        if crc32c(covered) == int.from_bytes(data[at + 60 : at + 64], "little"):
            raise NewerFormatError(f"format version {data[at + 5]}")
    return parse_header(data, at)


class Payload:
    """A payload being read; reading past its end is an error."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, length: int) -> bytes:
        taken = self.data[self.at : self.at + length]
        if len(taken) != length:
            raise RotError("a payload ends early")
        self.at += length
        return taken

    def number(self, length: int, *, signed: bool = False) -> int:
        return int.from_bytes(self.take(length), "little", signed=signed)

    def text(self) -> str:
        return self.take(self.number(2)).decode()

    def receive_id(self) -> tuple[bytes, int, int]:
        return self.take(16), self.number(4), self.number(8)

    def words(self) -> tuple[int, int, int, int]:
        return self.number(4), self.number(4), self.number(4), self.number(4)

    def end(self) -> None:
        if self.at != len(self.data):
            raise RotError("a payload is longer than its content")


def read_closing(payload: bytes, upload: int) -> Closing:
    """A closing record's payload."""
    source = Payload(payload)
    version = source.number(2)
    if version not in (1, 2):
        raise RotError("unknown version of a closing record")
    copies, replaces = (source.number(4), source.words()) if version == 2 else (0, None)
    if (version == 2) != (copies > 0):
        raise RotError("a copy without a number")
    verdict, conflicting = source.number(1), source.number(1)
    receive_id = source.receive_id()
    vault, length = source.take(16), source.number(8)
    received_at, flags = source.number(8, signed=True), source.number(8)
    digest, association = source.take(32), source.number(8)
    conflicts_with = source.receive_id() if conflicting else None
    texts = tuple(source.text() for _ in range(8))
    captured = []
    for _ in range(source.number(2)):
        tag, vr, cut = source.number(4), source.take(2), bool(source.number(1))
        captured.append((tag, vr, cut, source.take(source.number(2))))
    extents = tuple(source.words() for _ in range(source.number(4)))
    tail = source.take(source.number(4))
    source.end()
    if sum(extent[3] for extent in extents) * BLOCK_PAYLOAD + len(tail) != length:
        raise RotError("blocks and tail are not the length of the instance")
    return Closing(
        receive_id, verdict, conflicts_with, vault, length, received_at, flags, digest,
        association, texts, tuple(captured), extents, tail, upload, copies, replaces,
    )  # fmt: skip


def read_discard(payload: bytes) -> Discarded:
    """A discard record's payload."""
    source = Payload(payload)
    if source.number(2) != 1:
        raise RotError("unknown version of a discard record")
    reason = source.text()
    closings = tuple((source.receive_id(), source.words()) for _ in range(source.number(4)))
    source.end()
    return Discarded(reason, closings)


def scan(data: bytes) -> Segment | None:
    """All records of one segment file; none if it never held a generation."""
    slots = [header for at in (0, STEP) if (header := slot_header(data, at)) is not None]
    own = [slot for slot in slots if slot.kind == SEGMENT and slot.offset in (0, STEP)]
    if not own:
        for at in range(FIRST_RECORD, len(data), STEP):
            found = parse_header(data, at)
            if found is not None and found.offset == at:
                raise RotError(f"records without a segment header, first at {at}")
        return None
    newest = max(own, key=lambda slot: slot.generation)
    node, length = struct.unpack_from("<16sQ", data, newest.offset + 64)
    if length != len(data):
        raise RotError("the segment has another length than its header says")
    segment = Segment(newest, node)
    at = FIRST_RECORD
    while at < len(data):
        at += _enter(segment, data, at)
    return segment


def _enter(segment: Segment, data: bytes, at: int) -> int:
    """Enters what is at `at`; how many bytes that accounts for."""
    header, own = parse_header(data, at), segment.header
    expected = (own.segment, own.generation, own.nonce, at)
    if header is None or (header.segment, header.generation, header.nonce, header.offset) != expected:
        segment.gaps.append(at)
        return STEP
    payload = data[at + 64 : at + 64 + header.payload_length]
    segment.records[at] = header
    if header.kind == END:
        segment.voids.append((at, len(data)))
        return len(data) - at
    if header.kind == VOID:
        covered = int.from_bytes(payload, "little")
        segment.voids.append((at, at + covered))
        return covered
    if header.kind == DATA:
        segment.data[at] = payload
    elif header.kind == CLOSING:
        segment.closings.append(read_closing(payload, header.upload))
    elif header.kind == DISCARD:
        segment.discards.append(read_discard(payload))
    return header.length


@dataclass(frozen=True)
class Roster:
    """Which segments hold which generation: segment to (generation, live records when it was written)."""

    header: Header
    node: bytes
    segment_length: int
    segments: dict[int, tuple[int, int]]


def read_roster(data: bytes) -> Roster | None:
    """The newest whole roster of its file; none if no slot holds one."""
    slots = [header for at in (0, ROSTER_SLOT) if (header := slot_header(data, at)) is not None]
    own = [slot for slot in slots if (slot.kind, slot.segment) == (ROSTER, 0)]
    if not own:
        return None
    newest = max(own, key=lambda slot: slot.generation)
    source = Payload(data[newest.offset + 64 : newest.offset + 64 + newest.payload_length])
    node, length, count = source.take(16), source.number(8), source.number(4)
    entries = [(source.number(4), source.number(4), source.number(4)) for _ in range(count)]
    source.end()
    return Roster(newest, node, length, {segment: (held, live) for segment, held, live in entries})


@dataclass
class Journal:
    """What a set of segments holds."""

    roster: Roster | None
    segments: dict[int, Segment]
    durable_through: int
    instances: list[Closing]
    damaged: list[Closing]
    forgotten: list[Closing]
    replaced: list[Closing]
    """Closing records that do not count, because the instance was copied forward."""
    discarded: list[Discarded]

    def data_set(self, closing: Closing) -> bytes:
        """The bytes of a live instance."""
        blocks = [self.segments[place[0]].data[place[2]] for place in _places(closing)]
        return b"".join(blocks) + closing.tail


def _places(closing: Closing) -> Iterator[tuple[int, int, int, int]]:
    index = 0
    for segment, generation, offset, blocks in closing.extents:
        for block in range(blocks):
            yield segment, generation, offset + block * 131_072, index
            index += 1


def read_journal(files: Sequence[bytes]) -> Journal:
    """Recovers what the segment files hold, by the rules of the format document."""
    roster = next((found for data in files if (found := read_roster(data)) is not None), None)
    scanned = [found for data in files if read_roster(data) is None and (found := scan(data)) is not None]
    segments = {segment.header.segment: segment for segment in scanned}
    _complete(roster, segments)
    headers = [header for s in scanned for header in (s.header, *s.records.values())]
    headers += [roster.header] if roster else []
    through = max((header.durable_through for header in headers), default=0)
    discarded = [discard for segment in scanned for discard in segment.discards]
    taken_back = {one for discard in discarded for one in discard.closings}
    closings = [closing for segment in scanned for closing in segment.closings]
    apart = [closing for closing in closings if closing.verdict == QUARANTINED]
    void = [place for _, place in taken_back] + [copy.replaces for copy in apart if copy.replaces]
    for segment in scanned:
        for gap in segment.gaps:
            _not_rot(segment, gap, through, void)
    journal = Journal(roster, segments, through, [], [], [], [], discarded)
    gone = {receive_id for receive_id, _ in taken_back}
    for receive_id, copies in _by_instance(closings):
        if receive_id not in gone:
            _enter_newest(journal, copies)
    return journal


def _by_instance(closings: Sequence[Closing]) -> list[tuple[tuple[bytes, int, int], list[Closing]]]:
    """Closing records by receive id, in position order; of each, the newest copy first."""
    by_id: dict[tuple[bytes, int, int], dict[int, Closing]] = {}
    for closing in closings:
        if by_id.setdefault(closing.receive_id, {}).setdefault(closing.copies, closing) is not closing:
            raise RotError("two closing records with one receive id")
    order = sorted(by_id, key=lambda receive_id: receive_id[1:])
    return [(one, [by_id[one][copies] for copies in sorted(by_id[one], reverse=True)]) for one in order]


def _enter_newest(journal: Journal, copies: list[Closing]) -> None:
    """The newest counts; one of before only if that is not whole."""
    chosen, fate = copies[0], _fate(journal, copies[0])
    if fate is journal.damaged:
        whole = [copy for copy in copies[1:] if _fate(journal, copy) is journal.instances]
        chosen, fate = (whole[0], journal.instances) if whole else (chosen, fate)
    fate.append(chosen)
    journal.replaced += [copy for copy in copies if copy is not chosen]


def _complete(roster: Roster | None, segments: dict[int, Segment]) -> None:
    """Every segment holds what was once durable in it, and the roster knows whatever holds a record."""
    said = roster.segments if roster else {}
    held = {number: segment.header.generation for number, segment in segments.items()}
    for number, (generation, live) in said.items():
        if held.get(number, 0) < generation:
            raise RotError(f"segment {number}, generation {generation} with {live} live records, is gone")
    for number, segment in segments.items():
        recorded = segment.data or segment.closings or segment.discards
        known = said.get(number, (0, 0))[0] >= held[number]
        if segment.header.version > WITHOUT_ROSTER and recorded and not known:
            raise RotError(f"the roster is gone, or older than segment {number}")


def _not_rot(segment: Segment, gap: int, through: int, void: list[tuple[int, int, int, int]]) -> None:
    own = segment.header
    if own.generation << 32 | gap >= through:
        return
    for holder, generation, offset, length in void:
        if (holder, generation) == (own.segment, own.generation) and offset <= gap < offset + length:
            return
    raise RotError(f"segment {own.segment} at {gap}: a record that was known durable is damaged")


def _fate(journal: Journal, closing: Closing) -> list[Closing]:
    for segment, generation, offset, index in _places(closing):
        holder = journal.segments.get(segment)
        holds = holder.header.generation if holder else 0
        if holds > generation:
            return journal.forgotten
        found = holder.records.get(offset) if holder and holds == generation else None
        wanted = (DATA, closing.upload, index, closing.receive_id[1])
        if found and (found.kind, found.upload, found.index, found.epoch) == wanted:
            continue
        torn = holder is not None and any(start <= offset < end for start, end in holder.voids)
        if torn or generation << 32 | offset >= journal.durable_through:
            return journal.damaged
        raise RotError(f"segment {segment} at {offset}: a block of a live instance is missing")
    return journal.instances


def main(paths: Sequence[str]) -> None:
    """Lists the instances in the given segment files."""
    journal = read_journal([Path(path).read_bytes() for path in paths])
    for closing in journal.instances:
        _, epoch, position = closing.receive_id
        verdict = {1: "kept", 2: "quarantined"}[closing.verdict]
        print(f"{epoch}/{position} {verdict} {closing.length} bytes, SOP Instance UID {closing.texts[2]}")
    print(f"{len(journal.damaged)} damaged, {len(journal.forgotten)} forgotten")


if __name__ == "__main__":
    main(sys.argv[1:])
