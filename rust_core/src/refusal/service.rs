//! Refusals of C-GET: of the whole request, and of single sub-operations.

use super::Answer::{Counted, Status};
use super::entries;

const LEVEL: Option<u32> = Some(0x0008_0052);
const ASK_AGAIN: &str =
    "Correct the identifier of the request; the same again gives the same answer.";
const FETCH_LATER: &str = "Fetch it again later; if it goes on for more than a few minutes, call the operator of the archive.";

entries! { Service:
    IDENTIFIER_UNREADABLE "identifier-unreadable" Sender Malformed Status(0xA900), None;
        "identifier cannot be read"
        "The identifier is a data set in the transfer syntax of its presentation context."
        "PS3.4 C.4.3.1.3"
        ASK_AGAIN,
        "Send a C-GET-RQ whose identifier is three bytes of nothing.";
    IDENTIFIER_ORDER "identifier-order" Sender Misplaced Status(0xA900), None;
        "not in tag order, or twice"
        "Elements of an identifier come in ascending order of tags, each once."
        "PS3.5 7.1"
        ASK_AGAIN,
        "Send a C-GET-RQ with the Query/Retrieve Level behind the Study Instance UID.";
    IDENTIFIER_LENGTH "identifier-length" Sender Malformed Status(0xA900), None;
        "length does not fit the identifier"
        "Lengths in an identifier are even and meet its end exactly; nothing is nested."
        "PS3.5 7.1.1"
        ASK_AGAIN,
        "Send a C-GET-RQ whose last element claims more bytes than there are.";
    IDENTIFIER_GROUP "identifier-group" Sender Misplaced Status(0xA900), None;
        "not an element of an identifier"
        "An identifier has elements of groups 0008 to FFFD; nothing is nested."
        "PS3.4 C.4.3.1.3"
        ASK_AGAIN,
        "Send a C-GET-RQ with Transfer Syntax UID (0002,0010) in its identifier.";
    IDENTIFIER_VR "identifier-vr" Sender Unknown Status(0xA900), None;
        "unknown VR"
        "Elements of an identifier in explicit VR have one of the standard's VRs."
        "PS3.5 6.2"
        ASK_AGAIN,
        "Send implicit VR on a context of Explicit VR Little Endian.";
    IDENTIFIER_LEVEL "identifier-level" Sender Unknown Status(0xA900), LEVEL;
        "not STUDY, SERIES or IMAGE"
        "The Study Root knows the levels STUDY, SERIES and IMAGE."
        "PS3.4 C.6.2.1"
        ASK_AGAIN,
        "Send a C-GET-RQ with the Query/Retrieve Level PATIENT.";
    IDENTIFIER_KEY_MISSING "identifier-key-missing" Sender Missing Status(0xA900), None;
        "unique key is missing"
        "The unique keys of the level and of all levels above it are given."
        "PS3.4 C.4.3.1.3.1"
        ASK_AGAIN,
        "Send a C-GET-RQ of level SERIES without Study Instance UID.";
    IDENTIFIER_LIST "identifier-list" Sender TooLong Status(0xA900), None;
        "list of UIDs above the level asked for"
        "Above the level there is one unique key each; a list is lawful at the level only."
        "PS3.4 C.4.3.1.3.1"
        ASK_AGAIN,
        "Send a C-GET-RQ of level SERIES with two Study Instance UIDs.";
    IDENTIFIER_TOO_MANY "identifier-too-many" Sender TooLong Status(0xA900), None;
        "more than 10,000 UIDs"
        "One request names at most 10,000 UIDs."
        ""
        "Ask in several requests.",
        "Send a C-GET-RQ of level STUDY with 10,001 UIDs.";
    IDENTIFIER_UID "identifier-uid" Sender Malformed Status(0xA900), None;
        "not a valid UID"
        "A UID has 1 to 64 characters, digits and dots."
        "PS3.5 9.1"
        ASK_AGAIN,
        "Send a C-GET-RQ with the Study Instance UID `1.2.x`.";
    RETRIEVE_UNREACHABLE "retrieve-catalogue-unreachable" Nobody None Status(0xA701), None;
        "catalogue cannot be asked now"
        "Only the catalogue knows what matches."
        "PS3.4 C.4.3.1.4"
        FETCH_LATER,
        "Stop PostgreSQL and send a C-GET-RQ.";
    RETRIEVE_NONE "retrieve-none-sent" Sender None Status(0xA702), None;
        "no sub-operation could be performed"
        "Every sub-operation failed; the comment says of how many, and the most frequent reason."
        "PS3.4 C.4.3.1.4"
        "See the code of the reason in the comment; the log has all of them with their counts.",
        "Fetch a study without proposing the SCP role for its SOP class.";
    RETRIEVE_SOME "retrieve-some-failed" Sender None Status(0xB000), None;
        "some sub-operations failed"
        "Some sub-operations failed; Failed SOP Instance UID List names up to 1,000 of them."
        "PS3.4 C.4.3.1.4"
        "See the code of the reason in the comment; fetch what the list names again.",
        "Fetch a study of two SOP classes while taking only one of them.";
    SUB_OPERATION_ELSEWHERE "sub-operation-elsewhere" Operator Misplaced Counted, None;
        "instance is on another node"
        "An instance that is in no volume yet is fetched from the node in whose journal it lies."
        "PS3.4 C.4.3.1.4"
        "Fetch it from the node that received it.",
        "Fetch from one node what another received.";
    SUB_OPERATION_CONTEXT "sub-operation-no-context" Sender Missing Counted, None;
        "no context to send it on"
        "An instance goes out on a context with its SOP class and transfer syntax for which the requestor took the SCP role."
        "PS3.4 C.5.3.1, PS3.7 D.3.3.4"
        "Propose the SOP class in the transfer syntax in which it was stored, with role selection SCP.",
        "Fetch an instance without role selection.";
    SUB_OPERATION_UNREADABLE "sub-operation-unreadable" Operator None Counted, None;
        "instance cannot be read"
        "Bytes leave only after their digest was checked."
        "PS3.4 C.4.3.1.4"
        "The operator looks into the log for the reason and sees to the disk.",
        "Change a byte of the journal and fetch the instance in it.";
    SUB_OPERATION_REFUSED "sub-operation-refused" Sender None Counted, None;
        "your C-STORE SCP answered a failure"
        "A sub-operation counts as failed if it is answered by a failure status."
        "PS3.4 C.4.3.1.3.1"
        "See the log of the system that fetches.",
        "Answer a sub-operation with A700H.";
}
