//! Named limits. Every length that comes from outside meets one of these before an allocation;
//! none has an off switch. Relations between limits are asserted at compile time.

/// Largest A-ASSOCIATE PDU accepted, bytes after the six-byte PDU header.
pub const ASSOCIATE_LENGTH_MAX: usize = 1 << 20;
/// Presentation contexts in one A-ASSOCIATE (odd ids 1..=255, PS3.8 9.3.2.2).
pub const PRESENTATION_CONTEXTS_MAX: usize = 128;
/// Transfer syntaxes proposed in one presentation context.
pub const TRANSFER_SYNTAXES_MAX: usize = 64;
/// Largest command set, bytes (PS3.7 6.3).
pub const COMMAND_SET_LENGTH_MAX: usize = 64 << 10;
/// Fragments that one message may have whatever their length.
pub const FRAGMENTS_FREE: u64 = 4096;
/// Beyond those, the least average length of a message's fragments, bytes: shorter ones cost more
/// to unwrap than they carry, and no sender cuts a PDU of ours so small.
pub const FRAGMENT_LENGTH_AVERAGE_LEAST: u64 = 128;
/// Largest data set of a service other than C-STORE (identifiers, N-ACTION information), bytes.
pub const IDENTIFIER_LENGTH_MAX: usize = 1 << 20;
/// Instances that one storage commitment request or report may name.
pub const REFERENCES_MAX: usize = 100_000;
/// Largest information of an N-ACTION or N-EVENT-REPORT, bytes: `REFERENCES_MAX` references with
/// the longest UIDs and reasons fit.
pub const REFERENCES_LENGTH_MAX: usize = 20 << 20;
/// All such information that is held at once, over all associations of a node, bytes.
pub const REFERENCES_TOTAL_MAX: usize = 64 << 20;
/// Of that, what is left to short requests (`IDENTIFIER_LENGTH_MAX`) alone, bytes: a few long ones
/// do not lock out everybody.
pub const REFERENCES_SHORT_MAX: usize = 16 << 20;
/// Our own maximum PDU length, as told to peers (PS3.8 D.1), bytes.
pub const PDU_LENGTH_MAX_OURS: u32 = 256 << 10;
/// The smallest maximum PDU length of a peer that can still carry anything useful.
pub const PDU_LENGTH_MAX_PEER_LEAST: u32 = 64;
/// Asynchronous operations window, operations invoked at once on one association.
pub const OPERATIONS_WINDOW_MAX: u16 = 16;
/// Nesting depth of sequences in a data set.
pub const SEQUENCE_DEPTH_MAX: usize = 64;
/// Largest instance, bytes of data set.
pub const INSTANCE_LENGTH_MAX: u64 = 8 << 30;
/// Longest value kept of one captured element, bytes; longer values are cut in the index only.
pub const CAPTURED_VALUE_MAX: usize = 1024;
/// All captured values of one instance together, bytes.
pub const CAPTURED_TOTAL_MAX: usize = 8 << 10;
/// Unit of alignment of the journal: every record starts on such a boundary, bytes.
pub const JOURNAL_ALIGNMENT: usize = 4096;
/// One pooled block of the journal, record header included, bytes.
pub const BLOCK_LENGTH: usize = 128 << 10;
/// Largest closing record, bytes (the extents of an instance of `INSTANCE_LENGTH_MAX` fit).
pub const CLOSING_RECORD_LENGTH_MAX: usize = 4 << 20;
/// Most segments of one journal: the roster names every one.
pub const JOURNAL_SEGMENTS_MAX: u32 = 64 << 10;
/// Fill from which what still lives is copied forward out of segments that are mostly dead.
pub const COPY_FILL_LEAST: f64 = 0.5;
/// Fill from which that is done also where it is not old.
pub const COPY_FILL_URGENT: f64 = 0.75;
/// Share of a segment that may still live for it to count as mostly dead.
pub const COPY_LIVE_SHARE_MAX: f64 = 0.5;
/// A segment is old once one in so many of all segments were begun after it: what is younger may soon
/// be dead by itself.
pub const COPY_AGE_SHARE: u32 = 4;
/// Segments that are emptied in one round.
pub const COPY_SEGMENTS_AT_ONCE: usize = 4;
/// How long a segment of the journal is free before it is overwritten, seconds, unless set otherwise.
pub const OVERWRITE_AFTER_SECONDS: u64 = 24 * 60 * 60;
/// Bytes of free segments that are overwritten in one round of housekeeping.
pub const OVERWRITE_BYTES_A_ROUND: u64 = 1 << 20;
/// Fill of the journal from which reading is held back.
pub const PACE_FILL_FROM: f64 = 0.6;
/// Fill at which reading has come down to the floor: there new instances are refused.
pub const PACE_FILL_TO: f64 = 0.9;
/// What is read where holding back begins, as a multiple of the room that comes back.
pub const PACE_GAIN_MAX: f64 = 2.0;
/// Time over which the rate of room coming back is smoothed, seconds.
pub const PACE_SMOOTHING_SECONDS: f64 = 10.0;
/// Time over which what is left of the room is spent beside that, seconds.
pub const PACE_SPENDING_SECONDS: f64 = 120.0;
/// What is always read, by all associations together.
pub const PACE_FLOOR_BYTES_PER_SECOND: f64 = 1_048_576.0;
/// Error Comment (0000,0902), characters (VR LO).
pub const ERROR_COMMENT_LENGTH_MAX: usize = 64;

const _: () = assert!(BLOCK_LENGTH.is_multiple_of(JOURNAL_ALIGNMENT));
const _: () = assert!(COMMAND_SET_LENGTH_MAX < ASSOCIATE_LENGTH_MAX);
const _: () = assert!(REFERENCES_MAX * (8 + 8 + 64 + 8 + 64 + 10 + 16) < REFERENCES_LENGTH_MAX);
const _: () = assert!(REFERENCES_LENGTH_MAX + REFERENCES_SHORT_MAX <= REFERENCES_TOTAL_MAX);
const _: () = assert!(CAPTURED_VALUE_MAX < CAPTURED_TOTAL_MAX);
const _: () = assert!(PACE_FILL_FROM < PACE_FILL_TO && COPY_FILL_LEAST < PACE_FILL_FROM);
const _: () = assert!(
    (INSTANCE_LENGTH_MAX / (BLOCK_LENGTH as u64 - 64) + 1) * 24 < CLOSING_RECORD_LENGTH_MAX as u64
);
