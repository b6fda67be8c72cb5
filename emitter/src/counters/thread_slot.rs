//! A small number for each living thread.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many threads can have a number of their own at a time.
pub(super) const SLOTS: usize = 64;
/// The number of all the others, and of threads that are about to end.
pub(super) const SHARED: usize = SLOTS;

const UNSET: u8 = u8::MAX;

static POOL: Pool = Pool(AtomicU64::new(0));

/// Which numbers are taken: bit `n` is set while a thread has number `n`.
struct Pool(AtomicU64);

impl Pool {
    fn claim(&self) -> Option<u8> {
        // Acquire: what the thread before wrote under this number is seen.
        self.0
            .fetch_update(Ordering::Acquire, Ordering::Relaxed, |taken| {
                (taken != u64::MAX).then(|| taken | 1 << taken.trailing_ones())
            })
            .ok()
            .map(|taken| taken.trailing_ones() as u8)
    }

    fn release(&self, slot: u8) {
        // Release: the next thread with this number sees all that this one wrote.
        self.0.fetch_and(!(1 << slot), Ordering::Release);
    }
}

thread_local! {
    /// Without a destructor, so that reading it is one load.
    static SLOT: Cell<u8> = const { Cell::new(UNSET) };
    static LEASE: Cell<Option<Lease>> = const { Cell::new(None) };
}

/// This thread's number: its own one below [`SLOTS`], or a higher one if it has none of its own or
/// none yet.
#[inline]
pub(super) fn get() -> usize {
    usize::from(SLOT.get())
}

/// This thread's number: its own one below [`SLOTS`], or [`SHARED`].
pub(super) fn get_or_assign() -> usize {
    if SLOT.get() != UNSET {
        return get();
    }
    let slot = POOL.claim();
    SLOT.set(slot.unwrap_or(SHARED as u8));
    if let Some(lease) = slot.map(Lease) {
        // Fails while the thread's locals are being destroyed: the lease is then dropped here,
        // and this thread counts as one of the others.
        let _ = LEASE.try_with(|cell| cell.set(Some(lease)));
    }
    get()
}

/// Gives the number back when the thread ends.
struct Lease(u8);

impl Drop for Lease {
    fn drop(&mut self) {
        SLOT.set(SHARED as u8);
        POOL.release(self.0);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn numbers_are_given_once_until_they_come_back() {
        let pool = Pool(AtomicU64::new(0));
        let all: BTreeSet<_> = std::iter::from_fn(|| pool.claim()).collect();
        assert_eq!(all.len(), SLOTS);
        pool.release(17);
        assert_eq!((pool.claim(), pool.claim()), (Some(17), None));
    }

    #[test]
    fn living_threads_have_different_numbers() {
        let barrier = Barrier::new(40);
        let slots: Vec<usize> = std::thread::scope(|scope| {
            let number = || {
                let slot = get_or_assign();
                barrier.wait();
                assert_eq!((get(), get_or_assign()), (slot, slot));
                slot
            };
            let threads: Vec<_> = (0..40).map(|_| scope.spawn(number)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let own: Vec<_> = slots.iter().filter(|&&slot| slot != SHARED).collect();
        assert_eq!(own.iter().collect::<BTreeSet<_>>().len(), own.len());
    }
}
