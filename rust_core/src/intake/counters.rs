//! Monotonic counters, one a stop of an instance's way in.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// Counters since the node started; reading them stops nobody.
        #[derive(Debug, Default)]
        pub struct Counters { $($(#[$doc])* pub $name: AtomicU64),+ }

        impl Counters {
            /// Names and values, in the order of the stops.
            pub fn snapshot(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name.load(Relaxed))),+]
            }
        }
    };
}

counters! {
    /// C-STORE requests whose data set began.
    instances_begun,
    /// Data set bytes received.
    bytes_received,
    /// Instances kept, durable and answered 0000H.
    instances_kept,
    /// Data set bytes of kept instances.
    bytes_kept,
    /// Answered 0000H with nothing new to keep.
    instances_identical,
    /// Held apart and answered C0D1H.
    instances_quarantined,
    /// Conflicting again with content that is held apart already.
    instances_conflicting_again,
    /// Refused by the scan, a rule, or for want of resources.
    instances_refused,
    /// Cut off by release, abort or a lost transport before their last fragment.
    instances_abandoned,
    /// Studies for which the catalogue was asked.
    studies_opened,
    /// Times that an association had to wait because the journal fills.
    associations_slowed,
    /// Instances copied forward in the journal, out of segments that were mostly dead.
    journal_copied_instances,
    /// Bytes of their records.
    journal_copied_bytes,
    /// Bytes of free segments that were overwritten, so that what was disposed of does not linger.
    journal_overwritten_bytes,
    /// Answers sent by a worker straight on the socket.
    answers_sent_directly,
    /// Answers handed to the event loop.
    answers_handed_over,
}

/// Add to a counter.
pub fn count(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Relaxed);
}
