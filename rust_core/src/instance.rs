//! The nouns that every stage shares: vault, node, receive id, content, what a closing record says.

use std::sync::Arc;

/// The opaque, immutable key under which an organisation's material is kept (a UUID's bytes).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct VaultId(pub [u8; 16]);

/// A node of the archive (a UUID's bytes), fixed for the life of its data folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct NodeId(pub [u8; 16]);

/// Where and when an instance was received: unique for ever, and increasing within an epoch in the
/// order in which closing records became durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct ReceiveId {
    /// The receiving node.
    pub node: NodeId,
    /// Raised at each start of the node.
    pub epoch: u32,
    /// Counts the closing records of the epoch, from 1.
    pub position: u64,
}

/// Microseconds since 1970-01-01T00:00:00Z.
pub type Microseconds = i64;

/// A UID already validated by PS3.5 9.1 (characters and length), shared cheaply.
pub type Uid = Arc<str>;

/// BLAKE3 of a data set exactly as received.
pub type ContentDigest = [u8; 32];

/// What an instance *is*, beside its identity: equal content means nothing new to keep.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Content {
    /// BLAKE3 of the data set as received.
    pub digest: ContentDigest,
    /// Transfer syntax in which it was received.
    pub transfer_syntax: Uid,
    /// SOP class of data set, command and presentation context (all agree).
    pub sop_class: Uid,
}

/// The four UIDs that place an instance.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// Study Instance UID (0020,000D).
    pub study: Uid,
    /// Series Instance UID (0020,000E).
    pub series: Uid,
    /// SOP Instance UID (0008,0018).
    pub sop_instance: Uid,
}

/// Key of a study within the archive: UIDs are unique within a vault only.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StudyKey {
    /// The vault.
    pub vault: VaultId,
    /// Study Instance UID.
    pub study: Uid,
}

/// Whether a kept record is part of the archive or held apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Verdict {
    /// Kept, answered 0000H.
    Kept = 1,
    /// Held apart: same UID as a kept instance, other content; answered C0D1H.
    Quarantined = 2,
}

/// Who sent an instance, for the record.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Sender {
    /// Calling AE title.
    pub calling: Arc<str>,
    /// Called AE title.
    pub called: Arc<str>,
    /// Peer address, `host:port`.
    pub address: Arc<str>,
    /// Number of the association on this node and epoch.
    pub association: u64,
}

/// One captured element: what the catalogue needs of a data set, bytes as received.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CapturedElement {
    /// `(group << 16) | element`.
    pub tag: u32,
    /// VR as two letters; `UN` where the syntax carries none and the dictionary knows none.
    pub vr: [u8; 2],
    /// Whether the value was longer than `limits::CAPTURED_VALUE_MAX` and is cut here.
    pub cut: bool,
    /// The value, at most `limits::CAPTURED_VALUE_MAX` bytes, in little endian.
    pub value: Box<[u8]>,
}

/// Everything that a closing record says of an instance, apart from where its bytes lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Particulars {
    /// The vault it belongs to.
    pub vault: VaultId,
    /// Its UIDs.
    pub identity: Identity,
    /// Its content.
    pub content: Content,
    /// Length of the data set, bytes.
    pub length: u64,
    /// When its last fragment was received.
    pub received_at: Microseconds,
    /// Who sent it.
    pub sender: Sender,
    /// Bits of the content rules that flagged it (`rules`).
    pub flags: u64,
    /// Kept or quarantined.
    pub verdict: Verdict,
    /// For a quarantined instance: the kept instance that it conflicts with, if on this node.
    pub conflicts_with: Option<ReceiveId>,
    /// Elements kept for the catalogue, in tag order.
    pub captured: Vec<CapturedElement>,
}
