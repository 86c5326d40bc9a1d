//! A node over a disk in memory, a catalogue that answers on a thread, and senders.

use std::collections::HashMap;
use std::io::Read;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use kuva_core::association::{Association, AssociationLimits, Event};
use kuva_core::command::{Command, CommandSet, Priority, build};
use kuva_core::dedup::{DuplicatesLimits, DuplicatesTable, Known, Origin};
use kuva_core::instance::{Content, NodeId, ReceiveId, Sender as From, StudyKey, VaultId, Verdict};
use kuva_core::intake::landing::{Closed, Flush, UNLANDED_MAX};
use kuva_core::intake::lane::Lane;
use kuva_core::intake::{Admission, Heard, Intake, IntakeSettings, Peer};
use kuva_core::journal::{
    BlockPool, Faults, Journal, JournalConfig, JournalError, MemoryMedium, WriteMode,
};
use kuva_core::pdu::{
    AeTitle, AssociateAc, AssociateRq, PresentationContextAnswered, PresentationContextProposed,
    UserInformation,
};
use kuva_core::rules::{Preset, RuleSet};

mod sample;

pub use sample::Sample;

/// Raw Data Storage: needs no pixels.
pub const CLASS: &str = "1.2.840.10008.5.1.4.1.1.66";
pub const SYNTAX: &str = "1.2.840.10008.1.2.1";
pub const DEFLATED: &str = "1.2.840.10008.1.2.1.99";
const NODE: NodeId = NodeId([7; 16]);
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Default)]
struct Answers {
    refused: Mutex<Vec<&'static str>>,
    bytes: Mutex<HashMap<u64, Vec<u8>>>,
    resume: Mutex<HashMap<u64, bool>>,
    arrived: Condvar,
}

/// Called on whichever thread looks at the clock: a worker does so when it opens a study and, twice,
/// when it concludes an instance.
type Hook = Arc<dyn Fn() + Send + Sync>;

/// A running node.
pub struct Rig {
    intake: Arc<Intake>,
    medium: Arc<MemoryMedium>,
    answers: Arc<Answers>,
    reachable: Arc<AtomicBool>,
    silent: Arc<AtomicBool>,
    known: Arc<Mutex<Vec<Known>>>,
    clock_breaks: Arc<AtomicBool>,
    on_clock: Arc<Mutex<Option<Hook>>>,
    ended: Arc<AtomicBool>,
    numbers: AtomicU64,
    epoch: u32,
}

impl Rig {
    pub fn new() -> Self {
        let medium = MemoryMedium::new(WriteMode::Direct, Faults::default());
        Self::start(Arc::new(medium), 1, 2)
    }

    /// With this many digest workers.
    pub fn with_workers(workers: usize) -> Self {
        let medium = MemoryMedium::new(WriteMode::Direct, Faults::default());
        Self::start(Arc::new(medium), 1, workers)
    }

    fn start(medium: Arc<MemoryMedium>, epoch: u32, workers: usize) -> Self {
        let config = JournalConfig {
            capacity_bytes: 24 << 20,
            segment_bytes: 1 << 20,
            block_pool_bytes: 4 << 20,
            ..JournalConfig::new(NODE, epoch)
        };
        let nonces = AtomicU64::new(99);
        let nonces = Box::new(move || nonces.fetch_add(7919, SeqCst));
        let (journal, _) = Journal::open(medium.clone(), config, nonces).unwrap();
        let (time, clock_breaks) = (AtomicI64::new(1_000_000), Arc::new(AtomicBool::new(false)));
        let breaks = Arc::clone(&clock_breaks);
        let on_clock: Arc<Mutex<Option<Hook>>> = Arc::default();
        let hook = Arc::clone(&on_clock);
        let clock = move || {
            let called = hook.lock().unwrap().clone();
            called.iter().for_each(|called| called());
            assert!(!breaks.swap(false, SeqCst), "the clock broke, as this test wants");
            time.fetch_add(1, SeqCst)
        };
        let settings = IntakeSettings { workers, clock: Box::new(clock) };
        let table = DuplicatesTable::new(NODE, DuplicatesLimits::default());
        let intake = Intake::start(journal, table, settings).unwrap();
        let rig = Self {
            intake,
            medium,
            answers: Arc::default(),
            reachable: Arc::new(AtomicBool::new(true)),
            silent: Arc::default(),
            known: Arc::default(),
            clock_breaks,
            on_clock,
            ended: Arc::default(),
            numbers: AtomicU64::new(1),
            epoch,
        };
        rig.serve();
        rig
    }

    /// The event loop's part: answers, resumptions, and the catalogue.
    fn serve(&self) {
        let (intake, answers) = (Arc::clone(&self.intake), Arc::clone(&self.answers));
        let (reachable, ended) = (Arc::clone(&self.reachable), Arc::clone(&self.ended));
        let silent = Arc::clone(&self.silent);
        let known = Arc::clone(&self.known);
        std::thread::spawn(move || {
            let mut asked = Vec::new();
            while !ended.load(SeqCst) {
                let pile = intake.wake.drain();
                asked.extend(pile.opening);
                let answered = if silent.load(SeqCst) { 0 } else { asked.len() };
                for key in asked.drain(..answered) {
                    if reachable.load(SeqCst) {
                        intake.study_opened(&key, known.lock().unwrap().clone(), &[]);
                    } else {
                        intake.study_failed(&key);
                    }
                }
                for (number, bytes) in pile.output {
                    answers.bytes.lock().unwrap().entry(number).or_default().extend(bytes);
                }
                let refused = pile.refused.iter().map(|refused| refused.refusal.code());
                answers.refused.lock().unwrap().extend(refused);
                for number in pile.resume {
                    answers.resume.lock().unwrap().insert(number, true);
                }
                answers.arrived.notify_all();
                std::thread::sleep(Duration::from_micros(200));
            }
        });
    }

    pub fn catalogue_answers(&self, yes: bool) {
        self.reachable.store(yes, SeqCst);
    }

    /// A catalogue that is silent answers later what it was asked meanwhile.
    pub fn catalogue_is_silent(&self, yes: bool) {
        self.silent.store(yes, SeqCst);
    }

    pub fn under_way(&self) -> usize {
        self.intake.studies().table.under_way()
    }

    /// The next block that comes back to the pool takes down whoever gives it back: a panic in the
    /// middle of the core's own work, on whichever thread that is.
    ///
    /// `holding`: called when one more block is to be had, and it is the last.
    pub fn panic_at_the_next_block_back(&self, holding: impl FnOnce()) {
        let pool = self.intake.journal.pool();
        pool.on_available(|| panic!("injected"));
        let mut taken: Vec<_> = std::iter::from_fn(|| pool.take()).collect();
        pool.on_available(|| {});
        taken.pop();
        holding();
        pool.on_available(|| panic!("injected"));
        assert!(pool.take().is_none(), "the last block is in use");
        taken.into_iter().for_each(std::mem::forget);
    }

    /// The catalogue says that nodes disagree on this instance.
    pub fn dispute(&self, sample: &Sample) {
        let content =
            Content { digest: [9; 32], transfer_syntax: SYNTAX.into(), sop_class: CLASS.into() };
        let sop_instance = sample.instance.as_str().into();
        let content = (&content).into();
        let known = Known {
            sop_instance,
            content,
            origin: Origin::Equivalent,
            disputed: true,
            preferred: false,
        };
        self.known.lock().unwrap().push(known);
    }

    /// As many closed instances wait for the catalogue as may.
    pub fn fall_behind(&self) {
        let kept = self.intake.newest(1).unwrap().remove(0).1.unwrap();
        let particulars = Arc::new(kept.particulars.clone());
        for _ in 0..UNLANDED_MAX {
            let (receive_id, particulars) = (kept.receive_id, Arc::clone(&particulars));
            self.intake.landing.push(Closed { receive_id, particulars });
        }
    }

    /// From now on each look at the clock calls this first.
    pub fn when_the_clock_is_looked_at(&self, hook: impl Fn() + Send + Sync + 'static) {
        *self.on_clock.lock().unwrap() = Some(Arc::new(hook));
    }

    /// The pool's blocks.
    pub fn pool(&self) -> BlockPool {
        self.intake.journal.pool().clone()
    }

    /// The next look at the clock panics: a defect in a worker.
    pub fn break_clock(&self) {
        self.clock_breaks.store(true, SeqCst);
    }

    pub fn sender(&self) -> Sender {
        Sender::new(self, SYNTAX, Some(admission(From::default())))
    }

    /// A sender of whom the record says this.
    pub fn sender_called(&self, calling: &str) -> Sender {
        let sender = From { calling: calling.into(), ..From::default() };
        Sender::new(self, SYNTAX, Some(admission(sender)))
    }

    /// A sender whose context has this transfer syntax.
    pub fn sender_in(&self, syntax: &str) -> Sender {
        Sender::new(self, syntax, Some(admission(From::default())))
    }

    /// A sender who may not store.
    pub fn sender_without_grant(&self) -> Sender {
        Sender::new(self, SYNTAX, None)
    }

    pub fn counter(&self, name: &str) -> u64 {
        let counters = self.intake.counters.snapshot();
        counters.into_iter().find(|(counted, _)| *counted == name).unwrap().1
    }

    pub fn live_bytes(&self) -> u64 {
        self.settle();
        self.intake.journal.room().live_bytes
    }

    /// Let workers and writers finish what is under way.
    pub fn settle(&self) {
        std::thread::sleep(Duration::from_millis(100));
    }

    pub fn read_back(&self, sample: &Sample) -> Vec<u8> {
        let all = self.intake.newest(1000).unwrap();
        let all = all.into_iter().filter_map(|(_, kept)| kept).collect::<Vec<_>>();
        let of = all.iter().filter(|k| *k.particulars.identity.sop_instance == *sample.instance);
        let kept = of.filter(|kept| kept.particulars.verdict == Verdict::Kept);
        let ids: Vec<_> = kept.map(|kept| kept.receive_id).collect();
        assert_eq!(ids.len(), 1, "kept exactly once");
        let mut bytes = Vec::new();
        self.intake.journal.reader(ids[0]).unwrap().unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    }

    pub fn fail_next_write(&self) {
        let (writes, _, _) = self.medium.counts();
        self.medium.set_faults(Faults { write_fails: Some(writes + 1), ..Faults::default() });
    }

    /// From now on no segment can be made for want of file descriptors, or again.
    pub fn out_of_descriptors(&self, out: bool) {
        let create_fails = out.then_some((1, libc::EMFILE));
        self.medium.set_faults(Faults { create_fails, ..Faults::default() });
    }

    /// How many refusals were counted by this code.
    pub fn refusals(&self, code: &str) -> u64 {
        let counts = self.intake.refusals.snapshot();
        counts.into_iter().find(|(counted, _)| *counted == code).unwrap().1
    }

    /// Codes of the refusals told to the log.
    pub fn refused(&self) -> Vec<&'static str> {
        self.settle();
        let counted = || self.intake.refusals.snapshot().iter().map(|(_, many)| *many).sum::<u64>();
        let told = || self.answers.refused.lock().unwrap().clone();
        for _ in 0..200 {
            if told().len() as u64 >= counted() {
                break;
            }
            self.settle();
        }
        told()
    }

    pub fn flush(&self) -> Option<Flush> {
        self.intake.landing.take(1000)
    }

    /// The newest instance of the journal, and the study it is of.
    pub fn newest(&self) -> (StudyKey, ReceiveId) {
        let (id, kept) = self.intake.newest(1).unwrap().remove(0);
        let particulars = &kept.unwrap().particulars;
        (StudyKey { vault: particulars.vault, study: particulars.identity.study.clone() }, id)
    }

    pub fn forget(&self, key: &StudyKey, ids: &[ReceiveId]) -> Result<(), JournalError> {
        self.intake.forget(key, ids)
    }

    /// The room is looked at, at that time.
    pub fn look(&self, now: i64) {
        self.intake.look(now);
    }

    pub fn fill(&self) -> f64 {
        self.intake.journal.room().fill
    }

    pub fn landed(&self, through: u64) {
        self.intake.landing.landed(self.epoch, through);
    }

    pub fn cut_power_and_restart(&mut self) {
        self.medium.cut_power();
        self.ended.store(true, SeqCst);
        self.intake.stop();
        let medium = Arc::new(self.medium.after_power_cut(42));
        *self = Self::start(medium, self.epoch + 1, 2);
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.ended.store(true, SeqCst);
        self.intake.stop();
    }
}

/// A requestor engine joined to an acceptor `Peer`, without a socket.
pub struct Sender {
    number: u64,
    peer: Peer,
    engine: Association,
    answers: Arc<Answers>,
    pub piece: usize,
}

impl Sender {
    fn new(rig: &Rig, syntax: &str, admission: Option<Admission>) -> Self {
        let number = rig.numbers.fetch_add(1, SeqCst);
        let intake = Arc::clone(&rig.intake);
        let (wake, counters) = (Arc::clone(&intake.wake), Arc::clone(&intake.counters));
        let lane = Arc::new(Lane::new(number, wake, counters));
        let mut peer = Peer::acceptor(intake, lane, AssociationLimits::default());
        let context = PresentationContextProposed::new(1, CLASS, vec![syntax.into()]);
        let title = |name| AeTitle::new(name).unwrap();
        let information = UserInformation { maximum_length: 1 << 18, ..Default::default() };
        let rq = AssociateRq::new(title("KUVA"), title("TEST"), vec![context], information.clone());
        let (mut engine, request) = Association::requestor(&rq, AssociationLimits::default());
        let answers = Arc::clone(&rig.answers);
        let heard = give(&mut peer, number, &answers, &request, usize::MAX);
        assert!(matches!(heard[..], [Heard::Requested(_)]));
        let accepted = vec![PresentationContextAnswered::accepted(1, syntax)];
        let ac = AssociateAc::answering(&rq, accepted, information);
        let bytes = peer.engine().accept(&ac).unwrap();
        peer.admit(admission.map(Arc::new), 1);
        let event = engine.next(&mut &bytes[..]).unwrap();
        assert!(matches!(event, Some(Event::Accepted(_))));
        Self { number, peer, engine, answers, piece: usize::MAX }
    }

    pub fn send(&mut self, sample: &Sample) {
        self.send_part(sample, sample.data_set.len());
    }

    pub fn send_part(&mut self, sample: &Sample, many: usize) {
        let command = build::c_store_rq(1, CLASS, &sample.instance, Priority::Medium, None);
        let mut bytes = self.engine.command(1, &command).unwrap();
        let last = many == sample.data_set.len();
        self.engine.data_set(1, &sample.data_set[..many], last, &mut bytes).unwrap();
        let heard = give(&mut self.peer, self.number, &self.answers, &bytes, self.piece);
        assert!(heard.is_empty(), "{heard:?}");
    }

    /// The rest of what `send_part` began.
    pub fn send_rest(&mut self, sample: &Sample, from: usize) {
        let mut bytes = Vec::new();
        self.engine.data_set(1, &sample.data_set[from..], true, &mut bytes).unwrap();
        let heard = give(&mut self.peer, self.number, &self.answers, &bytes, self.piece);
        assert!(heard.is_empty(), "{heard:?}");
    }

    /// Any command, and a data set if it announces one; returns what policy hears.
    pub fn command(&mut self, command: &CommandSet, data_set: Option<&[u8]>) -> Vec<Heard> {
        let mut bytes = self.engine.command(1, command).unwrap();
        if let Some(data_set) = data_set {
            self.engine.data_set(1, data_set, true, &mut bytes).unwrap();
        }
        give(&mut self.peer, self.number, &self.answers, &bytes, self.piece)
    }

    /// The event loop says that it read more than it was lent room for.
    pub fn overrun(&mut self) -> Vec<Heard> {
        let (_, room) = self.peer.free();
        self.peer.buffer_updated(room + 1)
    }

    /// Status of the C-STORE-RSP.
    #[track_caller]
    pub fn status(&mut self) -> u16 {
        let deadline = Instant::now() + PATIENCE;
        let mut answers = self.answers.bytes.lock().unwrap();
        loop {
            if let Some(bytes) = answers.remove(&self.number) {
                let mut input = &bytes[..];
                let event = self.engine.next(&mut input).unwrap();
                let Some(Event::Command { command: Command::CStoreRsp { status, .. }, .. }) = event
                else {
                    panic!("no C-STORE-RSP: {event:?}");
                };
                assert!(input.is_empty(), "one answer, and nothing else");
                return status;
            }
            assert!(Instant::now() < deadline, "no answer");
            answers = self.answers.arrived.wait_timeout(answers, PATIENCE).unwrap().0;
        }
    }

    pub fn vanish(mut self) {
        self.peer.closed();
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.peer.closed();
    }
}

fn admission(sender: From) -> Admission {
    Admission { vault: VaultId([1; 16]), sender, rules: RuleSet::from(Preset::Strict) }
}

/// Feed bytes as a socket would: as many as the buffer takes, waiting while the peer is paused.
fn give(
    peer: &mut Peer,
    number: u64,
    answers: &Answers,
    mut bytes: &[u8],
    piece: usize,
) -> Vec<Heard> {
    let mut heard = Vec::new();
    while !bytes.is_empty() {
        while peer.paused() {
            wait_for_resume(number, answers);
            heard.extend(peer.resume());
        }
        let (pointer, room) = peer.free();
        let many = bytes.len().min(room).min(piece);
        // SAFETY: `room` bytes are free at `pointer`.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), pointer, many) };
        bytes = &bytes[many..];
        heard.extend(peer.buffer_updated(many));
    }
    while peer.paused() {
        wait_for_resume(number, answers);
        heard.extend(peer.resume());
    }
    heard
}

fn wait_for_resume(number: u64, answers: &Answers) {
    let deadline = Instant::now() + PATIENCE;
    let mut resume = answers.resume.lock().unwrap();
    while resume.remove(&number).is_none() {
        assert!(Instant::now() < deadline, "paused for ever");
        resume = answers.arrived.wait_timeout(resume, PATIENCE).unwrap().0;
    }
}
