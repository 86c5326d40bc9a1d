"""The folder store: objects as files that are written once, named when they are durable, and never opened
for writing again."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TypeVar

import structlog

from gateway.errors import ObjectDoubtfulError, ObjectLengthError, StoreUnavailableError
from gateway.storage.medium import BlockReader, ReadBack, probe, read_range
from gateway.storage.object_store import (
    PutOutcome,
    StoredObject,
    StoreHealth,
    check_key,
    check_prefix,
)
from gateway.storage.root import Root
from gateway.storage.trouble import translated
from gateway.storage.unfinished import UnfinishedFile, leftovers, sync_folder

log = structlog.get_logger(__name__)
T = TypeVar("T")

THREADS = 8
"""Of its own: a slow disk must not take the threads that others wait for."""
_LISTED_AT_ONCE = 1_000
_FOLDER_MODE = 0o750


class LocalStore:
    """Objects in a folder. Everything that may wait for the disk runs in the store's own threads."""

    def __init__(self, root: Root, way: ReadBack, threads: ThreadPoolExecutor) -> None:
        self._root, self._folder = root, root.folder
        folder = root.folder
        self._way = way
        self._threads = threads
        self._durable_folders = {folder}
        self._doubtful: set[str] = set()

    @classmethod
    async def open(cls, folder: Path) -> "LocalStore":
        """Makes the folder if need be. Raises `StoreUnavailableError`, `StoreFullError`."""
        threads = ThreadPoolExecutor(THREADS, thread_name_prefix="store")
        try:
            root, way = await asyncio.get_running_loop().run_in_executor(threads, _prepare, folder)
        except BaseException:
            threads.shutdown(wait=False)
            raise
        return cls(root, way, threads)

    async def has_place(self, prefix: str) -> bool:
        """Whether the folder of a prefix was ever made here."""
        return await self._run((self._folder / check_prefix(prefix)).is_dir)

    async def close(self) -> None:
        """See `ObjectStore.close`."""
        await asyncio.to_thread(self._threads.shutdown)
        self._root.close()

    # --- writing ---------------------------------------------------------------------------------

    async def put(self, key: str, length: int, pieces: AsyncIterator[bytes | memoryview]) -> PutOutcome:
        """See `ObjectStore.put`."""
        path = self._path(key)
        if key in self._doubtful:
            raise ObjectDoubtfulError(f"{key}: its folder could not be synced before")
        if await self._run(self._is_present, path):
            return PutOutcome.PRESENT
        file = UnfinishedFile(path, length, direct=self._way is ReadBack.DIRECT)
        try:
            await self._run(file.open)
            await self._write(file, key, length, pieces)
            return await self._run(file.finish)
        except ObjectDoubtfulError:
            self._doubtful.add(key)
            raise
        except StoreUnavailableError:
            self._durable_folders = {self._folder}  # somebody may have taken them away
            raise
        finally:
            await self._run(file.discard)

    async def _write(
        self, file: UnfinishedFile, key: str, length: int, pieces: AsyncIterator[bytes | memoryview]
    ) -> None:
        came = 0
        async for piece in pieces:
            came += len(piece)
            if came > length:
                break
            await self._run(file.write, piece)
        if came != length:
            raise ObjectLengthError(f"{key}: {came} bytes came, {length} were said")
        await self._run(file.flush)

    def _is_present(self, path: Path) -> bool:
        """Whether somebody was here before; then the name is made durable, else the folders for it are."""
        self._root.check()  # folders are made below: never where the store is not
        self._make_durable(path.parent)
        with translated(path):
            present = os.path.lexists(path)
        if present:
            sync_folder(path.parent)
        return present

    def _make_durable(self, folder: Path) -> None:
        if folder in self._durable_folders:
            return
        self._make_durable(folder.parent)
        with translated(folder):
            folder.mkdir(mode=_FOLDER_MODE, exist_ok=True)
        sync_folder(folder.parent)  # also if it was there: who made it may not have come so far
        self._durable_folders.add(folder)

    async def remove(self, key: str) -> None:
        """See `ObjectStore.remove`."""
        await self._run(_remove, self._path(key))

    async def remove_leftovers(self) -> Sequence[str]:
        """What crashes left unfinished, and nothing else. It walks the whole store: not before the start."""
        return await self._run(self._remove_leftovers)

    def _remove_leftovers(self) -> Sequence[str]:
        removed = []
        for path in leftovers(self._folder):
            with translated(path), suppress(FileNotFoundError):
                path.unlink()
                removed.append(str(path.relative_to(self._folder)))
        if removed:
            log.warning("unfinished files of an earlier run were removed", files=removed)
        return removed

    # --- reading ---------------------------------------------------------------------------------

    async def read(self, key: str, offset: int, length: int) -> bytes:
        """See `ObjectStore.read`."""
        return await self._run(self.reader(key), offset, length)

    def reader(self, key: str) -> Callable[[int, int], bytes]:
        """See `ObjectStore.reader`."""
        return self._root.guarding(partial(read_range, self._path(key)))

    async def read_back(self, key: str) -> AsyncIterator[bytes | memoryview]:
        """See `ObjectStore.read_back`; the next block is read while this one is used."""
        reader = BlockReader(self._path(key), self._way)
        try:
            await self._run(self._root.guarding(reader.open))
            block = await self._run(reader.next)
            while block:
                ahead = self._threads.submit(reader.next)
                try:
                    yield block
                finally:
                    await _settled(asyncio.wrap_future(ahead))
                block = ahead.result()
        finally:
            await self._run(reader.close)

    async def size(self, key: str) -> int:
        """See `ObjectStore.size`."""
        return (await self._run(self._root.guarding(_stat), self._path(key))).st_size

    async def list(self, prefix: str) -> AsyncIterator[StoredObject]:
        """See `ObjectStore.list`."""
        await self._run(self._root.check)
        walk = _objects(self._folder, check_prefix(prefix))
        while batch := await self._run(lambda: [*islice(walk, _LISTED_AT_ONCE)]):
            for found in batch:
                yield found

    async def health(self) -> StoreHealth:
        """See `ObjectStore.health`."""
        await self._run(self._root.check)
        room = await self._run(_room, self._folder)
        return StoreHealth("folder", str(self._folder), room, self._way.value)

    # --- within ----------------------------------------------------------------------------------

    def _path(self, key: str) -> Path:
        return self._folder / check_key(key)

    async def _run(self, call: Callable[..., T], *arguments: object) -> T:
        """In a thread, and not left alone: see `_settled`."""
        return await _settled(asyncio.get_running_loop().run_in_executor(self._threads, call, *arguments))


async def _settled(future: asyncio.Future[T]) -> T:
    """Its result; whoever is cancelled waits first, so that nobody closes a file that a thread still uses."""
    try:
        return await asyncio.shield(future)
    finally:
        while not future.done():
            with suppress(asyncio.CancelledError):  # raised again by the first one
                await asyncio.wait([future])


def _prepare(folder: Path) -> tuple[Root, ReadBack]:
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    for place in reversed(missing):
        with translated(place):
            place.mkdir(mode=_FOLDER_MODE, exist_ok=True)
        sync_folder(place.parent)
    way = probe(folder)
    return Root(folder), way


def _remove(path: Path) -> None:
    with translated(path):
        path.unlink(missing_ok=True)
    if path.parent.exists():
        sync_folder(path.parent)


def _stat(path: Path) -> os.stat_result:
    with translated(path, reading=True):
        return path.lstat()


def _room(folder: Path) -> int:
    with translated(folder):
        room = os.statvfs(folder)
        return room.f_bavail * room.f_frsize


def _objects(folder: Path, prefix: str) -> Iterator[StoredObject]:
    """Symbolic links, hidden files and unfinished ones are no objects."""
    waiting = [prefix]
    while waiting:
        below = waiting.pop()
        for entry in _entries(folder / below):
            if entry.is_dir(follow_symlinks=False):
                waiting.append(f"{below}{entry.name}/")
            elif entry.is_file(follow_symlinks=False):
                with suppress(FileNotFoundError):  # removed meanwhile
                    yield _stored(below + entry.name, entry.stat(follow_symlinks=False))


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    with translated(folder), suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith("."):
                yield entry


def _stored(key: str, status: os.stat_result) -> StoredObject:
    return StoredObject(key, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))
