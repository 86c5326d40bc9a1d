"""Stores: fresh each time, emptied without freeing inodes, and gone at the end."""

import os
import time
from contextlib import closing
from pathlib import Path

import pytest

from gateway.bench.failure import BenchError
from gateway.bench.store import DELETED_SECONDS, Stores, file_system


def test_a_retired_store_keeps_its_inodes_and_no_bytes(tmp_path: Path):
    with closing(Stores(tmp_path)) as stores:
        store = stores.new("one")
        (store / "below").mkdir()
        path = store / "below" / "file"
        path.write_bytes(b"x" * 10_000)
        (store / "link").symlink_to(path)
        inode = path.stat().st_ino
        stores.retire(store)
        assert (path.stat().st_ino, path.stat().st_size) == (inode, 0)
        assert stores.new("one") != store


def test_a_link_out_of_the_store_is_not_followed(tmp_path: Path):
    other = tmp_path / "precious"
    other.write_bytes(b"keep me")
    with closing(Stores(tmp_path / "work")) as stores:
        (stores.new("one") / "link").symlink_to(other)
        stores.retire(tmp_path / "work")
    assert other.read_bytes() == b"keep me"


def test_the_next_bench_is_told_of_files_that_were_just_deleted(tmp_path: Path):
    with closing(Stores(tmp_path)) as first:
        assert first.deleted_seconds_ago() is None
        store = first.new("one")
        first.remove()
    assert not store.exists()
    with closing(Stores(tmp_path)) as second:
        ago = second.deleted_seconds_ago()
        assert ago is not None
        assert 0 <= ago < 60
        long_ago = time.time() - DELETED_SECONDS - 1
        os.utime(tmp_path / "deleted-at", (long_ago, long_ago))
        assert second.deleted_seconds_ago() is None


def test_only_ones_own_stores_are_removed(tmp_path: Path):
    with closing(Stores(tmp_path)) as first:
        kept = first.new("kept")
    with closing(Stores(tmp_path)) as second:
        second.new("mine")
        second.remove()
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == [kept.name]


def test_two_benches_never_measure_each_other(tmp_path: Path):
    with closing(Stores(tmp_path)), pytest.raises(BenchError, match="another bench"):
        Stores(tmp_path)
    Stores(tmp_path).close()


def test_the_file_system_below_a_folder_is_named():
    assert file_system(Path("/dev/shm")).startswith("tmpfs")
    assert file_system(Path("/proc")).startswith("proc")
