"""The story: the acts of the demo in order, each a promise tried with foreign peers."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from gateway.demo import dcmtk, made
from gateway.demo.asked import Archive
from gateway.demo.commitment import Committer
from gateway.demo.committing import commit, read_bags
from gateway.demo.compare import Comparison, Fetched
from gateway.demo.crash import crash
from gateway.demo.keeping import Keeping
from gateway.demo.material import Expectation, LeftOut, Material, Sample, name_of, with_twins_named
from gateway.demo.outcome import Outcome
from gateway.demo.packages import carried
from gateway.demo.peers import Address, Answer
from gateway.demo.running import RunningGateway
from gateway.demo.sending import fetch_and_compare, send_all
from gateway.demo.stages import Scene, kill_between_stages
from gateway.demo.telling import Telling, size
from gateway.demo.twin import twin
from gateway.demo.verdicts import first_findings, outcome_of, said, second_findings

_DCMTK_INSTANCES = 20


async def play(gateway: RunningGateway, folder: Path, telling: Telling) -> AsyncIterator[Outcome]:
    """Plays act after act; the gateway runs when it ends. `GatewayFailed`, `PeerError`: it cannot go on."""
    yield await start(gateway, telling)
    assert gateway.listening is not None
    address = Address(gateway.listening.host, gateway.listening.dicom_port)
    archive = Archive(gateway)
    material = await gather(folder, telling)
    sent, answers = await send(address, material, telling)
    yield sent
    kept = material.expecting(Expectation.KEPT)
    yield await fetch(address, kept, telling)
    there_and_back, by_dcmtk = await with_dcmtk(address, folder, telling)
    yield there_and_back
    yield await send_again(address, archive, answers, telling)
    yield await twin(address, archive, kept, folder, telling)
    crashed, load = await crash(gateway, address, folder, telling)
    yield crashed
    committer, keeping = Committer(address), Keeping(gateway)
    with committer.listening() as port:
        await keeping.take_reports(address.calling, port=port)
        disputed = await archive.disputed()
        yield await commit(committer, kept, [*load, *by_dcmtk], disputed, telling)
        everything = [*kept, *by_dcmtk, *load]
        yield await read_bags(keeping, gateway.store, folder / "unpacked", everything, telling)
        yield await kill_between_stages(Scene(gateway, address, committer, folder, telling))


async def start(gateway: RunningGateway, telling: Telling) -> Outcome:
    """Starts the gateway, with nothing configured and an empty data folder."""
    telling.act("Start a gateway: embedded PostgreSQL, an empty journal, DICOM and HTTP on loopback")
    listening = await gateway.start()
    telling.say(
        f"ready in {listening.seconds:.1f} s: DICOM {listening.dicom_port}, HTTP {listening.http_port}"
    )
    return Outcome("start", seconds=listening.seconds)


async def gather(folder: Path, telling: Telling) -> Material:
    """Gathers what packages carry and makes the rest; tells what of it no sender could send."""
    telling.act("Gather DICOM: what Python packages carry, and kinds that they do not")
    material = await asyncio.to_thread(_material, folder / "material")
    samples = material.samples
    origins = Counter(sample.origin for sample in samples)
    telling.say(", ".join(f"{count} from {origin}" for origin, count in origins.items()))
    telling.say(
        f"{len({s.sop_class for s in samples})} SOP classes, {len({s.transfer_syntax for s in samples})} "
        f"transfer syntaxes, {size(sum(s.length for s in samples))} of data sets"
    )
    for left_out in material.left_out:
        telling.say(f"left out: {left_out.name}: {left_out.why}")
    return material


def _material(folder: Path) -> Material:
    found = [*carried(folder), *made.made(folder)]
    samples = with_twins_named(s for s in found if isinstance(s, Sample))
    return Material(tuple(samples), tuple(x for x in found if isinstance(x, LeftOut)))


async def send(address: Address, material: Material, telling: Telling) -> tuple[Outcome, tuple[Answer, ...]]:
    """Sends everything, and holds each answer against what had to come of it."""
    telling.act("Send everything with pynetdicom, the data sets' bytes as they stand in the files")
    began = time.monotonic()
    answers = await send_all(address, material.samples, telling)
    seconds = time.monotonic() - began
    counts = Counter(outcome_of(answer) for answer in answers)
    telling.say(", ".join(f"{count} {outcome}" for outcome, count in counts.most_common()))
    _tell_refusals(answers, telling)
    kept = [answer.sample for answer in answers if answer.acknowledged]
    length = sum(sample.length for sample in kept)
    return Outcome("send", len(kept), length, seconds, seconds, first_findings(answers)), answers


def _tell_refusals(answers: Sequence[Answer], telling: Telling) -> None:
    refused = [answer for answer in answers if not answer.acknowledged]
    wordings = Counter((said(a), _why(a.sample)) for a in refused)
    rows = [(str(count), answer, why) for (answer, why), count in wordings.items()]
    telling.table("how many", "answer", "what the demo knows of them", rows=rows, title="Not kept, and why")


def _why(sample: Sample) -> str:
    if sample.expectation is Expectation.CONFLICTING:
        return "another file with the same SOP Instance UID came first"
    return sample.why or f"nothing wrong known of {sample.name}"


async def fetch(address: Address, kept: Sequence[Sample], telling: Telling) -> Outcome:
    """Fetches everything back by C-GET and compares each data set byte for byte."""
    telling.act("Fetch everything back with C-GET (Study Root), compare byte for byte")
    outcome = await fetch_and_compare(address, kept, telling, title="fetch back")
    syntaxes = Counter(name_of(sample.transfer_syntax) for sample in kept)
    telling.say(f"{outcome.instances} instances, {size(outcome.length)}, {len(outcome.findings)} mismatches")
    telling.say("; ".join(f"{name} {count}" for name, count in syntaxes.most_common()))
    return outcome


async def with_dcmtk(address: Address, folder: Path, telling: Telling) -> tuple[Outcome, tuple[Sample, ...]]:
    """The same in small with another implementation: storescu sends, getscu fetches."""
    telling.act("The same with DCMTK: storescu sends a study, getscu fetches it")
    if absent := dcmtk.missing():
        telling.say(f"skipped: {absent} not installed (Debian: dcmtk)")
        return Outcome("DCMTK, there and back", skipped=f"{absent} not installed"), ()
    samples = await asyncio.to_thread(
        lambda: tuple(made.ct_series(folder / "material", "dcmtk", _DCMTK_INSTANCES))
    )
    began = time.monotonic()
    complaints = [await dcmtk.store(address, samples)]
    await asyncio.sleep(1.0)  # the promise: findable within a second
    complaint, received = await dcmtk.fetch(address, samples[0].study, folder / "getscu")
    comparison = Comparison(samples)
    await asyncio.to_thread(_take_all, comparison, received)
    findings = [c for c in (*complaints, complaint) if c] + [str(m) for m in comparison.mismatches()]
    telling.say(f"{comparison.instances} instances, {size(comparison.length)}, {len(findings)} mismatches")
    seconds = time.monotonic() - began
    outcome = Outcome(
        "DCMTK, there and back", comparison.instances, comparison.length, seconds, findings=tuple(findings)
    )
    return outcome, samples


def _take_all(comparison: Comparison, received: Sequence[Fetched]) -> None:
    for fetched in received:
        comparison.take(fetched)


async def send_again(
    address: Address, archive: Archive, answers: Sequence[Answer], telling: Telling
) -> Outcome:
    """Sends everything again: the same answers, and not a byte more in the journal."""
    telling.act("Send everything again: the same answers, zero new bytes")
    before = await archive.stock()
    began = time.monotonic()
    again = await send_all(address, [answer.sample for answer in answers], telling)
    seconds = time.monotonic() - began
    after = await archive.stock()
    equivalent = await archive.equivalents()
    findings = [*second_findings(answers, again, equivalent=equivalent)]
    if not after.is_no_more_than(before):
        findings.append(f"before {before}, after {after}")
    acknowledged = [answer for answer in again if answer.acknowledged]
    telling.say(f"{len(acknowledged)} answered 0000H; the journal: before {before}, after {after}")
    eased = sum(1 for a in acknowledged if a.sample.expectation is Expectation.CONFLICTING)
    if eased:
        telling.say(
            f"{eased} that conflicted are 0000H now: compared in the meantime, they say the same "
            "element by element in another uncompressed transfer syntax"
        )
    length = sum(answer.sample.length for answer in acknowledged)
    return Outcome("send again", len(acknowledged), length, seconds, seconds, tuple(findings))
