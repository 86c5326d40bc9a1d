"""Damage to a journal on the disk, as disks, memory and power cuts do it."""

import os
import struct
from collections.abc import Iterator
from pathlib import Path

from tests.gateway_process import GatewayProcess
from tests.instances import Instance
from tests.vectors.journal_reader import crc32c

STEP, HEADER_LENGTH = 4096, 64
LENGTH_AT, THROUGH_AT, NONCE_AT, CRC_AT = 24, 32, 40, 60


def damage(gateway: GatewayProcess, one: Instance, *, at: int = -64, mended: bool = False) -> None:
    """Turns one bit of its data set over, on the disk; `mended`: before the record's CRC was made, not after.

    The first is what a disk does, and a start calls it rot. The second is what memory does: only the digest
    tells, and only when it is read.
    """
    wanted = one.data_set[at:][:64]
    segment, where = next(
        (path, found) for path in _segments(gateway) if (found := path.read_bytes().find(wanted)) >= 0
    )
    content = bytearray(segment.read_bytes())
    content[where] ^= 1
    if mended:
        _mend(
            content,
            next(start for start in range(where // STEP * STEP, -1, -STEP) if _is_record(content, start)),
        )
    _write(segment, content)


def lose_to_a_power_cut(gateway: GatewayProcess, one: Instance) -> None:
    """Kills the gateway, and leaves its disk as one that lied: nothing was known durable, and a block is gone."""
    gateway.kill()
    for segment in _segments(gateway):
        content = bytearray(segment.read_bytes())
        for start in filter(lambda at: _is_record(content, at), range(0, len(content), STEP)):
            content[THROUGH_AT + start : THROUGH_AT + start + 8] = bytes(8)
            _mend(content, start)
        _write(segment, content)
    damage(gateway, one, at=2000)


def _segments(gateway: GatewayProcess) -> Iterator[Path]:
    yield from sorted((gateway.data / "journal").iterdir())


def _is_record(content: bytearray, start: int) -> bool:
    return content[start : start + 4] == b"KVJ1"


def _mend(content: bytearray, start: int) -> None:
    (length,) = struct.unpack_from("<I", content, start + LENGTH_AT)
    payload = start + HEADER_LENGTH
    covered = content[start + NONCE_AT : start + NONCE_AT + 8] + content[start : start + CRC_AT]
    struct.pack_into(
        "<I", content, start + CRC_AT, crc32c(bytes(covered + content[payload : payload + length]))
    )


def _write(segment: Path, content: bytearray) -> None:
    with segment.open("r+b") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
