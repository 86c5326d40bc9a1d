//! The writers: threads that write full blocks, gathered over all uploads.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use super::block::FilledBlock;
use super::committer::{Committer, Request};
use super::error::JournalError;
use super::log::{Log, Purpose, Region};
use super::record::{BLOCK_PAYLOAD_LENGTH, Kind};
use super::upload::{Turn, UploadState};
use crate::limits::BLOCK_LENGTH;

/// Blocks in one write: 1 MiB.
const GATHERED_MAX: usize = 8;

/// One block to write.
pub(super) struct Job {
    pub(super) upload: Arc<UploadState>,
    pub(super) index: u32,
    pub(super) block: Arc<FilledBlock>,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    stopping: bool,
}

/// The queue that all writers share; its size is bounded by the block pool.
#[derive(Default)]
pub(super) struct Writers {
    queue: Mutex<Queue>,
    changed: Condvar,
}

impl Writers {
    /// Queues a block; gives it back once the writers were told to stop.
    pub(super) fn push(&self, job: Job) -> Result<(), Job> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.stopping {
            return Err(job);
        }
        queue.jobs.push_back(job);
        drop(queue);
        self.changed.notify_one();
        Ok(())
    }

    /// Lets the writers go home once the queue is empty.
    pub(super) fn stop(&self) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).stopping = true;
        self.changed.notify_all();
    }

    fn take(&self) -> Option<Vec<Job>> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        while queue.jobs.is_empty() {
            if queue.stopping {
                return None;
            }
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        let count = queue.jobs.len().min(GATHERED_MAX);
        Some(queue.jobs.drain(..count).collect())
    }

    /// One writer's life.
    pub(super) fn run(&self, log: &Log, committer: &Committer) {
        while let Some(mut jobs) = self.take() {
            while !jobs.is_empty() {
                let (count, outcome) = write(log, &jobs);
                for (n, job) in jobs.drain(..count).enumerate() {
                    let place = outcome.clone().map(|region| region.place.plus(n * BLOCK_LENGTH));
                    finish(job, place, log, committer);
                }
            }
        }
    }
}

/// Writes as many of the jobs, from the front, as lie behind each other; how many those were.
fn write(log: &Log, jobs: &[Job]) -> (usize, Result<Region, JournalError>) {
    let lengths = vec![BLOCK_LENGTH as u32; jobs.len()];
    match log.allocate(Purpose::Data, &lengths) {
        Ok(region) => (region.records, write_region(log, &jobs[..region.records], region)),
        Err(error) => (jobs.len(), Err(error)),
    }
}

fn write_region(log: &Log, jobs: &[Job], region: Region) -> Result<Region, JournalError> {
    let mut pieces = Vec::with_capacity(jobs.len());
    for (n, job) in jobs.iter().enumerate() {
        let mut header = region.header(Kind::Data, log.epoch, BLOCK_PAYLOAD_LENGTH as u32);
        header.place = region.place.plus(n * BLOCK_LENGTH);
        (header.upload, header.index) = (job.upload.number, job.index);
        let stamped = job.block.stamp(&header.encode(job.block.payload()));
        match job.block.record().filter(|_| stamped) {
            Some(record) => pieces.push(record),
            // The region is given out and would stay a hole: nothing may be written behind it.
            None => return Err(log.poison("a block was appended twice")),
        }
    }
    log.write(region, &pieces, false).map(|()| region)
}

fn finish(
    job: Job,
    place: Result<super::record::Place, JournalError>,
    log: &Log,
    committer: &Committer,
) {
    let Job { upload, index, block } = job;
    drop(block);
    if let Turn::Commit(close) = upload.written(index, place, log) {
        committer.push(Request::Close(upload, close), log);
    }
}
