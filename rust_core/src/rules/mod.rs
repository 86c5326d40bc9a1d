//! The content rules: what may be said of a readable data set, and who may forgive what.

pub mod date;
pub mod image_class;
pub mod judge;
pub mod pixel;
pub mod rule_set;
pub mod table;
pub mod uid;

pub use judge::{Judged, StoreRequest, judge};
pub use rule_set::{Preset, RuleError, RuleSet};
pub use table::{RULES, Rule, RuleId, Severity};
