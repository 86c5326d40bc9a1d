"""Examining a study that went through a crash: nothing lost, nothing doubled, one result."""

import asyncio
import shutil
from collections.abc import Sequence
from pathlib import Path

from gateway.demo import bag
from gateway.demo.commitment import Report, findings_in, pairs_of
from gateway.demo.compare import Comparison
from gateway.demo.keeping import Keeping, Lifecycle, Request, Volume, together
from gateway.demo.material import Sample
from gateway.demo.part10 import NotPart10Error


async def study_findings(
    keeping: Keeping, store: Path, place: Path, samples: Sequence[Sample], transaction: str
) -> tuple[list[str], tuple[Volume, ...]]:
    """What is not right with a committed study as the gateway tells of it and as its volumes hold it."""
    volumes, lifecycle, requests = await together(keeping, samples[0].study, transaction)
    live = [volume for volume in volumes if volume.live]
    findings = [
        *lifecycle_findings(lifecycle, len(samples)),
        *volume_findings(live, len(samples)),
        *request_findings(requests, len(samples)),
    ]
    said, comparison = await read_volumes(live, store, place, samples)
    return [*findings, *said, *(str(m) for m in comparison.mismatches())], volumes


def lifecycle_findings(lifecycle: Lifecycle, instances: int) -> list[str]:
    """A study all of which is committed waits for nothing."""
    reached = Lifecycle(instances, instances, instances, instances, instances)
    return [] if lifecycle == reached else [f"study show: {lifecycle}"]


def volume_findings(live: Sequence[Volume], instances: int) -> list[str]:
    """Its live volumes are all verified, and hold together what was acknowledged, once."""
    findings = [f"volume {volume.id} is {volume.state}" for volume in live if not volume.sound]
    if (held := sum(volume.instances for volume in live)) != instances:
        findings.append(f"{len(live)} live volumes hold {held} instances of {instances}")
    return findings


def request_findings(requests: Sequence[Request], instances: int) -> list[str]:
    """One request has one result: all committed."""
    results = [(one.instances, one.committed, one.failed) for one in requests]
    return [] if results == [(instances, instances, 0)] else [f"commitment list: {results}"]


def report_findings(reports: Sequence[Report], samples: Sequence[Sample]) -> list[str]:
    """At least one report came, each says that all is committed, and so all say the same."""
    if not reports:
        return ["no report came"]
    return [finding for one in reports for finding in findings_in(one, pairs_of(samples), failing={})]


async def read_volumes(
    volumes: Sequence[Volume], store: Path, place: Path, expected: Sequence[Sample]
) -> tuple[list[str], Comparison]:
    """Reads volumes as others do, and compares every file in them with what was sent."""
    bags = [await bag.unpack(store / volume.key, place) for volume in volumes]
    findings = [finding for one in bags for finding in one.findings]
    if bags and "bagit" not in bag.missing() and (complaint := await bag.validate(bags)):
        findings.append(complaint)
    comparison = Comparison(expected)
    findings += await asyncio.to_thread(_compare, bags, comparison)
    await asyncio.to_thread(shutil.rmtree, place, ignore_errors=True)
    return findings, comparison


def _compare(bags: Sequence[bag.Unpacked], comparison: Comparison) -> list[str]:
    """Blocking: reads every file."""
    findings = []
    for one in bags:
        try:
            for instance in one.instances():
                comparison.take(instance)
        except (NotPart10Error, OSError) as error:
            findings.append(f"{one.folder.name}: {error}")
    return findings


def strays(store: Path, volumes: Sequence[Volume]) -> list[str]:
    """Blocking: volumes' files in the store that the catalogue does not know, and those that it misses."""
    held = {str(path.relative_to(store)) for path in (store / "volumes").rglob("*") if path.is_file()}
    known = {volume.key for volume in volumes if volume.kind == "kept" and volume.state != "planned"}
    return [
        *(f"{key} is in the store, and in no volume's row" for key in sorted(held - known)),
        *(f"{key} is in a volume's row, and not in the store" for key in sorted(known - held)),
    ]
