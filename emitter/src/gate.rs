//! The gate that a kill closes for new tasks.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Closed while the agent is killed. Threads wait on a condition variable, futures leave a waker:
/// neither needs a runtime.
#[derive(Debug, Default)]
pub(crate) struct KillGate {
    closed: AtomicBool,
    waiters: Mutex<GateWaiters>,
    opened: Condvar,
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
        self.closed.load(Ordering::Acquire)
    }

    /// Closes the gate: no task starts from here on that a later count of those in flight misses.
    /// The fence pairs with the one where tasks begin.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        fence(Ordering::SeqCst);
    }

    pub(crate) fn open(&self) {
        let wakers = {
            let mut waiters = self.lock();
            self.closed.store(false, Ordering::Release);
            std::mem::take(&mut waiters.wakers)
        };
        self.opened.notify_all();
        wakers.into_values().for_each(Waker::wake);
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;

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
        gate.close();
        assert!(gate.poll_open(&mut stays, &cx).is_pending());
        assert!(gate.poll_open(&mut stays, &cx).is_pending());
        assert!(gate.poll_open(&mut removed, &cx).is_pending());
        gate.remove_waiter(&mut removed);
        gate.open();
        assert_eq!(woken.0.load(Ordering::SeqCst), 1);
        assert!(gate.poll_open(&mut stays, &cx).is_ready());
        gate.open();
        assert_eq!(woken.0.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn threads_wait_until_it_opens() {
        let gate = KillGate::default();
        gate.close();
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| gate.wait())).collect();
            assert!(threads.iter().all(|thread| !thread.is_finished()));
            gate.open();
        });
        assert!(!gate.is_closed());
    }
}
