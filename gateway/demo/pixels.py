"""Pixels: a phantom to fill images with, the same every time, and RLE Lossless (PS3.5 Annex G)."""

import struct
from array import array
from functools import lru_cache
from itertools import groupby

_AIR, _TISSUE, _BONE = 24, 1064, 2024


@lru_cache(maxsize=4)
def phantom(side: int) -> bytes:
    """A round body with a bone in it, `side` x `side`, 16 bits allocated, little endian."""
    centre = side / 2
    rows = array("H")
    for y in range(side):
        for x in range(side):
            distance = ((x - centre) ** 2 + (y - centre) ** 2) ** 0.5 / side
            value = _BONE if 0.10 < distance < 0.13 else _TISSUE if distance < 0.42 else _AIR
            rows.append(value + (x * 7 + y * 13) % 31)
    return _little(rows)


def slice_of(side: int, number: int) -> bytes:
    """The phantom with its slice's number written into the first row, so that no two are the same."""
    label = struct.pack("<4H", *((number >> shift) & 0xF for shift in (12, 8, 4, 0)))
    body = phantom(side)
    shift = (number % side) * side * 2
    return label + (body[shift:] + body[:shift])[len(label) :]


def frames_of(side: int, frames: int) -> bytes:
    """A cine loop of 8-bit frames: the phantom's high-contrast shape, turning."""
    body = bytes(value >> 3 & 0xFF for value in _from_little(phantom(side)))
    return b"".join(body[(n * side) % len(body) :] + body[: (n * side) % len(body)] for n in range(frames))


def swapped(pixels: bytes) -> bytes:
    """16-bit words in the other byte order, as Explicit VR Big Endian wants them."""
    words = array("H", pixels)
    words.byteswap()
    return words.tobytes()


def rle(pixels: bytes, *, columns: int) -> bytes:
    """One 16-bit frame as RLE Lossless: two segments, most significant bytes first (PS3.5 G.2)."""
    segments = [_segment(pixels[1::2], columns), _segment(pixels[0::2], columns)]
    offsets = [64, 64 + len(segments[0]), *[0] * 13]
    return struct.pack("<16I", len(segments), *offsets) + b"".join(segments)


def _segment(samples: bytes, columns: int) -> bytes:
    rows = (samples[start : start + columns] for start in range(0, len(samples), columns))
    packed = b"".join(_packed(row) for row in rows)
    return packed + b"\0" * (len(packed) % 2)


def _packed(row: bytes) -> bytes:
    """One row's PackBits; runs and literals do not cross rows (PS3.5 G.3.1)."""
    out, literal = bytearray(), bytearray()
    for value, run in groupby(row):
        left = len(list(run))
        if left == 1:
            literal.append(value)
            continue
        _flush(out, literal)
        while left:
            take = min(left, 128)
            # A run of one is a literal of one: the code for "repeat once" (0) is the literal's own.
            out += bytes((257 - take, value)) if take > 1 else bytes((0, value))
            left -= take
    _flush(out, literal)
    return bytes(out)


def _flush(out: bytearray, literal: bytearray) -> None:
    for start in range(0, len(literal), 128):
        piece = literal[start : start + 128]
        out.append(len(piece) - 1)
        out += piece
    literal.clear()


def _little(words: "array[int]") -> bytes:
    return words.tobytes() if struct.pack("=H", 1) == b"\1\0" else swapped(words.tobytes())


def _from_little(pixels: bytes) -> "array[int]":
    words = array("H", pixels)
    if struct.pack("=H", 1) != b"\1\0":
        words.byteswap()
    return words
