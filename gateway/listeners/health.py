"""Health: is it alive, is it ready, and its metrics, over HTTP."""

from collections.abc import Iterator

import orjson
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.ingest.planner import Planner
from gateway.journal import Journal
from gateway.listeners.http import HttpPort
from gateway.listeners.status import Node
from gateway.settings import HttpSettings
from gateway.telemetry import Metrics

SHUTDOWN_SECONDS = 2.0


class JournalCollector(Collector):
    """The core's counters and the journal's room, read when somebody asks."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def collect(self) -> Iterator[Metric]:
        """One family for each counter."""
        for name, value in sorted(self._journal.counters().items()):
            yield CounterMetricFamily(f"kuva_core_{name}", f"Counter of the core: {name}.", value=value)
        space = self._journal.space()
        for name, number in (
            ("fill", space.fill), ("capacity_bytes", space.capacity), ("live_bytes", space.live),
            ("dead_bytes", space.dead), ("writable", space.writable),
            ("drain_bytes_per_second", space.drain), ("slowed_associations", space.slowed),
        ):  # fmt: skip
            if name != "fill":
                yield GaugeMetricFamily(f"kuva_journal_{name}", f"The journal's {name}.", value=float(number))


class PlannerCollector(Collector):
    """What waits for a volume."""

    def __init__(self, planner: Planner) -> None:
        self._planner = planner

    def collect(self) -> Iterator[Metric]:
        """Two gauges."""
        for name, text, value in (
            ("oldest_unassembled_seconds", "Age of the oldest in no volume.", self._planner.oldest_seconds()),
            ("studies_stopped", "Studies that wait for an operator.", len(self._planner.stopped())),
        ):
            yield GaugeMetricFamily(f"kuva_{name}", text, value=float(value))


class RefusalCollector(Collector):
    """Refusals by code: those of the core and those of the gateway, every code from the start."""

    def __init__(self, journal: Journal, metrics: Metrics) -> None:
        self._journal, self._metrics = journal, metrics

    def collect(self) -> Iterator[Metric]:
        """One family; its label takes codes of the catalogue only."""
        family = CounterMetricFamily("kuva_refusals", "Refusals by code of the catalogue.", labels=["code"])
        for code, count in self._journal.refusals().items():
            family.add_metric([code], count + self._metrics.refusals[code])
        yield family


class HealthListener:
    """GET /health (alive), /ready (would a C-STORE be taken?), /metrics (Prometheus)."""

    def __init__(self, settings: HttpSettings, node: Node, journal: Journal, metrics: Metrics) -> None:
        self._settings, self._node, self._journal, self._metrics = settings, node, journal, metrics
        metrics.registry.register(JournalCollector(journal))
        metrics.registry.register(RefusalCollector(journal, metrics))
        application = web.Application()
        application.add_routes(
            [
                web.get("/health", self._health),
                web.get("/ready", self._ready),
                web.get("/metrics", self._show_metrics),
            ]
        )
        self._http = HttpPort(application, "health", shutdown_seconds=SHUTDOWN_SECONDS)
        self.port = settings.port

    async def open(self) -> None:
        """Binds and serves. OSError if the port cannot be had."""
        self.port = await self._http.open(self._settings.host, self._settings.port)

    async def close(self) -> None:
        """Ends what is being answered."""
        await self._http.close()

    async def _health(self, _: web.Request) -> web.Response:
        return json_response(await self._node.status())

    async def _ready(self, _: web.Request) -> web.Response:
        status = await self._node.status()
        return json_response({"ready": status.ready, "why_not": status.why_not}, 200 if status.ready else 503)

    async def _show_metrics(self, _: web.Request) -> web.Response:
        self._metrics.journal_fill.set(self._journal.space().fill)
        return web.Response(
            body=generate_latest(self._metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )


def json_response(body: object, status: int = 200) -> web.Response:
    """JSON by orjson: dataclasses, UUIDs and times as they are."""
    return web.Response(
        body=orjson.dumps(body, option=orjson.OPT_APPEND_NEWLINE),
        status=status,
        content_type="application/json",
    )
