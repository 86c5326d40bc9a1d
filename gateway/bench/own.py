"""This program as a peer: a fresh journal, written beforehand, and a catalogue that must have everything."""

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

from gateway.bench.failure import RunFailedError
from gateway.bench.peer import Peer
from gateway.bench.server import Kept, Server, accepts, asked, fetched

SEGMENT_LENGTH = 64 << 20
ROSTER = "00000000.segment"
"""Named like a segment, and none (docs/design/journal-format.md)."""
_SETTLE_SECONDS_MAX = 60.0
_COMMAND_SECONDS_MAX = 120.0
_PAGE = 1000
_FILL_MOST = 0.8
_SEGMENTS_SPARE = 4
_RECORD_OVERHEAD = 8192
"""Bytes of journal beside an instance's data set, at most: closing record and alignment, both of 4 KiB."""
_ZEROS = bytes(1 << 20)
_WATCHED = (
    "kuva_journal_", "kuva_volume", "kuva_commitment", "kuva_catalogued_total", "kuva_core_bytes_kept_total",
    "kuva_core_instances_kept_total", "kuva_loop_lag_seconds", "kuva_store", "kuva_landing",
)  # fmt: skip


class KuvaServer(Server):
    """`kuva serve` on loopback, as without any configuration."""

    def __init__(self, peer: Peer, store: Path, *, capacity: int, catalogue: Path | None) -> None:
        super().__init__(peer, store)
        self._capacity = capacity
        if catalogue is not None:
            # As a new one is, but initdb's second and a half are not spent again.
            subprocess.run(["cp", "-a", str(catalogue), str(store / "postgresql")], check=True)

    def prewrite(self) -> None:
        """Writes the journal's segments, as they are when it runs for long: recycled, never growing."""
        began = time.monotonic()
        folder = self.store / "journal"
        folder.mkdir(mode=0o700)
        for number in range(1, self._capacity // SEGMENT_LENGTH + 1):
            write_segment(folder / f"{number:08}.segment")
        self.prewrite_seconds = time.monotonic() - began

    def command(self) -> list[str]:
        return [self.peer.python, "-m", "gateway", "serve", "--json"]

    def environment(self) -> dict[str, str]:
        others = {name: value for name, value in os.environ.items() if not name.startswith("KUVA_")}
        return {
            **others, **self.peer.environment, "KUVA_DATA": str(self.store),
            "KUVA_DICOM__PORT": str(self.port),
            "KUVA_HTTP__PORT": str(self.http_port), "KUVA_JOURNAL__CAPACITY": str(self._capacity),
            "KUVA_JOURNAL__SEGMENT": str(SEGMENT_LENGTH), "KUVA_LOG_FORMAT": "json",
        }  # fmt: skip

    def ready(self) -> bool:
        """The HTTP port opens before the other."""
        return accepts(self.http_port) and accepts(self.port) and self._says_ready()

    def _says_ready(self) -> bool:
        try:
            return asked(f"http://127.0.0.1:{self.http_port}/ready")["ready"] is True
        except RunFailedError:
            return False

    def settle(self, instances: int) -> None:
        """Until the catalogue has them; `kept` counts what it says afterwards."""
        deadline = time.monotonic() + _SETTLE_SECONDS_MAX
        while self._metric("kuva_catalogued_total") < instances and time.monotonic() < deadline:
            time.sleep(0.05)

    def gauges(self) -> dict[str, float]:
        """Every plain number that begins with kuva_journal_ or kuva_volume or kuva_commitment, and a few."""
        return {
            name: value
            for name, value in self._metrics().items()
            if name.startswith(_WATCHED) and not name.endswith("_created") and "_bucket" not in name
        }

    def kept(self) -> Kept:
        """By the journal's counters and by the catalogue's studies, which must agree."""
        studies = self._studies()
        catalogued = Kept(sum(count for count, _ in studies), sum(length for _, length in studies))
        journalled = Kept(
            int(self._metric("kuva_core_instances_kept_total")),
            int(self._metric("kuva_core_bytes_kept_total")),
        )
        if journalled != catalogued:
            raise RunFailedError(f"the journal says {journalled}, the catalogue {catalogued}")
        if grown := self._segments() - self._capacity // SEGMENT_LENGTH:
            raise RunFailedError(
                f"the journal made {grown} segments of its own: it was not the prewritten one"
            )
        return catalogued

    def durability(self) -> str:
        """With the journal's write mode, as probed by the node itself."""
        journal = asked(f"http://127.0.0.1:{self.http_port}/health")["journal"]
        return f"{self.peer.durability}; journal: {journal['write_mode']}"

    def _segments(self) -> int:
        names = {path.name for path in (self.store / "journal").glob("*.segment")}
        return len(names - {ROSTER})

    def _metric(self, name: str) -> float:
        found = self._metrics()
        if name not in found:
            raise RunFailedError(f"the gateway's metrics have no {name}")
        return found[name]

    def _metrics(self) -> dict[str, float]:
        """All samples, by name and labels."""
        exposition = fetched(f"http://127.0.0.1:{self.http_port}/metrics").decode()
        lines = (line.rpartition(" ") for line in exposition.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, _, value in lines}

    def _studies(self) -> list[tuple[int, int]]:
        """(instances, bytes) of every study."""
        found: list[tuple[int, int]] = []
        after: list[str] = []
        while True:
            page = self._command("study", "list", "--limit", str(_PAGE), *after)
            found += [(study["instances"], study["length"]) for study in page["studies"]]
            if page["after"] is None:
                return found
            after = ["--after", str(page["after"])]

    def _command(self, *words: str) -> dict[str, Any]:
        done = subprocess.run(
            [self.peer.python, "-m", "gateway", *words, "--json"], cwd=self.store, env=self.environment(),
            capture_output=True, text=True, timeout=_COMMAND_SECONDS_MAX, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise RunFailedError(f"kuva {' '.join(words)}: {done.stderr.strip()}")
        said: dict[str, Any] = json.loads(done.stdout)
        return said


CAPACITY_USUAL = 4 << 30
"""The default of `[journal] capacity`: where everything is committed, a journal need not hold it all."""


def capacity_for(instances: int, length: int) -> int:
    """A journal, bytes, that holds the instances and is not near full: whole segments."""
    wanted = (length + instances * _RECORD_OVERHEAD) / _FILL_MOST
    return (int(wanted // SEGMENT_LENGTH) + _SEGMENTS_SPARE) * SEGMENT_LENGTH


def write_segment(path: Path) -> None:
    """Zeros, synced, and out of the page cache, as a segment is that was filled some time ago."""
    with path.open("xb", buffering=0) as file:
        for _ in range(SEGMENT_LENGTH // len(_ZEROS)):
            file.write(_ZEROS)
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def new_catalogue(peer: Peer, store: Path) -> Path:
    """An empty catalogue, made as the gateway makes it, to be copied for every run."""
    server = KuvaServer(peer, store, capacity=_SEGMENTS_SPARE * SEGMENT_LENGTH, catalogue=None)
    try:
        server.start()
    finally:
        server.stop()
    shutil.rmtree(store / "journal")
    return store / "postgresql"
