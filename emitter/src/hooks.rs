//! The agent's own reactions to a kill and to a resume.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// What the desired state has become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Killed,
    Resumed,
}

type Hook = Arc<dyn Fn() + Send + Sync>;

/// Calls hooks in the order of the changes, on a thread of their own: one that blocks or panics
/// neither delays a beat nor ends the emitter. The thread is there only if there is a hook.
#[derive(Default)]
pub(crate) struct Hooks(Mutex<State>);

#[derive(Default)]
struct State {
    killed: bool,
    hooks: Vec<(Change, Hook)>,
    caller: Option<Sender<Hook>>,
}

impl Hooks {
    /// Adds a hook. If the agent is killed already, a hook for that is called at once.
    pub(crate) fn add(&self, on: Change, hook: impl Fn() + Send + Sync + 'static) {
        let hook: Hook = Arc::new(hook);
        let mut state = self.lock();
        if state.killed && on == Change::Killed {
            state.call(&hook);
        }
        state.hooks.push((on, hook));
    }

    /// The desired state is this now. Calls nothing if it was so before.
    pub(crate) fn fire(&self, change: Change) {
        let mut state = self.lock();
        let killed = change == Change::Killed;
        if std::mem::replace(&mut state.killed, killed) == killed {
            return;
        }
        let hooks: Vec<Hook> = state
            .hooks
            .iter()
            .filter(|(on, _)| *on == change)
            .map(|(_, hook)| hook.clone())
            .collect();
        for hook in &hooks {
            state.call(hook);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn call(&mut self, hook: &Hook) {
        if self.caller.is_none() {
            let (caller, calls) = mpsc::channel();
            let spawned =
                thread::Builder::new().name("heartline-hooks".to_owned()).spawn(|| run(calls));
            match spawned {
                Ok(_) => self.caller = Some(caller),
                Err(error) => tracing::warn!(%error, "heartline: can't start a thread for hooks"),
            }
        }
        if let Some(caller) = &self.caller {
            // The receiver lives as long as this sender.
            let _ = caller.send(hook.clone());
        }
    }
}

#[allow(clippy::needless_pass_by_value, reason = "the thread owns its end")]
fn run(calls: Receiver<Hook>) {
    for hook in calls {
        if catch_unwind(AssertUnwindSafe(|| hook())).is_err() {
            tracing::warn!("heartline: a hook for kills or resumes has panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn hooks_are_called_in_order_once_a_change_and_survive_a_panic() {
        let (hooks, (told, heard)) = (Hooks::default(), mpsc::channel());
        let tell = |what: &'static str| {
            let told = told.clone();
            move || told.send(what).unwrap()
        };
        hooks.add(Change::Killed, || panic!("a hook of the agent's panics"));
        hooks.add(Change::Killed, tell("killed"));
        hooks.add(Change::Resumed, tell("resumed"));
        hooks.fire(Change::Resumed);
        hooks.fire(Change::Killed);
        hooks.fire(Change::Killed);
        hooks.fire(Change::Resumed);
        hooks.fire(Change::Killed);
        hooks.add(Change::Killed, tell("late"));
        let all: Vec<_> =
            (0..4).map(|_| heard.recv_timeout(Duration::from_secs(10)).unwrap()).collect();
        assert_eq!(all, ["killed", "resumed", "killed", "late"]);
    }
}
