//! The run: all associations stand, then all begin at once, and the clock ends with the last answer;
//! reports on what was to be committed have clocks of their own.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use crate::Trouble;
use crate::ledger::Ledger;
use crate::listener::listen;
use crate::peer::{Peer, Until};
use crate::plan::Plan;
use crate::report::{Outcome, Report, Said};
use crate::wire::WireImage;

/// Everything is prepared and every association is established.
pub struct Standing<'a> {
    plan: &'a Plan,
    ledger: Arc<Ledger>,
    ready: Vec<(Peer, Vec<WireImage>)>,
}

impl<'a> Standing<'a> {
    /// Establishes the associations and makes the bytes of every template.
    pub fn establish(plan: &'a Plan) -> Result<Self, Trouble> {
        check(plan)?;
        let ledger = Arc::new(Ledger::default());
        if let Some(port) = plan.commitment.as_ref().and_then(|commitment| commitment.listen_port) {
            listen(port, &ledger)?;
        }
        let peers: Vec<_> = (0..plan.associations)
            .map(|number| Peer::associate(plan, number, &ledger))
            .collect::<Result<_, _>>()?;
        let images = images(plan, &peers)?;
        warm(plan.warm_bytes);
        // Each association changes heads of its own; the tails are shared.
        let ready = peers.into_iter().map(|peer| (peer, images.clone())).collect();
        Ok(Self { plan, ledger, ready })
    }

    /// What to say before the start.
    pub fn says(&self) -> Said {
        let first = self.ready.first().map(|(peer, _)| peer);
        Said {
            event: "standing",
            pdu_length_max: self
                .ready
                .iter()
                .map(|(peer, _)| peer.pdu_length_max)
                .min()
                .unwrap_or(0),
            peer: first.and_then(|peer| peer.name.clone()),
        }
    }

    /// Sends everything. The peers come back still associated, unless they ended it.
    pub fn run(self, stop: &AtomicBool) -> (Vec<Peer>, Report) {
        let barrier = Barrier::new(self.ready.len() + 1);
        let (plan, barrier) = (self.plan, &barrier);
        std::thread::scope(|scope| {
            let work = |(mut peer, mut images): (Peer, Vec<WireImage>)| {
                scope.spawn(move || {
                    barrier.wait();
                    let deadline = Instant::now() + Duration::from_secs_f64(plan.seconds_max);
                    let outcome = peer.store(plan, &mut images, Until { deadline, stop });
                    (peer, outcome)
                })
            };
            let threads: Vec<_> = self.ready.into_iter().map(work).collect();
            let start = Instant::now();
            barrier.wait();
            let mut ended = start;
            let (mut peers, mut associations) = (Vec::new(), Vec::new());
            for thread in threads {
                match thread.join() {
                    Ok((peer, outcome)) => {
                        ended = ended.max(peer.last_answer().unwrap_or(start));
                        peers.push(peer);
                        associations.push(outcome);
                    }
                    Err(_) => associations.push(Outcome {
                        trouble: Some("a thread of the load panicked".into()),
                        ..Outcome::default()
                    }),
                }
            }
            let seconds = (ended - start).as_secs_f64();
            let commitments = self.ledger.told(start);
            (peers, Report { event: "done", seconds, associations, commitments })
        })
    }
}

fn check(plan: &Plan) -> Result<(), Trouble> {
    let wrong = [
        (plan.associations == 0, "no associations"),
        (plan.templates.is_empty(), "no templates"),
        (plan.per_study == 0 || plan.series == 0, "empty studies"),
        (plan.pdu_length_max < 64, "PDUs too short"),
        (plan.uid(1, 0).len() != plan.marks.study.len(), "UIDs of another length than the mark"),
        (!(0.0..1e6).contains(&plan.seconds_max), "an impossible duration"),
        (!(0.001..1e6).contains(&plan.answer_seconds_max), "an impossible patience"),
        (
            plan.commitment
                .as_ref()
                .is_some_and(|one| !(0.001..1e6).contains(&one.report_seconds_max)),
            "an impossible patience for reports",
        ),
    ];
    match wrong.into_iter().find(|(wrong, _)| *wrong) {
        Some((_, what)) => Err(format!("plan: {what}")),
        None => Ok(()),
    }
}

fn images(plan: &Plan, peers: &[Peer]) -> Result<Vec<WireImage>, Trouble> {
    let first = peers.first().ok_or("no associations")?;
    let length_max = peers.iter().map(|peer| peer.pdu_length_max).min().unwrap_or(0);
    let image = |template: &crate::plan::Template| {
        let path = &template.path;
        let data_set =
            std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let context = first.context(&template.sop_class, &template.transfer_syntax)?;
        WireImage::new(&plan.marks, &data_set, &template.sop_class, context, length_max)
            .map_err(|trouble| format!("{}: {trouble}", path.display()))
    };
    plan.templates.iter().map(image).collect()
}

/// Takes memory and gives it back. A guest that hands free memory to its host pays several times
/// as much for the first use of such memory; which archive pays would be chance.
fn warm(bytes: usize) {
    let memory = vec![1u8; bytes];
    drop(std::hint::black_box(memory));
}
