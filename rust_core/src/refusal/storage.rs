//! Refusals of a C-STORE for other reasons than what its data set says.

use super::Answer::Status;
use super::{
    CONFLICTING_CONTENT, DATA_SET_MISMATCH, NOT_AUTHORISED, OUT_OF_RESOURCES, PROCESSING_FAILURE,
    entries,
};

const SOP_INSTANCE_UID: Option<u32> = Some(0x0008_0018);
const LATER: &str = "Send it again later, unchanged; if it goes on for more than a few minutes, call the operator of the archive.";

entries! { Storage:
    JOURNAL_FULL "journal-full" Operator None Status(OUT_OF_RESOURCES), None;
        "archive node is full, send again later"
        "An instance is taken only if it can be written into the journal of the node."
        "PS3.4 B.2.3"
        "The operator makes room (`kuva journal show`); then the same can be sent again.",
        "Send to a node whose journal is filled beyond nine tenths.";
    FILE_DESCRIPTORS "file-descriptors" Operator None Status(OUT_OF_RESOURCES), None;
        "archive node can open no file, send again later"
        "An instance is taken only if the node can open the files that its journal needs."
        "PS3.4 B.2.3"
        "The operator raises the limit of open files (`ulimit -n`, `LimitNOFILE=`), or finds who holds them; the node tries again each second.",
        "Lower the limit of open files of the running node (`prlimit --nofile`), and send until its journal needs another segment.";
    JOURNAL_READ_ONLY "journal-read-only" Operator None Status(OUT_OF_RESOURCES), None;
        "archive node cannot write, send again later"
        "A journal whose disk failed once takes nothing more: a failed write is never retried into success."
        "PS3.4 B.2.3"
        "The operator sees to the disk and starts the node again; then the same can be sent again.",
        "Let a write to the journal's disk fail while an instance is received.";
    JOURNAL_UNRECORDABLE "journal-unrecordable" Operator TooLong Status(OUT_OF_RESOURCES), None;
        "instance cannot be recorded"
        "What the node notes of an instance fits one closing record of the journal."
        "PS3.4 B.2.3"
        "It is a limit of this archive: the operator reports it to its makers, with the SOP Instance UID.",
        "Close an instance whose particulars are longer than a closing record.";
    CATALOGUE_BEHIND "catalogue-behind" Nobody None Status(OUT_OF_RESOURCES), None;
        "catalogue does not follow, send again later"
        "No more than 200,000 instances may wait for the catalogue to learn of them."
        "PS3.4 B.2.3"
        LATER,
        "Stop PostgreSQL and send more than 200,000 instances of open studies.";
    CATALOGUE_UNREACHABLE "catalogue-unreachable" Nobody None Status(OUT_OF_RESOURCES), None;
        "duplicates cannot be checked now, send again later"
        "Before the first instance of a study is taken the catalogue is asked what it has of it: never guess."
        "PS3.4 B.2.3"
        LATER,
        "Stop PostgreSQL and send an instance of a study that is not open.";
    CONFLICTING "conflicting-content" Sender Conflicting Status(CONFLICTING_CONTENT), SOP_INSTANCE_UID;
        "kept already with other content"
        "A SOP Instance UID names one instance for ever: other content needs another UID."
        "PS3.5 9; PS3.4 B.2.3"
        "Give the changed instance a new SOP Instance UID, or correct it by a rejection note. The operator finds what differs in `kuva incident list`. Sending it again changes nothing.",
        "Send an instance, change one bit of its pixels, send it again.";
    DISPUTED "sop-instance-disputed" Operator Conflicting Status(CONFLICTING_CONTENT), SOP_INSTANCE_UID;
        "disputed, operator must resolve it"
        "Two nodes took different content under this UID at the same time; neither is given out as the one."
        "PS3.5 9; PS3.4 B.2.3"
        "The operator resolves the incident (`kuva incident list --kind dispute`).",
        "Send different content under one UID to two nodes at once, then once more to either.";
    TRANSFER_SYNTAX "transfer-syntax-unknown" Operator Unknown Status(DATA_SET_MISMATCH), None;
        "transfer syntax cannot be read"
        "Only transfer syntaxes that the archive can read to the end are accepted."
        "PS3.5 10"
        "The profile in force accepts a transfer syntax that this version cannot read: the operator corrects it.",
        "Accept a presentation context in a transfer syntax that the scan does not know.";
    NOT_AUTHORISED_TO_STORE "not-authorised" Operator Misplaced Status(NOT_AUTHORISED), None;
        "this association may not store"
        "An association stores only where a grant says into which vault, on a context where it is SCU."
        "PS3.7 C.5.17"
        "The operator grants the calling AE title a vault to store into; the sender proposes the SCU role.",
        "Send a C-STORE on a context for which only the SCP role was negotiated.";
    PROCESSING "processing-failure" Operator None Status(PROCESSING_FAILURE), None;
        "archive node failed, send again"
        "What should be there is not: a defect of the archive. Nothing was kept."
        "PS3.7 C.5.16"
        "Send it again. The operator reports the defect to the makers of the archive, with the log around it.",
        "Let a worker of the node fail in the middle of an instance.";
}
