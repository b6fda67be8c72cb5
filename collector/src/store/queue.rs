//! What waits for a writer thread.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use heartline_fleet::MonoTime;

use crate::clock;

/// Parcels that wait for a writer thread, in order. Handing one in takes a lock for an instant and
/// never waits for the disk. It has no bound of its own: the core bounds work rows under way and
/// [`super::Store::record`] sheds details, but transitions and rows for `control.db` are never shed.
#[derive(Debug)]
pub(super) struct Queue<T> {
    waiting: Mutex<Waiting<T>>,
    changed: Condvar,
}

#[derive(Debug)]
struct Waiting<T> {
    parcels: VecDeque<(T, usize)>,
    rows: usize,
    hurried: bool,
    closing: bool,
}

/// How soon a parcel must be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Haste {
    /// Within the writer's window, together with what comes meanwhile.
    Grouped,
    /// At once, after all that waits before it.
    AtOnce,
}

/// How a writer collects what it writes together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    /// How long to wait for the first row.
    pub(super) idle: Duration,
    /// How long to wait for more after the first.
    pub(super) group: Duration,
    /// With so many rows waiting, there is no waiting for more.
    pub(super) rows: usize,
}

/// What a writer got.
#[derive(Debug)]
pub(super) struct Taken<T> {
    /// The parcels, oldest first; none when the wait was in vain.
    pub(super) parcels: Vec<T>,
    /// Whether this was the last of it: the store is closing, and nothing is left.
    pub(super) is_last: bool,
}

impl<T> Queue<T> {
    pub(super) fn new() -> Self {
        let waiting = Waiting { parcels: VecDeque::new(), rows: 0, hurried: false, closing: false };
        Self { waiting: Mutex::new(waiting), changed: Condvar::new() }
    }

    /// Hands in a parcel of so many rows.
    pub(super) fn push(&self, parcel: T, rows: usize, haste: Haste) {
        let mut waiting = self.lock();
        waiting.parcels.push_back((parcel, rows));
        waiting.rows += rows;
        waiting.hurried |= haste == Haste::AtOnce;
        self.changed.notify_one();
    }

    /// Rows that wait.
    pub(super) fn rows(&self) -> usize {
        self.lock().rows
    }

    /// Lets the writer know that nothing more will come.
    pub(super) fn close(&self) {
        self.lock().closing = true;
        self.changed.notify_all();
    }

    /// Waits for parcels, then a little longer for more, and takes them.
    pub(super) fn take(&self, window: &Window) -> Taken<T> {
        let waiting = self.wait(self.lock(), window.idle, |waiting| !waiting.parcels.is_empty());
        let ready = |waiting: &Waiting<T>| {
            waiting.parcels.is_empty() || waiting.hurried || waiting.rows >= window.rows
        };
        let mut waiting = self.wait(waiting, window.group, ready);
        let (mut parcels, mut taken) = (Vec::new(), 0);
        while taken < window.rows {
            let Some((parcel, rows)) = waiting.parcels.pop_front() else { break };
            taken += rows;
            waiting.rows -= rows;
            parcels.push(parcel);
        }
        let is_empty = waiting.parcels.is_empty();
        waiting.hurried &= !is_empty;
        Taken { parcels, is_last: waiting.closing && is_empty }
    }

    /// Waits so long, or until the store closes; says whether it does.
    pub(super) fn closes_within(&self, span: Duration) -> bool {
        self.wait(self.lock(), span, |_| false).closing
    }

    /// Waits until it is ready, the store closes, or the time is over.
    fn wait<'a>(
        &self,
        mut waiting: MutexGuard<'a, Waiting<T>>,
        span: Duration,
        ready: impl Fn(&Waiting<T>) -> bool,
    ) -> MutexGuard<'a, Waiting<T>> {
        let deadline: MonoTime = clock::now() + span;
        loop {
            let left = deadline.since(clock::now());
            if ready(&waiting) || waiting.closing || left.is_zero() {
                return waiting;
            }
            let woken = self.changed.wait_timeout(waiting, left);
            waiting = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// A thread that panicked while it held the lock left whole parcels: every change is one step.
    fn lock(&self) -> MutexGuard<'_, Waiting<T>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(600);

    #[test]
    fn takes_in_order_and_at_most_about_a_window() {
        let queue = Queue::new();
        for parcel in 0..5 {
            queue.push(parcel, 10, Haste::Grouped);
        }
        let window = Window { idle: LONG, group: LONG, rows: 25 };
        let taken = queue.take(&window);
        assert_eq!((taken.parcels, taken.is_last), (vec![0, 1, 2], false));
        queue.close();
        let taken = queue.take(&window);
        assert_eq!((taken.parcels, taken.is_last), (vec![3, 4], true));
    }

    #[test]
    fn haste_cuts_the_window_for_all_before_it() {
        let queue = Queue::new();
        queue.push('a', 1, Haste::Grouped);
        queue.push('b', 1, Haste::AtOnce);
        let taken = queue.take(&Window { idle: LONG, group: LONG, rows: 1_000 });
        assert_eq!(taken.parcels, ['a', 'b'], "without waiting for 600 s");
    }

    #[test]
    fn waits_in_vain_only_so_long() {
        let queue = Queue::<u8>::new();
        let window = Window { idle: Duration::ZERO, group: LONG, rows: 1 };
        assert!(queue.take(&window).parcels.is_empty());
    }
}
