"""The kit: the repository's `benchmarks/` and the load generator, or a plain word that they are missing."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from gateway.bench.failure import BenchError, BenchUsageError
from gateway.bench.figures import Bar, bar_of
from gateway.bench.peer import Peer, load_peers
from gateway.bench.workload import Workload, load_workloads

_Thing = TypeVar("_Thing")
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Kit:
    """What there is to measure with."""

    workloads: dict[str, Workload]
    peers: dict[str, Peer]
    bars: tuple[Bar, ...]
    results: Path
    load: Path


def load_kit(root: Path = ROOT, *, peers: Path | None = None, workloads: Path | None = None) -> Kit:
    """Reads the data files; other folders of peers and workloads win. Raises `BenchError`."""
    folder = root / "benchmarks"
    if not (folder / "workloads").is_dir():
        raise BenchError(
            f"no benchmarks here: {folder} is missing. They come with the source, not with an installed "
            "program: clone the repository and run 'make bench' in it."
        )
    return Kit(
        workloads=load_workloads(workloads or folder / "workloads"),
        peers=load_peers(peers or folder / "peers"),
        bars=_bars(folder / "bars.toml"),
        results=folder / "results",
        load=root / "target" / "release" / "kuva-load",
    )


def chosen(what: str, known: Mapping[str, _Thing], names: Sequence[str]) -> list[_Thing]:
    """Those of the names. Raises `BenchUsageError` for one that is not known."""
    for name in names:
        if name not in known:
            raise BenchUsageError(f"no {what} {name!r}; there are {', '.join(known)}")
    return [known[name] for name in names]


def _bars(path: Path) -> tuple[Bar, ...]:
    try:
        return tuple(bar_of(one) for one in tomllib.loads(path.read_text("utf-8"))["bar"])
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise BenchError(f"{path}: {error}") from None
