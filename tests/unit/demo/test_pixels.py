"""Phantom pixels, and RLE against a decoder written apart."""

import random
import struct

import pytest

from gateway.demo.pixels import frames_of, phantom, rle, slice_of, swapped


def unpacked(segment: bytes) -> bytes:
    """PackBits by the book (PS3.5 G.3.2), written apart from the encoder."""
    out, at = bytearray(), 0
    while at < len(segment):
        code = segment[at]
        if code < 128:
            out += segment[at + 1 : at + 2 + code]
            at += 2 + code
        elif code > 128:
            out += segment[at + 1 : at + 2] * (257 - code)
            at += 2
        else:
            at += 1
    return bytes(out)


@pytest.mark.parametrize("seed", range(20))
def test_rle_decodes_to_what_was_encoded(seed: int) -> None:
    chance = random.Random(seed)
    columns, rows = chance.randint(1, 400), chance.randint(1, 5)
    samples = [chance.choice((0, 1, 513, 65535)) for _ in range(columns * rows)]
    pixels = struct.pack(f"<{len(samples)}H", *samples)
    frame = rle(pixels, columns=columns)
    count, first, second = struct.unpack_from("<3I", frame)
    assert (count, first, len(frame) % 2) == (2, 64, 0)
    # A segment may end in one zero byte of padding, which decodes to at most one byte more.
    assert unpacked(frame[first:second])[: len(samples)] == pixels[1::2]
    assert unpacked(frame[second:])[: len(samples)] == pixels[0::2]


def test_slices_differ_and_are_the_same_every_time() -> None:
    slices = [slice_of(64, number) for number in range(200)]
    assert len(set(slices)) == len(slices)
    assert slices[7] == slice_of(64, 7)
    assert {len(one) for one in slices} == {64 * 64 * 2}


def test_frames_have_their_size() -> None:
    assert len(frames_of(64, 5)) == 5 * 64 * 64


def test_swapping_twice_gives_the_same() -> None:
    assert swapped(swapped(phantom(64))) == phantom(64) != swapped(phantom(64))
