"""Measuring: one run from the fresh store to the count of what is left in it."""

import contextlib
import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from gateway.bench import usage
from gateway.bench.failure import RunFailedError
from gateway.bench.figures import Latency, Run, latency_of
from gateway.bench.load import Answered, Load, plan_of
from gateway.bench.made import Made, make, new_prefix
from gateway.bench.own import KuvaServer, capacity_for, new_catalogue
from gateway.bench.peer import Kind, Peer
from gateway.bench.server import Kept, Server, server_of
from gateway.bench.store import Stores
from gateway.bench.workload import Workload

WARM_SHARE_MAX = 0.25
"""Of the memory that is available: more than that is not taken only to be given back."""
WARM_BYTES_MAX = 2 << 30


@dataclass(frozen=True, slots=True)
class Configuration:
    """What one run measures."""

    peer: Peer
    workload: Workload
    associations: int


class Bench:
    """Runs, one after the other, in one work folder."""

    def __init__(
        self,
        stores: Stores,
        load: Path,
        *,
        seconds_max: float,
        window: int = 1,
        beside: Callable[[int], AbstractContextManager[None]] | None = None,
    ) -> None:
        """`beside`, given the server's process id, is entered before the clock starts (a profiler)."""
        self._stores, self._load = stores, load
        self._seconds_max, self._window = seconds_max, window
        self._beside = beside or (lambda _: contextlib.nullcontext())
        self._random = random.Random()  # noqa: S311 - UIDs that differ, not secrets
        self._made: dict[str, list[Made]] = {}
        self._catalogues: dict[str, Path] = {}
        self.durability: dict[str, str] = {}

    def prepare(self, configurations: list[Configuration]) -> None:
        """Makes data sets and empty catalogues, before anything is timed."""
        folder = self._stores.new("material")
        for one in configurations:
            if one.workload.name not in self._made:
                self._made[one.workload.name] = make(one.workload, folder)
            if one.peer.kind is Kind.KUVA and one.peer.name not in self._catalogues:
                store = self._stores.new(f"empty-{one.peer.name}")
                self._catalogues[one.peer.name] = new_catalogue(one.peer, store)

    def run(self, what: Configuration, repetition: int) -> Run:
        """One run. Whatever goes wrong is a problem of the run, and its figures are not to be used."""
        with self._server(what) as server:
            try:
                start_seconds = server.start()
                run = self._measure(what, server, repetition)
                self.durability.setdefault(what.peer.name, server.durability())
            except RunFailedError as error:
                return _failed(what, repetition, str(error))
            return replace(run, prewrite_seconds=server.prewrite_seconds, start_seconds=start_seconds)

    @contextlib.contextmanager
    def _server(self, what: Configuration) -> Iterator[Server]:
        store = self._stores.new(f"{what.peer.name}-{what.workload.name}-x{what.associations}")
        server = self._made_server(what, store)
        os.sync()
        try:
            yield server
        finally:
            server.stop()
            self._stores.retire(store)

    def _made_server(self, what: Configuration, store: Path) -> Server:
        if what.peer.kind is not Kind.KUVA:
            return server_of(what.peer, store)
        capacity = capacity_for(what.workload.instances, self._length(what.workload))
        server = KuvaServer(what.peer, store, capacity=capacity, catalogue=self._catalogues[what.peer.name])
        server.prewrite()
        return server

    def _length(self, workload: Workload) -> int:
        """Bytes of all its instances."""
        made = self._made[workload.name]
        return sum(one.length for one in made) * workload.instances // len(made)

    def _measure(self, what: Configuration, server: Server, repetition: int) -> Run:
        plan = plan_of(
            what.workload, self._made[what.workload.name], server.target, associations=what.associations,
            window=self._window, seconds_max=self._seconds_max,
            warm_bytes=_warm_bytes(self._length(what.workload)), uid_prefix=new_prefix(self._random),
        )  # fmt: skip
        with Load(self._load, plan) as load, self._beside(server.pid):
            clock = _Clock(server.pid, load)
            with usage.Sampler(server.pid) as memory:
                answered = load.run()
                load_ended = time.monotonic()
                server.settle(answered.stored)
                settle_seconds = time.monotonic() - load_ended
            cpu, load_cpu, other = clock.read()
        problems = answered.problems + tuple(missing(answered, server.kept()))
        if not answered.stored:
            raise RunFailedError("; ".join(problems) or "nothing was stored")
        return Run(
            peer=what.peer.name, workload=what.workload.name, associations=what.associations,
            repetition=repetition, instances=answered.stored, length=answered.length,
            seconds=answered.seconds, latency=latency_of(answered.latencies), cpu_seconds=cpu,
            load_cpu_seconds=load_cpu, other_cpu_share=other, resident_before=memory.before,
            resident_peak=memory.peak, settle_seconds=settle_seconds, problems=problems,
        )  # fmt: skip


class _Clock:
    """CPU time from its making on: of the server, of the load, and of everything else."""

    def __init__(self, pid: int, load: Load) -> None:
        self._pid, self._load = pid, load
        self._began = self._now()

    def read(self) -> tuple[float, float, float]:
        """Server and load in seconds; the rest as a share of what the machine has."""
        server, load, busy, at = (now - before for now, before in zip(self._now(), self._began, strict=True))
        cores = len(os.sched_getaffinity(0))
        return server, load, max(0.0, busy - server - load) / max(cores * at, 1e-9)

    def _now(self) -> tuple[float, float, float, float]:
        return (
            usage.cpu_seconds(self._pid), self._load.cpu_seconds, usage.machine_busy_seconds(),
            time.monotonic(),
        )  # fmt: skip


def missing(answered: Answered, kept: Kept) -> Iterator[str]:
    """What the peer acknowledged and does not have. It may have more bytes (files have headers)."""
    if kept.instances != answered.stored:
        yield f"{answered.stored} were acknowledged, {kept.instances} were kept"
    elif kept.length < answered.length:
        yield f"{answered.length} bytes were acknowledged, {kept.length} were kept"


def _failed(what: Configuration, repetition: int, problem: str) -> Run:
    return Run(
        peer=what.peer.name, workload=what.workload.name, associations=what.associations,
        repetition=repetition, instances=0, length=0, seconds=1.0, latency=Latency(0, 0, 0), cpu_seconds=0,
        load_cpu_seconds=0, other_cpu_share=0, resident_before=0, resident_peak=0, problems=(problem,),
    )  # fmt: skip


def _warm_bytes(length: int) -> int:
    return min(length, WARM_BYTES_MAX, int(available_memory() * WARM_SHARE_MAX))


def available_memory() -> int:
    """Bytes, as the kernel estimates it."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) << 10
    return 0
