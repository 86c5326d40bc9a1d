"""Workloads: what is sent, as data in `benchmarks/workloads`."""

import tomllib
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from gateway.bench.failure import BenchError


@dataclass(frozen=True, slots=True)
class Template:
    """One kind of instance: an image of `rows` x `columns` x `frames`, or a report of `text` characters."""

    sop_class: str
    modality: str
    variants: int = 1
    """Data sets that differ in their content, sent in turn."""
    rows: int = 0
    columns: int = 0
    frames: int = 1
    bits_stored: int = 16
    text: int = 0


class Until(Enum):
    """When an instance counts."""

    ANSWERED = "answered"
    """Its C-STORE was answered 0000H."""
    COMMITTED = "committed"
    """A storage commitment report names it as committed."""


@dataclass(frozen=True, slots=True)
class Workload:
    """What one run sends."""

    name: str
    title: str
    transfer_syntax: str
    instances: int
    """In all, at most; shared out evenly over the associations."""
    per_study: int
    series: int
    """Of a study."""
    templates: tuple[Template, ...]
    until: Until = Until.ANSWERED
    """For which measurement it is meant."""
    associations: tuple[int, ...] = (1, 4)
    """That are measured, unless others are asked for."""
    await_reports: bool = False
    """Whether the next study waits for the report on the one before."""
    beside: str = ""
    """The workload that one further association stores, and has committed, meanwhile."""


def load_workloads(folder: Path) -> dict[str, Workload]:
    """All of a folder, by name. Raises `BenchError`."""
    found = {path.stem: _load(path) for path in sorted(folder.glob("*.toml"))}
    for workload in found.values():
        if workload.beside and workload.beside not in found:
            raise BenchError(f"{folder}: {workload.name} is beside {workload.beside}, which is not there")
    return found


def _load(path: Path) -> Workload:
    try:
        said = tomllib.loads(path.read_text("utf-8"))
        templates = tuple(Template(**one) for one in said.pop("template"))
        said["until"] = Until(said.get("until", Until.ANSWERED.value))
        said["associations"] = tuple(said.get("associations", (1, 4)))
        workload = Workload(name=path.stem, templates=templates, **said)
        _check(workload)
    except (tomllib.TOMLDecodeError, TypeError, KeyError, ValueError) as error:
        raise BenchError(f"{path}: {error}") from None
    return workload


def _check(workload: Workload) -> None:
    if min(workload.instances, workload.per_study, workload.series) < 1:
        raise ValueError("instances, per_study and series are at least 1")
    for template in workload.templates:
        if bool(template.text) == bool(template.rows and template.columns):
            raise ValueError("a template has either text, or rows and columns")
        if template.variants < 1 or not 1 <= template.bits_stored <= 16:
            raise ValueError("variants are at least 1, bits_stored 1 to 16")
