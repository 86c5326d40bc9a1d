"""A crash: SIGKILL in the middle of a load, a restart, and every acknowledged instance still there."""

import asyncio
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gateway.demo import peers
from gateway.demo.made import ct_series
from gateway.demo.material import Sample
from gateway.demo.outcome import Outcome
from gateway.demo.peers import Address, Answer, PeerError
from gateway.demo.running import RunningGateway
from gateway.demo.sending import fetch_and_compare, send_all
from gateway.demo.telling import Telling, size

ASSOCIATIONS = 4
INSTANCES = 150
"""Of each association's study."""
LOAD_SECONDS_MAX = 120.0
KILL_AFTER = 250
"""Acknowledgements, of all associations together."""


@dataclass(slots=True)
class Load:
    """What the foreign senders heard, filled from their threads."""

    acknowledged: list[Sample] = field(default_factory=list)
    unanswered: list[Sample] = field(default_factory=list)
    refused: list[Answer] = field(default_factory=list)
    slow: bool = False
    stop: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def heard(self, answer: Answer) -> None:
        """Takes one answer, or the lack of one."""
        with self.lock:
            if answer.acknowledged:
                self.acknowledged.append(answer.sample)
            elif answer.status is None:
                self.unanswered.append(answer.sample)
            else:
                self.refused.append(answer)


async def crash(
    gateway: RunningGateway, address: Address, folder: Path, telling: Telling
) -> tuple[Outcome, tuple[Sample, ...]]:
    """Loads four studies at once, kills the gateway, restarts it, and asks for everything it acknowledged."""
    telling.act(f"Kill the gateway with SIGKILL in the middle of a load over {ASSOCIATIONS} associations")
    studies = await asyncio.to_thread(_studies, folder / "material")
    began = time.monotonic()
    load = await _load_and_kill(gateway, address, studies, telling)
    findings = [f"{a.sample.name}: {a.status or 0:04X}H {a.comment}" for a in load.refused]
    rest = _rest(studies, load.acknowledged)
    telling.say(
        f"killed after {len(load.acknowledged)} acknowledgements; {len(rest)} unanswered or not yet sent"
    )
    if load.slow:
        findings.append(f"only {len(load.acknowledged)} acknowledgements in {LOAD_SECONDS_MAX:g} s")
    if not rest:
        findings.append("the load was over before the kill: nothing was shown")
    listening = await gateway.start()
    telling.say(f"restarted on the same folder, ready in {listening.seconds:.1f} s")
    survived = await fetch_and_compare(address, load.acknowledged, telling, title="", possible=rest)
    missing = len(survived.findings)
    telling.say(
        f"{len(load.acknowledged)} acknowledged, {survived.instances} came back, {missing} mismatches"
    )
    findings += survived.findings
    findings += await _complete(address, studies, rest, telling)
    instances = tuple(sample for study in studies for sample in study)
    length = sum(sample.length for sample in instances)
    seconds = time.monotonic() - began
    outcome = Outcome("crash and recovery", len(instances), length, seconds, findings=tuple(findings))
    return outcome, instances


def _studies(folder: Path) -> list[list[Sample]]:
    return [list(ct_series(folder, f"load-{n}", INSTANCES)) for n in range(1, ASSOCIATIONS + 1)]


def _rest(studies: Sequence[Sequence[Sample]], acknowledged: Sequence[Sample]) -> list[Sample]:
    known = {sample.sop_instance for sample in acknowledged}
    return [sample for study in studies for sample in study if sample.sop_instance not in known]


async def _load_and_kill(
    gateway: RunningGateway, address: Address, studies: Sequence[Sequence[Sample]], telling: Telling
) -> Load:
    load, loop, enough = Load(), asyncio.get_running_loop(), asyncio.Event()
    with telling.progress("loading", sum(map(len, studies))) as step:

        def heard(answer: Answer) -> None:
            load.heard(answer)
            if answer.acknowledged:
                step.done()
            if len(load.acknowledged) >= KILL_AFTER or not answer.acknowledged:
                loop.call_soon_threadsafe(enough.set)

        async with asyncio.TaskGroup() as group:
            for study in studies:
                group.create_task(asyncio.to_thread(_send, address, study, heard, load))
            load.slow = not await _within(LOAD_SECONDS_MAX, enough)
            await gateway.kill()
            load.stop.set()
    return load


async def _within(seconds: float, event: asyncio.Event) -> bool:
    """Whether the event came in time."""
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False


def _send(address: Address, study: Sequence[Sample], heard: object, load: Load) -> None:
    assert callable(heard)
    try:
        peers.store(address, study, heard=heard, stop=load.stop)
    except PeerError:
        # The gateway was killed, and does not associate again: what is left was never acknowledged.
        return


async def _complete(
    address: Address, studies: Sequence[Sequence[Sample]], rest: Sequence[Sample], telling: Telling
) -> list[str]:
    """Sends again what was not acknowledged; then all of it is there."""
    answers = await send_all(address, rest, telling)
    findings = [f"{a.sample.name}: sent again, not acknowledged" for a in answers if not a.acknowledged]
    everything = [sample for study in studies for sample in study]
    outcome = await fetch_and_compare(address, everything, telling, title="")
    telling.say(
        f"the other {len(rest)} sent again; the set is complete: {outcome.instances} instances, "
        f"{size(outcome.length)}, {len(outcome.findings)} mismatches"
    )
    return [*findings, *outcome.findings]
