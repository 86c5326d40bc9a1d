//! Endings: associations that the gateway ends although no PDU is wrong.

use super::Answer::{Abort, Close};
use super::entries;

const AGAIN: &str =
    "Associate again. What was not answered is to be sent again; what was answered is kept.";
const SLOW: &str = "See to the network and the peer between here and there; then send again what was not answered.";
const VENDOR: &str =
    "A defect of the peer's software: give its vendor this code and the log around it.";

entries! { Ending:
    ARTIM "artim-expired" Sender Missing Close, None;
        "no A-ASSOCIATE-RQ in time"
        "Whoever connects asks for an association within ARTIM (`dicom.artim_seconds`)." "PS3.8 9.1.4, AA-2"
        "See what is at that address: a monitoring probe, or a peer that hangs.", "Connect and say nothing.";
    SOCKETS "sockets-without-association" Nobody TooLong Close, None;
        "too many sockets without an association"
        "At most 512 sockets wait for an A-ASSOCIATE-RQ, 64 from one address." ""
        "See what opens so many connections at that address.", "Open 65 connections and say nothing.";
    IDLE "idle" Sender None Abort(2, 0), None;
        "idle for too long"
        "An association on which nothing happens ends after `dicom.idle_seconds`." ""
        "Release associations that are not needed; the operator can allow one caller more (`kuva ae add --idle-seconds`).",
        "Associate and send nothing.";
    NO_PROGRESS "no-progress" Sender None Abort(2, 0), None;
        "a message makes no progress"
        "A message that has begun arrives with some speed (`dicom.progress_floor_bytes_per_second`), and whole within ten minutes and a second for each 32 KiB." ""
        SLOW, "Send half a C-STORE and stop.";
    NOTHING_TAKEN "peer-takes-nothing" Sender None Close, None;
        "the peer takes nothing"
        "A peer reads what it is sent within `dicom.progress_window_seconds`." ""
        SLOW, "Send a C-GET-RQ and never read.";
    SHUTTING_DOWN "shutting-down" Nobody None Abort(2, 0), None;
        "the gateway is shutting down"
        "When the gateway stops, associations that are not done within the drain end." ""
        AGAIN, "Stop the gateway while an association is open.";
    RELEASE_EARLY "release-in-operation" Sender Misplaced Abort(2, 2), None;
        "release asked for in the middle of an operation"
        "A requestor asks for release when its operations have ended." "PS3.7 7.4, PS3.8 7.2"
        VENDOR, "Send an A-RELEASE-RQ in the middle of a C-GET.";
    RESPONSE_UNASKED "response-to-nothing" Sender Misplaced Abort(2, 5), None;
        "a response to nothing we asked"
        "A response belongs to a request." "PS3.7 8.1"
        VENDOR, "Send a C-STORE-RSP unasked.";
    REQUESTS_BEYOND "requests-beyond-window" Sender TooLong Abort(2, 2), None;
        "more requests than negotiated"
        "A requestor has no more operations outstanding than were negotiated." "PS3.7 D.3.3.3"
        VENDOR, "Send 20 C-ECHO-RQs in the middle of a C-GET.";
    SUB_OPERATION_UNANSWERED "sub-operation-unanswered" Sender Missing Abort(2, 0), None;
        "no answer to a sub-operation"
        "A sub-operation of a C-GET is answered within 120 seconds." "PS3.4 C.4.3.3"
        "See to the system that fetches: it takes instances and does not answer.",
        "Send a C-GET-RQ and answer no C-STORE-RQ.";
    DAMAGED "instance-damaged" Operator None Abort(2, 0), None;
        "an instance turned out damaged while it was being sent"
        "Bytes that do not match their digest never leave; part of the message was out already." ""
        "The operator sees to the disk; the log names the instance.",
        "Change a byte at the end of a large instance in the journal, and fetch it.";
    FAILED "gateway-failed" Operator None Abort(2, 0), None;
        "something here failed"
        "The association met an error of the archive, which the log has." ""
        "The operator looks into the log for the reason.", "Let the catalogue refuse a query.";
    DEFECT "defect" Operator None Abort(2, 0), None;
        "a defect"
        "The association met a defect of the archive, which the log has; others go on." ""
        "The operator reports it to the makers of the archive, with the log.", "Let a service raise what it should not.";
}
