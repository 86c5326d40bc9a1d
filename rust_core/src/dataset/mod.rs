//! The data set as received: its encoding, its strict scan, its comparison with another.
//!
//! [`walker`] is the grammar (PS3.5 7): bytes in, tokens out, iterative and without buffering.
//! [`scanner`] walks what a peer sends and keeps what rules and catalogue need of it;
//! [`difference`] walks two data sets side by side.

pub mod canonical;
pub mod capture;
pub mod character_set;
pub mod dictionary;
pub mod difference;
pub mod framing;
pub mod inflate;
pub mod observation;
pub mod order;
pub mod scanner;
pub mod tag;
pub mod token;
pub mod transfer_syntax;
pub mod vr;
pub mod walker;

pub use difference::{Comparison, Difference, differences};
pub use observation::{Observations, PixelObservation};
pub use scanner::{ScanLimits, Scanned, Scanner};
pub use transfer_syntax::{Encoding, TransferSyntax, encapsulated, encoding_of};
