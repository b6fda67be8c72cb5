//! Activity that the agent reports: its step, its waits, its backlog.

use std::sync::{Mutex, MutexGuard, PoisonError};

use heartline_engine::MonoNanos;
use heartline_protocol::Phase;
use heartline_protocol::limits::STEP_MAX;
use heartline_protocol::wire::UntrustedText;

/// Most waits whose names are kept at a time.
const WAITS_MAX: usize = 64;

/// Activity that the agent has reported; the sender reads it for each beat.
#[derive(Debug, Default)]
pub(crate) struct AgentActivity(Mutex<ActivityState>);

#[derive(Debug, Default)]
struct ActivityState {
    has_begun: bool,
    queue: Option<u32>,
    step: Option<String>,
    last_wait_id: u64,
    waits: Vec<(u64, String)>,
}

impl AgentActivity {
    pub(crate) fn set_step(&self, name: &str) {
        let name = UntrustedText::new(name).scrubbed_to(STEP_MAX);
        self.begin().step = Some(name);
    }

    pub(crate) fn clear_step(&self) {
        self.begin().step = None;
    }

    /// Sets the length of the backlog; returns whether one has begun.
    pub(crate) fn set_queue(&self, depth: u32) -> bool {
        let before = self.lock().queue.replace(depth);
        depth > 0 && before.is_none_or(|before| before == 0)
    }

    /// Returns the length of the backlog, once it was reported.
    pub(crate) fn queue(&self) -> Option<u32> {
        self.lock().queue
    }

    /// Begins a wait for `reason`; returns the id that ends it.
    pub(crate) fn begin_wait(&self, reason: &str) -> u64 {
        let reason = UntrustedText::new(reason).scrubbed_to(STEP_MAX);
        let mut steps = self.begin();
        steps.last_wait_id += 1;
        let id = steps.last_wait_id;
        if steps.waits.len() < WAITS_MAX {
            steps.waits.push((id, reason));
        }
        id
    }

    pub(crate) fn end_wait(&self, id: u64) {
        self.lock().waits.retain(|&(wait, _)| wait != id);
    }

    /// Returns the phase, and the name of the step or wait. An agent waits when each of its tasks
    /// does: while another one works, what matters is whether that one makes progress.
    pub(crate) fn phase_and_step(
        &self,
        in_flight: u32,
        last_progress: Option<MonoNanos>,
    ) -> (Phase, Option<String>) {
        let steps = self.lock();
        if !steps.waits.is_empty() && steps.waits.len() >= in_flight as usize {
            return (Phase::Waiting, steps.waits.last().map(|(_, reason)| reason.clone()));
        }
        let has_begun = steps.has_begun || last_progress.is_some();
        (if has_begun { Phase::Running } else { Phase::Starting }, steps.step.clone())
    }

    fn begin(&self) -> MutexGuard<'_, ActivityState> {
        let mut steps = self.lock();
        steps.has_begun = true;
        steps
    }

    fn lock(&self) -> MutexGuard<'_, ActivityState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRESS: Option<MonoNanos> = Some(MonoNanos::new(1));

    fn named(phase: Phase, name: &str) -> (Phase, Option<String>) {
        (phase, Some(name.to_owned()))
    }

    #[test]
    fn an_agent_waits_only_when_all_its_tasks_do() {
        let activity = AgentActivity::default();
        assert_eq!(activity.phase_and_step(0, None), (Phase::Starting, None));
        activity.set_step("planning");
        let (first, second) = (activity.begin_wait("approval"), activity.begin_wait("a colleague"));
        assert_eq!(activity.phase_and_step(3, PROGRESS), named(Phase::Running, "planning"));
        assert_eq!(activity.phase_and_step(2, PROGRESS), named(Phase::Waiting, "a colleague"));
        activity.end_wait(second);
        assert_eq!(activity.phase_and_step(1, PROGRESS), named(Phase::Waiting, "approval"));
        activity.end_wait(first);
        assert_eq!(activity.phase_and_step(0, PROGRESS), named(Phase::Running, "planning"));
        activity.clear_step();
        assert_eq!(activity.phase_and_step(0, PROGRESS), (Phase::Running, None));
    }

    #[test]
    fn a_backlog_is_reported_once_it_was_set() {
        let activity = AgentActivity::default();
        assert_eq!(activity.queue(), None);
        activity.set_queue(0);
        assert_eq!(activity.queue(), Some(0));
    }
}
