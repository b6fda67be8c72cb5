//! Effects of a kill in the agent: a gate for new tasks, and hooks.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU8, Ordering, fence};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;

use crate::log;

/// Closed while the agent is killed, or has used up a budget. Threads wait on a condition variable, futures leave a waker:
/// neither needs a runtime.
#[derive(Debug, Default)]
pub(crate) struct KillGate {
    /// A bit for each cause that keeps it closed.
    closed: AtomicU8,
    waiters: Mutex<GateWaiters>,
    opened: Condvar,
}

/// The reason why no task starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum KillCause {
    /// An operator, or a policy of a collector, has killed the agent.
    Command = 1,
    /// A budget is used up. A collector's kill may follow.
    Budget = 2,
}

#[derive(Debug, Default)]
struct GateWaiters {
    last_id: u64,
    wakers: BTreeMap<u64, Waker>,
}

/// Id of a future among the waiters, once it waits.
#[derive(Debug, Default)]
pub(crate) struct WaiterId(Option<u64>);

impl KillGate {
    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire) != 0
    }

    /// Returns why the gate is closed; of several causes the command.
    pub(crate) fn cause(&self) -> Option<KillCause> {
        let closed = self.closed.load(Ordering::Acquire);
        [KillCause::Command, KillCause::Budget].into_iter().find(|&it| closed & it as u8 != 0)
    }

    /// Closes the gate: no task starts from here on that a later count of those in flight misses.
    /// The fence pairs with the one where tasks begin.
    pub(crate) fn close(&self, cause: KillCause) {
        self.closed.fetch_or(cause as u8, Ordering::Release);
        fence(Ordering::SeqCst);
    }

    /// Takes back a cause. Returns whether the gate is open: no other one is left.
    pub(crate) fn open(&self, cause: KillCause) -> bool {
        let wakers = {
            let mut waiters = self.lock();
            if self.closed.fetch_and(!(cause as u8), Ordering::AcqRel) & !(cause as u8) != 0 {
                return false;
            }
            std::mem::take(&mut waiters.wakers)
        };
        self.opened.notify_all();
        wakers.into_values().for_each(Waker::wake);
        true
    }

    /// Blocks this thread until the gate is open.
    #[cold]
    pub(crate) fn wait(&self) {
        let mut waiters = self.lock();
        while self.is_closed() {
            waiters = self.opened.wait(waiters).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Returns ready when the gate is open; else wakes the task of `cx` when it opens.
    pub(crate) fn poll_open(&self, id: &mut WaiterId, cx: &Context<'_>) -> Poll<()> {
        if !self.is_closed() {
            return Poll::Ready(());
        }
        let mut waiters = self.lock();
        // Checked under the lock: the gate cannot open before the waker is in the map.
        if !self.is_closed() {
            return Poll::Ready(());
        }
        let id = *id.0.get_or_insert_with(|| {
            waiters.last_id += 1;
            waiters.last_id
        });
        waiters.wakers.insert(id, cx.waker().clone());
        Poll::Pending
    }

    /// Removes the waker of a future that is dropped.
    pub(crate) fn remove_waiter(&self, id: &mut WaiterId) {
        if let Some(id) = id.0.take() {
            self.lock().wakers.remove(&id);
        }
    }

    fn lock(&self) -> MutexGuard<'_, GateWaiters> {
        self.waiters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Change of the desired state that a hook is called for.
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
    /// Name of the agent, as the log has it.
    agent: String,
    killed: bool,
    hooks: Vec<(HookEvent, Hook)>,
    caller: Option<Sender<Hook>>,
}

impl KillHooks {
    pub(crate) fn new(agent: &str) -> Self {
        Self(Mutex::new(HookState { agent: agent.to_owned(), ..HookState::default() }))
    }

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
        for (on, hook) in state.hooks.clone() {
            if on == event {
                state.call(&hook);
            }
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
            let agent = self.agent.clone();
            let spawned = thread::Builder::new()
                .name("heartline-hooks".to_owned())
                .spawn(move || run(&agent, &calls));
            match spawned {
                Ok(_) => self.caller = Some(caller),
                Err(error) => {
                    let message = format_args!("can't start a thread for hooks: {error}");
                    log::warn(&self.agent, &message);
                }
            }
        }
        if let Some(caller) = &self.caller {
            // The receiver lives as long as this sender.
            let _ = caller.send(hook.clone());
        }
    }
}

fn run(agent: &str, calls: &Receiver<Hook>) {
    for hook in calls {
        if catch_unwind(AssertUnwindSafe(|| hook())).is_err() {
            log::warn(agent, &"a hook for kills or resumes has panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;
    use std::time::Duration;

    use super::KillCause::{Budget, Command};
    use super::*;

    #[derive(Default)]
    struct CountingWaker(AtomicUsize);

    impl Wake for CountingWaker {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn futures_are_woken_once_when_it_opens_and_not_after_their_removal() {
        let (gate, woken) = (KillGate::default(), Arc::new(CountingWaker::default()));
        let waker = Waker::from(Arc::clone(&woken));
        let cx = Context::from_waker(&waker);
        let (mut stays, mut removed) = (WaiterId::default(), WaiterId::default());
        assert!(gate.poll_open(&mut stays, &cx).is_ready());
        gate.close(Command);
        assert!(gate.poll_open(&mut stays, &cx).is_pending());
        assert!(gate.poll_open(&mut stays, &cx).is_pending());
        assert!(gate.poll_open(&mut removed, &cx).is_pending());
        gate.remove_waiter(&mut removed);
        gate.close(Budget);
        assert_eq!((gate.open(Command), gate.cause()), (false, Some(Budget)));
        assert_eq!(woken.0.load(Ordering::SeqCst), 0, "another cause keeps it closed");
        assert!(gate.open(Budget));
        assert_eq!(woken.0.load(Ordering::SeqCst), 1);
        assert!(gate.poll_open(&mut stays, &cx).is_ready());
        assert!(gate.open(Command));
        assert_eq!(woken.0.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn threads_wait_until_it_opens() {
        let gate = KillGate::default();
        gate.close(Command);
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| gate.wait())).collect();
            assert!(threads.iter().all(|thread| !thread.is_finished()));
            gate.open(Command);
        });
        assert!(!gate.is_closed());
    }

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
