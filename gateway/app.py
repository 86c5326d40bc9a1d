"""The composition root: puts the rooms together, owns the top task group, and takes them apart in order."""

import asyncio
import fcntl
import os
import resource
import signal
import socket
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import structlog

from gateway import _core
from gateway.access.damage import DamageReports
from gateway.access.find import Finder
from gateway.access.overview import Overview
from gateway.access.sources import Sources
from gateway.catalogue import Catalogue
from gateway.catalogue.embedded import EmbeddedServer
from gateway.catalogue.opening import open_catalogue
from gateway.committers import Committers
from gateway.custody.forgetting import forget_verified
from gateway.errors import GatewayError
from gateway.ingest.admission import DEMO_VAULT, Gate
from gateway.ingest.arbitration import matches
from gateway.ingest.discarding import Discarder
from gateway.ingest.pipeline import Pipeline
from gateway.ingest.quarantine import Comparer
from gateway.ingest.recovery import NodeIdentity, keep_identity, read_identity, recover
from gateway.ingest.rescue import Rescuer
from gateway.journal import LOCATOR_KEY_LENGTH, Journal
from gateway.keepers import Keepers, refuse_empty
from gateway.listeners import SOCKET_NAME
from gateway.listeners.callers import Callers, Existing
from gateway.listeners.commitment import CommitmentService
from gateway.listeners.dicom import DicomListener
from gateway.listeners.health import HealthListener
from gateway.listeners.operator import OperatorListener
from gateway.listeners.retrieve import GetService
from gateway.listeners.status import Node
from gateway.listeners.volumes import Volumes
from gateway.profiles import CoreTables, Profile
from gateway.profiles import load as load_profile
from gateway.settings import Settings
from gateway.storage.local import LocalStore
from gateway.telemetry import Metrics, watch_loop
from gateway.transport.acceptor import OPENING_MAX
from gateway.transport.association import Association

log = structlog.get_logger(__name__)

DESCRIPTORS_BESIDE = 512
"""For HTTP, the operator's socket, the store, wake-ups and logs."""
LAND_SECONDS_MAX = 10.0
"""At shutdown, for what is durable to be catalogued; what does not make it is landed at the next start."""
SOCKET_PATH_LENGTH_MAX = 107
"""Bytes of a Unix socket's path (unix(7): sun_path, with its end)."""


class StartError(GatewayError):
    """The gateway cannot start; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Ready:
    """Where a started gateway is found."""

    dicom_host: str
    dicom_port: int
    http_host: str
    http_port: int
    data: Path
    ae_titles: tuple[str, ...]
    open_access: bool
    embedded: bool
    node: str
    epoch: int
    write_mode: str
    recovered: int


class Gateway:
    """One node, from start to stop."""

    def __init__(self, settings: Settings, on_ready: Callable[[Ready], None]) -> None:
        self._settings = settings
        self._on_ready = on_ready
        self._stop, self._hurry = asyncio.Event(), asyncio.Event()
        self._metrics = Metrics()
        self._listener: DicomListener | None = None

    async def run(self) -> None:
        """Starts, serves until SIGTERM or SIGINT, drains, stops. Raises `GatewayError` if it cannot start."""
        async with AsyncExitStack() as stack:
            raise_descriptor_limit(descriptors_needed(self._settings))
            stack.enter_context(locked(self._settings.data))
            for place in (self._settings.dicom, self._settings.http):
                check_port(place.host, place.port)
            profile = profile_of(self._settings)
            self._listen_to_signals()
            catalogue, embedded = await open_catalogue(self._settings, matches, stack)
            if await catalogue.rebuilding.unfinished():
                raise StartError(
                    "a rebuild of the catalogue is not finished, and nothing is served before it is: "
                    "run 'kuva rebuild' again"
                )
            journal = await self._open_journal(stack, catalogue)
            await self._serve(stack, catalogue, embedded, journal, profile)
            log.info("stopped")

    # --- starting --------------------------------------------------------------------------------

    async def _open_journal(self, stack: AsyncExitStack, catalogue: Catalogue) -> Journal:
        data, settings = self._settings.data, self._settings.journal
        identity = read_identity(data)
        self._start = await catalogue.nodes.start(
            identity.id, name=self._settings.node.name, epoch_least=identity.epoch + 1
        )
        keep_identity(data, NodeIdentity(identity.id, self._start.epoch))
        self._locator_key = (await catalogue.nodes.locator_key())[:LOCATOR_KEY_LENGTH]
        journal = await Journal.open(
            data / "journal", identifier=identity.id, epoch=self._start.epoch, capacity=settings.capacity,
            segment=settings.segment, locator_key=self._locator_key,
            overwrite_after=settings.overwrite_after_seconds,
        )  # fmt: skip
        stack.push_async_callback(journal.stop)
        return journal

    async def _serve(
        self,
        stack: AsyncExitStack,
        catalogue: Catalogue,
        embedded: EmbeddedServer | None,
        journal: Journal,
        profile: Profile,
    ) -> None:
        keeping = await self._keep(stack, catalogue, journal)
        rescuer = Rescuer(journal, catalogue)
        keeping.storer.rot.on_told = rescuer.kick
        damage = DamageReports(journal, catalogue, on_told=rescuer.kick)
        committers = Committers(
            catalogue, journal, keeping, self._metrics, locator_key=self._locator_key,
            profile=profile, association=self._association,
        )  # fmt: skip
        dicom = self._listener = await self._dicom(catalogue, journal, profile, damage, committers)
        comparer, discarder = Comparer(journal, catalogue), Discarder(journal, catalogue, keeping.store)
        await forget_verified(journal, catalogue)
        landed = await recover(journal, catalogue)
        pipeline = Pipeline(
            journal, catalogue, dicom.line, landed, on_quarantined=comparer.kick,
            on_landed=self._count_landed, on_damaged=rescuer.kick,
            on_kept=(lambda _: rescuer.landed(), committers.landed, keeping.planner.landed),
        )  # fmt: skip
        dicom.before_writing(pipeline.drain)
        await discarder.pay_all()
        health = await self._open_http(
            stack, catalogue, journal, dicom, pipeline=pipeline, profile=profile, discarder=discarder,
            keeping=keeping, committers=committers,
        )  # fmt: skip
        await dicom.open()
        async with asyncio.TaskGroup() as tasks:
            landing = tasks.create_task(pipeline.run(), name="pipeline")
            working = (("dicom", dicom), ("comparer", comparer), ("discarder", discarder),
                       ("damage", damage), ("rescuer", rescuer))  # fmt: skip
            others = [tasks.create_task(work.run(), name=name) for name, work in working]
            others += [*committers.start(tasks), *self._watch(tasks, embedded)]
            keepers = keeping.start(tasks)
            await dicom.serving()
            self._on_ready(self._ready(dicom, health, journal))
            await self._stop.wait()
            await self._drain(dicom, journal, pipeline, landing, keepers)
            for task in others:
                task.cancel()

    def _watch(self, tasks: asyncio.TaskGroup, embedded: EmbeddedServer | None) -> list[asyncio.Task[None]]:
        watching = [tasks.create_task(watch_loop(self._metrics), name="loop-lag")]
        if embedded is not None:
            watching.append(tasks.create_task(embedded.supervise(), name="postgresql"))
        return watching

    def _association(self, number: int) -> Association | None:
        return None if self._listener is None else self._listener.line(number)

    async def _keep(self, stack: AsyncExitStack, catalogue: Catalogue, journal: Journal) -> Keepers:
        store = await LocalStore.open(self._settings.store_folder)
        stack.push_async_callback(store.close)
        await refuse_empty(store, catalogue, self._settings.store_folder)
        return Keepers(
            journal, catalogue, store, self._settings.volumes, self._metrics, locator_key=self._locator_key
        )

    async def _dicom(
        self,
        catalogue: Catalogue,
        journal: Journal,
        profile: Profile,
        damage: DamageReports,
        committers: Committers,
    ) -> DicomListener:
        settings = self._settings
        gate = Gate(
            catalogue,
            ae_titles=settings.dicom.ae_titles,
            open_access=settings.open_access,
            content_rules=profile.content_rules,
        )
        await gate.prepare()
        get_service = GetService(
            Finder(catalogue, journal.identifier), Sources(journal, committers.store), self._metrics, damage
        )
        return DicomListener(
            settings.dicom,
            profile,
            gate=gate,
            journal=journal,
            get_service=get_service,
            commitment_service=CommitmentService(
                catalogue.commitments,
                node=journal.identifier,
                epoch=journal.epoch,
                parking_seconds=settings.commitment.parking_seconds,
                metrics=self._metrics,
                on_asked=committers.resolver.asked,
            ),
            metrics=self._metrics,
        )

    async def _open_http(
        self,
        stack: AsyncExitStack,
        catalogue: Catalogue,
        journal: Journal,
        dicom: DicomListener,
        *,
        pipeline: Pipeline,
        profile: Profile,
        discarder: Discarder,
        committers: Committers,
        keeping: Keepers,
    ) -> HealthListener:
        settings = self._settings
        node = Node(
            journal,
            catalogue,
            associations=dicom.associations,
            behind=lambda: pipeline.behind,
            draining=self._stop.is_set,
            keeping=keeping.look,
            uncommitted=committers.uncommitted.found,
        )
        health = HealthListener(settings.http, node, journal, self._metrics)
        callers = Callers(catalogue, _existing(settings, profile))
        operator = OperatorListener(
            settings.data, journal, catalogue, node, callers=callers, discarder=discarder,
            commitments=committers.routes,
            overview=Overview(catalogue, keeping.planner.standing, lambda: keeping.storer.waits_for),
            more=Volumes(catalogue, keeping.store, keeping.checker, keeping.planner).routes(),
        )  # fmt: skip
        for listener in (health, operator):
            stack.push_async_callback(listener.close)
            await listener.open()
        return health

    async def _drain(
        self,
        dicom: DicomListener,
        journal: Journal,
        pipeline: Pipeline,
        landing: asyncio.Task[None],
        keepers: Sequence[asyncio.Task[None]],
    ) -> None:
        """What is under way ends, what is received becomes durable, what is durable becomes findable."""
        log.info("draining", seconds=self._settings.drain_seconds, associations=dicom.associations())
        await dicom.drain(self._settings.drain_seconds, self._hurry)
        for task in keepers:  # what is unfinished is assembled again at the next start
            task.cancel()
        await asyncio.wait(keepers)
        await journal.stop()
        pipeline.finish()
        await asyncio.wait([landing], timeout=LAND_SECONDS_MAX)
        landing.cancel()

    def _ready(self, dicom: DicomListener, health: HealthListener, journal: Journal) -> Ready:
        settings = self._settings
        return Ready(
            dicom_host=settings.dicom.host, dicom_port=dicom.port, http_host=settings.http.host,
            http_port=health.port, data=settings.data, ae_titles=settings.dicom.ae_titles,
            open_access=settings.open_access, embedded=settings.catalogue.dsn is None,
            node=str(journal.identifier), epoch=journal.epoch, write_mode=journal.space().write_mode,
            recovered=journal.recovery.instances,
        )  # fmt: skip

    def _count_landed(self, instances: int, seconds: float) -> None:
        self._metrics.catalogued.inc(instances)
        self._metrics.landing_seconds.observe(seconds)

    # --- stopping --------------------------------------------------------------------------------

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled)

    def _signalled(self) -> None:
        """The first asks for a drain, the second hurries it."""
        if self._stop.is_set():
            self._hurry.set()
        self._stop.set()


def profile_of(settings: Settings) -> Profile:
    """The profile in force, checked against what the core can do. Raises `ProfileError`."""
    core = CoreTables(
        rule_codes=_rule_codes(),
        settable_rules=_settable_rules(),
        transfer_syntaxes=frozenset(
            uid for uid, _, _, elsewhere in _core.transfer_syntaxes() if not elsewhere
        ),
    )
    return load_profile(
        settings.profile.name, folder=settings.data / "profiles",
        private_sop_classes=settings.profile.private_sop_classes, core=core,
    )  # fmt: skip


def _rule_codes() -> frozenset[str]:
    return frozenset(code for code, *_ in _core.rule_codes())


def _settable_rules() -> frozenset[str]:
    return frozenset(filter(_is_settable, _rule_codes()))


def _is_settable(code: str) -> bool:
    """Whether the core takes a severity for the rule: framing and identity always refuse."""
    try:
        _core.Admission(
            vault=bytes(16), calling="", called="", address="", preset="strict", rules=[(code, "flag")]
        )
    except GatewayError:
        return False
    return True


def _existing(settings: Settings, profile: Profile) -> Existing:
    """What a caller's record may name."""
    return Existing(
        called_titles=settings.dicom.ae_titles,
        rule_codes=_rule_codes(),
        settable_rules=_settable_rules(),
        profile=profile,
        default_vault=DEMO_VAULT if settings.open_access else None,
    )


def descriptors_needed(settings: Settings) -> int:
    """What this process may have open at once: two for each socket of DICOM, and the rest of the house."""
    sockets = settings.dicom.associations_max + OPENING_MAX
    segments = settings.journal.capacity // settings.journal.segment
    return 2 * sockets + segments + settings.catalogue.connections_max + DESCRIPTORS_BESIDE


def raise_descriptor_limit(needed: int) -> None:
    """Raises the soft limit; without descriptors nobody is let in, and nothing says why. `StartError`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise StartError(
            f"up to {needed} files and sockets may have to be open at once, and the system allows {hard}: "
            f"raise it ('ulimit -Hn {needed}', LimitNOFILE=), or lower dicom.associations_max"
        )
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def check_port(host: str, port: int) -> None:
    """Finds out before anything is started whether the port can be had. Raises `StartError`."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen(1)
    except OSError as error:
        raise StartError(
            f"cannot listen on {host}:{port}: {error.strerror or error}. "
            "Is another gateway running? Choose another port with --port or --http-port, or in the settings."
        ) from None


def locked(data: Path) -> IO[bytes]:
    """Takes the data folder for this process alone, for as long as the file stays open."""
    if len(os.fsencode(data / SOCKET_NAME)) > SOCKET_PATH_LENGTH_MAX:
        most = SOCKET_PATH_LENGTH_MAX - len(SOCKET_NAME) - 1
        raise StartError(
            f"the data folder {data} is too far down for the socket in it: at most {most} bytes of path. "
            "Choose another one with --data."
        )
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = (data / "kuva.lock").open("ab")
    except OSError as error:
        raise StartError(
            f"cannot write to the data folder {data}: {error.strerror or error}. "
            "Choose another one with --data."
        ) from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise StartError(
            f"another gateway runs on the data folder {data}. Stop it, or choose another one with --data."
        ) from None
    return file
