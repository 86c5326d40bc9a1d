//! What is known of one SOP Instance UID: as others tell it, and as the table keeps it, compactly.

use crate::instance::{Content, NodeId, ReceiveId, Uid};

/// Content as the catalogue knows it: of the digest, the first 16 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KnownContent {
    /// The first 16 bytes of BLAKE3 of the data set as received.
    pub digest: [u8; 16],
    /// Transfer syntax in which it was received.
    pub transfer_syntax: Uid,
    /// SOP class.
    pub sop_class: Uid,
}

impl From<&Content> for KnownContent {
    fn from(content: &Content) -> Self {
        let mut digest = [0; 16];
        digest.copy_from_slice(&content.digest[..16]);
        Self {
            digest,
            transfer_syntax: content.transfer_syntax.clone(),
            sop_class: content.sop_class.clone(),
        }
    }
}

/// Where a known content lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// Durable in this node's own journal.
    ThisJournal(ReceiveId),
    /// In a verified, undamaged volume.
    VerifiedVolume,
    /// Only in the journal of another node.
    OtherJournal(NodeId),
    /// Not kept itself: accepted as another encoding of a kept instance.
    Equivalent,
}

/// One known content of one SOP Instance UID, as the catalogue tells it when a study opens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Known {
    /// SOP Instance UID (0008,0018).
    pub sop_instance: Uid,
    /// The content.
    pub content: KnownContent,
    /// Where it lies.
    pub origin: Origin,
    /// Whether nodes disagree on the UID, until a person resolves it.
    pub disputed: bool,
    /// Whether a person chose this content among those that nodes disagreed on.
    pub preferred: bool,
}

/// 16 bytes that stand for a SOP Instance UID or for a content within the table.
///
/// A UID or content is replaced by a truncated BLAKE3 of it: half the memory, and no chance of
/// an accidental collision (2^-128 a pair).
pub(super) type Print = [u8; 16];

/// The print of a SOP Instance UID.
pub(super) fn print_of_uid(uid: &str) -> Print {
    truncated(blake3::hash(uid.as_bytes()))
}

/// The print of a content; equal for a [`Content`] and for what the catalogue knows of it.
pub(super) fn print_of_content(content: &KnownContent) -> Print {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&content.digest);
    hasher.update(content.transfer_syntax.as_bytes());
    // A byte that no UID holds keeps the two UIDs apart.
    hasher.update(&[0]);
    hasher.update(content.sop_class.as_bytes());
    truncated(hasher.finalize())
}

fn truncated(hash: blake3::Hash) -> Print {
    let mut print = [0; 16];
    print.copy_from_slice(&hash.as_bytes()[..16]);
    print
}

/// A position in this node's journal: a [`ReceiveId`] without the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) epoch: u32,
    pub(super) position: u64,
}

impl Place {
    pub(super) fn of(receive: ReceiveId) -> Self {
        Self { epoch: receive.epoch, position: receive.position }
    }

    pub(super) fn receive_id(self, node: NodeId) -> ReceiveId {
        ReceiveId { node, epoch: self.epoch, position: self.position }
    }
}

/// Where a content that the table holds lies. `Kept`, `Quarantined` and `Damaged` are of this node's
/// journal and stay until forgotten; the others were told by the catalogue and can be told again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    Kept(Place),
    Quarantined(Place),
    /// It was kept, and acknowledged; its bytes are no longer what was received.
    Damaged(Place),
    Verified,
    /// Known, but not where this node could vouch for it.
    Elsewhere,
    Equivalent,
    /// The content that a person chose for a UID that was disputed.
    Preferred,
    /// The UID, whatever the content, is disputed.
    Disputed,
}

impl Standing {
    /// The place in this node's journal, for what lies there.
    pub(super) fn place(self) -> Option<Place> {
        match self {
            Self::Kept(place) | Self::Quarantined(place) | Self::Damaged(place) => Some(place),
            Self::Verified
            | Self::Elsewhere
            | Self::Equivalent
            | Self::Preferred
            | Self::Disputed => None,
        }
    }

    /// Whether 0000H may rest on it.
    pub(super) fn is_durable(self) -> bool {
        match self {
            Self::Kept(_) | Self::Verified => true,
            Self::Quarantined(_)
            | Self::Damaged(_)
            | Self::Elsewhere
            | Self::Equivalent
            | Self::Preferred
            | Self::Disputed => false,
        }
    }

    /// The place in this journal of bytes that may be believed.
    pub(super) fn sound_place(self) -> Option<Place> {
        self.place().filter(|place| self != Self::Damaged(*place))
    }

    /// Whether the archive has accepted this content as *the* content of the UID, anywhere.
    pub(super) fn is_accepted(self) -> bool {
        match self {
            Self::Kept(_)
            | Self::Damaged(_)
            | Self::Verified
            | Self::Elsewhere
            | Self::Preferred => true,
            Self::Quarantined(_) | Self::Equivalent | Self::Disputed => false,
        }
    }
}

impl From<Origin> for Standing {
    fn from(origin: Origin) -> Self {
        match origin {
            // The journal itself is the truth about the journal: if the table does not hold this
            // record, the catalogue's word is late, or the journal is lost.
            Origin::ThisJournal(_) | Origin::OtherJournal(_) => Self::Elsewhere,
            Origin::VerifiedVolume => Self::Verified,
            Origin::Equivalent => Self::Equivalent,
        }
    }
}

/// One thing known of a UID. Ordered by UID, so that all of one UID lie together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Fact {
    pub(super) uid: Print,
    pub(super) content: Print,
    pub(super) standing: Standing,
}

impl Fact {
    /// The least and the greatest fact that one UID can have.
    pub(super) fn range(uid: Print) -> std::ops::RangeInclusive<Self> {
        let least = Standing::Kept(Place { epoch: 0, position: 0 });
        Self { uid, content: [0; 16], standing: least }..=Self {
            uid,
            content: [0xFF; 16],
            standing: Standing::Disputed,
        }
    }
}
