//! Wake-ups: what the event loop must hear, gathered behind one descriptor.
//!
//! Workers push; the first push after a drain makes the eventfd readable, the others only add to
//! the pile. The loop drains all of it at once, so that a thousand completions cost one wake-up.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::instance::{ReceiveId, Sender, StudyKey, Uid};
use crate::refusal::Refusal;

/// Refusals told in one drain; the counters have them all, whatever a sender sends.
pub const REFUSED_MAX: usize = 100;

/// One instance, or one request, that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The association it came on.
    pub association: u64,
    /// Who sent it; empty if nobody was admitted.
    pub sender: Sender,
    /// SOP Instance UID, as the command says; None if it is no C-STORE that can be read.
    pub sop_instance: Option<Uid>,
    /// Why.
    pub refusal: Refusal,
}

/// An instance that was found damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Its receive id.
    pub receive_id: ReceiveId,
    /// Study and SOP Instance UID; None if not even its closing record can be read.
    pub of: Option<(StudyKey, Uid)>,
    /// What is wrong.
    pub why: String,
}

/// What has happened since the last drain.
#[derive(Debug, Default)]
pub struct Pile {
    /// Studies whose first instance is here: the catalogue must be asked.
    pub opening: Vec<StudyKey>,
    /// Associations that may go on reading.
    pub resume: BTreeSet<u64>,
    /// Answers that could not be sent directly: (association, bytes), in order.
    pub output: Vec<(u64, Vec<u8>)>,
    /// There is something to land again: one that closed when none waited. The next few thousand
    /// are taken with it, and wake nobody.
    pub landing: bool,
    /// What was refused, for the log; at most [`REFUSED_MAX`] between two drains.
    pub refused: Vec<Refused>,
    /// Instances that were found damaged while the journal kept house, and how.
    pub damaged: Vec<Damage>,
    /// Why the journal stopped, once.
    pub stopped: Option<String>,
}

/// The pile and the descriptor that says it is not empty.
#[derive(Debug)]
pub struct WakeUps {
    pile: Mutex<(Pile, bool)>,
    descriptor: OwnedFd,
}

impl WakeUps {
    /// An empty pile with a fresh eventfd.
    pub fn new() -> io::Result<Self> {
        // SAFETY: eventfd takes no pointers; the result is checked before it is owned.
        let descriptor = unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) };
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor was just created and nobody else owns it.
        let descriptor = unsafe { OwnedFd::from_raw_fd(descriptor) };
        Ok(Self { pile: Mutex::default(), descriptor })
    }

    /// The descriptor to watch for reading; it stays ours.
    pub fn descriptor(&self) -> RawFd {
        self.descriptor.as_raw_fd()
    }

    /// Add to the pile, and wake the loop if it does not know yet.
    pub fn push(&self, add: impl FnOnce(&mut Pile)) {
        let mut guard = self.lock();
        add(&mut guard.0);
        if !std::mem::replace(&mut guard.1, true) {
            self.signal();
        }
    }

    /// Take the pile; the descriptor is quiet again.
    pub fn drain(&self) -> Pile {
        let mut guard = self.lock();
        self.quieten();
        guard.1 = false;
        std::mem::take(&mut guard.0)
    }

    fn lock(&self) -> MutexGuard<'_, (Pile, bool)> {
        // A panic between the two halves of a push leaves a usable pile.
        self.pile.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn signal(&self) {
        let one = 1u64.to_ne_bytes();
        // SAFETY: eight readable bytes, as eventfd(2) asks; a full counter is readable already.
        unsafe { libc::write(self.descriptor(), one.as_ptr().cast(), one.len()) };
    }

    fn quieten(&self) {
        let mut count = [0u8; 8];
        // SAFETY: eight writable bytes, as eventfd(2) asks; EAGAIN means it was quiet.
        unsafe { libc::read(self.descriptor(), count.as_mut_ptr().cast(), count.len()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readable(wake: &WakeUps) -> bool {
        let mut poll = libc::pollfd { fd: wake.descriptor(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one valid pollfd, no waiting.
        unsafe { libc::poll(&mut poll, 1, 0) == 1 }
    }

    #[test]
    fn the_descriptor_is_readable_exactly_while_the_pile_is_not_drained() {
        let wake = WakeUps::new().unwrap();
        assert!(!readable(&wake));
        wake.push(|pile| pile.landing = true);
        wake.push(|pile| pile.stopped = Some("full".to_owned()));
        assert!(readable(&wake));
        let pile = wake.drain();
        assert_eq!((pile.landing, pile.stopped.as_deref()), (true, Some("full")));
        assert!(!readable(&wake));
        wake.push(|pile| {
            pile.resume.insert(7);
        });
        assert!(readable(&wake));
        assert_eq!(wake.drain().resume.into_iter().collect::<Vec<_>>(), vec![7]);
    }
}
