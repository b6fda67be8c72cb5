//! What the agent says of itself: its step, what it waits for, its backlog.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use heartline_protocol::Phase;
use heartline_protocol::limits::STEP_MAX;

use crate::engine::fit;

const NO_QUEUE: u64 = u64::MAX;
/// Most waits that are remembered by name at a time.
const WAITS_MAX: usize = 64;

#[derive(Debug)]
pub(crate) struct Board {
    said: Mutex<Said>,
    queue: AtomicU64,
}

#[derive(Debug, Default)]
struct Said {
    begun: bool,
    step: Option<String>,
    last_wait: u64,
    waits: Vec<(u64, String)>,
}

impl Board {
    pub(crate) fn new() -> Self {
        Self { said: Mutex::default(), queue: AtomicU64::new(NO_QUEUE) }
    }

    pub(crate) fn step(&self, name: &str) {
        let name = fit(name, STEP_MAX);
        let mut said = self.lock();
        said.begun = true;
        said.step = Some(name);
    }

    /// Ready for work, and at no step.
    pub(crate) fn running(&self) {
        let mut said = self.lock();
        said.begun = true;
        said.step = None;
    }

    pub(crate) fn queue(&self, depth: u32) {
        self.queue.store(u64::from(depth), Ordering::Relaxed);
    }

    pub(crate) fn queued(&self) -> Option<u32> {
        u32::try_from(self.queue.load(Ordering::Relaxed)).ok()
    }

    /// Something waits for `what`; gives back what ends the wait.
    pub(crate) fn wait(&self, what: &str) -> u64 {
        let what = fit(what, STEP_MAX);
        let mut said = self.lock();
        said.begun = true;
        said.last_wait += 1;
        let id = said.last_wait;
        if said.waits.len() < WAITS_MAX {
            said.waits.push((id, what));
        }
        id
    }

    pub(crate) fn end_wait(&self, id: u64) {
        self.lock().waits.retain(|&(wait, _)| wait != id);
    }

    /// The phase, and the name of the step or of what is waited for. An agent waits when each of
    /// its tasks does: while another one works, what matters is whether that one gets on.
    pub(crate) fn read(&self, in_flight: u32, has_worked: HasWorked) -> (Phase, Option<String>) {
        let said = self.lock();
        let phase = if !said.waits.is_empty() && said.waits.len() >= in_flight as usize {
            Phase::Waiting
        } else if said.begun || has_worked == HasWorked::Yes {
            Phase::Running
        } else {
            Phase::Starting
        };
        let name = match phase {
            Phase::Waiting => said.waits.last().map(|(_, what)| what.clone()),
            _ => said.step.clone(),
        };
        (phase, name)
    }

    fn lock(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the agent has counted or begun anything yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HasWorked {
    Yes,
    No,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(phase: Phase, name: &str) -> (Phase, Option<String>) {
        (phase, Some(name.to_owned()))
    }

    #[test]
    fn an_agent_waits_only_when_all_its_tasks_do() {
        let board = Board::new();
        assert_eq!(board.read(0, HasWorked::No), (Phase::Starting, None));
        board.step("planning");
        let (first, second) = (board.wait("approval"), board.wait("a colleague"));
        assert_eq!(board.read(3, HasWorked::Yes), named(Phase::Running, "planning"));
        assert_eq!(board.read(2, HasWorked::Yes), named(Phase::Waiting, "a colleague"));
        board.end_wait(second);
        assert_eq!(board.read(1, HasWorked::Yes), named(Phase::Waiting, "approval"));
        board.end_wait(first);
        assert_eq!(board.read(0, HasWorked::Yes), named(Phase::Running, "planning"));
        board.running();
        assert_eq!(board.read(0, HasWorked::Yes), (Phase::Running, None));
    }

    #[test]
    fn a_queue_is_told_only_once_it_was_reported() {
        let board = Board::new();
        assert_eq!(board.queued(), None);
        board.queue(0);
        assert_eq!(board.queued(), Some(0));
    }
}
