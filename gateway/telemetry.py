"""Telemetry: the log, the metrics of the ten stops of an instance, and a probe of the event loop."""

import asyncio
import logging
import sys
import time
from collections import Counter as TallyCounter
from dataclasses import dataclass, field
from typing import Literal

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

LOOP_LAG_PERIOD_SECONDS = 0.1
_LAG_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0)
_SECONDS_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


def set_up_log(level: str = "info", log_format: Literal["auto", "json", "console"] = "auto") -> None:
    """Configures the log once, on standard error, in UTC; `auto`: for people on a terminal, else JSON lines.

    What is logged names identifiers that matter, never patient data. Raises KeyError for an unknown level.
    """
    least = logging.getLevelNamesMapping()[level.upper()]
    pretty = sys.stderr.isatty() if log_format == "auto" else log_format == "console"
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
        if pretty
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.StackInfoRenderer() if pretty else _TRACEBACKS,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(least),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.WARNING, handlers=[_FromLibraries()], force=True)


# A traceback's local variables hold what patients' data sets say, and passwords: never shown.
_TRACEBACKS = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)


class _FromLibraries(logging.Handler):
    """What libraries log, in our form: the sentence and the kind of the exception, not its words."""

    def emit(self, record: logging.LogRecord) -> None:
        kind = record.exc_info[0] if record.exc_info else None
        said = {"exception": kind.__name__} if kind else {}
        structlog.get_logger().log(record.levelno, record.getMessage(), library=record.name, **said)


@dataclass(frozen=True)
class Metrics:
    """One registry, and what is counted at each of the ten stops of an instance (house 3).

    Labels take few values only: never a UID, a name, or a title that a stranger may choose.
    """

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    associations: Counter = field(init=False)
    """Stop 1, door: transport connections, by `outcome` (accepted, rejected, aborted, timed_out)."""
    contexts: Counter = field(init=False)
    """Stop 2, negotiation: presentation contexts answered, by `result` (0 to 4, PS3.8 9.3.3.2)."""
    catalogued: Counter = field(init=False)
    """Stop 7, catalogue: instances that landed."""
    volumes: Counter = field(init=False)
    """Stop 8, volumes, by `stage`: planned, assembled, stored, read_back, verified, forgotten, abandoned."""
    volume_bytes: Counter = field(init=False)
    """Their bytes, by `stage`."""
    volume_seconds: Counter = field(init=False)
    """Time spent in each `stage`, of all together."""
    volumes_planned: Counter = field(init=False)
    """Why they were planned, by `reason`."""
    retrieved: Counter = field(init=False)
    """Stop 10, retrieval: instances sent, by `service` and `outcome`."""

    commitments_asked: Counter = field(init=False)
    """Stop 9, storage commitment: requests kept, by `asked` (new, again, other_list)."""
    commitments_resolved: Counter = field(init=False)
    """Instances that got a result, by `result`: committed, or the failure reason."""
    reports: Counter = field(init=False)
    """Attempts to bring a report, by `outcome` (delivered, refused, unreachable, ...)."""

    refusals: TallyCounter[str] = field(default_factory=TallyCounter)
    """What the gateway refused, by code of the catalogue; the core counts its own beside."""

    commitments_waiting: Gauge = field(init=False)
    """Requests of this node that wait for their result."""
    uncommitted_instances: Gauge = field(init=False)
    """Of the whole archive: verified, and for longer than the profile's time never committed."""
    associations_open: Gauge = field(init=False)
    journal_fill: Gauge = field(init=False)
    """Fill of the journal, 0 to 1."""
    landing_seconds: Histogram = field(init=False)
    """Time of one landing, arbitration included."""
    loop_lag_seconds: Histogram = field(init=False)
    """How late the event loop wakes a sleeper."""

    def count_refusal(self, code: str) -> None:
        """Counts one refusal of the gateway's own by its code."""
        self.refusals[code] += 1

    def __post_init__(self) -> None:
        for name, kind, text, labels in _METRICS:
            object.__setattr__(self, name, kind("kuva_" + name, text, labels, registry=self.registry))
        seconds = Histogram(
            "kuva_landing_seconds", "Time of one landing.", buckets=_SECONDS_BUCKETS, registry=self.registry
        )
        lag = Histogram(
            "kuva_loop_lag_seconds",
            "How late the event loop is.",
            buckets=_LAG_BUCKETS,
            registry=self.registry,
        )
        object.__setattr__(self, "landing_seconds", seconds)
        object.__setattr__(self, "loop_lag_seconds", lag)


_METRICS: tuple[tuple[str, type[Counter] | type[Gauge], str, tuple[str, ...]], ...] = (
    ("associations", Counter, "Transport connections by outcome.", ("outcome",)),
    ("contexts", Counter, "Presentation contexts answered by result.", ("result",)),
    ("catalogued", Counter, "Instances that landed in the catalogue.", ()),
    ("volumes", Counter, "Volumes by the stage that they reached.", ("stage",)),
    ("volume_bytes", Counter, "Bytes of volumes by the stage that they reached.", ("stage",)),
    ("volume_seconds", Counter, "Time that volumes took for each stage.", ("stage",)),
    ("volumes_planned", Counter, "Volumes planned, by the reason.", ("reason",)),
    ("retrieved", Counter, "Instances sent back.", ("service", "outcome")),
    ("commitments_asked", Counter, "Storage commitment requests kept.", ("asked",)),
    ("commitments_resolved", Counter, "Instances of storage commitment requests by result.", ("result",)),
    ("reports", Counter, "Attempts to bring a report of storage commitment.", ("outcome",)),
    ("commitments_waiting", Gauge, "Storage commitment requests that wait for their result.", ()),
    ("uncommitted_instances", Gauge, "Instances that nobody had committed for too long.", ()),
    ("associations_open", Gauge, "Associations open now.", ()),
    ("journal_fill", Gauge, "Fill of the journal, 0 to 1.", ()),
)


async def watch_loop(metrics: Metrics, *, period_seconds: float = LOOP_LAG_PERIOD_SECONDS) -> None:
    """For a task group: measures how late the loop wakes it, for ever."""
    while True:
        due = time.monotonic() + period_seconds
        await asyncio.sleep(period_seconds)
        metrics.loop_lag_seconds.observe(max(0.0, time.monotonic() - due))
