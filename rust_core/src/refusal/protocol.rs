//! Violations of the upper layer protocol and of the order of messages: the association ends.
//!
//! What is wrong with a PDU is answered as service provider with a reason (PS3.8 table 9-26); what
//! is wrong with a message that the upper layer carried rightly, as service user, without one.

use super::Answer::Abort;
use super::{Answer, entries};

const UNRECOGNIZED: Answer = Abort(2, 1);
const UNEXPECTED: Answer = Abort(2, 2);
const INVALID: Answer = Abort(2, 6);
const USER: Answer = Abort(0, 0);

const VENDOR: &str = "A defect of the peer's software, or not DICOM at all: give its vendor this code and the byte from the log.";
const NETWORK: &str = "See what is at that address: another protocol on the wrong port, or a scanner. If it is a DICOM system, ask its vendor.";

entries! { Protocol:
    PDU_TYPE "pdu-type-unknown" Sender Unknown UNRECOGNIZED, None;
        "unrecognized PDU type"
        "A PDU begins with one of seven types, 1 to 7." "PS3.8 9.3.1"
        NETWORK, "Send `GET / HTTP/1.1` to the DICOM port.";
    PDU_UNEXPECTED "pdu-unexpected" Sender Misplaced UNEXPECTED, None;
        "unexpected PDU"
        "Each PDU comes in a state of the association in which the state table has a place for it." "PS3.8 9.2"
        VENDOR, "Send an A-RELEASE-RQ before any A-ASSOCIATE-RQ.";
    PDU_LENGTH "pdu-length" Sender Malformed INVALID, None;
        "PDU length is not possible for its type"
        "A PDU is as long as its type demands, an A-ASSOCIATE at most 1 MiB, a P-DATA-TF at most what was negotiated." "PS3.8 9.3.1, D.1"
        VENDOR, "Send a PDU of type 1 and length FFFFFFFFH.";
    PDU_SHORT "pdu-item-overrun" Sender Malformed INVALID, None;
        "length field claims more than there is"
        "An item is no longer than the PDU or item around it." "PS3.8 9.3.2"
        VENDOR, "Send an A-ASSOCIATE-RQ with an item of length 65535.";
    PDU_TRAILING "pdu-item-trailing" Sender TooLong INVALID, None;
        "bytes behind the last field of an item"
        "An item of fixed form ends with its last field." "PS3.8 D.1"
        VENDOR, "Send an A-ASSOCIATE-RQ with a Maximum Length item of five bytes.";
    PDU_MISSING "pdu-item-missing" Sender Missing INVALID, None;
        "required item is missing"
        "An A-ASSOCIATE has one application context and one user information, a proposed context its syntaxes." "PS3.8 9.3.2"
        VENDOR, "Send an A-ASSOCIATE-RQ without the application context item.";
    PDU_DUPLICATE "pdu-item-duplicate" Sender Duplicate INVALID, None;
        "item is present twice"
        "An item that may be there once is there once." "PS3.8 9.3.2"
        VENDOR, "Send an A-ASSOCIATE-RQ with two application contexts.";
    PDU_ITEM "pdu-item-unexpected" Sender Misplaced INVALID, None;
        "item of another kind than belongs here"
        "In each place of a PDU only certain items may come." "PS3.8 9.3.2"
        VENDOR, "Send an A-ASSOCIATE-RQ with an answered context (item 21H).";
    CONTEXT_EVEN "context-id-even" Sender Malformed INVALID, None;
        "presentation context id is even"
        "Presentation context ids are odd." "PS3.8 9.3.2.2"
        VENDOR, "Propose a presentation context with id 2.";
    CONTEXT_TWICE "context-id-duplicate" Sender Duplicate INVALID, None;
        "presentation context id is used twice"
        "Each presentation context has an id of its own." "PS3.8 9.3.2.2"
        VENDOR, "Propose two presentation contexts with id 1.";
    PDU_UID "pdu-uid" Sender Malformed INVALID, None;
        "not a UID"
        "A UID has 1 to 64 characters, digits and dots." "PS3.8 F.1, PS3.5 9.1"
        VENDOR, "Propose the abstract syntax `1.2.x`.";
    PDU_TEXT "pdu-text" Sender Malformed INVALID, None;
        "text with characters that are not allowed"
        "Names in an A-ASSOCIATE are ASCII without control characters." "PS3.7 D.3.3.2"
        VENDOR, "Send an implementation version name with a line feed.";
    PDU_VALUE "pdu-value" Sender Unknown INVALID, None;
        "value is not defined by the standard"
        "Fields with defined values have one of them." "PS3.8 9.3.2, PS3.7 D.3.3"
        VENDOR, "Answer our A-ASSOCIATE-RQ by the context result 9.";
    ANSWER_MISMATCH "associate-ac-mismatch" Sender Mismatched INVALID, None;
        "answer does not match what was proposed"
        "An A-ASSOCIATE-AC answers each proposed context once, by a syntax that was proposed." "PS3.8 9.3.3"
        VENDOR, "Answer our A-ASSOCIATE-RQ by a context that it has not.";
    PEER_LENGTH "associate-ac-pdu-length-max" Sender TooShort USER, None;
        "peer's maximum PDU length is too small"
        "A maximum length below 64 bytes carries nothing useful; 0 means unlimited." "PS3.8 D.1"
        "Raise the maximum PDU length in the called system's configuration.",
        "Answer our A-ASSOCIATE-RQ with the maximum length 63.";
    PDV_SHORT "pdv-short" Sender TooShort INVALID, None;
        "PDU has too few bytes left for a PDV"
        "A P-DATA-TF holds whole PDVs." "PS3.8 9.3.5"
        VENDOR, "Send a P-DATA-TF with five bytes behind its last PDV.";
    PDV_LENGTH "pdv-length" Sender Malformed INVALID, None;
        "PDV length does not fit its PDU"
        "A PDV ends within its PDU." "PS3.8 9.3.5.1"
        VENDOR, "Send a PDV whose length is FFFFFFFFH.";
    PDV_CONTEXT "pdv-context" Sender Unknown INVALID, None;
        "PDV on a context that was not accepted"
        "Messages go on accepted presentation contexts only." "PS3.8 9.3.5.1, E.1"
        VENDOR, "Send a C-ECHO-RQ on a context that was refused.";
    DATA_SET_UNASKED "data-set-without-command" Sender Misplaced USER, None;
        "data set without a command before it"
        "A message begins with its command set." "PS3.7 6.3.1, PS3.8 E.2"
        VENDOR, "Send a data set fragment first.";
    DATA_SET_EARLY "data-set-before-command-end" Sender Misplaced USER, None;
        "data set before the command's end"
        "The command set ends before its data set begins." "PS3.8 E.2"
        VENDOR, "Send half a command set, then a data set fragment.";
    COMMAND_EARLY "command-during-data-set" Sender Misplaced USER, None;
        "new command while a data set is expected"
        "The data set that a command announced ends before the next command begins." "PS3.7 6.3.1, PS3.8 E.2"
        VENDOR, "Send a C-STORE-RQ, and another one in place of its data set.";
    FRAGMENTS_MIXED "fragments-mixed" Sender Misplaced USER, None;
        "fragments of one message on two presentation contexts"
        "All fragments of a message go on one presentation context." "PS3.8 E.2"
        VENDOR, "Send a command on context 1 and its data set on context 3.";
    FRAGMENTS_TOO_MANY "fragments-too-many" Sender TooLong USER, None;
        "message in too many fragments for its length"
        "Beyond 4,096 fragments those of a message carry 128 bytes on average." ""
        VENDOR, "Send a data set in 10,000 fragments of one byte.";
    COMMAND_TOO_LONG "command-set-too-long" Sender TooLong USER, None;
        "command set is too long"
        "A command set has at most 64 KiB." ""
        VENDOR, "Send command fragments of which none is the last.";
    COMMAND_SHORT "command-set-overrun" Sender Malformed USER, None;
        "command element goes past the end of the command set"
        "Elements of a command set end within it." "PS3.7 6.3.1"
        VENDOR, "Send a command set cut in the middle of its last element.";
    COMMAND_NO_LENGTH "command-group-length-missing" Sender Missing USER, None;
        "command set does not begin with its group length"
        "A command set begins with Command Group Length (0000,0000)." "PS3.7 6.3.1, E.1"
        VENDOR, "Send a command set without its group length.";
    COMMAND_LENGTH "command-group-length" Sender Mismatched USER, None;
        "command group length is wrong"
        "Command Group Length is the number of bytes behind it." "PS3.7 E.1"
        VENDOR, "Send a command set whose group length is one too many.";
    COMMAND_GROUP "command-group" Sender Misplaced USER, None;
        "command set has an element of another group"
        "A command set has elements of group 0000 only." "PS3.7 6.3.1"
        VENDOR, "Put Patient ID into a command set.";
    COMMAND_ORDER "command-order" Sender Misplaced USER, None;
        "command elements are not in ascending order"
        "Elements of a command set come in ascending order." "PS3.7 6.3.1"
        VENDOR, "Send a command set with Message ID before Command Field.";
    COMMAND_TWICE "command-element-duplicate" Sender Duplicate USER, None;
        "command element is present twice"
        "An element comes once in a command set." "PS3.7 6.3.1"
        VENDOR, "Send a command set with two Message IDs.";
    COMMAND_ODD "command-element-odd" Sender Malformed USER, None;
        "command element has an odd length"
        "Values have even length." "PS3.5 7.1.1"
        VENDOR, "Send a command set with a UID of odd length.";
    COMMAND_UNANSWERABLE "command-unanswerable" Sender Missing USER, None;
        "command field, data set type or message id is missing"
        "Without them a message can be neither delimited nor answered." "PS3.7 9.3, E.1"
        VENDOR, "Send a C-ECHO-RQ without Message ID.";
    RESPONSE_MALFORMED "response-malformed" Sender Malformed USER, None;
        "malformed response or cancel request"
        "A response has all its elements, and announces a data set only where its service has one; so has a C-CANCEL-RQ." "PS3.7 9.3"
        VENDOR, "Send a C-STORE-RSP whose Command Data Set Type announces a data set.";
    IDENTIFIER_TOO_LONG "identifier-too-long" Sender TooLong Abort(2, 0), None;
        "identifier longer than 1 MiB"
        "Data sets of services other than C-STORE have at most 1 MiB." ""
        "Ask in several requests.", "Send a C-GET-RQ with an identifier of 2 MiB.";
    BUFFER_OVERRUN "buffer-overrun" Operator None Abort(2, 0), None;
        "more bytes than the buffer lent has"
        "The event loop reads no more than it was lent room for: a defect of the archive." ""
        "The operator reports it to the makers of the archive.",
        "Tell the core of more bytes than there is room for.";
}
