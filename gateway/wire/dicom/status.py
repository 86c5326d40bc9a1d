"""DIMSE status codes by name: PS3.7 annex C for all services, PS3.4 for each one's own."""

from enum import Enum, IntEnum


class Status(IntEnum):
    """A status in a DIMSE response (0000,0900)."""

    SUCCESS = 0x0000
    """PS3.7 C.1.1."""
    CANCEL = 0xFE00
    """Ended on C-CANCEL (PS3.7 C.3)."""
    PENDING = 0xFF00
    """More to come (PS3.7 C.2.1)."""
    PENDING_OPTIONAL_KEYS = 0xFF01
    """C-FIND: more to come, optional keys were not matched on (PS3.4 C.4.1.1.4)."""

    # Warnings.
    ATTRIBUTE_LIST_ERROR = 0x0107
    """PS3.7 C.4.2."""
    ATTRIBUTE_VALUE_OUT_OF_RANGE = 0x0116
    """PS3.7 C.4.3."""
    COERCED = 0xB000
    """C-STORE: element coercion (PS3.4 B.2.3). We never coerce, and so never send it for C-STORE."""
    SUB_OPERATIONS_FAILED = 0xB000
    """C-GET, C-MOVE: complete, one or more sub-operations failed or warned (PS3.4 C.4.2.1.5, C.4.3.1.4)."""
    ELEMENTS_DISCARDED = 0xB006
    """C-STORE (PS3.4 B.2.3); we keep every element."""
    MATCHED_LOOSELY = 0xB007
    """C-STORE: data set does not match SOP class (PS3.4 B.2.3)."""

    # Failures of any service, PS3.7 C.5.
    NO_SUCH_ATTRIBUTE = 0x0105
    INVALID_ATTRIBUTE_VALUE = 0x0106
    PROCESSING_FAILURE = 0x0110
    DUPLICATE_SOP_INSTANCE = 0x0111
    NO_SUCH_SOP_INSTANCE = 0x0112
    NO_SUCH_EVENT_TYPE = 0x0113
    NO_SUCH_ARGUMENT = 0x0114
    INVALID_ARGUMENT_VALUE = 0x0115
    INVALID_SOP_INSTANCE = 0x0117
    NO_SUCH_SOP_CLASS = 0x0118
    CLASS_INSTANCE_CONFLICT = 0x0119
    MISSING_ATTRIBUTE = 0x0120
    MISSING_ATTRIBUTE_VALUE = 0x0121
    SOP_CLASS_NOT_SUPPORTED = 0x0122
    NO_SUCH_ACTION_TYPE = 0x0123
    NOT_AUTHORISED = 0x0124
    DUPLICATE_INVOCATION = 0x0210
    UNRECOGNISED_OPERATION = 0x0211
    MISTYPED_ARGUMENT = 0x0212
    RESOURCE_LIMITATION = 0x0213

    # Failures of single services.
    OUT_OF_RESOURCES = 0xA700
    """C-STORE, C-FIND (PS3.4 B.2.3, C.4.1.1.4)."""
    OUT_OF_RESOURCES_MATCHES = 0xA701
    """C-GET, C-MOVE: unable to calculate the number of matches (PS3.4 C.4.3.1.4)."""
    OUT_OF_RESOURCES_SUB_OPERATIONS = 0xA702
    """C-GET, C-MOVE: unable to perform sub-operations (PS3.4 C.4.3.1.4)."""
    MOVE_DESTINATION_UNKNOWN = 0xA801
    """C-MOVE (PS3.4 C.4.2.1.5)."""
    DATA_SET_MISMATCH = 0xA900
    """C-STORE: data set does not match SOP class (PS3.4 B.2.3)."""
    IDENTIFIER_MISMATCH = 0xA900
    """C-FIND, C-GET, C-MOVE: identifier does not match SOP class (PS3.4 C.4.1.1.4)."""
    CANNOT_UNDERSTAND = 0xC000
    """C-STORE: cannot understand (PS3.4 B.2.3); the query services: unable to process."""
    CONFLICTING_CONTENT = 0xC0D1
    """C-STORE, ours alone: this SOP Instance UID is kept with other content."""


class Kind(Enum):
    """The five kinds of status (PS3.7 annex C)."""

    SUCCESS = "success"
    WARNING = "warning"
    FAILURE = "failure"
    CANCEL = "cancel"
    PENDING = "pending"


_WARNINGS = frozenset((0x0001, 0x0107, 0x0116))  # PS3.7 C.4, beside Bxxx


def kind_of(status: int) -> Kind:
    """The kind of any status, known by name or not; what belongs to none is a failure.

    ValueError if it does not fit 16 bits.
    """
    if not 0 <= status <= 0xFFFF:
        raise ValueError(f"no status: {status}")
    if status == Status.SUCCESS:
        return Kind.SUCCESS
    if status == Status.CANCEL:
        return Kind.CANCEL
    if status in (Status.PENDING, Status.PENDING_OPTIONAL_KEYS):
        return Kind.PENDING
    return Kind.WARNING if status in _WARNINGS or status >> 12 == 0xB else Kind.FAILURE


def name_of(status: int) -> str:
    """A status for people: `A700H out of resources`, or the number and its kind where we know no name."""
    try:
        words = Status(status).name.lower().replace("_", " ")
    except ValueError:
        words = kind_of(status).value
    return f"{status:04X}H {words}"
