//! Refusals of a command set that can be answered and cannot be done.

use super::Answer::Status;
use super::entries;

const VENDOR: &str =
    "A defect of the sending software: give its vendor this code and the Offending Element.";

entries! { Command:
    ELEMENT_MISSING "command-element-missing" Sender Missing Status(0x0120), None;
        "missing or empty in the command"
        "A command has all elements that its service demands."
        "PS3.7 9.3, C.5.22"
        VENDOR,
        "Send a C-STORE-RQ without Affected SOP Instance UID.";
    ELEMENT_MISTYPED "command-element-mistyped" Sender Malformed Status(0x0212), None;
        "of the wrong type in the command"
        "Elements of a command have the VR and number of values of the standard's table."
        "PS3.7 9.3, C.5.15, E.1"
        VENDOR,
        "Send a C-STORE-RQ whose Priority has four bytes.";
    ELEMENT_VALUE "command-element-value" Sender Unknown Status(0x0115), None;
        "no lawful value in the command"
        "Priority is 0, 1 or 2; Command Data Set Type says whether this service has a data set."
        "PS3.7 9.3, C.5.2, E.1"
        VENDOR,
        "Send a C-STORE-RQ whose Priority is 9.";
    OPERATION_UNRECOGNISED "operation-unrecognised" Sender Unknown Status(0x0211), Some(0x0000_0100);
        "this operation is not served here"
        "Served are C-ECHO, C-STORE, C-GET, and N-ACTION of storage commitment."
        "PS3.7 C.5.21"
        "Use another service; the conformance statement lists what there is.",
        "Send a C-FIND-RQ on a context of Verification.";
}
