"""The medium under a folder: reads what it holds, not what the cache remembers. Blocking, for threads."""

import ctypes
import mmap
import os
import secrets
from contextlib import suppress
from enum import Enum
from pathlib import Path

from gateway.storage.object_store import PIECE_LENGTH_MAX
from gateway.storage.trouble import translated

BLOCK = PIECE_LENGTH_MAX
"""Bytes of one read. A mapping is page-aligned, as O_DIRECT wants."""
_PROBE = 1 << 16
_LIBC = ctypes.CDLL(None, use_errno=True)


class ReadBack(Enum):
    """How the page cache is avoided; the best way that a folder's file system has."""

    DIRECT = "direct"
    """O_DIRECT."""
    EVICTED = "evicted"
    """Clean pages are dropped first; another reader may bring them back meanwhile."""
    CACHED = "cached"
    """Neither works here (a file system in memory, say): what is read proves nothing about the medium."""


class BlockReader:
    """One file from its beginning, around the page cache: `open`, `next` to the end, `close` in any case."""

    def __init__(self, path: Path, way: ReadBack) -> None:
        self._path = path
        self._way = way
        self._offset = 0
        self._fd = -1
        self._buffers = (mmap.mmap(-1, BLOCK), mmap.mmap(-1, BLOCK))

    def open(self) -> None:
        """Raises `ObjectAbsentError`, `StoreUnavailableError`."""
        direct = os.O_DIRECT if self._way is ReadBack.DIRECT else 0
        with translated(self._path, reading=True):
            self._fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | direct)
            if self._way is ReadBack.EVICTED:
                os.posix_fadvise(self._fd, 0, 0, os.POSIX_FADV_DONTNEED)

    def next(self) -> memoryview:
        """Up to `BLOCK` bytes, none at the end; valid until the call after the next."""
        buffer = self._buffers[0]
        self._buffers = self._buffers[::-1]
        with translated(self._path):
            length = os.preadv(self._fd, [buffer], self._offset)
        self._offset += length
        return memoryview(buffer)[:length]

    def close(self) -> None:
        """The buffers go with the last view of them."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def read_range(path: Path, offset: int, length: int) -> bytes:
    """A range through the page cache; shorter only at the file's end."""
    with translated(path, reading=True):
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            parts = []
            while length and (part := os.pread(fd, length, offset)):  # may be short
                parts.append(part)
                offset += len(part)
                length -= len(part)
        finally:
            os.close(fd)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def probe(folder: Path) -> ReadBack:
    """Finds out, with a file of its own, what works here. `StoreUnavailableError`, `StoreFullError`."""
    path = folder / f".probe-{secrets.token_hex(8)}"
    with translated(folder):
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.pwrite(fd, b"\0" * _PROBE, 0)
            os.fsync(fd)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            if _is_cached(fd):
                return ReadBack.CACHED
            direct = _reads_directly(path) and not _is_cached(fd)
            return ReadBack.DIRECT if direct else ReadBack.EVICTED
        finally:
            os.close(fd)
            with suppress(OSError):
                path.unlink()


def _reads_directly(path: Path) -> bool:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECT)
    except OSError:
        return False
    try:
        return os.preadv(fd, [mmap.mmap(-1, _PROBE)], 0) == _PROBE
    except OSError:
        return False
    finally:
        os.close(fd)


def _is_cached(fd: int) -> bool:
    """Whether the page cache has any of the file's first pages. The file is open for writing, and not empty.

    A read with RWF_NOWAIT would be no answer: it makes the kernel read ahead what was asked about.
    """
    with mmap.mmap(fd, _PROBE) as mapping:
        pages = (ctypes.c_ubyte * (_PROBE // mmap.PAGESIZE))()
        start = (ctypes.c_char * _PROBE).from_buffer(mapping)
        failed = _LIBC.mincore(ctypes.c_void_p(ctypes.addressof(start)), ctypes.c_size_t(_PROBE), pages)
        del start  # a mapping closes when nothing points into it
    # Where the question cannot be asked, nothing is known, and the lesser claim is made.
    return bool(failed) or any(page & 1 for page in pages)
