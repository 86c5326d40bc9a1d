"""Stores: a fresh folder for every run, without the traps that deleting files and cold memory set."""

import contextlib
import fcntl
import os
import shutil
import time
from pathlib import Path

from gateway.bench.failure import BenchError

DELETED_SECONDS = 300
"""ext4 without a journal skips inodes freed in the last minutes, one by one, when it looks for one."""
KEPT_FREE = 6 << 30
"""Bytes of the file system that no bench fills."""
MEMORY_FILE_SYSTEMS = frozenset(("tmpfs", "ramfs"))
_MARKER = "deleted-at"


class Stores:
    """A work folder with one store for each run.

    A store that is done with is emptied, but its files stay until the end: a file system that has just
    freed thousands of inodes creates files more slowly, and the next run would pay for it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # PostgreSQL may run under an account of its own, which must pass.
            folder.chmod(0o755)
        except OSError as error:
            raise BenchError(f"{folder}: {error.strerror}; choose another folder with --folder") from None
        self._lock = (folder / "lock").open("ab")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise BenchError(f"another bench runs in {folder}: two would measure each other") from None
        self.file_system = file_system(folder)
        self._number = 0
        self._mine: list[Path] = []

    def deleted_seconds_ago(self) -> float | None:
        """Since an earlier bench removed its files here; None if that was long ago, or never."""
        with contextlib.suppress(OSError):
            ago = time.time() - (self.folder / _MARKER).stat().st_mtime
            return ago if 0 <= ago < DELETED_SECONDS else None
        return None

    def new(self, name: str) -> Path:
        """An empty folder that was never there before."""
        self._number += 1
        made = self.folder / f"{os.getpid()}-{self._number:04}-{name}"
        made.mkdir()
        self._mine.append(made)
        return made

    def room(self) -> int:
        """Bytes that a run may write."""
        found = os.statvfs(self.folder)
        return max(0, found.f_bavail * found.f_frsize - KEPT_FREE)

    def retire(self, store: Path) -> None:
        """Empties all files of a store that nobody uses any more."""
        for root, _, names in os.walk(store):
            for name in names:
                path = Path(root, name)
                if path.is_file() and not path.is_symlink():
                    os.truncate(path, 0)

    def remove(self) -> None:
        """Removes all that this bench made, and notes when."""
        for store in self._mine:
            shutil.rmtree(store, ignore_errors=True)
        if self._mine:
            (self.folder / _MARKER).touch()
        self._mine.clear()

    def close(self) -> None:
        """Lets another bench have the folder."""
        self._lock.close()


def file_system(folder: Path) -> str:
    """Kind and device of the file system below a folder, as the kernel names them."""
    device = folder.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    with contextlib.suppress(OSError, IndexError):
        for line in Path("/proc/self/mountinfo").read_text().splitlines():
            before, _, after = line.partition(" - ")
            if before.split()[2] == number:
                kind, source = after.split()[:2]
                return f"{kind} on {source}"
    return "unknown"
