//! Replay window of a session.

/// Sliding window of the last 128 sequence numbers of one session (`SPEC.md`, "Replay window";
/// the construction of RFC 6479, section 2).
///
/// A sequence number is *new* once: not a second time, and not below the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplayWindow {
    highest: u64,
    /// Bit `n` is set when `highest - n` has been seen. Two halves, the lower first: a `u128` would
    /// align every record that has a window to 16 bytes.
    seen: [u64; 2],
}

/// Length of the window: how many sequence numbers up to the highest seen are tracked.
pub const WINDOW: u64 = 128;

impl ReplayWindow {
    /// Records `sequence`; returns whether it was new.
    pub fn accept(&mut self, sequence: u64) -> bool {
        if !self.is_new(sequence) {
            return false;
        }
        if sequence > self.highest {
            let shift = sequence - self.highest;
            let seen = if shift >= WINDOW { 0 } else { self.seen() << shift };
            self.highest = sequence;
            self.set_seen(seen | 1);
        } else {
            self.set_seen(self.seen() | 1 << (self.highest - sequence));
        }
        true
    }

    /// Returns whether `sequence` is new. Zero never is: sequences start at 1.
    pub fn is_new(&self, sequence: u64) -> bool {
        if sequence == 0 {
            return false;
        }
        if sequence > self.highest {
            return true;
        }
        let behind = self.highest - sequence;
        behind < WINDOW && self.seen() & (1 << behind) == 0
    }

    fn seen(&self) -> u128 {
        let [low, high] = self.seen.map(u128::from);
        high << 64 | low
    }

    fn set_seen(&mut self, seen: u128) {
        self.seen = [seen as u64, (seen >> 64) as u64];
    }

    /// The highest sequence number seen; 0 before the first.
    pub fn highest(&self) -> u64 {
        self.highest
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against the obvious model: a set of all numbers seen, and the width of the window.
        #[test]
        fn agrees_with_a_set(sequences in prop::collection::vec(0u64..400, 1..300)) {
            let (mut window, mut seen) = (ReplayWindow::default(), BTreeSet::new());
            for sequence in sequences {
                let highest = seen.last().copied().unwrap_or(0);
                let expected = sequence > 0
                    && sequence + WINDOW > highest
                    && !seen.contains(&sequence);
                prop_assert_eq!(window.accept(sequence), expected);
                if expected {
                    seen.insert(sequence);
                }
            }
        }
    }

    #[test]
    fn survives_the_ends_of_the_range() {
        let mut window = ReplayWindow::default();
        assert!(!window.accept(0));
        assert!(window.accept(u64::MAX));
        assert!(!window.accept(u64::MAX));
        assert!(!window.accept(1));
        assert!(window.accept(u64::MAX - 127));
    }
}
