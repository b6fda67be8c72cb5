//! How long to wait before trying again.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(10);

/// Waits that double from 0.5 s to 10 s. Each is drawn from the upper half of its length, so that
/// a crowd of clients does not come back at once after a collector's restart.
#[derive(Debug)]
pub(super) struct Backoff {
    next: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { next: FIRST }
    }
}

impl Backoff {
    /// The next wait; `random` is any number, each as likely as the other.
    pub(super) fn next(&mut self, random: u64) -> Duration {
        let longest = self.next;
        self.next = (longest * 2).min(LONGEST);
        let share = random as f64 / u64::MAX as f64;
        longest.mul_f64(0.5 + share / 2.0).max(FIRST)
    }
}

/// A random number: good enough to keep clients apart, not to keep a secret.
pub(super) fn random() -> u64 {
    // The keys of the standard hash maps are random, and differ from one to the next.
    RandomState::new().hash_one(0_u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_from_half_a_second_to_ten() {
        let waits = |random| {
            let mut backoff = Backoff::default();
            (0..8).map(|_| backoff.next(random).as_millis()).collect::<Vec<_>>()
        };
        assert_eq!(waits(u64::MAX), [500, 1000, 2000, 4000, 8000, 10000, 10000, 10000]);
        assert_eq!(waits(0), [500, 500, 1000, 2000, 4000, 5000, 5000, 5000]);
    }

    #[test]
    fn random_numbers_differ() {
        assert_ne!(random(), random());
    }
}
