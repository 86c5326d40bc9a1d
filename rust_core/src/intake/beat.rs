//! A beat: a thread that does something again and again, and sleeps in between until it is woken.

use std::sync::{Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

#[derive(Default)]
struct Signals {
    woken: bool,
    ended: bool,
}

/// See the module. Without a start it is nothing.
#[derive(Default)]
pub struct Beat {
    signals: Mutex<Signals>,
    changed: Condvar,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Beat {
    /// Takes over a thread that goes round by [`Beat::rest`].
    pub fn keep(&self, thread: JoinHandle<()>) {
        *self.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
    }

    /// Sleeps until woken, but not longer than that; false once it is to end.
    pub fn rest(&self, longest: Duration) -> bool {
        let signals = self.signals.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = |signals: &mut Signals| !signals.woken && !signals.ended;
        let rested = self.changed.wait_timeout_while(signals, longest, idle);
        let (mut signals, _) = rested.unwrap_or_else(PoisonError::into_inner);
        signals.woken = false;
        !signals.ended
    }

    /// Goes round now.
    pub fn wake(&self) {
        self.signals.lock().unwrap_or_else(PoisonError::into_inner).woken = true;
        self.changed.notify_all();
    }

    /// Ends after the present round, and waits for that.
    pub fn stop(&self) {
        self.signals.lock().unwrap_or_else(PoisonError::into_inner).ended = true;
        self.changed.notify_all();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        // A panic in it has said so on its way out.
        thread.into_iter().for_each(|thread| drop(thread.join()));
    }
}
