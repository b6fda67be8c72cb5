//! What the network and the collectors go through.

use fastrand::Rng;

use super::BEATS_PER_HOUR;
use crate::harness::{AckDelivery, NetworkConditions};

/// Crashes of a collector in an hour of beats.
const CRASHES_PER_HOUR: u64 = 3;

/// Faults by the time at which they begin, in ms since the start of the run.
pub(super) struct FaultPlan {
    faults: Vec<(u64, Fault)>,
}

/// A change of what works.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    /// The network to a collector gets better or worse.
    Conditions { site: usize, conditions: NetworkConditions },
    /// A collector ends by SIGKILL.
    Crash { site: usize },
    /// It is started again.
    Restart { site: usize },
}

impl FaultPlan {
    /// Draws the faults of a run of so many beats, each of which comes an interval after the last.
    pub(super) fn draw(rng: &mut Rng, sites: usize, beats: u32, interval_ms: u64) -> Self {
        let duration_ms = u64::from(beats) * interval_ms;
        let hour_ms = u64::from(BEATS_PER_HOUR) * interval_ms;
        let mut faults = Vec::new();
        for site in 0..sites {
            let crashes = (CRASHES_PER_HOUR * duration_ms).div_ceil(hour_ms);
            let part_ms = duration_ms / crashes;
            for crash in 0..crashes {
                // Never so late that the next crash comes before the restart.
                let at_ms = crash * part_ms + rng.u64(..=part_ms / 2);
                let down_ms = rng.u64(..=(part_ms / 4).min(600));
                faults.push((at_ms, Fault::Crash { site }));
                faults.push((at_ms + down_ms, Fault::Restart { site }));
            }
            let mut at_ms = 0;
            while at_ms < duration_ms {
                let (conditions, lasts_ms) = draw_conditions(rng);
                faults.push((at_ms, Fault::Conditions { site, conditions }));
                at_ms += lasts_ms;
            }
        }
        faults.sort_by_key(|(at_ms, _)| *at_ms);
        faults.reverse();
        Self { faults }
    }

    /// Takes the next fault if its time has come.
    pub(super) fn next(&mut self, now_ms: u64) -> Option<Fault> {
        let is_due = self.faults.last().is_some_and(|(at_ms, _)| *at_ms <= now_ms);
        if is_due { self.faults.pop().map(|(_, fault)| fault) } else { None }
    }
}

/// Draws conditions, and how long they last, in ms. The network's delay is often longer than an
/// interval, so that later datagrams overtake earlier ones.
fn draw_conditions(rng: &mut Rng) -> (NetworkConditions, u64) {
    let lossy = NetworkConditions {
        loss: rng.u64(100..=400),
        duplicates: 200,
        delay_ms: 0..=rng.u64(20..=500),
        acks: AckDelivery::Deliver,
    };
    match rng.u64(..6) {
        0 => (NetworkConditions::DISCONNECTED, rng.u64(100..=800)),
        1 => (NetworkConditions { acks: AckDelivery::Drop, ..lossy }, rng.u64(100..=800)),
        _ => (lossy, rng.u64(500..=2_500)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_crash_is_followed_by_its_restart() {
        for seed in 0..200 {
            let mut plan = FaultPlan::draw(&mut Rng::with_seed(seed), 2, 120 + seed as u32, 100);
            let (mut is_up, mut crashes) = ([true; 2], [0; 2]);
            while let Some(fault) = plan.next(u64::MAX) {
                match fault {
                    Fault::Crash { site } => {
                        assert!(std::mem::replace(&mut is_up[site], false), "seed {seed}");
                        crashes[site] += 1;
                    }
                    Fault::Restart { site } => {
                        assert!(!std::mem::replace(&mut is_up[site], true), "seed {seed}");
                    }
                    Fault::Conditions { .. } => {}
                }
            }
            assert_eq!(is_up, [true; 2], "seed {seed}");
            assert!(crashes.iter().all(|it| *it >= CRASHES_PER_HOUR), "seed {seed}: {crashes:?}");
        }
    }
}
