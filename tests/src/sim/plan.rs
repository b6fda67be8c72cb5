//! Parameters of a run, drawn once from its seed, so that seeds differ in kind.

use std::time::Duration;

use fastrand::Rng;
use heartline_fleet::{AgentHealthRule, HealthRules, HealthThresholds, LatencyLimit};

use super::fault::FaultKind;
use super::policy::SimPolicy;
use super::supervisor::SimSupervisor;
use crate::random::RngExt as _;

#[derive(Debug)]
pub(super) struct RunPlan {
    pub(super) agents: usize,
    /// Interval of most agents, in ms.
    pub(super) interval_ms: u32,
    /// Time during which faults are injected.
    pub(super) faults_for: Duration,
    /// Probability that a datagram is lost, per mille.
    pub(super) loss: u64,
    /// Probability that a datagram arrives twice, per mille.
    pub(super) duplicates: u64,
    /// Probability that a datagram is delayed, per mille, and its longest delay.
    pub(super) delayed: u64,
    pub(super) delay_max_ms: u64,
    /// Capacity of the collector's socket buffer, in datagrams.
    pub(super) kernel_buffer: usize,
    /// Number of superseded sessions that a restart restores: with few, processes return whose work
    /// only the store remembers.
    pub(super) restored_sessions: usize,
    /// Longest commit without a slow disk, in ms.
    pub(super) commit_ms: u64,
    /// Probability that a command is not stored, per mille.
    pub(super) disk_refuses: u64,
    /// By what agents are judged.
    pub(super) rules: HealthThresholds,
    /// The time without progress that a rule sets for [`Self::RULED`].
    pub(super) stall_rule: Option<Duration>,
    /// Probability that a process is the supervisor of a program, per mille.
    supervised: u64,
    /// Mean time between faults, in ms.
    pub(super) fault_interval_ms: u64,
    /// Bit `n`: faults of kind `n` happen in this run.
    pub(super) faults: u64,
    pub(super) policy: SimPolicy,
}

/// Returns the bits of the faults that send for a whole run, and make it twenty times as long, in 31 runs
/// of 32.
fn mask_of_floods(rng: &mut Rng) -> u64 {
    let floods = [FaultKind::ReplayRotation, FaultKind::ThiefFloods];
    if rng.chance(31) { 0 } else { floods.iter().map(|&kind| 1 << kind as u32).sum() }
}

impl RunPlan {
    pub(super) fn draw(rng: &mut Rng) -> Self {
        let interval_ms = rng.pick(&[100, 300, 1_000, 1_000, 5_000, 30_000]);
        let busy_ms = u64::from(interval_ms) * rng.u64(60..=160);
        let intervals = |count| Duration::from_millis(u64::from(interval_ms) * count);
        let is_calm = rng.chance(150);
        // At most as long as the replay window can tell apart.
        let delay_max_ms = rng.pick(&[30, 300, 3_000]).min(u64::from(interval_ms) * 50);
        // With ten, a shared budget may kill two of them.
        let is_large = rng.chance(8);
        let agents = if is_large { 10 } else { rng.u64(1..=4) as usize };
        Self {
            agents,
            interval_ms,
            policy: SimPolicy::draw(agents, interval_ms, rng),
            faults_for: Duration::from_millis(if is_large { busy_ms / 2 } else { busy_ms }),
            loss: if is_calm { 0 } else { rng.pick(&[0, 10, 100, 300]) },
            duplicates: if is_calm { 0 } else { rng.pick(&[0, 20, 150]) },
            delayed: rng.pick(&[0, 50, 300]),
            delay_max_ms,
            kernel_buffer: rng.pick(&[2, 8, 64]),
            restored_sessions: rng.pick(&[0, 1, 8]),
            commit_ms: rng.pick(&[1, 50, 250, 400]),
            disk_refuses: rng.pick(&[0, 0, 100]),
            rules: HealthThresholds {
                stall_after: intervals(rng.u64(4..=20)),
                crash_loop_restarts: rng.pick(&[0, 2, 3, 5]),
                crash_loop_within: intervals(rng.u64(2..=60)),
                failing_rate: rng.pick(&[0.25, 0.25, 0.1, 0.02, 0.0]),
                failing_in_a_row: rng.pick(&[0, 0, 2, 4]),
                slow: rng.pick(&[LatencyLimit::OwnPast, LatencyLimit::Fixed(intervals(1))]),
                ..HealthThresholds::default()
            },
            stall_rule: rng.chance(300).then(|| intervals(rng.u64(4..=20))),
            supervised: rng.pick(&[0, 0, 500, 1_000]),
            fault_interval_ms: busy_ms / rng.u64(8..=40),
            faults: (rng.u64(..) | rng.u64(..)) & !mask_of_floods(rng),
        }
    }

    /// The agent that a rule may be for.
    pub(super) const RULED: &'static str = "agent-1";

    /// Returns the rules by which agents are judged.
    pub(super) fn health_rules(&self) -> HealthRules {
        let rule = |stall_after| AgentHealthRule {
            pattern: Self::RULED.to_owned(),
            stall_after: Some(stall_after),
            ..AgentHealthRule::default()
        };
        HealthRules {
            fleet: self.rules,
            agents: self.stall_rule.map(rule).into_iter().collect(),
            ..HealthRules::default()
        }
    }

    /// Draws the supervisor of a process, if it is to have one.
    pub(super) fn supervisor(&self, interval_ms: u32, rng: &mut Rng) -> Option<SimSupervisor> {
        rng.chance(self.supervised).then(|| SimSupervisor::draw(interval_ms, rng))
    }

    /// Draws the interval of a process, in ms.
    pub(super) fn interval_ms(&self, rng: &mut Rng) -> u32 {
        if rng.chance(100) { self.interval_ms * 2 } else { self.interval_ms }
    }
}
