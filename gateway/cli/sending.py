"""Sending: many files over a few associations, tried again where that helps; a list of what was taken."""

import asyncio
import json
import os
import stat
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from gateway import _core
from gateway.errors import AssociationAbortedError, GatewayError, UnavailableError, UnreadableFileError
from gateway.transport.association import Association
from gateway.transport.requestor import ProposedContext, RejectionError, release, request

CONTEXTS_MAX = 128
"""Presentation contexts of one association (PS3.8 9.3.2.2)."""
TRIES_MAX = 5
PAUSE_SECONDS_LEAST, PAUSE_SECONDS_MOST = 0.5, 15.0
ANSWER_SECONDS_MAX = 300.0
READ_AT_ONCE = 256
SMALL_LENGTH_MAX = 1 << 20
PREFIX_END = 132
"""Where the preamble and the prefix DICM of a Part 10 file end."""
OUT_OF_RESOURCES = range(0xA700, 0xA800)

Kind = tuple[str, str]
"""(SOP class, transfer syntax)."""


@dataclass(slots=True)
class File:
    """One file to be sent."""

    path: Path
    sop_class: str
    sop_instance: str
    transfer_syntax: str
    length: int
    tries: int = 0
    sent: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file. `status` None: it never got an answer."""

    path: str
    sop_instance: str
    status: int | None
    comment: str
    length: int = 0
    sent: bool = False
    """Whether any of it went out: without an answer, nobody knows whether the peer has it."""

    @property
    def acknowledged(self) -> bool:
        """Success or warning: the peer has it."""
        return self.status is not None and (self.status == 0 or self.status >> 12 == 0xB)


@dataclass(slots=True)
class Report:
    """All outcomes together."""

    sent: int = 0
    length: int = 0
    skipped: int = 0
    """Acknowledged by an earlier run, as the resume list says."""
    not_dicom: int = 0
    left: int = 0
    """Not tried, because the run ended early."""
    ended: str = ""
    """Why it ended early."""
    failed: list[Outcome] = field(default_factory=list)


class ResumeListError(GatewayError):
    """The list of acknowledged files cannot be read or kept."""


class ResumeList:
    """Acknowledged files, one JSON line each, only ever appended to.

    Raises `ResumeListError`. Paths that are not UTF-8 stand in it as Python's own JSON writes them.
    """

    def __init__(self, path: Path | None) -> None:
        self._known: set[tuple[str, int, int]] = set()
        self._file: IO[bytes] | None = None
        if path is not None:
            with _kept(path):
                self._known = set(_read_resume(path)) if path.exists() else set()
                self._file = path.open("ab")

    def __contains__(self, path: Path) -> bool:
        """Whether this very file, unchanged since, was acknowledged."""
        try:
            return bool(self._known) and _mark(path) in self._known
        except OSError:
            return False  # whoever reads it will say why

    def add(self, outcome: Outcome) -> None:
        """Keeps an acknowledged file; a line is on its way to the disk before the next file is sent."""
        if self._file is None:
            return
        try:
            name, length, changed = _mark(Path(outcome.path))
        except OSError:
            return  # it is gone, so it will not be met again
        line = {"path": name, "length": length, "changed": changed, "sop_instance": outcome.sop_instance,
                "status": outcome.status}  # fmt: skip
        with _kept(Path(self._file.name)):
            self._file.write(json.dumps(line).encode() + b"\n")
            self._file.flush()

    def close(self) -> None:
        """Makes the list durable."""
        if self._file is not None:
            with _kept(Path(self._file.name)), self._file:
                self._file.flush()
                os.fsync(self._file.fileno())


@contextmanager
def _kept(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ResumeListError(f"resume list {path}: {error.strerror or error}") from None


def _read_resume(path: Path) -> Iterator[tuple[str, int, int]]:
    with path.open("rb") as file:
        for line in file:
            try:
                found = json.loads(line)
                yield str(found["path"]), int(found["length"]), int(found["changed"])
            except (KeyError, TypeError, ValueError):
                continue  # the last line of a run that was cut off: that file is simply sent again


def _mark(path: Path) -> tuple[str, int, int]:
    found = path.stat()
    return str(path.absolute()), found.st_size, found.st_mtime_ns


def walk(paths: Iterable[Path], on_unreadable: Callable[[Outcome], None] = lambda _: None) -> Iterator[Path]:
    """Every file below, in a stable order; links to folders are not followed.

    A folder that cannot be read is told to `on_unreadable`: what lies in it is not sent.
    """

    def tell(error: OSError) -> None:
        on_unreadable(Outcome(str(error.filename), "", None, f"folder cannot be read: {error.strerror}"))

    for path in paths:
        if path.is_dir():
            for folder, folders, names in os.walk(path, onerror=tell):
                folders.sort()
                yield from (Path(folder, name) for name in sorted(names))
        else:
            yield path


@dataclass(slots=True)
class Reading:
    """What some files turned out to be."""

    files: list[File] = field(default_factory=list)
    not_dicom: list[Outcome] = field(default_factory=list)
    """Other things than DICOM Part 10 files, which folders are full of."""
    unreadable: list[Outcome] = field(default_factory=list)
    """DICOM, or not to be known: damaged, not permitted, gone. What may be an instance is never left out."""


def read(paths: Iterable[Path]) -> Reading:
    """File meta information of each. Blocking."""
    reading = Reading()
    for path in paths:
        try:
            if not _is_part10(path):
                reading.not_dicom.append(Outcome(str(path), "", None, "not a DICOM Part 10 file"))
                continue
            source = _core.InstanceSource.from_file(str(path))
        except (UnreadableFileError, OSError) as error:
            why = f"cannot be read: {error.strerror}" if isinstance(error, OSError) else str(error)
            reading.unreadable.append(Outcome(str(path), "", None, why))
        else:
            reading.files.append(
                File(path, source.sop_class, source.sop_instance, source.transfer_syntax, source.length)
            )
    return reading


def _is_part10(path: Path) -> bool:
    """By its prefix (PS3.10 7.1). Pipes and devices are never opened: they might never end."""
    if not stat.S_ISREG(path.stat().st_mode):
        return False
    with path.open("rb", buffering=0) as file:
        return file.read(PREFIX_END)[-4:] == b"DICM"


class Sender:
    """Sends files to one peer over several associations."""

    def __init__(
        self,
        *,
        host: str,
        port: int,
        called: str,
        calling: str,
        associations: int,
        on_outcome: Callable[[Outcome], None],
    ) -> None:
        self._host, self._port, self._called, self._calling = host, port, called, calling
        self._associations = associations
        self._on_outcome = on_outcome

    async def send(self, files: Sequence[File]) -> None:
        """Every file gets one outcome. Raises `GatewayError` if the peer cannot be reached or rejects us."""
        try:
            for group in _groups(files):
                waiting = deque(group)
                async with asyncio.TaskGroup() as tasks:
                    for _ in range(min(self._associations, len(group))):
                        tasks.create_task(_Worker(self, waiting, _contexts(group)).run())
        except* GatewayError as group_of_errors:
            raise _first(group_of_errors) from None

    async def open(self, contexts: Sequence[ProposedContext]) -> Association:
        """One more association, asked for again for a while where that may help."""
        pause = PAUSE_SECONDS_LEAST
        for left in reversed(range(TRIES_MAX)):
            try:
                association, _ = await request(
                    self._host, self._port, called=self._called, calling=self._calling, contexts=contexts
                )
            except (AssociationAbortedError, UnavailableError, RejectionError) as error:
                if left == 0 or (isinstance(error, RejectionError) and not error.transient):
                    raise
                await asyncio.sleep(pause)
                pause = min(2 * pause, PAUSE_SECONDS_MOST)
            else:
                return association
        raise AssertionError("unreachable")

    def tell(self, file: File, status: int | None, comment: str) -> None:
        """One file is done with."""
        self._on_outcome(
            Outcome(str(file.path), file.sop_instance, status, comment, file.length, sent=file.sent)
        )


class _Worker:
    """One association at a time, used for as many files as it lasts."""

    def __init__(self, sender: Sender, waiting: deque[File], contexts: Sequence[ProposedContext]) -> None:
        self._sender, self._waiting, self._contexts = sender, waiting, contexts
        self._association: Association | None = None
        self._pause = PAUSE_SECONDS_LEAST
        self._message_id = 0

    async def run(self) -> None:
        while self._waiting:
            if self._association is None:
                self._association = await self._sender.open(self._contexts)
                continue  # others may have taken what was waiting meanwhile
            file = self._waiting.popleft()
            file.tries += 1
            try:
                await self._send(self._association, file)
            except (AssociationAbortedError, TimeoutError) as error:
                self._drop()
                await self._again(file, None, str(error) or "no answer in time")
            except GatewayError as error:
                self._drop()  # part of it may be out
                self._sender.tell(file, None, str(error))
        if self._association is not None:
            await release(self._association)

    async def _send(self, association: Association, file: File) -> None:
        context = association.engine.context_for(file.sop_class, file.transfer_syntax)
        if context is None:
            self._sender.tell(file, None, "the peer does not accept this SOP class in this transfer syntax")
            return
        self._message_id = self._message_id % 0xFFFF + 1
        transfer, pieces = await asyncio.to_thread(_begin, association, context, self._message_id, file)
        file.sent = True
        for piece in pieces:
            await association.send(piece)
        if file.length > SMALL_LENGTH_MAX:
            await self._send_rest(association, transfer)
        answer = await association.response(self._message_id, seconds=ANSWER_SECONDS_MAX)
        status = answer.status if answer.status is not None else 0xC000
        if status in OUT_OF_RESOURCES:
            await self._again(file, status, answer.error_comment or "out of resources")
        else:
            self._pause = PAUSE_SECONDS_LEAST
            self._sender.tell(file, status, answer.error_comment or "")

    async def _send_rest(self, association: Association, transfer: _core.StoreTransfer) -> None:
        while True:
            piece = await asyncio.to_thread(transfer.next)
            if piece is None:
                return
            await association.send(piece)

    async def _again(self, file: File, status: int | None, comment: str) -> None:
        """Later, unless it was tried often enough."""
        if file.tries >= TRIES_MAX:
            self._sender.tell(file, status, f"{comment} (tried {file.tries} times)")
            return
        self._waiting.append(file)
        await asyncio.sleep(self._pause)
        self._pause = min(2 * self._pause, PAUSE_SECONDS_MOST)

    def _drop(self) -> None:
        if self._association is not None:
            self._association.cut("given up")
            self._association = None


def _begin(
    association: Association, context: int, message_id: int, file: File
) -> tuple[_core.StoreTransfer, list[bytes]]:
    """Opens a file; a small one comes whole, in one visit to a thread."""
    source = _core.InstanceSource.from_file(str(file.path))
    transfer = association.engine.store(context, message_id, source)
    pieces: list[bytes] = []
    while (piece := transfer.next()) is not None:
        pieces.append(piece)
        if file.length > SMALL_LENGTH_MAX:
            break
    return transfer, pieces


def _first(group: BaseExceptionGroup[GatewayError]) -> GatewayError:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, GatewayError)
    return error


def _groups(files: Sequence[File]) -> Iterator[list[File]]:
    """Files by what one association can propose, in the order given."""
    kinds: dict[Kind, int] = {}
    for file in files:
        kinds.setdefault((file.sop_class, file.transfer_syntax), len(kinds))
    groups: dict[int, list[File]] = {}
    for file in files:
        groups.setdefault(kinds[file.sop_class, file.transfer_syntax] // CONTEXTS_MAX, []).append(file)
    yield from (groups[number] for number in sorted(groups))


def _contexts(files: Iterable[File]) -> list[ProposedContext]:
    """One context for each SOP class and transfer syntax, so that nothing need be transcoded."""
    kinds = dict.fromkeys((file.sop_class, file.transfer_syntax) for file in files)
    return [(2 * number + 1, sop_class, (syntax,)) for number, (sop_class, syntax) in enumerate(kinds)]
