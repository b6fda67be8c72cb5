//! Hooks of the agent for kills and resumes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// HookEvent of the desired state that a hook is called for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HookEvent {
    Killed,
    Resumed,
}

type Hook = Arc<dyn Fn() + Send + Sync>;

/// Calls hooks in the order of the changes, on a thread of their own: one that blocks or panics
/// neither delays a beat nor ends the emitter. The thread is started for the first call.
#[derive(Default)]
pub(crate) struct KillHooks(Mutex<HookState>);

#[derive(Default)]
struct HookState {
    killed: bool,
    hooks: Vec<(HookEvent, Hook)>,
    caller: Option<Sender<Hook>>,
}

impl KillHooks {
    /// Adds a hook. If the agent is killed already, a hook for that is called at once.
    pub(crate) fn add(&self, on: HookEvent, hook: impl Fn() + Send + Sync + 'static) {
        let hook: Hook = Arc::new(hook);
        let mut state = self.lock();
        if state.killed && on == HookEvent::Killed {
            state.call(&hook);
        }
        state.hooks.push((on, hook));
    }

    /// Calls the hooks of a change; none if the state was the same before.
    pub(crate) fn fire(&self, event: HookEvent) {
        let mut state = self.lock();
        let killed = event == HookEvent::Killed;
        if std::mem::replace(&mut state.killed, killed) == killed {
            return;
        }
        let hooks: Vec<Hook> = state
            .hooks
            .iter()
            .filter(|(on, _)| *on == event)
            .map(|(_, hook)| hook.clone())
            .collect();
        for hook in &hooks {
            state.call(hook);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HookState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HookState {
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
        let (hooks, (calls, received)) = (KillHooks::default(), mpsc::channel());
        let record = |call: &'static str| {
            let calls = calls.clone();
            move || calls.send(call).unwrap()
        };
        hooks.add(HookEvent::Killed, || panic!("a hook of the agent's panics"));
        hooks.add(HookEvent::Killed, record("killed"));
        hooks.add(HookEvent::Resumed, record("resumed"));
        hooks.fire(HookEvent::Resumed);
        hooks.fire(HookEvent::Killed);
        hooks.fire(HookEvent::Killed);
        hooks.fire(HookEvent::Resumed);
        hooks.fire(HookEvent::Killed);
        hooks.add(HookEvent::Killed, record("late"));
        let all: Vec<_> =
            (0..4).map(|_| received.recv_timeout(Duration::from_secs(10)).unwrap()).collect();
        assert_eq!(all, ["killed", "resumed", "killed", "late"]);
    }
}
