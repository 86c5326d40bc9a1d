//! The catalogue: every entry of every family, in the order of the document.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::{Entry, command, commitment, content, ending, protocol, rejection, service, storage};
use crate::dataset::framing;

static CATALOGUE: LazyLock<Vec<&'static Entry>> = LazyLock::new(|| {
    let content = content::ENTRIES.iter();
    let tables = [
        storage::ENTRIES,
        command::ENTRIES,
        service::ENTRIES,
        commitment::ENTRIES,
        rejection::ENTRIES,
    ];
    let later = tables.into_iter().chain([protocol::ENTRIES, ending::ENTRIES]).flatten().copied();
    framing::ENTRIES.iter().copied().chain(content).chain(later).collect()
});

/// Every entry.
pub fn entries() -> &'static [&'static Entry] {
    &CATALOGUE
}

/// The entry of a code.
pub fn find(code: &str) -> Option<&'static Entry> {
    entries().iter().copied().find(|entry| entry.code == code)
}

/// How often each entry was used since the start; reading them stops nobody.
#[derive(Debug)]
pub struct RefusalCounters(Box<[AtomicU64]>);

impl Default for RefusalCounters {
    fn default() -> Self {
        Self(entries().iter().map(|_| AtomicU64::new(0)).collect())
    }
}

impl RefusalCounters {
    /// Count one refusal by this entry.
    pub fn count(&self, entry: &Entry) {
        let place = entries().iter().position(|other| std::ptr::eq(*other, entry));
        if let Some(counter) = place.and_then(|place| self.0.get(place)) {
            counter.fetch_add(1, Relaxed);
        }
    }

    /// Codes and counts.
    pub fn snapshot(&self) -> Vec<(&'static str, u64)> {
        let counts = self.0.iter().map(|counter| counter.load(Relaxed));
        entries().iter().map(|entry| entry.code).zip(counts).collect()
    }
}
