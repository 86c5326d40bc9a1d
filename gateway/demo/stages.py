"""Stages: a study on its way to its report, the gateway killed between every two steps, and nothing lost."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pynetdicom.association import Association

from gateway.demo import peers
from gateway.demo.commitment import Committer, Report, pairs_of
from gateway.demo.examining import report_findings, strays, study_findings
from gateway.demo.keeping import Keeping
from gateway.demo.made import ct_series, uid_of
from gateway.demo.material import Sample
from gateway.demo.outcome import Outcome
from gateway.demo.peers import Address, Answer, PeerError
from gateway.demo.running import RunningGateway
from gateway.demo.sending import fetch_and_compare
from gateway.demo.telling import Telling
from gateway.demo.watching import Evidence, Stage, Watch, evidence, kill, stage_of, strike

INSTANCES = (48, 96, 144)
"""Of a study, at each attempt: a larger one keeps a window open for longer."""
WINDOW_SECONDS_MAX = 20.0
REPORT_SECONDS_MAX = 120.0
AGAIN_SECONDS_MAX = 2.0
"""For a report that was not answered to come again while the rest is looked at; later is no mismatch."""
TIDY_TRIES = 10
SEEN: dict[Stage, Callable[[Watch], bool]] = {
    Stage.ASSEMBLED: lambda watch: watch.unfinished,
    Stage.PUT: lambda watch: watch.put,
    Stage.READ_BACK: lambda watch: watch.read_back,
    Stage.CATALOGUED: lambda watch: watch.decided,
}
"""What is waited for before the kill; of the others, the sender itself knows when they are reached."""


@dataclass(frozen=True, slots=True)
class Struck:
    """One kill, and what was found after it."""

    aimed_at: Stage
    hit: Stage
    instances: int
    length: int
    restart_seconds: float
    report_seconds: float
    reports: int
    findings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Scene:
    """Everybody who takes part."""

    gateway: RunningGateway
    address: Address
    committer: Committer
    folder: Path
    telling: Telling


async def kill_between_stages(scene: Scene) -> Outcome:
    """Kills the gateway once between every two stages, and looks at what is left each time."""
    scene.telling.act("Kill the gateway between every two stages, from the last 0000H to the report")
    began = time.monotonic()
    struck: list[Struck] = []
    for stage in Stage:
        struck += await _aim(scene, stage, struck)
    findings = [f"{one.hit.value}: {finding}" for one in struck for finding in one.findings]
    findings += await _settled(scene)
    _tell(scene.telling, struck, len(findings))
    instances, length = sum(one.instances for one in struck), sum(one.length for one in struck)
    seconds = time.monotonic() - began
    return Outcome("killed between stages", instances, length, seconds, findings=tuple(findings))


async def _aim(scene: Scene, stage: Stage, before: Sequence[Struck]) -> list[Struck]:
    """Until the stage was hit, or often enough."""
    struck: list[Struck] = []
    for attempt, instances in enumerate(INSTANCES, 1):
        if any(one.hit is stage for one in (*before, *struck)):
            break
        struck.append(await _attempt(scene, stage, f"{stage.name.lower()}-{attempt}", instances))
        scene.telling.say(_told(struck[-1]))
    return struck


async def _settled(scene: Scene) -> list[str]:
    """Whether store and catalogue name the same volumes; leftovers are removed soon after a start."""
    found: list[str] = []
    for _ in range(TIDY_TRIES):
        volumes = await Keeping(scene.gateway).volumes()
        found = await asyncio.to_thread(strays, scene.gateway.store, volumes)
        if not found:
            break
        await asyncio.sleep(0.5)
    return found


def _told(one: Struck) -> str:
    aimed = "" if one.hit is one.aimed_at else f" (aimed at: {one.aimed_at.value})"
    report = f"report after {one.report_seconds:.1f} s"
    if one.hit is Stage.REPORTED:
        report = "report once more" if one.reports > 1 else f"no second report within {AGAIN_SECONDS_MAX:g} s"
    return (
        f"killed when {one.hit.value}{aimed}: {one.instances} instances, ready again in "
        f"{one.restart_seconds:.1f} s, {report}, {len(one.findings)} mismatches"
    )


def _tell(telling: Telling, struck: Sequence[Struck], findings: int) -> None:
    hit = {one.hit for one in struck}
    telling.say(
        f"{len(struck)} kills, {len(hit)} of {len(Stage)} stages hit; {sum(o.instances for o in struck):,} "
        f"instances, each back byte for byte and in one verified volume, {findings} mismatches"
    )
    for stage in Stage:
        if stage not in hit:
            telling.say(f"not hit: {stage.value} (this machine was too quick; no mismatch)")


# --- one kill ------------------------------------------------------------------------------------


async def _attempt(scene: Scene, stage: Stage, name: str, instances: int) -> Struck:
    samples = await asyncio.to_thread(lambda: list(ct_series(scene.folder / "material", name, instances)))
    transaction = str(uid_of("transaction", name))
    watch = Watch(scene.gateway.store, scene.gateway.pid)
    findings = await asyncio.to_thread(_send, scene.address, samples, stage, watch.pid)
    if stage is not Stage.RECEIVED:
        findings += await _ask_and_strike(scene, stage, watch, samples, transaction)
    await scene.gateway.kill()  # it is dead already, unless the window was missed
    found = evidence(watch, reported=bool(scene.committer.mailbox.of(transaction)))
    restart = await scene.gateway.start()
    began = time.monotonic()
    if stage is Stage.RECEIVED:
        findings += await asyncio.to_thread(_ask, scene.committer, samples, transaction)
    reports = await _reports(scene.committer, transaction, already=found.reported)
    report_seconds = time.monotonic() - began
    hit, more = await _examined(scene, samples, transaction, found)
    findings += [*report_findings(reports, samples), *more]
    length = sum(sample.length for sample in samples)
    return Struck(
        stage, hit, instances, length, restart.seconds, report_seconds, len(reports), tuple(findings)
    )


async def _reports(committer: Committer, transaction: str, *, already: bool) -> tuple[Report, ...]:
    count, seconds = (2, AGAIN_SECONDS_MAX) if already else (1, REPORT_SECONDS_MAX)
    return await asyncio.to_thread(committer.mailbox.wait, transaction, count, seconds)


async def _examined(
    scene: Scene, samples: Sequence[Sample], transaction: str, found: Evidence
) -> tuple[Stage, list[str]]:
    """Which stage the kill hit, as the catalogue tells afterwards, and what is not right."""
    fetched = await fetch_and_compare(scene.address, samples, scene.telling, title="")
    findings, volumes = await study_findings(
        Keeping(scene.gateway), scene.gateway.store, scene.folder / "unpacked", samples, transaction
    )
    verified = [v.verified_at for v in volumes if v.verified_at is not None]
    return stage_of(found, min(verified, default=None)), [*fetched.findings, *findings]


def _send(address: Address, samples: Sequence[Sample], stage: Stage, pid: int) -> list[str]:
    """Blocking: sends all; with the last 0000H of a study that shall be received only, kills."""
    answers: list[Answer] = []

    def heard(answer: Answer) -> None:
        answers.append(answer)
        if stage is Stage.RECEIVED and len(answers) == len(samples):
            kill(pid)

    peers.store(address, samples, heard=heard, stop=threading.Event())
    return [f"{a.sample.name}: not acknowledged" for a in answers if not a.acknowledged]


async def _ask_and_strike(
    scene: Scene, stage: Stage, watch: Watch, samples: Sequence[Sample], transaction: str
) -> list[str]:
    """Asks for commitment on an association that stays open, and kills in the stage's window."""
    given_up = threading.Event()
    committer = scene.committer
    if stage is Stage.REPORTED:
        committer.before_answer = lambda report: _kill_at(report, transaction, watch.pid)
    seen = SEEN.get(stage, lambda watch: False)
    async with asyncio.TaskGroup() as group:
        asking = group.create_task(
            asyncio.to_thread(_ask_and_stay, committer, samples, transaction, given_up)
        )
        try:
            struck = await asyncio.to_thread(
                strike, watch, seen, seconds=WINDOW_SECONDS_MAX, given_up=given_up
            )
        finally:
            given_up.set()
    committer.before_answer = lambda report: None
    said = asking.result()
    return [said] if said and not struck else []


def _kill_at(report: Report, transaction: str, pid: int) -> None:
    """The report is here; the gateway does not hear so."""
    if report.transaction == transaction:
        kill(pid)


def _ask_and_stay(
    committer: Committer, samples: Sequence[Sample], transaction: str, over: threading.Event
) -> str:
    """Blocking: asks, and holds the association until it is over, or a report came."""
    try:
        with committer.associated() as association:
            said = committer.ask(association, pairs_of(samples), transaction)
            while not over.is_set() and not said and not committer.mailbox.of(transaction):
                committer.mailbox.wait(transaction, 1, 0.05)
            over.set()
            _leave(association)
    except PeerError as error:
        said = str(error)
    return said


def _leave(association: Association) -> None:
    """Nobody may be there to release it with."""
    if association.is_established:
        association.abort()


def _ask(committer: Committer, samples: Sequence[Sample], transaction: str) -> list[str]:
    """Blocking: asks and releases; the report comes on a new association."""
    with committer.associated() as association:
        said = committer.ask(association, pairs_of(samples), transaction)
    return [said] if said else []
