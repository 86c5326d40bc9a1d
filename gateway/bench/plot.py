"""The picture: megabytes a second of every peer in every case, with the spread over the repetitions."""

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from gateway.bench.figures import Case, Run, Spread, over_repetitions
from gateway.bench.results import OURS, Results

COLOURS = ("#1b6ca8", "#c8553d", "#8a8d91", "#e0a030", "#5b8c5a")
_FILL = "kuva_journal_fill"
_SCRIPT = re.compile(rb"<script\b.*?</script>", re.DOTALL)


def _pygal() -> ModuleType | None:
    try:
        import pygal  # type: ignore[import-untyped]
    except ImportError:
        return None
    # It leaves a finder of Python 2's kind behind, of which every later import would warn.
    sys.meta_path[:] = [finder for finder in sys.meta_path if hasattr(finder, "find_spec")]
    found: ModuleType = pygal
    return found


def _style() -> object:
    from pygal.style import Style  # type: ignore[import-untyped]

    return Style(
        background="white", plot_background="white", colors=COLOURS, opacity=".9", value_font_size=11,
        font_family="sans-serif",
    )  # fmt: skip


def draw(results: Results, path: Path) -> bool:
    """Writes an SVG; False where pygal, a development dependency, is not installed."""
    pygal = _pygal()
    if pygal is None:
        return False
    chart = pygal.Bar(
        title=_title(results), y_title="MB/s, logarithmic", logarithmic=True, zero=1,
        range=(1, _ceiling(results)), print_values=True, value_formatter=_words, legend_at_bottom=True,
        show_minor_y_labels=False, width=1000, height=520, style=_style(), js=(),
    )  # fmt: skip
    chart.x_labels = [f"{name} x{number}" for name, number in results.cases]
    for peer, said in results.peers.items():
        chart.add(said["title"], [_bar(results, peer, case) for case in results.cases])
    path.write_bytes(_still(chart.render()))
    return True


def draw_journal(results: Results, path: Path) -> bool:
    """Writes an SVG of the journal's fill over time; False if there is none, or nothing to draw it with."""
    runs = [run for run in results.series.runs if run.good and run.committed and _fills(run)]
    pygal = _pygal()
    if pygal is None or not runs:
        return False
    chart = pygal.XY(
        title="fill of the journal while instances arrive and are committed", x_title="seconds",
        y_title="% of the journal", range=(0, 100), show_dots=False, legend_at_bottom=True, width=1000,
        height=520, style=_style(), js=(),
    )  # fmt: skip
    for run in runs:
        chart.add(f"{run.workload}, repetition {run.repetition + 1}", _fills(run))
    path.write_bytes(_still(chart.render()))
    return True


def _fills(run: Run) -> list[tuple[float, float]]:
    return [(moment.seconds, 100 * moment.gauges[_FILL]) for moment in run.timeline if _FILL in moment.gauges]


def _title(results: Results) -> str:
    return f"{results.what}, {results.began:%Y-%m-%d}: {results.machine.get('processor', '')}"


def _rate(results: Results, peer: str, case: Case) -> Spread | None:
    return over_repetitions(results.series.runs, peer, case, lambda run: run.megabytes_per_second)


def _ceiling(results: Results) -> float:
    rates = (_rate(results, peer, case) for peer in results.peers for case in results.cases)
    return max((rate.most for rate in rates if rate is not None), default=10.0) * 1.1


def _bar(results: Results, peer: str, case: Case) -> dict[str, Any] | None:
    rate = _rate(results, peer, case)
    if rate is None:
        return None
    ratio = None if peer == OURS else results.ratio(peer, case)
    label = f"ours is {ratio.median:.2f} of it" if ratio else ""
    return {"value": rate.median, "ci": {"low": rate.least, "high": rate.most}, "label": label}


def _words(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def _still(rendered: bytes) -> bytes:
    """Without the script that pygal adds: nothing in a picture should run."""
    return _SCRIPT.sub(b"", rendered)
