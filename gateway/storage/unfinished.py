"""An unfinished file: an object on its way to its name in a folder. Blocking, for threads.

Its own name begins with a dot and ends with `.unfinished`, which no key does; while it is written it is
locked, so that what a crash left behind can be told from what another process is writing.
"""

import ctypes
import errno
import fcntl
import mmap
import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from gateway.errors import ObjectDoubtfulError, StoreError, StoreUnavailableError
from gateway.storage.object_store import PutOutcome
from gateway.storage.trouble import translated

SUFFIX = ".unfinished"
WINDOW = 8 << 20
"""Bytes that may be dirty in the page cache before the writer waits for the medium."""
BLOCK = 4 << 20
"""Bytes of one write around the page cache."""
_ALIGNMENT = 4096
_LIBC = ctypes.CDLL(None, use_errno=True)
_UNKNOWN_CALL = (errno.ENOSYS, errno.EINVAL, errno.ESPIPE, errno.EOPNOTSUPP)
_WRITE, _WRITE_AND_WAIT = 2, 7  # SYNC_FILE_RANGE_*: start writing out; wait before, write, wait after


class UnfinishedFile:
    """One put: `open`, `write` in order, `flush`, `finish`, and `discard` in any case.

    Each raises `StoreUnavailableError` or `StoreFullError` if it failed.
    """

    def __init__(self, final: Path, length: int = 0, *, direct: bool = False) -> None:
        """`length`: of the whole, if it is known; `direct`: around the page cache, where that works."""
        self._final = final
        self._whole = length
        self._block = mmap.mmap(-1, BLOCK) if direct else None
        self._filled = 0
        self._copies = False
        """Pieces lie where the medium does not take them from."""
        self._path = final.with_name(f".{final.name}.{secrets.token_hex(8)}{SUFFIX}")
        self._length = 0
        self._fd = -1

    def open(self) -> None:
        """Makes it, locked."""
        with translated(self._final):
            self._fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o440)
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if self._block is not None:
                self._begin_direct()

    def write(self, piece: bytes | memoryview) -> None:
        """Takes all of it, and keeps little of it dirty: a gigabyte behind one fsync stalls everybody."""
        view = memoryview(piece)
        with translated(self._final):
            if self._block is None:
                self._write(view)
                return
            if len(view) == BLOCK and not self._filled and not self._copies:
                view = self._write_as_it_is(view)
            while view:
                taken = min(len(view), BLOCK - self._filled)
                self._block[self._filled : self._filled + taken] = view[:taken]
                self._filled += taken
                view = view[taken:]
                if self._filled == BLOCK:
                    self._write_block()

    def flush(self) -> None:
        """Writes what was taken and does not fill a block: no more pieces follow."""
        with translated(self._final):
            self._write_block()

    def finish(self) -> PutOutcome:
        """Durable under its name when it returns.

        A failed fsync is never asked again: the kernel would say yes with the pages lost. What fails
        before the name exists leaves nothing; what fails after it raises `ObjectDoubtfulError`.
        """
        with translated(self._final):
            os.fsync(self._fd)
            os.posix_fadvise(self._fd, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(os.dup(self._fd))  # some file systems report only here; the lock stays ours
        outcome = self._name()
        try:
            sync_folder(self._final.parent)
        except StoreError as error:
            raise ObjectDoubtfulError(
                f"{self._final.name}: its folder could not be synced: {error}"
            ) from error
        return outcome

    def discard(self) -> None:
        """Leaves nothing of it but, after success, the object; what cannot be removed, `leftovers` finds."""
        fd, self._fd = self._fd, -1
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
        if fd >= 0:
            with suppress(OSError):  # whether all was written, `finish` has asked
                os.close(fd)

    def _begin_direct(self) -> None:
        """The room first: the medium then need not look for it at every write, and a full one says so now."""
        try:
            fcntl.fcntl(self._fd, fcntl.F_SETFL, os.O_DIRECT)
        except OSError:
            self._block = None
            return
        if self._whole and _LIBC.fallocate(self._fd, 0, ctypes.c_int64(0), ctypes.c_int64(self._whole)):
            self._unless_unknown(ctypes.get_errno())

    def _write_block(self) -> None:
        """What is in the block; its end, which need not be aligned, through the page cache."""
        if self._block is None or not self._filled:
            return
        if self._filled % _ALIGNMENT:
            fcntl.fcntl(self._fd, fcntl.F_SETFL, 0)
        with memoryview(self._block) as block:
            self._write(block[: self._filled])
        self._filled = 0

    def _write_as_it_is(self, view: memoryview) -> memoryview:
        """What is left of it: all, if the medium does not take it from where it lies."""
        before = self._length
        try:
            self._write(view)
        except OSError as error:
            if error.errno != errno.EINVAL or self._length != before:
                raise
            self._copies = True
            return view
        return view[:0]

    def _write(self, view: memoryview) -> None:
        while view:
            written = os.write(self._fd, view)  # may be short
            if not written:
                raise StoreUnavailableError(f"{self._final.name}: nothing could be written")
            if self._block is None:
                self._write_out(self._length, written)
            elif written % _ALIGNMENT:
                fcntl.fcntl(self._fd, fcntl.F_SETFL, 0)  # what follows is not aligned any more
            self._length += written
            view = view[written:]

    def _name(self) -> PutOutcome:
        with translated(self._final):
            try:
                os.link(self._path, self._final, follow_symlinks=False)
            except FileExistsError:
                return PutOutcome.PRESENT
        return PutOutcome.CREATED

    def _write_out(self, offset: int, length: int) -> None:
        """Starts writing out what came, waits for what came a window ago, and frees its pages for others."""
        self._range(offset, length, _WRITE)
        old = offset - WINDOW
        if old >= 0:
            self._range(old, length, _WRITE_AND_WAIT)
            os.posix_fadvise(self._fd, old, length, os.POSIX_FADV_DONTNEED)

    def _range(self, offset: int, length: int, flags: int) -> None:
        if _LIBC.sync_file_range(self._fd, ctypes.c_int64(offset), ctypes.c_int64(length), flags):
            # It reports, and so consumes, errors that fsync would have reported. Where it is not known,
            # fsync does it all at the end.
            self._unless_unknown(ctypes.get_errno())

    def _unless_unknown(self, number: int) -> None:
        if number not in _UNKNOWN_CALL:
            raise OSError(number, os.strerror(number))


def leftovers(folder: Path) -> Iterator[Path]:
    """Unfinished files below `folder` that nobody writes any more."""
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place, name)
            if name.startswith(".") and name.endswith(SUFFIX) and not _is_locked(path):
                yield path


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable. Raises `StoreUnavailableError`."""
    with translated(folder):
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def _is_locked(path: Path) -> bool:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return True  # finished meanwhile, or nothing that we wrote
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(fd)
    return False
