"""Committers: the tasks that resolve storage commitment, keep the facts of it, and bring the reports."""

import asyncio
from collections.abc import Callable, Sequence

from gateway.catalogue import Catalogue
from gateway.custody.commitment import Resolver
from gateway.custody.facts import FactWriter
from gateway.custody.uncommitted import UncommittedWatch
from gateway.dispatch.event_report import EventReports
from gateway.dispatch.outbox import Outbox
from gateway.journal import Journal
from gateway.keepers import Keepers
from gateway.listeners.commitments import CommitmentRoutes
from gateway.model.batch import Flush
from gateway.profiles import Profile
from gateway.telemetry import Metrics
from gateway.transport.association import Association


class Committers:
    """Who resolves, who writes facts, who reports: in this order, each durable before the next begins.

    Beside them: who watches what nobody had committed.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        journal: Journal,
        keepers: Keepers,
        metrics: Metrics,
        *,
        locator_key: bytes,
        profile: Profile,
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
            is_taken=profile.acceptance.storage.__contains__,
            on_unverified=keepers.planner.asked, on_resolved=self._resolved,
            landing_mark=journal.landing_mark,
        )  # fmt: skip
        self.uncommitted = UncommittedWatch(catalogue, metrics, after_days=profile.uncommitted_after_days)
        self.routes = CommitmentRoutes(
            catalogue, on_retry=self.outbox.kick, uncommitted_after_days=profile.uncommitted_after_days
        )
        keepers.tell_verified(self.resolver.verified)

    def start(self, tasks: asyncio.TaskGroup) -> Sequence[asyncio.Task[None]]:
        """They run until cancelled."""
        return [
            tasks.create_task(self.resolver.run(), name="commitment"),
            tasks.create_task(self.facts.run(), name="facts"),
            tasks.create_task(self.outbox.run(), name="outbox"),
            tasks.create_task(self.uncommitted.run(), name="uncommitted"),
        ]

    def landed(self, flush: Flush) -> None:
        """What requests wait for may be there now."""
        self.resolver.landed({batch.vault for batch in flush.batches})

    def _resolved(self) -> None:
        """A fact waits to be written, and a report for the fact; or a report that was brought before."""
        self.facts.kick()
        self.outbox.kick()
