//! The lane of one association: its answers out, and what is still owed on it.
//!
//! A worker that has made an instance durable answers here. On a plain socket on which only
//! C-STOREs were served the answer goes out at once from the worker's thread (one `send`, never
//! blocking); otherwise, or when the socket is full, it goes to the event loop. Once anything has
//! gone to the loop everything does, so that PDUs never interleave.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};

use super::counters::{Counters, count};
use super::wake::WakeUps;
use crate::association::Outgoing;
use crate::command::CommandSet;
use crate::journal::Holder;

/// Blocks that one association may have of the pool at once (16 MiB), whether they are being
/// filled, hashed or written: a quarter, so that a sender of long instances, or one on whose study
/// the catalogue is slow, leaves the others theirs. More than the writers take at once many times.
pub const BLOCKS_HELD_MAX: usize = 128;

enum Output {
    /// Plain socket, nothing of ours waits elsewhere.
    Direct(OwnedFd),
    /// Through the event loop.
    Loop,
    /// The transport is gone: answers have nobody to hear them.
    Closed,
}

/// Shared by the event loop's side of an association and the workers that answer on it.
pub struct Lane {
    number: u64,
    output: Mutex<Output>,
    outstanding: AtomicU32,
    blocks: AtomicUsize,
    waiting: AtomicBool,
    /// It waits for the journal to have room, in the queue of the pace.
    slowed: AtomicBool,
    /// Blocks that it may read whatever the pace is.
    turns: AtomicUsize,
    sent: AtomicU64,
    outgoing: Mutex<Outgoing>,
    wake: Arc<WakeUps>,
    counters: Arc<Counters>,
}

impl Holder for Lane {
    fn taken(&self) {
        self.blocks.fetch_add(1, SeqCst);
    }

    fn given_back(&self) {
        self.blocks.fetch_sub(1, SeqCst);
        self.resume_if_waiting();
    }
}

impl Lane {
    /// A lane whose answers go through the loop until [`Lane::connect`].
    pub fn new(number: u64, wake: Arc<WakeUps>, counters: Arc<Counters>) -> Self {
        Self {
            number,
            output: Mutex::new(Output::Loop),
            outstanding: AtomicU32::new(0),
            blocks: AtomicUsize::new(0),
            waiting: AtomicBool::new(false),
            slowed: AtomicBool::new(false),
            turns: AtomicUsize::new(0),
            sent: AtomicU64::new(0),
            outgoing: Mutex::default(),
            wake,
            counters,
        }
    }

    /// Number of the association.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Answer straight on this plain socket from now on (the descriptor is duplicated).
    pub fn connect(&self, socket: BorrowedFd<'_>) -> io::Result<()> {
        let descriptor = socket.try_clone_to_owned()?;
        self.set(Output::Direct(descriptor));
        Ok(())
    }

    /// The loop writes on this association too: all answers go through it from now on.
    pub fn share(&self) {
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*output, Output::Direct(_)) {
            *output = Output::Loop;
        }
    }

    /// The transport is gone.
    pub fn close(&self) {
        self.set(Output::Closed);
    }

    /// C-STOREs received or being received, not yet answered.
    pub fn outstanding(&self) -> u32 {
        self.outstanding.load(SeqCst)
    }

    /// Bytes sent from workers.
    pub fn sent(&self) -> u64 {
        self.sent.load(SeqCst)
    }

    /// A C-STORE has begun.
    pub fn begin(&self) {
        self.outstanding.fetch_add(1, SeqCst);
    }

    /// A C-STORE ended without an answer (its association is gone).
    pub fn drop_one(&self) {
        self.outstanding.fetch_sub(1, SeqCst);
        self.resume_if_waiting();
    }

    /// Whether the association may have another block of the pool.
    pub fn has_room(&self) -> bool {
        self.blocks.load(SeqCst) < BLOCKS_HELD_MAX
    }

    /// It waits in the queue of the pace, or does not any more.
    pub fn slow(&self, slowed: bool) {
        if slowed {
            count(&self.counters.associations_slowed, 1);
        }
        self.slowed.store(slowed, SeqCst);
    }

    /// Whether it waits in the queue of the pace.
    pub fn is_slowed(&self) -> bool {
        self.slowed.load(SeqCst)
    }

    /// Its turn has come, for so many blocks.
    pub fn give_turns(&self, blocks: usize) {
        self.turns.fetch_add(blocks, SeqCst);
    }

    /// Takes one block of its turn, if it has any left.
    pub fn take_turn(&self) -> bool {
        self.turns.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok()
    }

    /// The reader stops until [`WakeUps`] names this association. Ask again for what was missing
    /// after this call: it may have come in between.
    pub fn wait(&self) {
        self.waiting.store(true, SeqCst);
    }

    /// Name this association to the loop if its reader waits.
    pub fn resume_if_waiting(&self) {
        if self.waiting.swap(false, SeqCst) {
            self.wake.push(|pile| {
                pile.resume.insert(self.number);
            });
        }
    }

    /// How PDUs are cut for this peer, known once the association is accepted.
    pub fn set_outgoing(&self, outgoing: Outgoing) {
        *self.outgoing.lock().unwrap_or_else(PoisonError::into_inner) = outgoing;
    }

    /// Send the answer to one C-STORE, and count it as no longer owed.
    pub fn answer(&self, context_id: u8, response: &CommandSet) {
        let outgoing = *self.outgoing.lock().unwrap_or_else(PoisonError::into_inner);
        self.send(outgoing.command(context_id, response));
        self.outstanding.fetch_sub(1, SeqCst);
        self.resume_if_waiting();
    }

    fn send(&self, pdu: Vec<u8>) {
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        self.sent.fetch_add(pdu.len() as u64, SeqCst);
        let sent = match &*output {
            Output::Closed => return,
            Output::Loop => 0,
            Output::Direct(socket) => send_now(socket, &pdu),
        };
        if sent == pdu.len() {
            count(&self.counters.answers_sent_directly, 1);
            return;
        }
        *output = Output::Loop;
        count(&self.counters.answers_handed_over, 1);
        self.wake.push(|pile| pile.output.push((self.number, pdu[sent..].to_vec())));
    }

    fn set(&self, to: Output) {
        *self.output.lock().unwrap_or_else(PoisonError::into_inner) = to;
    }
}

/// Bytes that the socket took without waiting; errors are found by the loop's own reading.
fn send_now(socket: &OwnedFd, pdu: &[u8]) -> usize {
    // SAFETY: the pointer and length are those of a live slice; the descriptor is owned.
    let sent = unsafe {
        let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        libc::send(socket.as_raw_fd(), pdu.as_ptr().cast(), pdu.len(), flags)
    };
    usize::try_from(sent).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    use super::*;
    use crate::journal::BlockPool;
    use crate::limits::BLOCK_LENGTH;

    fn lane() -> (Lane, Arc<WakeUps>) {
        let wake = Arc::new(WakeUps::new().unwrap());
        (Lane::new(3, Arc::clone(&wake), Arc::default()), wake)
    }

    #[test]
    fn an_answer_goes_straight_to_a_plain_socket() {
        let (lane, wake) = lane();
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        lane.connect(ours.as_fd()).unwrap();
        lane.begin();
        lane.send(b"answer".to_vec());
        lane.drop_one();
        let mut heard = [0; 6];
        theirs.read_exact(&mut heard).unwrap();
        assert_eq!((&heard, lane.outstanding()), (b"answer", 0));
        assert!(wake.drain().output.is_empty());
    }

    #[test]
    fn what_a_full_socket_does_not_take_goes_to_the_loop_in_order_and_so_does_the_rest() {
        let (lane, wake) = lane();
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        lane.connect(ours.as_fd()).unwrap();
        let pdus: Vec<Vec<u8>> = (0..4u8).map(|n| vec![n; 1 << 20]).collect();
        for pdu in &pdus {
            lane.begin();
            lane.send(pdu.clone());
        }
        let handed: Vec<u8> = wake.drain().output.into_iter().flat_map(|(_, b)| b).collect();
        drop(lane);
        drop(ours);
        let mut heard = Vec::new();
        theirs.read_to_end(&mut heard).unwrap();
        heard.extend(handed);
        assert!(heard == pdus.concat(), "no byte lost, none twice, none out of order");
    }

    #[test]
    fn a_waiting_reader_is_named_once_when_an_answer_leaves() {
        let (lane, wake) = lane();
        lane.begin();
        lane.begin();
        lane.wait();
        lane.drop_one();
        lane.drop_one();
        assert_eq!(wake.drain().resume.len(), 1);
        lane.close();
        lane.begin();
        lane.send(b"nobody hears".to_vec());
        assert!(wake.drain().output.is_empty());
    }

    #[test]
    fn an_association_has_its_share_of_the_pool_and_leaves_the_rest() {
        let pool = BlockPool::new(BLOCK_LENGTH * BLOCKS_HELD_MAX * 4);
        let ((greedy, wake), (other, _)) = (lane(), lane());
        let (greedy, other) = (Arc::new(greedy), Arc::new(other));
        let mut held = Vec::new();
        while greedy.has_room() {
            held.push(pool.take_for(greedy.clone()).unwrap().freeze());
        }
        assert_eq!(held.len(), BLOCKS_HELD_MAX);
        assert!(other.has_room() && pool.take_for(other.clone()).is_some());
        greedy.wait();
        // A worker is done with it; the writer is not.
        let written = held[0].clone();
        held.swap_remove(0);
        assert!(!greedy.has_room() && wake.drain().resume.is_empty());
        drop(written);
        assert!(greedy.has_room());
        assert_eq!(wake.drain().resume.into_iter().collect::<Vec<_>>(), [3]);
    }
}
