"""A memory limit for a process and its children, by a control group where the machine allows one."""

import contextlib
import time
import uuid
from pathlib import Path
from typing import Self

LIMIT_BYTES = 512 << 20
ROOT = Path("/sys/fs/cgroup")


class MemoryLimit:
    """A control group of version 1 or 2; without the right to make one nothing is limited, only measured."""

    def __init__(self, limit: int) -> None:
        self._folder: Path | None = None
        for parent, name in ((_parent_v1(), "memory.limit_in_bytes"), (_parent_v2(), "memory.max")):
            folder = parent / f"kuva-{uuid.uuid4().hex[:12]}" if parent else None
            if folder is None:
                continue
            with contextlib.suppress(OSError):
                folder.mkdir()
                (folder / name).write_text(str(limit))
                self._folder = folder
                return

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._folder is None:
            return
        for _attempt in range(50):  # the kernel lets go of a group a moment after its last process
            with contextlib.suppress(OSError):
                self._folder.rmdir()
                return
            time.sleep(0.1)

    @property
    def command(self) -> list[str]:
        """What to put before a command, so that it runs in the group."""
        if self._folder is None:
            return []
        return ["sh", "-c", 'echo $$ > "$0" && exec "$@"', str(self._folder / "cgroup.procs")]

    def kills(self) -> int:
        """How many processes of the group the kernel killed for want of memory."""
        if self._folder is None:
            return 0
        for name in ("memory.oom_control", "memory.events"):
            with contextlib.suppress(FileNotFoundError):
                pairs = dict(line.split() for line in (self._folder / name).read_text().splitlines())
                return int(pairs.get("oom_kill", 0))
        return 0


def _own_group(controller: str) -> str | None:
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            return path.lstrip("/")
    return None


def _parent_v1() -> Path | None:
    own = _own_group("memory")
    mounted = ROOT / "memory"
    if own is None or not mounted.is_dir():
        return None
    return mounted / own if (mounted / own).is_dir() else mounted


def _parent_v2() -> Path | None:
    own = _own_group("")
    return ROOT / own if own is not None and (ROOT / "cgroup.controllers").exists() else None
