//! Refusals of storage commitment, and of other normalised services.

use super::Answer::Status;
use super::entries;

const TRANSACTION: Option<u32> = Some(0x0008_1195);
const LIST: Option<u32> = Some(0x0008_1199);
const ASK_AGAIN: &str =
    "Correct the request; the same again gives the same answer. Nothing of it was kept.";
const VENDOR: &str =
    "A defect of the asking software: give its vendor this code and the Offending Element.";
const LATER: &str = "Ask again later with the same transaction UID and the same list.";

entries! { Service:
    COMMITMENT_CLASS "commitment-class" Sender Unknown Status(0x0118), Some(0x0000_0003);
        "not the SOP class of storage commitment"
        "On a context of the Storage Commitment Push Model the requested SOP class is that one."
        "PS3.7 10.1.4.1.9, PS3.4 J.3.2"
        VENDOR,
        "Send an N-ACTION-RQ that names the Verification SOP class on a context of storage commitment.";
    COMMITMENT_INSTANCE "commitment-instance" Sender Unknown Status(0x0112), Some(0x0000_1001);
        "not the well-known instance"
        "Storage commitment is asked of its well-known instance 1.2.840.10008.1.20.1.1."
        "PS3.4 J.3.5"
        VENDOR,
        "Send an N-ACTION-RQ with Requested SOP Instance UID 1.2.3.";
    COMMITMENT_ACTION "commitment-action-type" Sender Unknown Status(0x0123), Some(0x0000_1008);
        "not the action type 1"
        "The one action is Request Storage Commitment, action type 1."
        "PS3.4 J.3.2.1"
        VENDOR,
        "Send an N-ACTION-RQ with action type 2.";
    COMMITMENT_UNREADABLE "commitment-unreadable" Sender Malformed Status(0x0115), None;
        "request cannot be read as a data set"
        "The action information is a data set in the transfer syntax of its presentation context."
        "PS3.4 J.3.2.1.1, PS3.5 7"
        VENDOR,
        "Send an N-ACTION-RQ whose action information is three bytes of nothing.";
    COMMITMENT_TRANSACTION "commitment-transaction-missing" Sender Missing Status(0x0115), TRANSACTION;
        "transaction UID is missing"
        "A request has one Transaction UID, by which its report is known."
        "PS3.4 J.3.2.1.1"
        ASK_AGAIN,
        "Send an N-ACTION-RQ without Transaction UID.";
    COMMITMENT_UID "commitment-uid" Sender Malformed Status(0x0115), None;
        "not a valid UID"
        "A UID has 1 to 64 characters, digits and dots, and there is one of each."
        "PS3.5 9.1"
        ASK_AGAIN,
        "Send an N-ACTION-RQ with the Transaction UID `1.2.x`.";
    COMMITMENT_EMPTY "commitment-list-empty" Sender Missing Status(0x0115), LIST;
        "names no instance"
        "A request names one instance at least."
        "PS3.4 J.3.2.1.1"
        ASK_AGAIN,
        "Send an N-ACTION-RQ with an empty Referenced SOP Sequence.";
    COMMITMENT_LIST "commitment-list" Sender Malformed Status(0x0115), None;
        "list is not one of references"
        "A list is a sequence, comes once, and each item has one SOP class and one SOP instance UID."
        "PS3.4 J.3.2.1.1, J.3.3.1.1"
        ASK_AGAIN,
        "Send an N-ACTION-RQ with an item that has no Referenced SOP Class UID.";
    COMMITMENT_TOO_MANY "commitment-too-many" Sender TooLong Status(0x0213), LIST;
        "more than 100,000 instances"
        "One request names at most 100,000 instances."
        ""
        "Ask in several requests, each with a transaction UID of its own.",
        "Send an N-ACTION-RQ with 100,001 references.";
    COMMITMENT_TOO_LONG "commitment-too-long" Sender TooLong Status(0x0213), None;
        "information longer than 20 MiB"
        "The information of an N-ACTION or N-EVENT-REPORT has at most 20 MiB."
        ""
        "Ask in several requests, each with a transaction UID of its own.",
        "Send an N-ACTION-RQ with action information of 21 MiB.";
    COMMITMENT_BUDGET "commitment-memory" Nobody None Status(0x0213), None;
        "too many long requests at once"
        "The requests of all associations that are being read hold at most 64 MiB together."
        ""
        LATER,
        "Send action information of 17 MiB on four associations at once, and end none.";
    COMMITMENT_UNKEPT "commitment-not-recorded" Nobody None Status(0x0213), None;
        "request cannot be recorded now"
        "A request is answered 0000H only after it was recorded."
        "PS3.4 J.3.2"
        LATER,
        "Stop PostgreSQL and send an N-ACTION-RQ.";
    EVENT_REPORT_UNASKED "event-report-unasked" Sender Misplaced Status(0x0211), Some(0x0000_0100);
        "nothing was asked for that this would report"
        "This archive asks nobody for storage commitment, so that nobody has a result to report to it."
        "PS3.7 C.5.21, PS3.4 J.3.3"
        "Send event reports to the system that asked for them.",
        "Send an N-EVENT-REPORT-RQ on a context of storage commitment.";
}
