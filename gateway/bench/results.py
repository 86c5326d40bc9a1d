"""Results: what was measured, as JSON for programs and Markdown for people."""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gateway.bench import committed
from gateway.bench.figures import (
    Bar,
    Case,
    Judged,
    Run,
    Spread,
    judge,
    over_repetitions,
    ratios,
    spread,
)
from gateway.bench.series import Series
from gateway.bench.workload import Until

OURS = "kuva"
OTHER_CPU_SHARE_MOST = 0.15
"""Kernel threads and the bench itself need some; more than that is somebody else."""
FORM = 1
"""Raised when the JSON's form changes."""


@dataclass(frozen=True, slots=True)
class Results:
    """All of one series, with what one must know to read it."""

    began: datetime
    what: str
    machine: dict[str, str]
    peers: dict[str, dict[str, str]]
    """title, version and durability of each."""
    workloads: dict[str, str]
    """Title of each."""
    series: Series
    bars: Sequence[Bar]
    skipped: dict[str, str] = field(default_factory=dict)
    """Peers that were not measured, and why."""
    notes: tuple[str, ...] = ()
    until: Until = Until.ANSWERED

    @property
    def cases(self) -> list[Case]:
        return list(dict.fromkeys((run.workload, run.associations) for run in self.series.runs))

    @property
    def remarks(self) -> list[str]:
        """What makes the figures worth less: what was known before, and what was seen meanwhile."""
        seen = list(self.notes)
        busy = [run for run in self.series.runs if run.other_cpu_share > OTHER_CPU_SHARE_MOST]
        if busy:
            worst = max(run.other_cpu_share for run in busy)
            seen.append(
                f"The machine was busy with other things in {len(busy)} of {len(self.series.runs)} runs "
                f"(up to {worst:.0%} of its CPU): measure again on a quiet one."
            )
        if self.series.cut_short:
            seen.append("The time was up before all repetitions were made.")
        return seen

    def judged(self) -> list[Judged]:
        """The bars whose case was measured."""
        cases = self.cases
        return [
            judge(bar, self.series.runs, OURS)
            for bar in self.bars
            if (bar.workload, bar.associations) in cases
            and OURS in self.peers
            and (not bar.over or bar.over in self.peers)
        ]

    def ratio(self, over: str, case: Case) -> Spread | None:
        """Ours over theirs."""
        return spread(ratios(self.series.runs, OURS, over, case).values())


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: medians over the repetitions, of one peer in one case."""

    case: Case
    peer: str
    megabytes: Spread | None
    instances: Spread | None
    p50: Spread | None
    p99: Spread | None
    cpu_per_instance: Spread | None
    load_cpu: Spread | None
    resident_peak: Spread | None
    resident_growth: Spread | None
    settle: Spread | None
    prewrite: Spread | None
    ratio: Spread | None
    """Ours over theirs; none for our own."""


def rows(results: Results) -> list[Row]:
    """Every peer in every case, in the order of the cases."""
    return [_row(results, case, peer) for case in results.cases for peer in results.peers]


def _row(results: Results, case: Case, peer: str) -> Row:
    runs = results.series.runs
    return Row(
        case,
        peer,
        over_repetitions(runs, peer, case, lambda run: run.megabytes_per_second),
        over_repetitions(runs, peer, case, lambda run: run.instances_per_second),
        over_repetitions(runs, peer, case, lambda run: run.latency.p50),
        over_repetitions(runs, peer, case, lambda run: run.latency.p99),
        over_repetitions(runs, peer, case, lambda run: run.cpu_milliseconds_per_instance),
        over_repetitions(runs, peer, case, lambda run: run.load_cpu_seconds / run.seconds),
        over_repetitions(runs, peer, case, lambda run: run.resident_peak),
        over_repetitions(runs, peer, case, lambda run: run.resident_growth),
        over_repetitions(runs, peer, case, lambda run: run.settle_seconds),
        over_repetitions(runs, peer, case, lambda run: run.prewrite_seconds),
        None if peer == OURS else results.ratio(peer, case),
    )


def as_json(results: Results) -> dict[str, Any]:
    """Everything, raw figures of every run included."""
    return {
        "form": FORM,
        "began": results.began.isoformat(),
        "what": results.what,
        "until": results.until.value,
        "machine": results.machine,
        "peers": results.peers,
        "workloads": results.workloads,
        "skipped": results.skipped,
        "notes": results.remarks,
        "repetitions": results.series.repetitions,
        "seconds": round(results.series.seconds, 1),
        "bars": [
            {"bar": asdict(one.bar), "measured": _plain(one.measured), "met": one.met}
            for one in results.judged()
        ],
        "ratios": [
            {"workload": case[0], "associations": case[1], "peer": OURS, "over": over,
             "ratio": _plain(results.ratio(over, case))}
            for case in results.cases for over in results.peers if over != OURS and OURS in results.peers
        ],
        "runs": [
            {**asdict(run), "instances_per_second": run.instances_per_second,
             "megabytes_per_second": run.megabytes_per_second}
            for run in results.series.runs
        ],
    }  # fmt: skip


def _plain(value: Spread | None) -> dict[str, float] | None:
    return None if value is None else asdict(value)


def file_stem(results: Results) -> str:
    """<date>-<what>, without anything that a file name should not have."""
    what = re.sub(r"[^a-z0-9]+", "-", results.what.lower()).strip("-")
    return f"{results.began:%Y-%m-%d}-{what}"


def write(results: Results, folder: Path) -> list[Path]:
    """Writes JSON and Markdown; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = file_stem(results)
    data, page = folder / f"{stem}.json", folder / f"{stem}.md"
    data.write_text(json.dumps(as_json(results), indent=1) + "\n")
    page.write_text(as_markdown(results, stem))
    return [data, page]


def figure(value: Spread | None, form: str = "", scale: float = 1.0) -> str:
    """Median (least-most); without a form in whole numbers, or to two decimals where they are small."""
    if value is None:
        return "-"
    form = form or _form_of(value)
    median, least, most = (format(number * scale, form) for number in (value.median, value.least, value.most))
    return f"{median} ({least}-{most})"


_SMALL = 20
"""Below it, whole numbers would hide what differs."""
HEADINGS = (
    "workload", "associations", "peer", "MB/s", "instances/s", "p50 ms", "p99 ms", "CPU ms/instance",
    "load's CPU", "peak RSS MB", "growth MB", "ours over theirs",
)  # fmt: skip


def cells(row: Row) -> tuple[str, ...]:
    """A row as text, below `HEADINGS`."""
    return (
        row.case[0], str(row.case[1]), row.peer, figure(row.megabytes), figure(row.instances),
        figure(row.p50, ".2f"), figure(row.p99, ".2f"), figure(row.cpu_per_instance, ".3f"),
        figure(row.load_cpu, ".0%"), figure(row.resident_peak, ".0f", 1e-6),
        figure(row.resident_growth, ".0f", 1e-6), figure(row.ratio, ".2f"),
    )  # fmt: skip


HEADINGS_SHORT = (
    "workload", "peer", "MB/s", "instances/s", "p50 ms", "p99 ms", "CPU ms/inst", "RSS MB",
    "ours over theirs",
)  # fmt: skip


def cells_short(row: Row) -> tuple[str, ...]:
    """A row as text, below `HEADINGS_SHORT`: medians, and of the ratio its spread too."""
    return (
        f"{row.case[0]} x{row.case[1]}", row.peer, _median(row.megabytes), _median(row.instances),
        _median(row.p50, ".2f"), _median(row.p99, ".2f"), _median(row.cpu_per_instance, ".3f"),
        _median(row.resident_peak, ".0f", 1e-6), figure(row.ratio, ".2f"),
    )  # fmt: skip


def _median(value: Spread | None, form: str = "", scale: float = 1.0) -> str:
    return "-" if value is None else format(value.median * scale, form or _form_of(value))


def _form_of(value: Spread) -> str:
    return ",.0f" if value.median >= _SMALL else ".2f"


def bar_words(one: Judged) -> tuple[str, str, str]:
    """(what, measured, met or not) for people."""
    bar = one.bar
    case = f"{bar.workload} x{bar.associations}"
    word = "not measured" if one.met is None else "met" if one.met else "NOT met"
    aim = f" (aim: {bar.aim:g})" if bar.aim else ""
    if bar.report_p95_most:
        wait = f"{case}: 95 % of reports within {bar.report_p95_most:g} s of the last answer{aim}"
        return wait, figure(one.measured, ".2f") + " s", word
    if bar.over:
        return f"{case}: at least {bar.ratio_least:g} x {bar.over}{aim}", figure(one.measured, ".2f"), word
    growth = f"{case}: below {bar.resident_growth_most / 1e6:.0f} MB of resident growth"
    return growth, figure(one.measured, ".0f", 1e-6) + " MB", word


def as_markdown(results: Results, stem: str) -> str:
    """A page with everything but the single runs."""
    parts = [f"# {results.what}, {results.began:%Y-%m-%d %H:%M} UTC", _reading(results, stem)]
    if results.series.failed:
        parts.append("**Runs failed; their figures are left out:**\n\n" + "\n".join(_failures(results)))
    parts.append(_table(HEADINGS, [cells(row) for row in rows(results)], flush_right=3))
    parts.append(f"![megabytes a second]({stem}.svg)")
    parts.append(_until_committed(results, stem))
    judged = [bar_words(one) for one in results.judged()]
    if judged:
        parts.append("## Bars\n\n" + _table(("bar", "measured", ""), judged))
    parts += [_own_costs(results), _peers(results)]
    parts.append("## Machine\n\n" + _table(("", ""), list(results.machine.items())))
    return "\n\n".join(part for part in parts if part) + "\n"


def _reading(results: Results, stem: str) -> str:
    told = (
        f"Median (least-most) over {results.series.repetitions} repetitions; ratios within each repetition. "
        f"How it was measured, and how to read it: [benchmarks](../README.md). All runs: `{stem}.json`."
    )
    return "\n\n".join([told, *results.remarks])


def _failures(results: Results) -> list[str]:
    return [failure_words(run) for run in results.series.failed]


def failure_words(run: Run) -> str:
    """One line about a run that failed."""
    where = f"{run.peer}, {run.workload} x{run.associations}, repetition {run.repetition + 1}"
    return f"- {where}: {'; '.join(run.problems)}"


def committed_lines(results: Results) -> list[tuple[str, ...]]:
    """Below `committed.HEADINGS`."""
    return committed.lines(results.series.runs, results.cases, list(results.peers), figure)


def _until_committed(results: Results, stem: str) -> str:
    found = committed_lines(results)
    if not found:
        return ""
    told = (
        "Rates from the first byte to the last storage commitment report. Waits are from a study's last "
        "answer to its report, over all studies of all repetitions."
    )
    table = _table(committed.HEADINGS, found, flush_right=2)
    return f"## Until committed\n\n{told}\n\n{table}\n\n![fill of the journal]({stem}-journal.svg)"


def _own_costs(results: Results) -> str:
    """What is not in the rates: stated apart."""
    found = [row for row in rows(results) if row.peer == OURS and row.settle is not None]
    if not found:
        return ""
    lines = [
        (f"{row.case[0]} x{row.case[1]}", figure(row.prewrite, ".2f"), figure(row.settle, ".2f"))
        for row in found
    ]
    table = _table(("case", "journal written beforehand, s", "until all was catalogued, s"), lines)
    return f"## Not in the rates, of {OURS}\n\n{table}"


def _peers(results: Results) -> str:
    lines = [
        (name, said["title"], said["version"], said["durability"]) for name, said in results.peers.items()
    ]
    lines += [(name, "skipped", why, "") for name, why in results.skipped.items()]
    return "## Peers\n\n" + _table(("", "what", "version", "its answer stands for"), lines)


def _table(headings: Sequence[str], lines: Sequence[Sequence[str]], flush_right: int | None = None) -> str:
    """`flush_right`: from that column on."""
    rule = [
        "---:" if flush_right is not None and number >= flush_right else "---"
        for number in range(len(headings))
    ]
    table = [headings, rule, *lines]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in table)


def now() -> datetime:
    """Aware, in UTC."""
    return datetime.now(UTC)
