"""Exporting: a volume that comes in pieces becomes a file, once every digest in it was checked."""

import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from gateway import _core
from gateway.errors import VolumeMismatchError


class Receiving:
    """Written beside its name, checked, synced, and only then named. What fails leaves nothing."""

    def __init__(self, target: Path, *, expected: str | None) -> None:
        """`expected`: the volume's digest, in hex, as the catalogue has it."""
        self._target, self._expected = target, expected
        self._part = target.with_name(f".{target.name}.{os.getpid()}.part")
        self._scan = _core.VolumeScan(bytes(16))  # locators are not looked at here

    def __enter__(self) -> Self:
        self._file = self._part.open("xb")
        return self

    def take(self, piece: bytes) -> None:
        """Raises `VolumeMismatchError`, OSError."""
        self._scan.feed(piece)
        self._file.write(piece)

    def finish(self) -> None:
        """The file is there, whole and durable. Raises `VolumeMismatchError`, OSError (it exists already)."""
        contents = self._scan.finish()
        if self._expected is not None and contents.digest.hex() != self._expected:
            raise VolumeMismatchError("it is whole, but not the volume that the catalogue has")
        self._file.flush()
        os.fsync(self._file.fileno())
        os.link(self._part, self._target)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            self._part.unlink()
