"""Material: the samples that are sent, and what must come of each."""

import importlib.metadata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import Enum
from hashlib import sha256
from pathlib import Path

from pydicom.uid import UID

from gateway.demo.part10 import read_meta, write_meta


class Expectation(Enum):
    """What must come of a sample when it is sent for the first time."""

    KEPT = "kept"
    """0000H, and its bytes come back."""
    IDENTICAL = "identical"
    """0000H; another file has the same content, so nothing more is kept."""
    CONFLICTING = "conflicting"
    """C0D1H: another file of this SOP Instance UID came first, with other content."""
    REFUSED = "refused"
    """A failure status (Axxx, Cxxx), because of what stands in the data set."""
    NOT_NEGOTIATED = "not negotiated"
    """Its presentation context is refused: it belongs to no patient."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One Part 10 file, and the data set in it as it must come back: `length` bytes from `offset`."""

    name: str
    origin: str
    path: Path
    sop_class: str
    sop_instance: str
    study: str
    transfer_syntax: str
    offset: int
    length: int
    expectation: Expectation = Expectation.KEPT
    why: str = ""

    def data_set(self) -> bytes:
        """The data set's bytes as they stand in the file."""
        with self.path.open("rb") as file:
            file.seek(self.offset)
            return file.read(self.length)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file that no sender could send, and why."""

    name: str
    origin: str
    why: str


@dataclass(frozen=True, slots=True)
class Material:
    """Everything that is sent, in order, and what could not be."""

    samples: tuple[Sample, ...]
    left_out: tuple[LeftOut, ...]

    def expecting(self, expectation: Expectation) -> tuple[Sample, ...]:
        """The samples of which this must come."""
        return tuple(s for s in self.samples if s.expectation is expectation)


@dataclass(frozen=True, slots=True)
class Description:
    """What a data set says of itself; "" where it says nothing."""

    sop_class: str
    sop_instance: str
    study: str
    series: str
    transfer_syntax: str


def write_sample(folder: Path, *, name: str, origin: str, data_set: bytes, what: Description) -> Sample:
    """Writes a data set, byte for byte, into a Part 10 file whose meta information agrees with it."""
    meta = write_meta(
        sop_class=what.sop_class, sop_instance=what.sop_instance, transfer_syntax=what.transfer_syntax
    )
    path = folder / f"{name}.dcm"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(meta + data_set)
    assert read_meta(meta).offset == len(meta)
    return Sample(
        name=name,
        origin=origin,
        path=path,
        sop_class=what.sop_class,
        sop_instance=what.sop_instance,
        study=what.study,
        transfer_syntax=what.transfer_syntax,
        offset=len(meta),
        length=len(data_set),
    )


def with_twins_named(samples: Iterable[Sample]) -> Iterator[Sample]:
    """Where several samples have one SOP Instance UID, the first is kept; says what becomes of the others."""
    first: dict[str, tuple[Sample, bytes]] = {}
    for sample in samples:
        if sample.expectation is not Expectation.KEPT:
            yield sample
            continue
        digest = _digest(sample)
        kept, content = first.setdefault(sample.sop_instance, (sample, digest))
        if kept is sample:
            yield sample
        elif content == digest:
            why = f"the same content as {kept.name}"
            yield replace(sample, expectation=Expectation.IDENTICAL, why=why)
        else:
            why = f"same SOP Instance UID as {kept.name}, other bytes"
            yield replace(sample, expectation=Expectation.CONFLICTING, why=why)


def _digest(sample: Sample) -> bytes:
    said = f"{sample.sop_class} {sample.transfer_syntax} ".encode()
    return sha256(said + sample.data_set()).digest()


def name_of(uid: str) -> str:
    """A UID's name for people, or the UID itself."""
    return UID(uid).name


def origin_of(package: str) -> str:
    """A package and its version, as the provenance of what it carries."""
    return f"{package} {importlib.metadata.version(package)}"
