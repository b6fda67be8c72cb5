//! Pauses between restarts.

use std::time::Duration;

const FIRST: Duration = Duration::from_secs(1);
/// Longest pause; a process that has run for longer than this starts the pauses anew.
const LONGEST: Duration = Duration::from_secs(60);

/// Doubles the pause from one restart to the next.
#[derive(Debug, Default)]
pub(crate) struct RestartBackoff {
    last: Option<Duration>,
}

impl RestartBackoff {
    /// Returns the pause after a process that has run for so long.
    pub(crate) fn next_pause(&mut self, ran_for: Duration) -> Duration {
        let next = match self.last {
            Some(last) if ran_for < LONGEST => (last * 2).min(LONGEST),
            _ => FIRST,
        };
        self.last = Some(next);
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_minute_and_begin_anew_after_a_long_run() {
        let mut backoff = RestartBackoff::default();
        let pauses: Vec<u64> =
            (0..8).map(|_| backoff.next_pause(Duration::from_millis(5)).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(backoff.next_pause(LONGEST), FIRST);
    }
}
