//! The bell: at most one ring a second, and what came in between is counted.

use crate::clock::MonoTime;

/// The least time between two rings.
const EVERY_MS: u64 = 1_000;

/// What rang last, and what waits for its second.
#[derive(Debug, Default)]
pub(crate) struct BellState {
    last: Option<MonoTime>,
    waiting: Option<WaitingRing>,
}

#[derive(Debug)]
struct WaitingRing {
    /// The newest.
    text: String,
    /// How many wait, with the newest.
    count: u32,
}

impl BellState {
    /// Takes in that a notice came.
    pub(crate) fn push(&mut self, text: String) {
        let before = self.waiting.take().map_or(0, |waiting| waiting.count);
        self.waiting = Some(WaitingRing { text, count: before.saturating_add(1) });
    }

    /// Returns what to ring with now, if anything is due.
    pub(crate) fn next(&mut self, now: MonoTime) -> Option<String> {
        let is_due = self.due().is_some_and(|at| now >= at);
        let WaitingRing { text, count } = self.waiting.take_if(|_| is_due)?;
        self.last = Some(now);
        Some(match count {
            1 => text,
            more => format!("{text} (and {} more)", more - 1),
        })
    }

    /// Returns when to ring next.
    pub(crate) fn due(&self) -> Option<MonoTime> {
        self.waiting.as_ref()?;
        Some(self.last.map_or(MonoTime::default(), |last| last.plus_ms(EVERY_MS)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rings_at_once_and_then_once_a_second_for_all_that_came() {
        let mut bell = BellState::default();
        let at = MonoTime::from_ms;
        assert_eq!((bell.due(), bell.next(at(5))), (None, None));
        bell.push("a".to_owned());
        assert_eq!(bell.next(at(500)), Some("a".to_owned()));
        for text in ["b", "c", "d"] {
            bell.push(text.to_owned());
            assert_eq!(bell.next(at(1_499)), None);
        }
        assert_eq!(bell.due(), Some(at(1_500)));
        assert_eq!(bell.next(at(1_500)), Some("d (and 2 more)".to_owned()));
        assert_eq!((bell.due(), bell.next(at(9_000))), (None, None), "nothing waits any more");
    }
}
