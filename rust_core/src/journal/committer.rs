//! The committer: the one thread that makes closing and discard records durable, in groups.
//!
//! One write is in flight; everything that arrives meanwhile goes into the next. Positions are given
//! out here, so the order in which instances became durable is the order of their positions.

use std::collections::VecDeque;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::aligned::AlignedBuffer;
use super::closing::{self, Extent};
use super::copying::Moving;
use super::discard::{Discard, Discarded};
use super::error::JournalError;
use super::index::{Entry, Index};
use super::log::{Log, Purpose, Region};
use super::record::{Kind, Place, RECORD_HEADER_LENGTH, record_length};
use super::upload::{Close, Done, UploadState};
use crate::instance::{NodeId, ReceiveId, Verdict};

/// Encoded bytes after which a group is full.
const GROUP_LENGTH_MAX: usize = 1 << 20;
/// Closing records overwritten between two groups.
const VOIDS_MAX: usize = 64;

/// What the committer is asked for.
pub(super) enum Request {
    /// Close an upload whose data writes all ended.
    Close(Arc<UploadState>, Box<Close>),
    /// Make completed data writes durable, so that what was abandoned can be used again.
    Sync,
    /// Take instances back, for this reason.
    Discard(Vec<ReceiveId>, Arc<str>, Reply),
    /// Instances whose records were copied.
    Copied(Vec<Moving>, Reply),
}

pub(super) type Reply = Sender<Result<(), JournalError>>;

impl Request {
    fn refuse(self, log: &Log) {
        match self {
            Self::Close(upload, close) => {
                upload.forget(log);
                (close.done)(Err(JournalError::Closed));
            }
            Self::Sync => {}
            Self::Discard(_, _, reply) => drop(reply.send(Err(JournalError::Closed))),
            Self::Copied(moving, reply) => {
                moving.iter().for_each(|moving| moving.give_up(log));
                reply.send(Err(JournalError::Closed)).ok();
            }
        }
    }
}

#[derive(Default)]
struct Queue {
    requests: VecDeque<Request>,
    stopping: bool,
}

/// The queue in front of the committer.
pub(super) struct Committer {
    queue: Mutex<Queue>,
    changed: Condvar,
}

/// One record of a group, encoded.
struct Pending {
    payload: Vec<u8>,
    kind: Kind,
    upload: u64,
    then: Then,
}

/// What follows when the record is durable.
enum Then {
    Kept {
        upload: Arc<UploadState>,
        id: ReceiveId,
        verdict: Verdict,
        extents: Vec<Extent>,
        done: Done,
    },
    Discarded {
        discard: Discard,
        reply: Reply,
    },
    Copied {
        moving: Box<Moving>,
    },
}

/// A discard whose record is durable, and whose closing records are being overwritten.
///
/// The record is needed until they all are, and no longer: else it would have to outlive them, and
/// so keep its segment, whose closing records keep the next discard's, and so on.
pub(super) struct Voiding {
    rest: VecDeque<(Discarded, Entry)>,
    place: Place,
    length: u32,
    reply: Reply,
}

/// The committing side: what only its thread touches.
pub(super) struct Commit {
    pub(super) log: Arc<Log>,
    pub(super) index: Arc<Mutex<Index>>,
    pub(super) node: NodeId,
    pub(super) next_position: u64,
    pub(super) voiding: VecDeque<Voiding>,
    /// Where groups are put together; kept, for new memory would be zeroed and mapped for each.
    pub(super) memory: AlignedBuffer,
}

impl Committer {
    pub(super) fn new() -> Self {
        Self { queue: Mutex::default(), changed: Condvar::new() }
    }

    /// Queues a request; after the stop it is answered with `Closed`.
    pub(super) fn push(&self, request: Request, log: &Log) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.stopping {
            drop(queue);
            return request.refuse(log);
        }
        queue.requests.push_back(request);
        drop(queue);
        self.changed.notify_one();
    }

    /// Lets the committer go home once the queue is empty.
    pub(super) fn stop(&self) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).stopping = true;
        self.changed.notify_all();
    }

    /// What has arrived; waits for something, unless there is other work.
    fn take(&self, other_work: bool) -> Option<VecDeque<Request>> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        while queue.requests.is_empty() && !other_work {
            if queue.stopping {
                return None;
            }
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        Some(std::mem::take(&mut queue.requests))
    }

    /// The committer's life.
    pub(super) fn run(&self, commit: &mut Commit) {
        while let Some(mut requests) = self.take(!commit.voiding.is_empty()) {
            while !requests.is_empty() {
                commit.group(&mut requests);
            }
            commit.void_some();
        }
    }
}

impl Commit {
    /// Commits as many requests as make a group. What was copied makes one of its own: a discard
    /// before or behind it must know where its instances are.
    fn group(&mut self, requests: &mut VecDeque<Request>) {
        let mut group = VecDeque::new();
        let (mut length, mut has_data) = (0, false);
        while length < GROUP_LENGTH_MAX {
            let request = match requests.pop_front() {
                Some(Request::Copied(moving, reply)) if group.is_empty() => {
                    return self.copied(moving, &reply);
                }
                Some(copied @ Request::Copied(..)) => {
                    requests.push_front(copied);
                    break;
                }
                Some(request) => request,
                None => break,
            };
            if let Some((pending, extents)) = self.encode(request, group.len() as u64) {
                length += record_length(pending.payload.len());
                has_data |= extents;
                group.push_back(pending);
            }
        }
        self.commit(group, has_data).ok();
    }

    fn commit(&mut self, mut group: VecDeque<Pending>, data: bool) -> Result<(), JournalError> {
        // Data of these instances completed before now; closing records only go out behind it.
        let mut ready = if data { self.log.sync_completed() } else { Ok(()) };
        while !group.is_empty() {
            let written = ready.clone().and_then(|()| self.write(&group));
            match written {
                Ok(region) => self.durable(&mut group, region),
                Err(error) => {
                    group.drain(..).for_each(|pending| self.failed(pending.then, &error));
                    ready = Err(error);
                }
            }
        }
        ready
    }

    /// Commits the closing records of copies. Instances that went meanwhile are not brought back.
    fn copied(&mut self, moving: Vec<Moving>, reply: &Reply) {
        let mut group = VecDeque::new();
        for moving in moving {
            let still = self.index().get(moving.id).as_ref() == Some(&moving.from);
            let payload = moving.payload().ok().filter(|payload| self.fits(payload).is_ok());
            match payload.filter(|_| still) {
                Some(payload) => {
                    let (kind, upload) = (Kind::Closing, moving.kept.upload);
                    let then = Then::Copied { moving: Box::new(moving) };
                    group.push_back(Pending { payload, kind, upload, then });
                }
                None => moving.give_up(&self.log),
            }
        }
        // Whoever copied goes on, or not; what is durable is so in either case.
        reply.send(self.commit(group, true)).ok();
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Encodes a request; one that cannot be recorded is answered here and now.
    fn encode(&self, request: Request, ahead: u64) -> Option<(Pending, bool)> {
        match request {
            Request::Close(upload, close) => self.encode_close(upload, *close, ahead),
            // Discards take no position; `ahead` counts them all the same, which only leaves a gap.
            // Positions increase, they need not be dense.
            Request::Discard(ids, reason, reply) => {
                Some((self.encode_discard(&ids, reason, reply)?, false))
            }
            Request::Sync => {
                // A failure poisons the journal, which says it to everyone.
                self.log.sync_completed().ok();
                None
            }
            // A group of its own, and never here.
            Request::Copied(moving, _) => {
                moving.iter().for_each(|moving| moving.give_up(&self.log));
                None
            }
        }
    }

    fn encode_close(
        &self,
        upload: Arc<UploadState>,
        close: Close,
        ahead: u64,
    ) -> Option<(Pending, bool)> {
        let Close { particulars, tail, done } = close;
        let mut payload = Vec::new();
        let position = self.next_position + ahead;
        let id = ReceiveId { node: self.node, epoch: self.log.epoch, position };
        let encoded = upload.extents().and_then(|extents| {
            closing::encode(id, &particulars, &extents, tail.as_bytes(), &mut payload)?;
            self.fits(&payload).map(|()| extents)
        });
        drop(tail);
        let number = upload.number;
        let then = |extents| Then::Kept { upload, id, verdict: particulars.verdict, extents, done };
        match encoded {
            Ok(extents) => {
                let (kind, data) = (Kind::Closing, !extents.is_empty());
                Some((Pending { payload, kind, upload: number, then: then(extents) }, data))
            }
            Err(error) => {
                self.failed(then(Vec::new()), &error);
                None
            }
        }
    }

    fn encode_discard(&self, ids: &[ReceiveId], reason: Arc<str>, reply: Reply) -> Option<Pending> {
        let mut payload = Vec::new();
        let discard = self.discard_of(ids, reason);
        if discard.discarded.is_empty() {
            reply.send(Ok(())).ok();
            return None;
        }
        let encoded = discard.encode(&mut payload).and_then(|()| self.fits(&payload));
        let then = Then::Discarded { discard, reply };
        match encoded {
            Ok(()) => Some(Pending { payload, kind: Kind::Discard, upload: 0, then }),
            Err(error) => {
                self.failed(then, &error);
                None
            }
        }
    }

    /// Where those of the instances lie that are still there.
    fn discard_of(&self, ids: &[ReceiveId], reason: Arc<str>) -> Discard {
        let index = self.index();
        let found = ids.iter().filter_map(|id| index.get(*id).map(|entry| (*id, entry)));
        let discarded = found.map(|(receive_id, entry)| {
            let (closing, length) = (entry.closing, entry.length);
            Discarded { receive_id, closing, length }
        });
        Discard { discarded: discarded.collect(), reason }
    }

    fn fits(&self, payload: &[u8]) -> Result<(), JournalError> {
        let room = self.log.state().table.segment_length - super::record::FIRST_RECORD_OFFSET;
        if record_length(payload.len()) <= room as usize {
            Ok(())
        } else {
            Err(JournalError::Unrecordable("the record is longer than a segment"))
        }
    }

    /// Writes the records of the group that fit behind each other.
    fn write(&mut self, group: &VecDeque<Pending>) -> Result<Region, JournalError> {
        let lengths: Vec<u32> =
            group.iter().map(|pending| record_length(pending.payload.len()) as u32).collect();
        let region = self.log.allocate(Purpose::Decision, &lengths)?;
        if self.memory.len() < region.length as usize {
            self.memory = AlignedBuffer::new(region.length as usize);
        }
        let bytes = &mut self.memory[..region.length as usize];
        let mut at = 0;
        for (pending, length) in group.iter().zip(&lengths).take(region.records) {
            let payload = &pending.payload;
            let mut header = region.header(pending.kind, self.log.epoch, payload.len() as u32);
            header.place = region.place.plus(at);
            header.upload = pending.upload;
            let record = &mut bytes[at..at + *length as usize];
            record[..RECORD_HEADER_LENGTH].copy_from_slice(&header.encode(payload));
            let (body, padding) = record[RECORD_HEADER_LENGTH..].split_at_mut(payload.len());
            body.copy_from_slice(payload);
            padding.fill(0);
            at += *length as usize;
        }
        self.log.write(region, &[bytes], true).map(|()| region)
    }

    fn durable(&mut self, group: &mut VecDeque<Pending>, region: Region) {
        let mut at = 0;
        let mut moved = Vec::new();
        for pending in group.drain(..region.records) {
            let length = record_length(pending.payload.len()) as u32;
            let place = region.place.plus(at);
            at += length as usize;
            match pending.then {
                Then::Kept { id, verdict, extents, done, .. } => {
                    let entry = Entry::new(id.position, place, length, verdict, &extents);
                    self.index().push(id.epoch, entry);
                    self.next_position = id.position + 1;
                    done(Ok(id));
                }
                Then::Discarded { discard, reply } => {
                    let rest = self.take_out(discard);
                    self.voiding.push_back(Voiding { rest, place, length, reply });
                }
                Then::Copied { moving } => moved.extend(self.moved(*moving, place, length)),
            }
        }
        // A failure poisons the journal, which says it to everyone; their places are then not given up.
        if self.log.write_voids(&moved).is_ok() {
            moved.iter().for_each(|(place, length)| self.log.release(*place, *length, &[]));
        }
    }

    /// What is discarded is not there any more for anyone, nor copied forward.
    fn take_out(&self, discard: Discard) -> VecDeque<(Discarded, Entry)> {
        let mut index = self.index();
        let gone = discard.discarded.into_iter().filter_map(|one| {
            let entry = index.remove(one.receive_id)?;
            Some((one, entry))
        });
        gone.collect()
    }

    /// The copy counts from now on. Returns the closing record of before, if it must be overwritten
    /// before its place is given up: a discard that takes back the copy would not know of it.
    fn moved(&self, moving: Moving, place: Place, length: u32) -> Option<(Place, u32)> {
        let Moving { id, from, extents, fresh, stale, .. } = moving;
        let to = from.moved(place, length, &extents);
        if !self.index().replace(id, &from, to) {
            self.log.release(place, length, &fresh);
            return None;
        }
        self.log.release_data(&stale);
        let before = (from.closing, from.length);
        match from.verdict {
            Verdict::Quarantined => Some(before),
            Verdict::Kept => {
                self.log.release(before.0, before.1, &[]);
                None
            }
        }
    }

    /// Goes on with the oldest discard whose record is durable, by so much that whoever commits
    /// meanwhile hardly notices.
    fn void_some(&mut self) {
        let Some(mut voiding) = self.voiding.pop_front() else { return };
        let many = voiding.rest.len().min(VOIDS_MAX);
        let outcome = self.void(voiding.rest.drain(..many).collect());
        if outcome.is_ok() && !voiding.rest.is_empty() {
            return self.voiding.push_front(voiding);
        }
        if outcome.is_ok() {
            self.log.release(voiding.place, voiding.length, &[]);
        }
        // If nobody waits any more, the discard is durable all the same.
        voiding.reply.send(outcome).ok();
    }

    /// Overwrites closing records and frees what the instances kept.
    fn void(&self, slice: Vec<(Discarded, Entry)>) -> Result<(), JournalError> {
        let closings: Vec<_> = slice.iter().map(|(one, _)| (one.closing, one.length)).collect();
        self.log.write_voids(&closings)?;
        for (one, entry) in slice {
            self.log.release(one.closing, one.length, entry.extents());
        }
        Ok(())
    }

    fn failed(&self, then: Then, error: &JournalError) {
        match then {
            Then::Kept { upload, done, .. } => {
                upload.forget(&self.log);
                done(Err(error.clone()));
            }
            Then::Discarded { reply, .. } => {
                reply.send(Err(error.clone())).ok();
            }
            Then::Copied { moving } => moving.give_up(&self.log),
        }
    }
}
