//! What one agent may make the collector do, whoever sends in its name.

use std::collections::VecDeque;
use std::time::Duration;

use heartline_fleet::{HealthThresholds, MonoTime, TICK_INTERVAL_MAX, Transition};
use heartline_vocabulary::{AgentStatus, Reason, State};

use super::violation::{CheckResult, ensure};

/// Counts of what an agent caused lately, and the states that limits give it.
#[derive(Clone, Debug)]
pub(super) struct ExpectedLimits {
    /// End of the time in which it is shown as flooding.
    pub(super) flooding_until: MonoTime,
    /// End of the time in which it is shown as crash-looping.
    pub(super) crash_looping_until: MonoTime,
    /// Restarts without a goodbye.
    restarts: Vec<MonoTime>,
    /// The status by the rules alone, and since when it is that.
    judged: (AgentStatus, MonoTime),
    answers: VecDeque<MonoTime>,
    rows: VecDeque<MonoTime>,
    /// Changes between healthy and degraded that were recorded.
    changes: VecDeque<MonoTime>,
    /// When it was last shown as flapping.
    flapping_at: MonoTime,
}

/// Most acks in any second.
const ANSWERS_MAX: usize = 64;
/// Most rows of work and profiles in 10 s: at the shortest interval, a burst of 10 s and 10 s more.
const ROWS_MAX: usize = 2 * 10 * (10 + 23);
/// Most changes between healthy and degraded in 6 minutes: those that the rate allows, and flapping,
/// which lasts a minute at least, to and fro.
const CHANGES_MAX: usize = 2 * 12 + 2 * 6;
const CHANGES_WINDOW: Duration = Duration::from_secs(6 * 60);
/// How long an agent is called flooding and flapping after it was.
const FLOODING_FOR: Duration = Duration::from_secs(60);
const CALM_AFTER: Duration = Duration::from_secs(60);

impl ExpectedLimits {
    pub(super) fn new(now: MonoTime) -> Self {
        Self {
            flooding_until: MonoTime::NEVER_YET,
            crash_looping_until: MonoTime::NEVER_YET,
            restarts: Vec::new(),
            judged: (AgentStatus::UNKNOWN, now),
            answers: VecDeque::new(),
            rows: VecDeque::new(),
            changes: VecDeque::new(),
            flapping_at: MonoTime::NEVER_YET,
        }
    }

    /// Takes in a live message that was not judged.
    pub(super) fn on_over_budget(&mut self, now: MonoTime) {
        self.flooding_until = now + FLOODING_FOR;
    }

    /// Takes in a restart without a goodbye.
    pub(super) fn on_restart(&mut self, rules: &HealthThresholds, now: MonoTime) {
        if rules.crash_loop_restarts == 0 {
            return;
        }
        let was_looping = now < self.crash_looping_until;
        self.restarts.push(now);
        self.restarts.retain(|&at| now.since(at) < rules.crash_loop_within);
        let is_looping = was_looping || self.restarts.len() >= rules.crash_loop_restarts as usize;
        // A loop that was over is over, whatever is learned later of the time since.
        self.crash_looping_until =
            if is_looping { now + rules.crash_loop_within } else { MonoTime::NEVER_YET };
    }

    /// Takes in a live message of the current session: restarts long ago are forgotten, whatever is
    /// learned later of the time since.
    pub(super) fn expire_restarts(&mut self, rules: &HealthThresholds, now: MonoTime) {
        if self.restarts.last().is_some_and(|&at| now.since(at) >= rules.crash_loop_within) {
            self.restarts.clear();
            self.crash_looping_until = MonoTime::NEVER_YET;
        }
    }

    /// Takes in that nothing was observed from `from` to `to`.
    pub(super) fn postpone(&mut self, from: MonoTime, to: MonoTime) {
        if self.flooding_until > from {
            self.flooding_until = self.flooding_until + to.since(from);
        }
        if self.crash_looping_until > from {
            self.crash_looping_until = self.crash_looping_until + to.since(from);
        }
        self.restarts.iter_mut().for_each(|at| *at = *at + to.since(from));
        // What the core judged of the time before is not known here.
        self.judged.1 = to;
    }

    pub(super) fn on_answer(&mut self, now: MonoTime) -> CheckResult {
        let count = record(&mut self.answers, now, Duration::from_secs(1));
        ensure!(count <= ANSWERS_MAX, "{count} acks in one second");
        Ok(())
    }

    pub(super) fn on_row(&mut self, now: MonoTime) -> CheckResult {
        let count = record(&mut self.rows, now, Duration::from_secs(10));
        ensure!(count <= ROWS_MAX, "{count} rows of one agent in 10 s");
        Ok(())
    }

    pub(super) fn on_transition(&mut self, row: &Transition, now: MonoTime) -> CheckResult {
        let is_damped =
            |status: AgentStatus| matches!(status.state, State::Healthy | State::Degraded);
        let is_flapping = row.to.reason == Some(Reason::Flapping);
        let was_flapping = self.flapping_at != MonoTime::NEVER_YET
            && now.since(self.flapping_at) <= CHANGES_WINDOW;
        ensure!(
            !is_flapping || was_flapping || self.changes.len() >= 6,
            "flapping after {} changes",
            self.changes.len()
        );
        if is_damped(row.from) && is_damped(row.to) {
            let count = record(&mut self.changes, now, CHANGES_WINDOW);
            ensure!(count <= CHANGES_MAX, "{count} changes in 6 minutes");
        }
        Ok(())
    }

    /// Checks that it is shown as flapping at most while it is not calm; `judged` is its status by the
    /// rules alone, and until `swept_to` no deadline may be unhandled.
    pub(super) fn check(
        &mut self,
        shown: AgentStatus,
        judged: AgentStatus,
        swept_to: MonoTime,
        now: MonoTime,
    ) -> CheckResult {
        if self.judged.0 != judged {
            self.judged = (judged, now);
        }
        if shown.reason == Some(Reason::Flapping) {
            self.flapping_at = now;
            // The core may have judged it anew with its next tick only.
            let calm_at = self.judged.1 + CALM_AFTER + TICK_INTERVAL_MAX;
            ensure!(swept_to < calm_at, "flapping although it is calm since {:?}", self.judged.1);
        }
        Ok(())
    }
}

/// Adds a moment to those of the last `window`; returns their number.
fn record(moments: &mut VecDeque<MonoTime>, now: MonoTime, window: Duration) -> usize {
    while moments.front().is_some_and(|&at| now.since(at) >= window) {
        moments.pop_front();
    }
    moments.push_back(now);
    moments.len()
}
