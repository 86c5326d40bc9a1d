//! Rejections: associations that are not accepted (PS3.8 table 9-21).

use super::Answer::Reject;
use super::entries;

entries! { Rejection:
    PROTOCOL_VERSION "protocol-version" Sender Unknown Reject(1, 2, 2), None;
        "protocol version 1 is not among those proposed"
        "There is one version of the upper layer protocol, bit 0; other bits are not tested."
        "PS3.8 9.3.2"
        "A defect of the calling software, or a probe: ask its vendor.",
        "Send an A-ASSOCIATE-RQ with protocol version 2.";
    APPLICATION_CONTEXT "application-context" Sender Unknown Reject(1, 1, 2), None;
        "the application context is not that of DICOM"
        "There is one application context, 1.2.840.10008.3.1.1.1."
        "PS3.7 A.2.1"
        "A defect of the calling software, or a probe: ask its vendor.",
        "Send an A-ASSOCIATE-RQ with the application context 1.2.3.";
    CALLED_TITLE "called-ae-title" Sender Unknown Reject(1, 1, 7), None;
        "the called AE title is not ours"
        "The archive answers to the AE titles of its settings only (`dicom.ae_titles`)."
        "PS3.8 9.3.4"
        "Correct the called AE title in the sender's configuration; letter case counts.",
        "Call the archive by the title NOBODY.";
    CALLING_TITLE "calling-ae-title" Operator Unknown Reject(1, 1, 3), None;
        "the calling AE title has no grant here"
        "Whoever associates needs a grant that is valid now; none, expired and unknown look the same."
        "PS3.8 9.3.4"
        "The operator grants the title a vault (`kuva ae add`), or the sender corrects its own title.",
        "Call from a title that was never granted anything.";
    LENGTH_MAX "pdu-length-max" Sender TooShort Reject(1, 1, 1), None;
        "the peer's maximum PDU length is below 64 bytes"
        "A maximum length below 64 bytes carries nothing useful; 0 means unlimited."
        "PS3.8 D.1"
        "Raise the maximum PDU length in the sender's configuration; 16384 or more is usual.",
        "Send an A-ASSOCIATE-RQ with the maximum length 16.";
    LOCAL_LIMIT "local-limit" Nobody TooLong Reject(2, 3, 2), None;
        "as many associations are open as are allowed"
        "A node has so many associations, and so many of one calling AE title, as its settings say; none while it shuts down."
        "PS3.8 9.3.4"
        "Associate again later. If it happens often, lower the sender's parallel associations, or the operator raises `dicom.associations_per_ae_max`.",
        "Open one association more than the settings allow to one title.";
    CONGESTION "congestion" Nobody None Reject(2, 3, 1), None;
        "the archive is short of something just now; try again later"
        "Grants are read when somebody associates; while the catalogue is away nobody is let in."
        "PS3.8 9.3.4"
        "Associate again later; if it goes on for more than a few minutes, call the operator of the archive.",
        "Stop PostgreSQL and associate.";
}
