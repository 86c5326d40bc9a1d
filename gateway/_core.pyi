"""The typed door to the Rust core; the core's documentation lives here.

What crosses: UIDs and AE titles as `str`, vaults and nodes as the 16 bytes of their UUID, times as
microseconds since 1970-01-01T00:00:00Z (UTC), tags as `(group << 16) | element`. Bytes of instances
never cross, except as ready PDUs on their way out. Blocking calls say so: call them in a thread.
Errors are classes of `gateway.errors`.
"""

from collections.abc import Callable, Sequence
from typing import final

from typing_extensions import Buffer  # noqa: UP035 - in collections.abc from Python 3.12 on

__all__ = [
    "IMPLEMENTATION_CLASS_UID",
    "IMPLEMENTATION_VERSION_NAME",
    "Aborted",
    "Admission",
    "AnsweredContext",
    "Assembled",
    "Assembly",
    "AssociateAccepted",
    "AssociateRejected",
    "AssociateRequested",
    "Association",
    "Batch",
    "CommandReceived",
    "CommitmentInformation",
    "Comparison",
    "Damaged",
    "Difference",
    "Failed",
    "Flush",
    "InstanceSource",
    "KnownInstance",
    "Node",
    "Piece",
    "Progress",
    "ProposedContext",
    "ProposedContextSpec",
    "Quarantined",
    "Recovery",
    "RefusalEntry",
    "Refused",
    "ReleaseRequested",
    "Released",
    "Role",
    "Room",
    "StoreTransfer",
    "StudyOpening",
    "Verification",
    "VolumeContents",
    "VolumeScan",
    "Wake",
    "decode_block",
    "keyword_of",
    "locator_hash",
    "refusal_comment",
    "read_commitment",
    "refusals",
    "restrict_block",
    "rule_codes",
    "transfer_syntaxes",
    "__version__",
]

__version__: str
IMPLEMENTATION_CLASS_UID: str
"""Who we are to peers and in the files we write (PS3.7 D.3.3.2)."""
IMPLEMENTATION_VERSION_NAME: str

# --- associations -----------------------------------------------------------------------------

@final
class ProposedContext:
    """A presentation context as proposed (PS3.8 9.3.2.2). `crowded`: over 64 transfer syntaxes; refuse it."""

    context_id: int
    abstract_syntax: str
    transfer_syntaxes: list[str]
    crowded: bool

@final
class AnsweredContext:
    """A presentation context as answered (PS3.8 9.3.3.2); `result` 0 acceptance .. 4."""

    def __new__(cls, context_id: int, result: int, transfer_syntax: str) -> AnsweredContext: ...
    context_id: int
    result: int
    transfer_syntax: str

@final
class Role:
    """SCP/SCU role selection of one SOP class, as proposed or answered (PS3.7 D.3.3.4)."""

    def __new__(cls, sop_class: str, scu: bool, scp: bool) -> Role: ...
    sop_class: str
    scu: bool
    scp: bool

@final
class AssociateRequested:
    """An A-ASSOCIATE-RQ arrived. Titles are trimmed; None where the 16 bytes are not an AE title at all."""

    protocol_version: int
    application_context: str
    called: str | None
    calling: str | None
    contexts: list[ProposedContext]
    roles: list[Role]
    pdu_length_max: int
    operations_window: tuple[int, int] | None
    """(invoked, performed), 0 = unlimited; None if not proposed."""
    extended: list[tuple[str, bytes]]
    """SOP class extended negotiation items: (SOP class, information)."""
    user_identity: tuple[int, bool] | None
    """(type, response requested); the credentials themselves stay in Rust until somebody needs them."""
    implementation_class_uid: str
    implementation_version_name: str

@final
class AssociateAccepted:
    """Our requestor's A-ASSOCIATE-AC."""

    contexts: list[AnsweredContext]
    roles: list[Role]
    pdu_length_max: int
    operations_window: tuple[int, int] | None
    implementation_class_uid: str
    implementation_version_name: str

@final
class AssociateRejected:
    """Our requestor's A-ASSOCIATE-RJ (PS3.8 9.3.4)."""

    result: int
    source: int
    reason: int

@final
class CommandReceived:
    """A DIMSE command for Python to serve, with its whole data set if it has one (never a C-STORE-RQ's).

    `command_field` (0000,0100); fields that the command lacks are None.
    """

    context_id: int
    command_field: int
    message_id: int | None
    message_id_responded_to: int | None
    sop_class: str | None
    sop_instance: str | None
    requested_sop_class: str | None
    requested_sop_instance: str | None
    action_type: int | None
    event_type: int | None
    status: int | None
    error_comment: str | None
    offending_elements: list[int]
    priority: int | None
    data_set: bytes | None
    """At most 1 MiB, of N-ACTION and N-EVENT-REPORT 20 MiB; None where the command announced none.

    Of those two it counts against a budget over all associations for as long as this object lives: what
    does not fit is answered 0213H, and never gets here."""

@final
class ReleaseRequested:
    """The peer asked for release and no operation is outstanding: answer with `release_response`."""

@final
class Released:
    """The peer confirmed our release: close the transport."""

@final
class Aborted:
    """The peer aborted (PS3.8 9.3.8): close the transport."""

    source: int
    reason: int

@final
class Failed:
    """The peer broke the protocol: write `answer` (an A-ABORT, may be empty), then close."""

    code: str
    """Its entry in `refusals`."""
    what: str
    offset: int
    """Bytes received before the offence."""
    answer: bytes

type Event = (
    AssociateRequested
    | AssociateAccepted
    | AssociateRejected
    | CommandReceived
    | ReleaseRequested
    | Released
    | Aborted
    | Failed
)

@final
class Admission:
    """What an accepted association may do: which vault its instances go to, under which rules.

    `rules` are (rule code, "refuse" | "flag") pairs over the preset (`strict` | `migration`).
    """

    def __new__(
        cls,
        *,
        vault: bytes,
        calling: str,
        called: str,
        address: str,
        preset: str,
        rules: Sequence[tuple[str, str]],
    ) -> Admission: ...

@final
class Progress:
    """How an association is doing, for its timers."""

    received: int
    """Bytes received since it began."""
    sent: int
    """Bytes of ready output handed out or sent since it began."""
    outstanding: int
    """C-STOREs received and not yet answered."""
    in_message: bool
    """A PDU or message has begun and not ended: the progress floor applies."""
    message: int
    """Number of the message that began last, on this association."""
    message_received: int
    """Bytes received since its command."""
    paused: bool
    """It holds bytes it may not take yet (no room in the block pool, window full): do not read."""

@final
class Association:
    """One association: the PS3.8 engine, its receive buffer, and the way into the journal.

    It lends its receive buffer through the buffer protocol (writable, 256 KiB at most): give the
    object itself to `BufferedProtocol.get_buffer`.
    """

    @staticmethod
    def acceptor(node: Node, number: int) -> Association:
        """An acceptor in state Sta2; `number` is unique on this node and epoch."""

    @staticmethod
    def keeping_nothing() -> Association:
        """An acceptor without a node, in state Sta2: every C-STORE is refused."""

    @staticmethod
    def requestor(
        *,
        called: str,
        calling: str,
        contexts: Sequence[ProposedContextSpec],
        operations_window: tuple[int, int] | None = None,
        roles: Sequence[Role] | None = None,
    ) -> tuple[Association, bytes]:
        """A requestor and its A-ASSOCIATE-RQ."""

    def __buffer__(self, flags: int, /) -> memoryview: ...
    def buffer_updated(self, nbytes: int) -> list[Event] | None:
        """Take `nbytes` just received. None on the common path; a list, perhaps empty, when there is
        something to hear or reading is to pause. Never blocks."""

    def resume(self) -> list[Event]:
        """Go on after a pause; call when `Wake.resume` names this association."""

    def connect_output(self, fd: int | None) -> None:
        """Let workers answer C-STOREs straight on this plain TCP socket (the descriptor is
        duplicated); with None (TLS) every answer comes through `Node.drain`."""

    def accept(
        self,
        contexts: Sequence[AnsweredContext],
        roles: Sequence[Role],
        operations_window: tuple[int, int] | None,
        extended: Sequence[tuple[str, bytes]],
        user_identity_answered: bool,
        admission: Admission | None,
    ) -> bytes:
        """The A-ASSOCIATE-AC to write. Without `admission` a C-STORE is answered 0124H."""

    def reject(self, result: int, source: int, reason: int) -> bytes: ...
    def abort(self, source: int, reason: int) -> bytes: ...
    def release(self) -> bytes: ...
    def release_response(self) -> bytes: ...
    def closed(self) -> None:
        """The transport is gone: whatever was being received is dropped and leaves nothing behind."""

    def context_for(self, sop_class: str, transfer_syntax: str, scu: bool = True) -> int | None:
        """The accepted context on which we may, as SCU, send such an instance."""

    def contexts(self, sop_class: str) -> list[str]:
        """Transfer syntaxes accepted for a SOP class on which we may act as SCU."""

    def response(
        self,
        context_id: int,
        command_field: int,
        message_id_responded_to: int,
        sop_class: str | None,
        status: int,
        *,
        sop_instance: str | None = None,
        error_comment: str | None = None,
        offending: int | None = None,
        sub_operations: tuple[int | None, int, int, int] | None = None,
        data_set: bytes | None = None,
    ) -> bytes:
        """A response as ready PDUs. `sub_operations` = (remaining or None, completed, failed, warning)."""

    def abstract_syntax(self, context_id: int) -> str | None:
        """Of an accepted context."""

    def roles(self, context_id: int) -> tuple[bool, bool] | None:
        """Which roles are ours on an accepted context: (SCU, SCP)."""

    def n_event_report(
        self,
        context_id: int,
        message_id: int,
        *,
        sop_class: str,
        sop_instance: str,
        event_type: int,
        data_set: bytes,
    ) -> bytes:
        """An N-EVENT-REPORT-RQ with its event information as ready PDUs (PS3.7 10.3.1)."""

    def n_action(
        self,
        context_id: int,
        message_id: int,
        *,
        sop_class: str,
        sop_instance: str,
        action_type: int,
        data_set: bytes,
    ) -> bytes:
        """An N-ACTION-RQ with its action information as ready PDUs (PS3.7 10.3.5)."""

    def echo_request(self, context_id: int, message_id: int) -> bytes: ...
    def store(
        self,
        context_id: int,
        message_id: int,
        source: InstanceSource,
        *,
        move_originator: tuple[str, int] | None = None,
    ) -> StoreTransfer: ...
    def progress(self) -> Progress: ...

@final
class ProposedContextSpec:
    """A presentation context for our requestor to propose."""

    def __new__(
        cls, context_id: int, abstract_syntax: str, transfer_syntaxes: Sequence[str]
    ) -> ProposedContextSpec: ...

@final
class InstanceSource:
    """An instance's data set, to be sent: from the journal, from a volume or from a Part 10 file."""

    sop_class: str
    sop_instance: str
    transfer_syntax: str
    length: int
    """Bytes of the data set."""

    @staticmethod
    def from_file(path: str) -> InstanceSource:
        """Blocking. Reads the file meta information (strictly, bounded); UnreadableFileError if it isn't Part 10."""

    @staticmethod
    def from_volume(
        *,
        sop_class: str,
        sop_instance: str,
        transfer_syntax: str,
        offset: int,
        length: int,
        digest: bytes,
        ranges_offset: int | None,
        read: Callable[[int, int], bytes],
    ) -> InstanceSource:
        """As the volume's index block says: `digest` is 16 bytes. `read(offset, length)` is called without the
        event loop, in the thread that sends; what it raises comes out of `StoreTransfer.next` as it is. Up to
        1 MiB is read whole; more is read by ranges of 1 MiB whose chaining values are proven first. Nothing
        leaves unchecked."""

@final
class StoreTransfer:
    """One C-STORE-RQ on its way out."""

    def next(self) -> bytes | None:
        """Blocking. The next ready PDUs (about 1 MiB), None at the end. Bytes whose digest or CRC
        does not hold are never given out: raises `DamagedInstanceError`, of a volume `VolumeMismatchError`."""

# --- volumes ----------------------------------------------------------------------------------

@final
class Assembly:
    """A volume on its way from the journal to a store (docs/design/volume-format.md): a pure function of its
    plan and of what the journal keeps, so that the same plan gives the same bytes after any restart.

    Errors name the instance that is why, also as their `instance`: `DamagedInstanceError`, `JournalRotError`,
    `InstanceAbsentError`.
    """

    length: int
    """Bytes of the whole TAR file."""

    def next(self) -> Piece | None:
        """Blocking. The next piece (4 MiB, the last shorter), None at the end. Reading and hashing run ahead."""

    def finish(self) -> Assembled:
        """After the last piece; LocalError before."""

@final
class Piece:
    """Bytes of a volume, read-only, at an address that is a multiple of 4,096: to be written as they are. Their memory is
    used again once nobody holds them."""

    def __buffer__(self, flags: int, /) -> memoryview: ...
    def __len__(self) -> int: ...

@final
class Assembled:
    """A volume whose bytes were all given out."""

    digest: bytes
    """The volume's digest (docs/design/volume-format.md), 32 bytes."""
    length: int
    block: bytes
    """The index block, version 2."""
    instances: int
    data_length: int
    """Bytes of data sets together."""
    received_from: int
    received_to: int

    def verification(self) -> Verification:
        """For the bytes as the store gives them back."""

@final
class Verification:
    """A volume read back: TAR headers, tag files, SHA-256 of every file, BLAKE3 of every data set against its closing
    record, its digest against that of what was given out. `VolumeMismatchError` says what differs."""

    def feed(self, buffer: Buffer) -> None:
        """Blocking, without the interpreter: nobody may write to the buffer meanwhile. The next bytes, however cut."""

    def finish(self) -> None:
        """All bytes were fed. Only if this returns are they the volume."""

@final
class VolumeScan:
    """A volume read by itself alone (check, rebuild): everything that it says is held against its bytes. Whatever
    the bytes, they give contents or `VolumeMismatchError`, in memory bounded by what was read."""

    def __new__(cls, locator_key: bytes) -> VolumeScan: ...
    def feed(self, buffer: Buffer) -> None:
        """Blocking, without the interpreter: nobody may write to the buffer meanwhile. The next bytes, however cut."""

    def finish(self) -> VolumeContents: ...

@final
class VolumeContents:
    """What a volume holds. That it is *the* volume of its id, only its digest in the catalogue can say."""

    volume: str
    vault: bytes
    study: str
    planned_at: int
    quarantined: bool
    supersedes: list[str]
    digest: bytes
    """The volume's digest (docs/design/volume-format.md), 32 bytes."""
    length: int
    block: bytes
    """The index block, as it was made at assembly."""
    instances: int
    data_length: int
    received_from: int
    received_to: int
    locator_hashes: list[int]
    """Of its instances, in their order; empty if they are quarantined."""
    captured: list[tuple[int, bytes, bytes]]
    """(tag, VR, value as received) of the instance received first, for the study row."""

# --- the node ---------------------------------------------------------------------------------

@final
class Damaged:
    """A whole closing record that points at bytes which are gone or not what was written: an incident."""

    epoch: int
    position: int
    why: str
    vault: bytes
    """Empty, like the UIDs, if not even the closing record can be read."""
    study: str
    sop_instance: str

@final
class Recovery:
    """What was found in the journal at start."""

    instances: int
    quarantined: int
    damaged: list[Damaged]
    epochs: list[int]
    """Epochs of which the journal holds anything, oldest first."""
    vaults: list[bytes]
    """Vaults of which it holds anything."""
    received_oldest: int | None
    """When the oldest of it was received, microseconds; None if it holds nothing."""
    unwritten_bytes: int
    """Behind the last durable record: never written, or torn by a power cut; nobody was told of it."""
    segments: int
    epoch_highest: int
    seconds: float

@final
class Room:
    """The journal's room, bytes."""

    capacity: int
    live: int
    dead: int
    fill: float
    """0..1; new instances are answered A700H from 0.9."""
    writable: bool
    why: str | None
    """Why it takes no new instance now."""
    write_mode: str
    """How the journal is written, as probed at start, with the reason."""
    drain: float
    """Room that comes back, bytes a second, smoothed over ten seconds."""
    slowed: int
    """Associations whose reading is held back now, because the journal fills."""

@final
class StudyOpening:
    """A study's first instance is on its way: tell `study_opened` what the catalogue knows."""

    vault: bytes
    study: str

@final
class Refused:
    """An instance or a request that was refused, for the log: never a value of its data set."""

    association: int
    calling: str
    """Empty, like the address, if nobody was admitted."""
    address: str
    sop_instance: str | None
    """As the command says it; None if it is no C-STORE that can be read."""
    code: str
    """Its entry in `refusals`."""
    status: int
    comment: str
    """Error Comment, as it was sent."""
    offending: int | None
    byte: int | None
    """Byte of the (inflated) data set at which it showed, where that is known."""

@final
class Wake:
    """What `Node.drain` found."""

    opening: list[StudyOpening]
    resume: list[int]
    """Numbers of associations that may go on."""
    output: list[tuple[int, bytes]]
    """(association number, bytes to write), in order."""
    landing: bool
    """Something for `take_flush`: an instance that closed when none was waiting. Those that follow
    before it is taken are taken with it, and wake nobody."""
    refused: list[Refused]
    """At most 100; the counters have them all."""
    damaged: list[Damaged]
    """What was found damaged while the journal kept house. Nothing rests on these bytes from now on."""
    journal_stopped: str | None

@final
class Batch:
    """Instances of one study, closed since the last flush."""

    vault: bytes
    study: str
    first_position: int
    last_position: int
    instances: int
    length: int
    """Bytes of data sets together."""
    received_first: int
    received_last: int
    block: bytes
    """The index block (docs/design/index-block.md)."""
    sop_instances: list[str]
    locator_hashes: list[int]
    captured: list[tuple[int, bytes, bytes]]
    """(tag, VR, value as received) of the first instance, for the study row."""
    patients: list[tuple[int, str, list[tuple[int, bytes, bytes]]]]
    """(position, SOP Instance UID, captured) of the first instance that names each patient, if any does."""
    series: list[tuple[int, str, str, bytes]]
    """(position, SOP Instance UID, Series Instance UID, its keyed 128-bit hash within the vault) of the first
    instance of each series."""
    flags: int

@final
class Quarantined:
    """An instance held apart."""

    vault: bytes
    study: str
    series: str
    sop_instance: str
    sop_class: str
    transfer_syntax: str
    length: int
    position: int
    received_at: int
    calling: str
    called: str
    address: str
    association: int
    digest: bytes
    """BLAKE3 of the data set, whole."""
    conflicts_with: tuple[int, int] | None
    """(epoch, position) of the kept instance, if it lies in this node's journal."""

@final
class Flush:
    """Everything closed up to a position of this node's epoch, to be landed in one transaction."""

    epoch: int
    through: int
    batches: list[Batch]
    quarantined: list[Quarantined]

@final
class KnownInstance:
    """One instance as an index block tells it."""

    series: str
    sop_instance: str
    sop_class: str
    transfer_syntax: str
    digest: bytes
    """First 16 bytes of BLAKE3 of the data set."""
    length: int
    node: bytes
    epoch: int
    position: int
    received_at: int
    flags: int
    modality: str
    series_number: int | None
    series_description: bytes
    """As received; empty if the series has none. `series_character_set` says how to read it."""
    series_character_set: bytes
    instance_number: int | None
    path: str | None
    """Of its file in the volume, `data/0001/000001.dcm`; None if the block is of a batch."""
    offset: int | None
    """Where its data set begins in the volume; None if the block is of a batch."""
    ranges_offset: int | None
    """Where its chaining values begin in the volume; None if it has at most 1 MiB, or is in none."""

@final
class Difference:
    """One element in which two data sets differ. `path` like `(0008,1140)[2].(0008,1155)`."""

    path: str
    kind: str
    """`added`, `removed` or `changed`, seen from the kept instance."""
    kept: str
    newcomer: str

@final
class Comparison:
    """How a quarantined newcomer differs from the kept instance that it conflicts with."""

    differences: list[Difference]
    equivalent: bool
    """Element by element the same, in another uncompressed transfer syntax."""
    complete: bool
    """False if there are more differences than asked for."""

@final
class Node:
    """A node's intake: journal, duplicates table, digest workers, one wake-up descriptor.

    C-STORE 0000H MUST mean: validated whole, hashed, every data block and the closing record durable
    in this node's journal. It survives loss of the process and of power, not of the node's disk.
    """

    def __new__(
        cls,
        folder: str,
        *,
        node: bytes,
        epoch: int,
        capacity: int,
        segment: int,
        block_pool: int,
        locator_key: bytes,
        workers: int = 0,
        overwrite_after: int | None = None,
    ) -> Node:
        """Blocking: recovers the journal in `folder`. `workers` 0 = one a core; `overwrite_after`: seconds for
        which a segment is free before it is overwritten, None = a day. JournalRotError if a
        record that was known durable is bad: the node must not start."""

    recovery: Recovery
    wake_fd: int
    """Readable whenever `drain` has something."""

    def drain(self) -> Wake: ...
    def study_opened(
        self,
        vault: bytes,
        study: str,
        blocks: Sequence[tuple[bytes, int, bytes]],
        equivalents: Sequence[tuple[str, bytes, str, str]],
        disputed: Sequence[str],
        preferred: Sequence[tuple[bytes, int, int]],
        damaged: Sequence[tuple[bytes, int, int]],
        *,
        volumes: Sequence[bytes] = (),
    ) -> None:
        """`blocks`: (node, epoch, index block) of batches; `equivalents`: (SOP instance, digest, transfer syntax, SOP class);
        `volumes`: index blocks of verified, undamaged volumes with kept instances; `preferred`: (node, epoch, position) of what a person chose among disputed contents; `damaged`: of what
        was found damaged or gone."""

    def assemble(
        self,
        *,
        volume: str,
        vault: bytes,
        study: str,
        planned_at: int,
        instances: Sequence[tuple[int, int]],
        quarantined: bool = False,
        supersedes: Sequence[str] = (),
    ) -> Assembly:
        """Blocking: reads the closing records. `volume` is a ULID; `instances`: (epoch, position) in any order, all of
        that vault and study, all kept or all quarantined. LocalError if no volume can be made of it; else as
        `Assembly`."""

    def study_changed(self, vault: bytes, study: str) -> None:
        """What was told of it is true no longer: asked for again at its next instance."""

    def study_failed(self, vault: bytes, study: str) -> None:
        """The catalogue could not be asked: whoever waits is answered A700H."""

    def recovered_after(self, epoch: int, position: int) -> None:
        """Queue the recovered instances of an earlier epoch, after `position`, for `take_flush`."""

    def take_flush(self, instances_max: int = 20_000) -> Flush | None:
        """Everything closed and not yet landed, oldest epoch first. The same flush again, neither more
        nor less, until `landed` has confirmed it. Call in a thread when large."""

    def landed(self, epoch: int, through: int) -> None: ...
    def newest_closed(self) -> tuple[int, int] | None:
        """(epoch, position) of what closed last, kept or held apart; it closes before it is answered."""

    def has_landed_through(self, through: tuple[int, int]) -> bool:
        """Whether everything that closed up to there has landed."""

    def evict(self, now: int) -> None:
        """Forget what the catalogue told of studies that are catalogued and ten minutes quiet."""

    def source(self, epoch: int, position: int) -> InstanceSource:
        """The instance's bytes in this journal; InstanceAbsentError if forgotten. Kept or quarantined."""

    def compare(self, kept: tuple[int, int], newcomer: tuple[int, int], limit: int = 100) -> Comparison:
        """Blocking. Element by element, across the uncompressed syntaxes; at most `limit` differences.
        InstanceAbsentError if one is not in this journal."""

    def verify(self, instance: tuple[int, int]) -> None:
        """Blocking. Reads it to its end: InstanceAbsentError if it is not here, JournalRotError if it is not
        what was received."""

    def damaged(self, instance: tuple[int, int]) -> None:
        """Its bytes are not what was received: the same content is kept again when it comes."""

    def rescue_of(self, instance: tuple[int, int]) -> tuple[int, int] | None:
        """Where this journal keeps the same content again; InstanceAbsentError if it never heard of it."""

    def accept_equivalent(self, newcomer: tuple[int, int]) -> None:
        """From now on this quarantined newcomer's content is answered 0000H."""

    def discard(self, instances: Sequence[tuple[int, int]], reason: str) -> None:
        """Blocking, durable when it returns. Only quarantined instances: NotDiscardableError otherwise.
        What is gone already is left out."""

    def forget(self, vault: bytes, study: str, instances: Sequence[tuple[int, int]]) -> None:
        """These instances, (epoch, position) of one study, are in a verified volume: their room in the journal can
        be used again once nobody reads them, and their content counts as verified. Quarantined ones too. What is
        gone already is left out. Not durable: after a restart, say it again. LocalError, and nothing forgotten, if
        any has not landed or is of another study. Call in a thread when there are thousands."""

    def journal_entries(self, limit: int = 100) -> list[tuple[int, int, str, str, str, int, str]]:
        """Newest first: (epoch, position, study, SOP instance, transfer syntax, length, kept|quarantined).
        Where the closing record itself is damaged: empty texts, 0, `damaged`."""

    def room(self) -> Room: ...
    def counters(self) -> dict[str, int]:
        """Monotonic counters of the stages: names as in docs/operating/metrics.md."""

    def refusal_counters(self) -> dict[str, int]:
        """How often the core refused since the start, by every code of `refusals`."""

    def stop(self) -> None:
        """Blocking. No new instances; what is queued becomes durable; threads end."""

# --- storage commitment -----------------------------------------------------------------------

@final
class CommitmentInformation:
    """What an N-ACTION asks, or an N-EVENT-REPORT tells (PS3.4 J.3). Lists come in slices: asking for
    thousands at once holds up every thread."""

    transaction: str | None
    retrieve_title: str | None
    referenced_count: int
    failed_count: int
    def referenced(self, start: int, many: int) -> list[tuple[str, str]]:
        """(SOP class, SOP instance) of the Referenced SOP Sequence."""

    def failed(self, start: int, many: int) -> list[tuple[str, str, int | None]]:
        """(SOP class, SOP instance, failure reason) of the Failed SOP Sequence."""

def read_commitment(data_set: bytes, transfer_syntax: str) -> CommitmentInformation:
    """Blocking. Strict and bounded; `MalformedInformationError` names what is wrong, ValueError a
    transfer syntax that is none."""

# --- refusals ---------------------------------------------------------------------------------

@final
class RefusalEntry:
    """One way in which something is refused, the gateway's own ways included."""

    code: str
    """Stable name."""
    family: str
    """data-set, content, storage, command, service, rejection, protocol or ending."""
    turn: str
    """Whose turn it is: sender, operator or nobody."""
    value_class: str
    """missing, malformed, mismatched, duplicate, too-long, too-short, unknown, misplaced, conflicting, none."""
    answer: tuple[str, int, int, int]
    """("status", status, 0, 0), ("reject", result, source, reason), ("abort", 0, source, reason), ("close", ...)
    or, of a sub-operation, ("counted", ...)."""
    attribute: int | None
    """The attribute, where it is always the same."""
    text: str
    rule: str
    standard: str
    """Part and section; empty if the rule is ours alone."""
    mend: str
    example: str
    """How to provoke it."""

def refusals() -> list[RefusalEntry]:
    """The catalogue of refusals, in the order of its document."""

def refusal_comment(code: str, offending: int | None = None, byte: int | None = None) -> str:
    """The Error Comment of a refusal; KeyError if the catalogue has no such code."""

def keyword_of(tag: int) -> str | None:
    """Keyword of a standard attribute (PS3.6)."""

def decode_block(block: bytes) -> list[KnownInstance]:
    """What an index block says, of a batch or of a volume; ValueError if it is not one."""

def restrict_block(block: bytes, positions: Sequence[int]) -> bytes:
    """The block of a batch with these instances alone; ValueError if it is none, or has not all of them."""

def locator_hash(key: bytes, sop_instance: str) -> int:
    """Signed 64-bit keyed hash of a SOP Instance UID; the same in every vault, so that a copy kept
    elsewhere is found."""

def rule_codes() -> list[tuple[str, int, str, str, str]]:
    """The content rules: (code, flag bit, strict severity, migration severity, sentence)."""

def transfer_syntaxes() -> list[tuple[str, str, bool, bool]]:
    """All the core can scan: (UID, encoding, encapsulated, pixels elsewhere)."""
