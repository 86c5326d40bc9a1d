"""A conflicting twin: one SOP Instance UID, one bit other. It must be refused, held apart, explained."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pydicom.uid import ExplicitVRLittleEndian

from gateway.demo.asked import Archive, Incident
from gateway.demo.material import Expectation, Sample
from gateway.demo.outcome import Outcome
from gateway.demo.peers import Address
from gateway.demo.sending import fetch_and_compare, send_all
from gateway.demo.telling import Telling
from gateway.demo.verdicts import CONFLICTING, said


def twin_of(sample: Sample, folder: Path) -> Sample:
    """A copy of a sample with the lowest bit of its last byte, a pixel's, turned over."""
    data = bytearray(sample.path.read_bytes())
    data[-1] ^= 1
    path = folder / "twin.dcm"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    why = f"{sample.name} with one bit turned over"
    return replace(
        sample, name=f"{sample.name}-twin", path=path, expectation=Expectation.CONFLICTING, why=why
    )


async def twin(
    address: Address, archive: Archive, kept: Sequence[Sample], folder: Path, telling: Telling
) -> Outcome:
    """Sends a twin, reads its incident and the difference, and fetches the first one unchanged."""
    telling.act("Send a conflicting twin: one pixel bit of a kept CT slice turned over")
    began = time.monotonic()
    original = _original(kept)
    (answer,) = await send_all(address, [twin_of(original, folder / "material")], telling)
    telling.say(f"answered {said(answer)}")
    findings = [] if answer.status == CONFLICTING and answer.comment else [f"answered {said(answer)}"]
    incident = await archive.incident_of(original.sop_instance)
    if incident is None:
        findings.append("no incident is listed for it")
    else:
        findings += _tell(incident, telling)
    study = [sample for sample in kept if sample.study == original.study]
    fetched = await fetch_and_compare(address, study, telling, title="")
    telling.say(
        f"the first one, and its study of {len(study)}, came back: {len(fetched.findings)} mismatches"
    )
    seconds = time.monotonic() - began
    findings += fetched.findings
    return Outcome("conflicting twin", 1, original.length, seconds, findings=tuple(findings))


def _original(kept: Sequence[Sample]) -> Sample:
    return next(s for s in kept if "/ct-" in s.name and s.transfer_syntax == ExplicitVRLittleEndian)


def _tell(incident: Incident, telling: Telling) -> list[str]:
    differences = incident.differences or ()
    rows = [(d.path, d.kind, d.kept, d.newcomer) for d in differences]
    title = f"Incident {incident.number}: {incident.kind}, {incident.state}"
    telling.table("element", "how", "kept", "newcomer", rows=rows, title=title)
    if [d.path for d in differences] != ["(7FE0,0010)"]:
        return [f"the difference shown is not the pixel data alone: {[d.path for d in differences]}"]
    return []
