"""Committers: the tasks that resolve storage commitment, keep the facts of it, and bring the reports."""

import asyncio
from collections.abc import Callable, Sequence

from gateway.catalogue import Catalogue
from gateway.custody.commitment import Resolver
from gateway.custody.facts import FactWriter
from gateway.dispatch.event_report import EventReports
from gateway.dispatch.outbox import Outbox
from gateway.journal import Journal
from gateway.keepers import Keepers
from gateway.model.batch import Flush
from gateway.model.identifiers import Uid
from gateway.telemetry import Metrics
from gateway.transport.association import Association


class Committers:
    """Who resolves, who writes facts, who reports: in this order, each durable before the next begins."""

    def __init__(
        self,
        catalogue: Catalogue,
        journal: Journal,
        keepers: Keepers,
        metrics: Metrics,
        *,
        locator_key: bytes,
        is_taken: Callable[[Uid], bool],
        association: Callable[[int], Association | None],
    ) -> None:
        reports = EventReports(
            catalogue.grants.entity, association, node=journal.identifier, epoch=journal.epoch
        )
        self.store = keepers.store
        self.outbox = Outbox(catalogue.deliveries, reports.bring, journal.identifier, metrics)
        self.facts = FactWriter(catalogue, keepers.store, on_written=self.outbox.kick)
        self.resolver = Resolver(
            catalogue, journal.identifier, locator_key, metrics,
            is_taken=is_taken, on_unverified=keepers.planner.asked, on_resolved=self._resolved,
        )  # fmt: skip
        keepers.tell_verified(self.resolver.verified)

    def start(self, tasks: asyncio.TaskGroup) -> Sequence[asyncio.Task[None]]:
        """They run until cancelled."""
        return [
            tasks.create_task(self.resolver.run(), name="commitment"),
            tasks.create_task(self.facts.run(), name="facts"),
            tasks.create_task(self.outbox.run(), name="outbox"),
        ]

    def landed(self, flush: Flush) -> None:
        """What requests wait for may be there now."""
        self.resolver.landed({batch.vault for batch in flush.batches})

    def _resolved(self) -> None:
        """A fact waits to be written, and a report for the fact; or a report that was brought before."""
        self.facts.kick()
        self.outbox.kick()
