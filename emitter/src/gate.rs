//! Whether new tasks may start, and who waits until they may.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Closed while the agent is killed. Threads wait on a condition, futures leave a waker: neither
/// needs a runtime.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    closed: AtomicBool,
    waiting: Mutex<Waiting>,
    opened: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    wakers: BTreeMap<u64, Waker>,
}

/// A future's place among those that wait.
#[derive(Debug, Default)]
pub(crate) struct Place(Option<u64>);

impl Gate {
    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// From here on no task starts that a look at those in flight does not find: the fence has its
    /// other half where tasks begin.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        fence(Ordering::SeqCst);
    }

    pub(crate) fn open(&self) {
        let wakers = {
            let mut waiting = self.lock();
            self.closed.store(false, Ordering::Release);
            std::mem::take(&mut waiting.wakers)
        };
        self.opened.notify_all();
        wakers.into_values().for_each(Waker::wake);
    }

    /// Blocks this thread until the gate is open.
    #[cold]
    pub(crate) fn wait(&self) {
        let mut waiting = self.lock();
        while self.is_closed() {
            waiting = self.opened.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Ready when the gate is open; else the task of `cx` is woken when it opens.
    pub(crate) fn poll_open(&self, place: &mut Place, cx: &Context<'_>) -> Poll<()> {
        if !self.is_closed() {
            return Poll::Ready(());
        }
        let mut waiting = self.lock();
        // Under the lock: the gate cannot open between this look and the leaving of the waker.
        if !self.is_closed() {
            return Poll::Ready(());
        }
        let id = *place.0.get_or_insert_with(|| {
            waiting.next += 1;
            waiting.next
        });
        waiting.wakers.insert(id, cx.waker().clone());
        Poll::Pending
    }

    /// A future no longer waits.
    pub(crate) fn forget(&self, place: &mut Place) {
        if let Some(id) = place.0.take() {
            self.lock().wakers.remove(&id);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Counted(AtomicUsize);

    impl Wake for Counted {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn futures_are_woken_once_when_it_opens_and_not_after_they_left() {
        let (gate, woken) = (Gate::default(), Arc::new(Counted::default()));
        let waker = Waker::from(Arc::clone(&woken));
        let cx = Context::from_waker(&waker);
        let (mut stays, mut leaves) = (Place::default(), Place::default());
        assert!(gate.poll_open(&mut stays, &cx).is_ready());
        gate.close();
        assert!(gate.poll_open(&mut stays, &cx).is_pending());
        assert!(gate.poll_open(&mut stays, &cx).is_pending());
        assert!(gate.poll_open(&mut leaves, &cx).is_pending());
        gate.forget(&mut leaves);
        gate.open();
        assert_eq!(woken.0.load(Ordering::SeqCst), 1);
        assert!(gate.poll_open(&mut stays, &cx).is_ready());
        gate.open();
        assert_eq!(woken.0.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn threads_wait_until_it_opens() {
        let gate = Gate::default();
        gate.close();
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| gate.wait())).collect();
            assert!(threads.iter().all(|thread| !thread.is_finished()));
            gate.open();
        });
        assert!(!gate.is_closed());
    }
}
