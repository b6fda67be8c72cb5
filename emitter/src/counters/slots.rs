//! Slots of living threads: which shard each may write.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

/// Number of threads that can have a slot of their own at a time.
pub(super) const SLOTS: usize = 64;
/// Slot of all other threads, and of those about to end.
pub(super) const SHARED: usize = SLOTS;

const UNSET: u8 = u8::MAX;

static POOL: SlotPool = SlotPool(AtomicU64::new(0));

/// Slots that are taken, as a bit set.
struct SlotPool(AtomicU64);

impl SlotPool {
    fn claim(&self) -> Option<u8> {
        // Acquire: what the previous owner of the slot wrote is seen.
        self.0
            .fetch_update(Ordering::Acquire, Ordering::Relaxed, |taken| {
                (taken != u64::MAX).then(|| taken | 1 << taken.trailing_ones())
            })
            .ok()
            .map(|taken| taken.trailing_ones() as u8)
    }

    fn release(&self, slot: u8) {
        // Release: the next owner of the slot sees all that this thread wrote.
        self.0.fetch_and(!(1 << slot), Ordering::Release);
    }
}

thread_local! {
    /// Without a destructor, so that reading it is one load.
    static SLOT: Cell<u8> = const { Cell::new(UNSET) };
    static RELEASE: Cell<Option<ReleaseOnExit>> = const { Cell::new(None) };
}

/// Returns this thread's slot: below [`SLOTS`] if it has one of its own.
#[inline]
pub(super) fn get() -> usize {
    usize::from(SLOT.get())
}

/// Returns this thread's slot, and claims one first if it has none yet.
pub(super) fn get_or_claim() -> usize {
    if SLOT.get() != UNSET {
        return get();
    }
    let slot = POOL.claim();
    SLOT.set(slot.unwrap_or(SHARED as u8));
    if let Some(release) = slot.map(ReleaseOnExit) {
        // Fails while the thread's locals are being destroyed: the slot is then released here, and
        // this thread counts as one of the others.
        let _ = RELEASE.try_with(|cell| cell.set(Some(release)));
    }
    get()
}

/// Releases the slot when the thread ends.
struct ReleaseOnExit(u8);

impl Drop for ReleaseOnExit {
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
    fn a_slot_is_claimed_once_until_it_is_released() {
        let pool = SlotPool(AtomicU64::new(0));
        let all: BTreeSet<_> = std::iter::from_fn(|| pool.claim()).collect();
        assert_eq!(all.len(), SLOTS);
        pool.release(17);
        assert_eq!((pool.claim(), pool.claim()), (Some(17), None));
    }

    #[test]
    fn living_threads_have_different_slots() {
        let barrier = Barrier::new(40);
        let slots: Vec<usize> = std::thread::scope(|scope| {
            let claim = || {
                let slot = get_or_claim();
                barrier.wait();
                assert_eq!((get(), get_or_claim()), (slot, slot));
                slot
            };
            let threads: Vec<_> = (0..40).map(|_| scope.spawn(claim)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let own: Vec<_> = slots.iter().filter(|&&slot| slot != SHARED).collect();
        assert_eq!(own.iter().collect::<BTreeSet<_>>().len(), own.len());
    }
}
