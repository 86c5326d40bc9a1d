"""Workloads: what is sent, as data in `benchmarks/workloads`."""

import tomllib
from dataclasses import dataclass
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


def load_workloads(folder: Path) -> dict[str, Workload]:
    """All of a folder, by name. Raises `BenchError`."""
    return {path.stem: _load(path) for path in sorted(folder.glob("*.toml"))}


def _load(path: Path) -> Workload:
    try:
        said = tomllib.loads(path.read_text("utf-8"))
        templates = tuple(Template(**one) for one in said.pop("template"))
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
