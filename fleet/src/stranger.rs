//! Sessions that have proven nothing yet: new starts, and recordings of old ones.

use heartline_protocol::ReplayWindow;

/// The newest few sessions of an agent that were never live here, with what was received of each.
///
/// A recording can be sent for ever. If it were answered each time, it would use up the answers that
/// a new start of the agent waits for.
#[derive(Debug, Default)]
pub(crate) struct UnverifiedSessions(Vec<(u64, ReplayWindow)>);

/// How many are told apart: the newest.
const KEPT: usize = 4;

impl UnverifiedSessions {
    /// Takes a message in; says whether its sequence number was new in its session.
    pub(crate) fn accept(&mut self, session: u64, sequence: u64) -> bool {
        let known = self.0.iter().position(|&(known, _)| known == session);
        let at = known.unwrap_or_else(|| {
            self.0.truncate(KEPT - 1);
            self.0.insert(0, (session, ReplayWindow::default()));
            0
        });
        self.0[at].1.accept(sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_is_new_once() {
        let mut strangers = UnverifiedSessions::default();
        assert!(strangers.accept(7, 1) && strangers.accept(7, 2) && strangers.accept(8, 1));
        assert!(!strangers.accept(7, 1) && !strangers.accept(8, 1));
        for session in 10..14 {
            assert!(strangers.accept(session, 1));
        }
        assert!(strangers.accept(7, 1), "only the newest few are remembered");
    }
}
