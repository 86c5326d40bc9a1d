"""The exception tree: the class answers whose fault it is, and whether the same may be tried again.

Messages name identifiers that matter, never patient data. Foreign exceptions are translated in the
room that imports the library; what is raised on purpose anywhere in this program is a `GatewayError`.
"""

from enum import Enum
from typing import ClassVar


class Fault(Enum):
    """Whose fault an error is; each protocol's table of answers begins with this."""

    LOCAL = "local"
    """Ours: a wrong call, a wrong setting, a defect."""
    REMOTE = "remote"
    """The peer's: what it sent or asked for is refused."""
    RESOURCE = "resource"
    """Nobody's: something that we need is full, away, slow or broken."""


class GatewayError(Exception):
    """Root of everything that this program raises on purpose."""

    fault: ClassVar[Fault] = Fault.LOCAL
    may_retry: ClassVar[bool] = False
    """Whether the same thing, asked again later without any change, may succeed."""


# --- ours ---------------------------------------------------------------------------------------


class LocalError(GatewayError):
    """Our own call was wrong; a defect, not to be retried."""


class SettingsError(LocalError):
    """The configuration is wrong; a person must change it. `findings` has one sentence each."""

    def __init__(self, findings: tuple[str, ...]) -> None:
        super().__init__("; ".join(findings))
        self.findings = findings


class ProfileError(SettingsError):
    """A profile is wrong or does not exist; each finding begins with the file and the place in it."""


class UnreadableFileError(LocalError):
    """A file that we were asked to send is not DICOM Part 10, or cannot be read."""


class ObjectKeyError(LocalError):
    """No key of the object store looks like that."""


class ObjectLengthError(LocalError):
    """The pieces of an object are not as long as was said; nothing was put."""


class NotDiscardableError(LocalError):
    """Only what never got 0000H may be discarded."""


# --- the peer's ---------------------------------------------------------------------------------


class RemoteError(GatewayError):
    """The peer's fault; what was asked is refused."""

    fault = Fault.REMOTE


class MalformedInformationError(RemoteError):
    """Storage commitment information that is none; `code` is its entry in the catalogue of refusals."""

    def __init__(self, code: str, offending: int | None, byte: int | None) -> None:
        super().__init__(code)
        self.code, self.offending, self.byte = code, offending, byte


class AssociationRejectedError(RemoteError):
    """The peer rejected our association for good (PS3.8 9.3.4)."""


class AssociationAbortedError(RemoteError):
    """The peer aborted the association, or broke the protocol (PS3.8 9.3.8)."""

    may_retry = True


# --- nobody's -----------------------------------------------------------------------------------


class ResourceError(GatewayError):
    """Something that we need is full or broken; a person may have to look at it."""

    fault = Fault.RESOURCE


class UnavailableError(ResourceError):
    """Something we need cannot be reached now; the same may be tried again."""

    may_retry = True


# The journal.


class JournalError(ResourceError):
    """The journal cannot do what was asked; its message says why."""

    instance: tuple[int, int] | None = None
    """(epoch, position) of the instance that is why, where a volume was to be assembled."""


class JournalFullError(JournalError):
    """No room for a new instance now; room comes back as instances leave the journal."""

    may_retry = True


class JournalRotError(JournalError):
    """A record that was known durable is bad: the node must not start."""


class JournalReadOnlyError(JournalError):
    """A write failed, so the journal takes nothing more; what it holds can still be read."""


class InstanceAbsentError(JournalError):
    """The instance's bytes are not in this journal (any more)."""


class DamagedInstanceError(JournalError):
    """Kept bytes no longer match their digest; they are never given out."""


DAMAGE = (DamagedInstanceError, JournalRotError, InstanceAbsentError)
"""What says of an acknowledged instance that its bytes are gone, or no longer what was received."""


# The object store.


class StoreError(ResourceError):
    """The object store cannot do what was asked; its message says why."""


class ObjectAbsentError(StoreError):
    """The store has no object under that key."""


class ObjectDoubtfulError(StoreError):
    """Whether the object survives a power cut is not known, and will not be: choose another key."""


class StoreUnavailableError(StoreError, UnavailableError):
    """The store could not be reached, or failed; what was asked did not happen, and may be asked again."""


class StoreFullError(StoreError, UnavailableError):
    """No room, or no more of what is allowed; what was asked did not happen, and may be asked again."""


# Volumes.


class VolumeMismatchError(ResourceError):
    """A volume's bytes are not what was written, or what it says of itself; the message says what differs."""


VOLUME_DAMAGE = (VolumeMismatchError, ObjectAbsentError)
"""What says of a volume that it is gone, or no longer what was written."""


# The catalogue.


class CatalogueError(ResourceError):
    """The catalogue refused; trying the same again gives the same."""


class CatalogueUnavailableError(UnavailableError):
    """The catalogue could not be asked, or not in time; nothing is known of the outcome."""


class CatalogueSchemaError(CatalogueError):
    """The database's schema does not fit this program, or the role that connects to it."""


class FlushOrderError(CatalogueError):
    """A flush does not follow what the catalogue has of that node and epoch."""


class NotFoundError(CatalogueError):
    """Not there, or not yours: deliberately the same."""

    fault = Fault.REMOTE


class PlanError(CatalogueError):
    """A volume cannot be planned from these batches; look again what is open, and plan anew."""


class VolumeStateError(CatalogueError):
    """A volume is not in the state in which this may be done to it."""


class CommitmentStateError(CatalogueError):
    """What a commitment would rest on is not so any more; look again."""


class DamagedFactError(CatalogueError):
    """The store has something else under a fact's key."""


class RebuildError(CatalogueError):
    """A catalogue may not be rebuilt like that; the message says why."""


class ResolutionError(CatalogueError):
    """An incident may not be resolved like that."""

    fault = Fault.REMOTE


class GrantError(CatalogueError):
    """A grant may not be made as asked; the message says what to say instead."""

    fault = Fault.REMOTE


class GrantOverlapError(GrantError):
    """A caller would have two vaults under one called AE title at the same time."""


class EmbeddedServerError(UnavailableError):
    """The embedded PostgreSQL could not be started or stopped."""
