"""Flame graphs: perf's nanoseconds as microseconds, and none of them lost."""

from pathlib import Path

import pytest

from gateway.bench import flame
from gateway.bench.failure import BenchError
from gateway.bench.flame import Flame, in_microseconds


def test_nanoseconds_become_microseconds_and_are_added_up_in_seconds():
    folded = b"python;main with a space;read 2004008\npostgres;main 997995992\n"
    lines, seconds = in_microseconds(folded)
    assert lines == b"python;main with a space;read 2004\npostgres;main 997995\n"
    assert seconds == 1.0


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(flame.shutil, "which", lambda _: "/usr/bin/perf")
    with pytest.raises(BenchError, match="make profile"):
        Flame(tmp_path, tmp_path)
    monkeypatch.setattr(flame.shutil, "which", lambda _: None)
    with pytest.raises(BenchError, match="linux-perf"):
        Flame(tmp_path, tmp_path)
