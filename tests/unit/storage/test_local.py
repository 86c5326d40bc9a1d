"""The folder store: what it does when the disk fails, fills or lies, and what it leaves behind."""

import asyncio
import errno
import fcntl
import mmap
import os
import resource
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.errors import (
    ObjectAbsentError,
    ObjectDoubtfulError,
    StoreError,
    StoreFullError,
    StoreUnavailableError,
)
from gateway.storage import medium, unfinished
from gateway.storage.local import LocalStore
from gateway.storage.medium import ReadBack
from gateway.storage.object_store import PutOutcome
from gateway.storage.unfinished import BLOCK

KEY = "volumes/one/object.tar"


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[LocalStore]:
    made = await LocalStore.open(tmp_path)
    yield made
    await made.close()


async def _pieces(*pieces: bytes | memoryview) -> AsyncIterator[bytes | memoryview]:
    for piece in pieces:
        yield piece


async def _put(store: LocalStore, content: bytes = b"content", key: str = KEY) -> PutOutcome:
    return await store.put(key, len(content), _pieces(content))


def _files(folder: Path) -> list[str]:
    return sorted(name for _, _, names in os.walk(folder) for name in names)


class Failing:
    """Stands for an `os` function: its n-th calls fail, all others are real. Says what it was called with."""

    def __init__(
        self, real: Callable[..., object], number: int, *, times: int = 1, when: Callable[[int], bool]
    ) -> None:
        self._real, self._number, self._times, self._when = real, number, times, when
        self.calls = 0

    def __call__(self, fd: int, *arguments: object) -> object:
        if self._when(fd):
            self.calls += 1
            if self.calls <= self._times:
                raise OSError(self._number, os.strerror(self._number))
        return self._real(fd, *arguments)


def _is_file(fd: int) -> bool:
    return os.path.isfile(f"/proc/self/fd/{fd}")


def _is_folder_of_the_object(fd: int) -> bool:
    return os.readlink(f"/proc/self/fd/{fd}").endswith("volumes/one")


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.EIO, StoreUnavailableError),
        (errno.EROFS, StoreUnavailableError),
        (errno.ENOSPC, StoreFullError),
        (errno.EDQUOT, StoreFullError),
    ],
)
@pytest.mark.parametrize("call", ["write", "fsync", "close"])
async def test_a_put_that_fails_leaves_nothing_and_says_what_it_was(
    store: LocalStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    number: int,
    kind: type[StoreError],
):
    failing = Failing(getattr(os, call), number, when=_is_file)
    with monkeypatch.context() as patch:
        patch.setattr(unfinished.os, call, failing)
        with pytest.raises(kind) as failed:
            await _put(store)
    assert type(failed.value) is kind
    assert failed.value.may_retry
    assert _files(tmp_path) == []
    assert await _put(store) is PutOutcome.CREATED


async def test_a_failed_fsync_is_not_asked_again(
    store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    failing = Failing(os.fsync, errno.EIO, when=_is_file)
    with monkeypatch.context() as patch:
        patch.setattr(unfinished.os, "fsync", failing)
        with pytest.raises(StoreUnavailableError):
            await _put(store)
    assert failing.calls == 1
    assert _files(tmp_path) == []


async def test_a_name_whose_folder_could_not_be_synced_is_never_success_again(
    store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    await _put(store, key="volumes/one/before.tar")  # its folder is durable
    failing = Failing(os.fsync, errno.EIO, times=2, when=_is_folder_of_the_object)
    with monkeypatch.context() as patch:
        patch.setattr(
            unfinished.os,
            "fsync",
            lambda fd: failing(fd) if failing.calls or _is_file(fd) else fails_second(fd),
        )
        seen = []

        def fails_second(fd: int) -> object:
            """The folder is synced once before (nobody is there yet); the second time counts."""
            seen.append(fd)
            return failing(fd)

        with pytest.raises(ObjectDoubtfulError) as failed:
            await _put(store)
    assert not failed.value.may_retry
    assert _files(tmp_path) == ["before.tar", "object.tar"]  # the audit's
    with pytest.raises(ObjectDoubtfulError):
        await _put(store)
    assert await _put(store, key="volumes/one/other.tar") is PutOutcome.CREATED


@pytest.mark.parametrize("way", [ReadBack.DIRECT, ReadBack.EVICTED])
@pytest.mark.parametrize("length", [0, 1, 4096, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 4096, 2 * BLOCK + 5])
async def test_whatever_the_pieces_are_the_object_is_all_of_them(
    store: LocalStore, tmp_path: Path, way: ReadBack, length: int
):
    store._way = way
    content = os.urandom(length)
    cut = [content[at : at + 1_000_003] for at in range(0, length, 1_000_003)]
    assert await store.put(KEY, length, _pieces(*cut)) is PutOutcome.CREATED
    assert (tmp_path / KEY).read_bytes() == content


async def test_blocks_go_around_the_page_cache_even_before_they_are_synced(
    store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    if store._way is not ReadBack.DIRECT:
        pytest.skip("this file system has no O_DIRECT")
    cached = []

    def looking(fd: int, *arguments: int) -> None:
        for path in tmp_path.rglob("*.unfinished"):
            path.chmod(0o600)
            with path.open("r+b") as file:
                cached.append(medium._is_cached(file.fileno()))

    monkeypatch.setattr(unfinished.os, "posix_fadvise", looking)  # after all was written
    for store._way in (ReadBack.DIRECT, ReadBack.EVICTED):
        key = f"volumes/one/{store._way.value}.tar"
        await _put(store, os.urandom(2 * BLOCK), key)
    assert cached[0] is False
    assert cached[-1] is True


@pytest.mark.parametrize("short", [7_001, 8_192])
async def test_short_writes_of_blocks_are_continued(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch, short: int
):
    """Aligned, and not: the rest then cannot go around the page cache any more."""
    real, content = os.write, os.urandom(100_001)

    def writes_less(fd: int, view: memoryview) -> int:
        written = real(fd, view)
        os.lseek(fd, min(0, short - written), os.SEEK_CUR)
        return min(short, written)

    with monkeypatch.context() as patch:
        patch.setattr(unfinished.os, "write", writes_less)
        patch.setattr(unfinished, "BLOCK", 40_960)
        await _put(store, content)
    assert await store.read(KEY, 0, 200_000) == content


async def test_short_writes_are_continued(store: LocalStore, monkeypatch: pytest.MonkeyPatch):
    real = os.write
    content = os.urandom(100_000)
    with monkeypatch.context() as patch:
        patch.setattr(unfinished.os, "write", lambda fd, view: real(fd, view[:7_001]))
        await _put(store, content)
    assert await store.read(KEY, 0, 200_000) == content


@contextmanager
def _file_size_limit(length: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (length, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


async def test_a_real_limit_of_the_system_is_full(store: LocalStore, tmp_path: Path):
    with _file_size_limit(1 << 20), pytest.raises(StoreFullError):
        await _put(store, bytes(3 << 20))
    assert _files(tmp_path) == []


async def test_only_what_nobody_writes_any_more_is_left_over(store: LocalStore, tmp_path: Path):
    await _put(store)
    folder = tmp_path / "volumes" / "one"
    dead, alive, foreign = (
        folder / name for name in (".a.tar.1.unfinished", ".b.tar.2.unfinished", "c.unfinished")
    )
    for path in (dead, alive, foreign):
        path.write_bytes(b"part")
    with alive.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert [*await store.remove_leftovers()] == ["volumes/one/.a.tar.1.unfinished"]
    assert _files(tmp_path) == [".b.tar.2.unfinished", "c.unfinished", "object.tar"]


async def test_no_link_leads_out_of_the_store(store: LocalStore, tmp_path: Path):
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "volumes" / "one").mkdir(parents=True)
    (tmp_path / KEY).symlink_to(tmp_path / "secret")
    with pytest.raises(StoreUnavailableError):
        await store.read(KEY, 0, 6)
    assert [found.key async for found in store.list("volumes/")] == []


@pytest.mark.parametrize("way", [ReadBack.DIRECT, ReadBack.EVICTED, ReadBack.CACHED])
async def test_every_way_of_reading_back_gives_the_same(store: LocalStore, tmp_path: Path, way: ReadBack):
    content = os.urandom((9 << 20) + 123)
    await _put(store, content)
    store._way = way
    assert b"".join([bytes(piece) async for piece in store.read_back(KEY)]) == content


@pytest.mark.parametrize(("offset", "as_it_is"), [(0, True), (1, False)])
async def test_pieces_that_lie_as_the_medium_wants_them_are_written_as_they_are_and_all_others_copied(
    store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offset: int, as_it_is: bool
):
    if store._way is not ReadBack.DIRECT:
        pytest.skip("this file system has no O_DIRECT")
    memory, real, written = mmap.mmap(-1, 2 * BLOCK + 4096), os.write, []
    memory[:] = os.urandom(len(memory))
    whole = memoryview(memory)[offset : 2 * BLOCK + 77 + offset].toreadonly()

    def write(fd: int, view: memoryview) -> int:
        length = real(fd, view)
        written.append((length, view.obj is memory))
        return length

    monkeypatch.setattr(unfinished.os, "write", write)
    pieces = [whole[at : at + BLOCK] for at in range(0, len(whole), BLOCK)]
    await store.put(KEY, len(whole), _pieces(*pieces))
    assert written == [(BLOCK, as_it_is), (BLOCK, as_it_is), (77, False)]
    assert (tmp_path / KEY).read_bytes() == whole


async def test_a_direct_write_that_is_short_is_ended_and_one_refused_midway_is_an_error(
    store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    memory, real, lengths = mmap.mmap(-1, BLOCK), os.write, [4096, 8192]
    memory[:] = os.urandom(len(memory))
    whole = memoryview(memory)
    monkeypatch.setattr(
        unfinished.os, "write", lambda fd, view: real(fd, view[: lengths.pop(0)] if lengths else view)
    )
    await store.put(KEY, len(whole), _pieces(whole))
    assert (tmp_path / KEY).read_bytes() == whole
    answers = iter([4096, None])

    def refuses(fd: int, view: memoryview) -> int:
        if (length := next(answers, len(view))) is None:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return real(fd, view[:length])

    monkeypatch.setattr(unfinished.os, "write", refuses)
    with pytest.raises(StoreError):
        await store.put("volumes/one/other.tar", len(whole), _pieces(whole))


async def test_reading_back_directly_does_not_fill_the_page_cache(store: LocalStore, tmp_path: Path):
    if store._way is not ReadBack.DIRECT:
        pytest.skip("this file system has no O_DIRECT")
    await _put(store, os.urandom(8 << 20))
    async for _ in store.read_back(KEY):
        pass
    (tmp_path / KEY).chmod(0o600)
    fd = os.open(tmp_path / KEY, os.O_RDWR)
    try:
        assert not medium._is_cached(fd)
        os.pread(fd, 4096, 0)
        assert medium._is_cached(fd)  # the question can be answered with yes
    finally:
        os.close(fd)


async def test_a_file_system_in_memory_is_not_said_to_be_read_from_a_medium(tmp_path: Path):
    shared = Path("/dev/shm")
    if not os.access(shared, os.W_OK):
        pytest.skip("no file system in memory here")
    folder = shared / f"kuva-test-{os.getpid()}"
    store = await LocalStore.open(folder)
    try:
        assert (await store.health()).read_back == "cached"
    finally:
        await store.close()
        folder.rmdir()


async def test_a_reader_that_leaves_early_leaves_no_file_open(store: LocalStore):
    await _put(store, bytes(20 << 20))
    before = len(os.listdir("/proc/self/fd"))
    pieces = store.read_back(KEY)
    await anext(pieces)
    await pieces.aclose()  # type: ignore[attr-defined]
    assert len(os.listdir("/proc/self/fd")) == before


async def test_a_cancelled_put_waits_for_its_thread_and_leaves_nothing(
    store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    written = []

    def slow(fd: int, view: memoryview) -> int:
        time.sleep(0.3)
        written.append(os.pwrite(fd, view, 0))  # fails if somebody closed it meanwhile
        return written[-1]

    monkeypatch.setattr(unfinished.os, "write", slow)
    before = len(os.listdir("/proc/self/fd"))
    put = asyncio.ensure_future(_put(store))
    await asyncio.sleep(0.1)
    put.cancel()
    await asyncio.sleep(0.05)
    put.cancel()  # twice
    with pytest.raises(asyncio.CancelledError):
        await put
    assert written == [len(b"content")]
    assert _files(tmp_path) == []
    assert len(os.listdir("/proc/self/fd")) == before


async def test_a_folder_that_cannot_be_made_is_said_in_words(tmp_path: Path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreUnavailableError, match="Not a directory"):
        await LocalStore.open(tmp_path / "file" / "store")


async def test_an_object_in_a_folder_that_is_a_file_is_absent(store: LocalStore, tmp_path: Path):
    (tmp_path / "volumes").write_bytes(b"")
    with pytest.raises(ObjectAbsentError):
        await store.read(KEY, 0, 1)


async def test_folders_that_somebody_took_away_are_made_again(store: LocalStore, tmp_path: Path):
    await _put(store)
    (tmp_path / KEY).unlink()
    (tmp_path / KEY).parent.rmdir()
    with pytest.raises(StoreUnavailableError):
        await _put(store)
    assert await _put(store) is PutOutcome.CREATED


async def _away(store: LocalStore) -> None:
    """What a store must say whose folder is another: nothing is there, and nothing is lost."""
    with pytest.raises(StoreUnavailableError):
        await _put(store, key="volumes/two/object.tar")
    with pytest.raises(StoreUnavailableError):
        await store.read(KEY, 0, 1)
    with pytest.raises(StoreUnavailableError):
        await store.size(KEY)
    with pytest.raises(StoreUnavailableError):
        _ = [piece async for piece in store.read_back(KEY)]
    with pytest.raises(StoreUnavailableError):
        _ = [found async for found in store.list("")]
    with pytest.raises(StoreUnavailableError):
        await store.health()


@pytest.mark.parametrize("remade", [True, False], ids=["an empty folder", "none"])
async def test_an_unmounted_store_is_away_and_not_empty(tmp_path: Path, remade: bool):
    folder, elsewhere = tmp_path / "store", tmp_path / "elsewhere"
    store = await LocalStore.open(folder)
    await _put(store)
    folder.rename(elsewhere)
    if remade:
        folder.mkdir()
    await _away(store)
    assert _files(tmp_path) == ["object.tar"]
    if remade:
        assert list(folder.iterdir()) == [], "nothing is made where the store belongs"
        folder.rmdir()
    elsewhere.rename(folder)
    assert await store.read(KEY, 0, 7) == b"content"
    assert await _put(store, key="volumes/two/object.tar") is PutOutcome.CREATED
    await store.close()
