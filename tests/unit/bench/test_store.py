"""Stores: fresh each time, emptied without freeing inodes, and gone at the end."""

import os
import time
from pathlib import Path

from gateway.bench.store import DELETED_SECONDS, Stores, file_system


def test_a_retired_store_keeps_its_inodes_and_no_bytes(tmp_path: Path):
    stores = Stores(tmp_path)
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
    stores = Stores(tmp_path / "work")
    (stores.new("one") / "link").symlink_to(other)
    stores.retire(tmp_path / "work")
    assert other.read_bytes() == b"keep me"


def test_the_next_bench_is_told_of_files_that_were_just_deleted(tmp_path: Path):
    first = Stores(tmp_path)
    assert first.deleted_seconds_ago() is None
    store = first.new("one")
    first.remove()
    assert not store.exists()
    ago = Stores(tmp_path).deleted_seconds_ago()
    assert ago is not None
    assert 0 <= ago < 60
    long_ago = time.time() - DELETED_SECONDS - 1
    os.utime(tmp_path / "deleted-at", (long_ago, long_ago))
    assert Stores(tmp_path).deleted_seconds_ago() is None


def test_only_ones_own_stores_are_removed(tmp_path: Path):
    kept = Stores(tmp_path).new("kept")
    Stores(tmp_path).remove()
    assert kept.exists()


def test_the_file_system_below_a_folder_is_named():
    assert file_system(Path("/dev/shm")).startswith("tmpfs")
    assert file_system(Path("/proc")).startswith("proc")
