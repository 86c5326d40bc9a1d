"""Measuring: one run from the fresh store to the count of what is left in it."""

import contextlib
import os
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gateway.bench import usage
from gateway.bench.beside import Beside
from gateway.bench.commitments import Commitments
from gateway.bench.failure import RunFailedError
from gateway.bench.figures import Committed, Latency, Run, latency_of
from gateway.bench.load import Answered, Load, plan_of
from gateway.bench.made import Made, make, new_prefix
from gateway.bench.own import CAPACITY_USUAL, KuvaServer, capacity_for, new_catalogue
from gateway.bench.peer import Kind, Peer
from gateway.bench.server import Kept, Server, server_of
from gateway.bench.store import Stores
from gateway.bench.timeline import Timeline
from gateway.bench.workload import Workload

WARM_SHARE_MAX = 0.25
"""Of the memory that is available: more than that is not taken only to be given back."""
WARM_BYTES_MAX = 2 << 30
BESIDE_SECONDS_MAX = 600.0
"""It is stopped when the load that is measured has ended."""


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
        workloads: Mapping[str, Workload] | None = None,
        beside: Callable[[int], AbstractContextManager[None]] | None = None,
    ) -> None:
        """`beside`, given the server's process id, is entered before the clock starts (a profiler);
        `workloads`: those that others may be measured beside."""
        self._stores, self._load, self._workloads = stores, load, workloads or {}
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
            for workload in (one.workload, self._workloads.get(one.workload.beside)):
                if workload is not None and workload.name not in self._made:
                    self._made[workload.name] = make(workload, folder)
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
        if what.peer.asked:
            capacity = min(capacity, CAPACITY_USUAL)
        server = KuvaServer(what.peer, store, capacity=capacity, catalogue=self._catalogues[what.peer.name])
        server.prewrite()
        return server

    def _length(self, workload: Workload) -> int:
        """Bytes of all its instances."""
        made = self._made[workload.name]
        return sum(one.length for one in made) * workload.instances // len(made)

    def _measure(self, what: Configuration, server: Server, repetition: int) -> Run:
        with contextlib.ExitStack() as stack:
            load = stack.enter_context(Load(self._load, self._plan(what, server)))
            other = stack.enter_context(self._other(what, server))
            stack.enter_context(self._beside(server.pid))
            clock = _Clock(server.pid, load, other)
            with usage.Sampler(server.pid) as memory, Timeline(server.pid, server.gauges) as timeline:
                other.begin()
                answered = load.run()
                meanwhile = other.end()
                load_ended = time.monotonic()
                server.settle(answered.stored + meanwhile.stored)
                settle_seconds = time.monotonic() - load_ended
            cpu, load_cpu, other_share = clock.read()
        problems = answered.problems + meanwhile.problems + tuple(missing(answered, meanwhile, server.kept()))
        if not answered.stored:
            raise RunFailedError("; ".join(problems) or "nothing was stored")
        run = Run(
            peer=what.peer.name, workload=what.workload.name, associations=what.associations,
            repetition=repetition, instances=answered.stored, length=answered.length,
            seconds=answered.seconds, latency=latency_of(answered.latencies), cpu_seconds=cpu,
            load_cpu_seconds=load_cpu, other_cpu_share=other_share, resident_before=memory.before,
            resident_peak=memory.peak, settle_seconds=settle_seconds, problems=problems,
            timeline=tuple(timeline.moments),
        )  # fmt: skip
        return _until_committed(run, answered.commitments, meanwhile) if what.peer.asked else run

    def _plan(self, what: Configuration, server: Server) -> dict[str, Any]:
        return plan_of(
            self._fitting(what.workload), self._made[what.workload.name], server.target,
            associations=what.associations, window=self._window, seconds_max=self._seconds_max,
            warm_bytes=_warm_bytes(self._length(what.workload)), uid_prefix=new_prefix(self._random),
            asking=server.asking(await_each=what.workload.await_reports),
        )  # fmt: skip

    def _fitting(self, workload: Workload) -> Workload:
        """A load that would fill the disk ends sooner; what runs beside it needs room, too."""
        each = max(1, self._length(workload) // workload.instances)
        room = self._stores.room() // (2 if workload.beside else 1)
        return replace(workload, instances=min(workload.instances, room // each))

    def _other(self, what: Configuration, server: Server) -> Beside:
        """The load of the workload beside, on one association, if there is one."""
        workload = self._workloads.get(what.workload.beside)
        if workload is None:
            return Beside(None)
        asking = server.asking(await_each=False)
        if asking is not None and asking.listen_port is not None:
            asking = None  # the port for reports is the measured load's
        plan = plan_of(
            workload, self._made[workload.name], server.target, associations=1, window=self._window,
            seconds_max=BESIDE_SECONDS_MAX, warm_bytes=0, uid_prefix=new_prefix(self._random),
            calling="KUVABESIDE", asking=asking,
        )  # fmt: skip
        return Beside(Load(self._load, plan))


def _until_committed(run: Run, found: Commitments | None, meanwhile: Answered) -> Run:
    """Its rate is that of what reports name, until the last of them."""
    if found is None or not found.committed:
        raise RunFailedError("; ".join(run.problems) or "nothing was committed")
    by_answers = Committed(
        answered=run.instances, answered_length=run.length, answered_seconds=run.seconds,
        waits=tuple(found.waits), beside=meanwhile.stored,
        beside_length=meanwhile.length, beside_seconds=meanwhile.seconds,
    )  # fmt: skip
    return replace(
        run, instances=found.committed, length=found.length, seconds=found.seconds, committed=by_answers
    )


class _Clock:
    """CPU time from its making on: of the server, of the load, and of everything else."""

    def __init__(self, pid: int, load: Load, other: Beside) -> None:
        self._pid, self._load, self._other = pid, load, other
        self._began = self._now()

    def read(self) -> tuple[float, float, float]:
        """Server and load in seconds; the rest as a share of what the machine has."""
        server, load, busy, at = (now - before for now, before in zip(self._now(), self._began, strict=True))
        cores = len(os.sched_getaffinity(0))
        return server, load, max(0.0, busy - server - load) / max(cores * at, 1e-9)

    def _now(self) -> tuple[float, float, float, float]:
        return (
            usage.cpu_seconds(self._pid), self._load.cpu_seconds + self._other.cpu_seconds,
            usage.machine_busy_seconds(),
            time.monotonic(),
        )  # fmt: skip


def missing(answered: Answered, meanwhile: Answered, kept: Kept) -> Iterator[str]:
    """What the peer acknowledged and does not have. It may have more bytes (files have headers)."""
    stored, length = answered.stored + meanwhile.stored, answered.length + meanwhile.length
    if kept.instances != stored:
        yield f"{stored} were acknowledged, {kept.instances} were kept"
    elif kept.length < length:
        yield f"{length} bytes were acknowledged, {kept.length} were kept"


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
