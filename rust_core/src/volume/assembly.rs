//! Assembly: the bytes of a volume, read ahead from the journal and hashed while they are written.
//!
//! Two threads and the caller form a row: one reads data sets and holds them against their closing
//! records (BLAKE3), one makes the TAR of them (SHA-256 of each file, the digest of the whole), and the
//! caller writes. What lies between them is bounded, so memory is the same for every volume but for
//! what is known of each instance.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use super::contents::{Contents, Gathered};
use super::description::Description;
use super::error::{AssemblyError, VolumeError};
use super::framing::{Made, frame};
use super::piece::{Memory, Piece};
use super::reading::read_data_sets;
use crate::instance::ReceiveId;
use crate::journal::Readings;

/// Bytes of one piece of the TAR file; the last is shorter.
pub const PIECE_LENGTH: usize = 4 << 20;
/// Pieces that are ready before the caller takes one.
const PIECES_AHEAD: usize = 2;
/// Stretches of data sets, of about 1 MiB each, that are read before the TAR is made of them.
const STRETCHES_AHEAD: usize = 4;

/// A volume to be made: what it says of itself, and which instances it holds.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What belongs to it as a whole.
    pub description: Description,
    /// Its instances, in any order.
    pub instances: Vec<ReceiveId>,
}

/// A volume on its way from the journal to a store.
pub struct Assembly {
    contents: Arc<Contents>,
    pieces: Receiver<Result<Made, AssemblyError>>,
    outcome: Option<Result<[u8; 32], AssemblyError>>,
}

/// A volume whose bytes were all given out.
pub struct Assembled {
    /// What it holds.
    pub contents: Arc<Contents>,
    /// The volume's digest: BLAKE3 of the TAR file, with the BLAKE3 of each data set in its place.
    pub digest: [u8; 32],
}

impl Assembly {
    /// Reads the closing records, so that everything but the data sets is known. Blocking.
    ///
    /// # Errors
    /// `Plan` if no volume can be made of it; else what the journal says of one instance.
    pub fn begin(journal: Readings, plan: Plan) -> Result<Self, AssemblyError> {
        let contents = Arc::new(contents_of(&journal, plan)?);
        let (read, stretches) = sync_channel(STRETCHES_AHEAD);
        let (spare_stretch, emptied) = sync_channel(STRETCHES_AHEAD);
        let (made, pieces) = sync_channel(PIECES_AHEAD);
        let memory = Memory::new(PIECES_AHEAD);
        let (reading, framing) = (Arc::clone(&contents), Arc::clone(&contents));
        spawn("kuva-volume-read", move || read_data_sets(&journal, &reading, &read, &emptied))?;
        spawn("kuva-volume-tar", move || {
            frame(&framing, &stretches, &spare_stretch, &made, &memory)
        })?;
        Ok(Self { contents, pieces, outcome: None })
    }

    /// What the volume holds, and how long it will be.
    pub fn contents(&self) -> &Arc<Contents> {
        &self.contents
    }

    /// The next piece of the TAR file, none at its end. Blocking.
    ///
    /// # Errors
    /// What the journal says of one instance; the same again from then on.
    pub fn next_piece(&mut self) -> Result<Option<Piece>, AssemblyError> {
        if let Some(outcome) = &self.outcome {
            return outcome.clone().map(|_| None);
        }
        let ended = || Err(AssemblyError::Plan(VolumeError::new("its assembly ended early")));
        match self.pieces.recv().unwrap_or_else(|_| ended()) {
            Ok(Made::Piece(piece)) => Ok(Some(piece)),
            Ok(Made::Whole(digest)) => {
                self.outcome = Some(Ok(digest));
                Ok(None)
            }
            Err(error) => {
                self.outcome = Some(Err(error.clone()));
                Err(error)
            }
        }
    }

    /// What was made.
    ///
    /// # Errors
    /// If not all pieces were taken, or one could not be made.
    pub fn finish(&self) -> Result<Assembled, AssemblyError> {
        let early =
            || Err(AssemblyError::Plan(VolumeError::new("not all of its pieces were taken")));
        let digest = self.outcome.clone().unwrap_or_else(early)?;
        Ok(Assembled { contents: Arc::clone(&self.contents), digest })
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), AssemblyError> {
    let started = thread::Builder::new().name(name.to_owned()).spawn(work);
    let failed =
        |error: io::Error| AssemblyError::Plan(VolumeError::new(format!("{name}: {error}")));
    started.map(drop).map_err(failed)
}

fn contents_of(journal: &Readings, plan: Plan) -> Result<Contents, AssemblyError> {
    let Plan { description, mut instances } = plan;
    description.check()?;
    // In the order in which they lie in the journal.
    instances.sort_unstable();
    let mut gathered = Gathered::new(description);
    for (id, found) in journal.selection(instances) {
        let found = found.map_err(|error| AssemblyError::Journal(id, error))?;
        let kept = found.ok_or(AssemblyError::Absent(id))?;
        gathered.add(id, &kept.particulars).map_err(|error| error.within(&name_of(id)))?;
    }
    Ok(gathered.finish()?)
}

/// How messages name an instance.
pub fn name_of(id: ReceiveId) -> String {
    format!("instance {}/{}", id.epoch, id.position)
}
