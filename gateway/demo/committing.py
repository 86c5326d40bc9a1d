"""The acts of keeping: the archive is asked to answer for what it got, and its volumes are read by others."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

from gateway.demo import bag
from gateway.demo.commitment import Committer, Report, findings_in, pairs_of
from gateway.demo.examining import read_volumes
from gateway.demo.keeping import Keeping, Volume
from gateway.demo.made import uid_of
from gateway.demo.material import Sample
from gateway.demo.outcome import Outcome
from gateway.demo.telling import Telling, size

REPORT_SECONDS_MAX = 90.0
"""Parking is 60 s by default: after that there is a result, be it that of a failure."""
VOLUMES_SECONDS_MAX = 45.0
PROCESSING_FAILURE = 0x0110


async def commit(
    committer: Committer,
    kept: Sequence[Sample],
    load: Sequence[Sample],
    disputed: frozenset[str],
    telling: Telling,
) -> Outcome:
    """Asks twice: for all kinds, with the report on the same association; for a load, with it on another."""
    telling.act("Ask the archive to answer for it: storage commitment, pynetdicom as SCU")
    began = time.monotonic()
    failing = {s.sop_instance: PROCESSING_FAILURE for s in kept if s.sop_instance in disputed}
    findings = await _ask(committer, kept, failing, telling, stay=True)
    findings += await _ask(committer, load, {}, telling, stay=False)
    samples = [*kept, *load]
    length, seconds = sum(sample.length for sample in samples), time.monotonic() - began
    return Outcome("storage commitment", len(samples), length, seconds, findings=tuple(findings))


async def _ask(
    committer: Committer, samples: Sequence[Sample], failing: dict[str, int], telling: Telling, *, stay: bool
) -> list[str]:
    began = time.monotonic()
    where = "same" if stay else "new"
    transaction = str(uid_of("transaction", where))
    said, reports = await asyncio.to_thread(_asked, committer, samples, transaction, stay=stay)
    if said or not reports:
        return [said or f"no report within {REPORT_SECONDS_MAX:g} s"]
    report = reports[0]
    telling.say(
        f"asked for {len(samples)} instances; after {time.monotonic() - began:.1f} s a report on "
        f"{_where(report)}: {len(report.committed)} committed, {len(report.failed)} failed"
    )
    if report.failed:
        telling.say(
            "failed (0110H): a twin that was sent under the same UID is held apart, and its sender "
            "must not believe that it is the one that is kept"
        )
    findings = [*findings_in(report, pairs_of(samples), failing=failing)]
    if report.on_new is stay:
        findings.append(f"the report came on {_where(report)}")
    return findings


def _asked(
    committer: Committer, samples: Sequence[Sample], transaction: str, *, stay: bool
) -> tuple[str, tuple[Report, ...]]:
    """Blocking: (what went wrong, reports); `stay`: with the association held open until one is there."""
    with committer.associated() as association:
        said = committer.ask(association, pairs_of(samples), transaction)
        if said or stay:
            return said, () if said else committer.mailbox.wait(transaction, 1, REPORT_SECONDS_MAX)
    return "", committer.mailbox.wait(transaction, 1, REPORT_SECONDS_MAX)


def _where(report: Report) -> str:
    return (
        "an association that the gateway opened (SCP by role selection)"
        if report.on_new
        else "the same association"
    )


async def _all_kept(keeping: Keeping, instances: int) -> list[Volume]:
    """The volumes, once all is in them: what failed at once was waited for by nobody, and comes later."""
    deadline = time.monotonic() + VOLUMES_SECONDS_MAX
    while True:
        volumes = [volume for volume in await keeping.volumes() if volume.live]
        kept = sum(volume.instances for volume in volumes if volume.sound)
        if kept >= instances or time.monotonic() >= deadline:
            return volumes
        await asyncio.sleep(0.5)


async def read_bags(
    keeping: Keeping, store: Path, place: Path, sent: Sequence[Sample], telling: Telling
) -> Outcome:
    """Reads every volume with tools that anybody has, and compares what is in them with what was sent."""
    telling.act("Read every volume with tar, sha256sum and bagit, compare each file with what was sent")
    absent = bag.missing()
    if skipped := [tool for tool in absent if tool != "bagit"]:
        telling.say(f"skipped: {' and '.join(skipped)} not installed")
        return Outcome("volumes, read by others", skipped=f"{' and '.join(skipped)} not installed")
    if absent:
        telling.say("bagit skipped: the Python package is not installed (requirements/development.txt)")
    began = time.monotonic()
    volumes = await _all_kept(keeping, len(sent))
    findings = [f"volume {volume.id} is {volume.state}" for volume in volumes if not volume.sound]
    said, comparison = await read_volumes([v for v in volumes if v.sound], store, place, sent)
    findings += [*said, *(str(mismatch) for mismatch in comparison.mismatches())]
    telling.say(
        f"{len(volumes)} volumes of {len({v.study for v in volumes})} studies, {comparison.instances} "
        f"instances, {size(comparison.length)}; each in one volume; {len(findings)} mismatches"
    )
    seconds = time.monotonic() - began
    return Outcome(
        "volumes, read by others", comparison.instances, comparison.length, seconds, findings=tuple(findings)
    )
