//! A model of the journal's room: keep, hold apart, give up, forget, discard, copy forward, overwrite,
//! restart, with the power cut at any write. Nothing acknowledged and not forgotten is ever lost,
//! nothing doubled, nothing discarded comes back.
#![allow(clippy::unwrap_used)]

mod journal_support;

use std::collections::{BTreeMap, BTreeSet};

use journal_support::*;
use kuva_core::instance::{ReceiveId, Verdict};
use kuva_core::journal::record::BLOCK_PAYLOAD_LENGTH;
use kuva_core::journal::*;
use proptest::prelude::*;

const BLOCK: usize = BLOCK_PAYLOAD_LENGTH;

#[derive(Clone, Debug)]
enum Step {
    Keep { length: usize, apart: bool },
    GiveUp { blocks: usize },
    Forget(prop::sample::Index),
    Discard(prop::sample::Index),
    Read(prop::sample::Index),
    OpenReader(prop::sample::Index),
    Tend,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let length = prop_oneof![0..3000_usize, Just(BLOCK), BLOCK..3 * BLOCK];
    prop_oneof![
        4 => (length, prop::bool::weighted(0.3)).prop_map(|(length, apart)| Step::Keep { length, apart }),
        6 => (1..7_usize).prop_map(|blocks| Step::GiveUp { blocks }),
        3 => any::<prop::sample::Index>().prop_map(Step::Forget),
        1 => any::<prop::sample::Index>().prop_map(Step::Discard),
        1 => any::<prop::sample::Index>().prop_map(Step::Read),
        1 => any::<prop::sample::Index>().prop_map(Step::OpenReader),
        5 => Just(Step::Tend),
        1 => Just(Step::Restart),
    ]
}

/// What is known of an instance that was answered.
type Made = (u64, usize, Verdict);

struct Model {
    medium: MemoryMedium,
    journal: Option<Journal>,
    epoch: u32,
    number: u64,
    live: BTreeMap<ReceiveId, Made>,
    forgotten: BTreeMap<ReceiveId, Made>,
    discarded: BTreeSet<ReceiveId>,
    readers: Vec<(InstanceReader, u64, usize)>,
    tended: Tended,
    days: i64,
    seed: u64,
}

impl Model {
    fn new(seed: u64, mode: WriteMode) -> Self {
        let medium = MemoryMedium::new(mode, Faults::default());
        let mut model = Self {
            medium,
            journal: None,
            epoch: 0,
            number: 0,
            live: BTreeMap::new(),
            forgotten: BTreeMap::new(),
            discarded: BTreeSet::new(),
            readers: Vec::new(),
            tended: Tended::default(),
            days: 0,
            seed,
        };
        model.start().unwrap();
        model
    }

    /// Opens what is on the disk and compares all of it with what was answered.
    fn start(&mut self) -> Result<(), JournalError> {
        self.epoch += 1;
        let (journal, recovery) = open(&self.medium, self.epoch)?;
        assert!(recovery.damaged.is_empty(), "{:?}", recovery.damaged);
        let found: BTreeMap<ReceiveId, Verdict> = recovery.instances.iter().copied().collect();
        assert_eq!(found.len(), recovery.instances.len(), "one id, one instance");
        for (id, (number, length, verdict)) in &self.live {
            assert_eq!(found.get(id), Some(verdict), "{id:?} is lost");
            assert!(read(&journal, *id).unwrap() == Some(bytes_of(*number, *length)), "{id:?}");
        }
        for (id, verdict) in &found {
            assert!(!self.discarded.contains(id), "{id:?} was discarded");
            if let Some(made) = self.forgotten.remove(id) {
                self.live.insert(*id, made);
            }
            let kept = journal.instance(*id).unwrap().unwrap();
            // Not answered any more before the cut, and whole all the same: the sender comes again.
            let (number, length) = (kept.particulars.flags, kept.particulars.length as usize);
            self.live.entry(*id).or_insert((number, length, *verdict));
            assert!(read(&journal, *id).unwrap() == Some(bytes_of(number, length)), "{id:?}");
        }
        let listed = journal.epochs().into_iter().flat_map(|epoch| journal.entries_after(epoch, 0));
        assert_eq!(
            listed.map(|kept| kept.unwrap().receive_id).collect::<BTreeSet<_>>().len(),
            found.len()
        );
        self.journal = Some(journal);
        Ok(())
    }

    fn pick(&self, which: &prop::sample::Index, apart: bool) -> Option<(ReceiveId, Made)> {
        let fit = self.live.iter().filter(|(_, made)| !apart || made.2 == Verdict::Quarantined);
        let fit: Vec<_> = fit.map(|(id, made)| (*id, *made)).collect();
        (!fit.is_empty()).then(|| fit[which.index(fit.len())])
    }

    /// False once the power is gone, or it was stopped.
    fn take(&mut self, step: &Step) -> bool {
        let Some(journal) = self.journal.take() else { return false };
        let goes_on = match step {
            Step::Keep { length, apart } => self.keep(&journal, *length, *apart),
            Step::GiveUp { blocks } => give_up(&journal, *blocks),
            Step::Forget(which) => self.forget(&journal, which),
            Step::Discard(which) => self.discard(&journal, which),
            Step::Read(which) => self.read(&journal, which),
            Step::OpenReader(which) => self.open_reader(&journal, which),
            Step::Tend => self.tend(&journal),
            Step::Restart => false,
        };
        let writable = matches!(journal.state(), JournalState::Writable);
        self.journal = Some(journal);
        goes_on && writable
    }

    fn keep(&mut self, journal: &Journal, length: usize, apart: bool) -> bool {
        self.number += 1;
        let (number, data_set) = (self.number, bytes_of(self.number, length));
        let mut said = particulars(number, &data_set);
        said.verdict = if apart { Verdict::Quarantined } else { Verdict::Kept };
        let verdict = said.verdict;
        match send(journal, said, &data_set).and_then(|outcome| outcome.recv().unwrap()) {
            Ok(id) => assert_eq!(self.live.insert(id, (number, length, verdict)), None),
            Err(JournalError::Full) => {}
            Err(JournalError::ReadOnly(_) | JournalError::Io(_)) => return false,
            Err(error) => panic!("{error}"),
        }
        true
    }

    fn forget(&mut self, journal: &Journal, which: &prop::sample::Index) -> bool {
        if let Some((id, made)) = self.pick(which, false) {
            self.live.remove(&id);
            self.forgotten.insert(id, made);
            journal.forget(&[id]);
            assert!(journal.instance(id).unwrap().is_none());
        }
        true
    }

    fn discard(&mut self, journal: &Journal, which: &prop::sample::Index) -> bool {
        let Some((id, _)) = self.pick(which, true) else { return true };
        let made = self.live.remove(&id);
        match journal.discard(&[id], "by the model") {
            Ok(()) => drop(self.discarded.insert(id)),
            Err(JournalError::Full) => drop(made.map(|made| self.live.insert(id, made))),
            // Perhaps: the next start says.
            Err(JournalError::ReadOnly(_) | JournalError::Io(_)) => return false,
            Err(error) => panic!("{error}"),
        }
        true
    }

    fn read(&mut self, journal: &Journal, which: &prop::sample::Index) -> bool {
        if let Some((id, (number, length, _))) = self.pick(which, false) {
            match read(journal, id) {
                Ok(found) => assert!(found == Some(bytes_of(number, length)), "{id:?}"),
                Err(error) => assert!(matches!(error, JournalError::Io(_)), "{error}"),
            }
        }
        true
    }

    fn open_reader(&mut self, journal: &Journal, which: &prop::sample::Index) -> bool {
        if let Some((id, (number, length, _))) = self.pick(which, false)
            && let Ok(reader) = journal.reader(id)
        {
            self.readers.push((reader.unwrap(), number, length));
        }
        true
    }

    fn tend(&mut self, journal: &Journal) -> bool {
        // A day goes by between two looks: whatever is free is overwritten soon.
        self.days += 1;
        let tended = journal.tend(self.days * 86_400_000_000);
        assert_eq!(tended.damaged, []);
        self.tended.copied_instances += tended.copied_instances;
        self.tended.overwritten_bytes += tended.overwritten_bytes;
        true
    }

    /// What was opened before is read to its end, whatever happened since.
    fn finish_readers(&mut self) {
        for (mut reader, number, length) in self.readers.drain(..) {
            let mut data_set = Vec::new();
            let ended = loop {
                match reader.read_chunk(&mut data_set) {
                    Ok(0) => break Ok(()),
                    Ok(_) => {}
                    Err(error) => break Err(error),
                }
            };
            match ended {
                Ok(()) => assert!(data_set == bytes_of(number, length)),
                Err(error) => assert!(matches!(error, JournalError::Io(_)), "{error}"),
            }
        }
    }

    fn restart(&mut self, power_cut: Option<u64>) {
        self.finish_readers();
        if self.medium.is_dead() {
            self.journal = None;
            self.seed = self.seed.wrapping_mul(31).wrapping_add(7);
            self.medium = self.medium.after_power_cut(self.seed);
        }
        self.journal = None;
        let cut = power_cut.map(|cut| self.medium.operations() + cut);
        self.medium.set_faults(Faults { power_cut: cut, ..Faults::default() });
        if let Err(error) = self.start() {
            // The cut came during recovery.
            assert!(matches!(error, JournalError::Io(_) | JournalError::ReadOnly(_)), "{error}");
            self.medium = self.medium.after_power_cut(self.seed);
            self.start().unwrap();
        }
    }
}

fn give_up(journal: &Journal, blocks: usize) -> bool {
    let Ok(upload) = journal.begin() else { return true };
    for _ in 0..blocks {
        let mut block = take(journal);
        block.fill(&[0xAB; BLOCK]);
        if journal.append(&upload, block.freeze()).is_err() {
            break;
        }
    }
    true
}

fn run(mode: WriteMode, seed: u64, steps: &[Step], cuts: &[u64]) -> Tended {
    let mut model = Model::new(seed, mode);
    let mut cuts = cuts.iter().copied();
    for step in steps {
        if !model.take(step) {
            let cut = cuts.next();
            model.restart(cut);
        }
    }
    model.restart(None);
    model.tended
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn nothing_acknowledged_is_lost_nothing_doubled_nothing_discarded_comes_back(
        steps in prop::collection::vec(step(), 80..240),
        cuts in prop::collection::vec(1..400_u64, 8),
        seed in any::<u64>(),
        buffered in any::<bool>(),
    ) {
        let mode = if buffered { WriteMode::Buffered } else { WriteMode::Direct };
        run(mode, seed, &steps, &cuts);
    }
}

/// The model is worth nothing if it never gets there.
#[test]
fn the_model_copies_forward_under_power_cuts() {
    let (mut copied, mut overwritten) = (0, 0);
    for seed in 0..6 {
        let mut steps = Vec::new();
        for n in 0..150_usize {
            steps.push(Step::GiveUp { blocks: 5 });
            if n.is_multiple_of(8) {
                let apart = n.is_multiple_of(16);
                steps.push(Step::Keep { length: 300 + n % 3 * BLOCK, apart });
            }
            steps.push(Step::Tend);
        }
        let cuts: Vec<u64> = (0..8).map(|n| 150 + 37 * n + seed).collect();
        for mode in [WriteMode::Direct, WriteMode::Buffered] {
            let tended = run(mode, seed, &steps, &cuts);
            copied += tended.copied_instances;
            overwritten += tended.overwritten_bytes;
        }
    }
    assert!(copied > 50 && overwritten > SEGMENT, "{copied} {overwritten}");
}
