//! The state of an agent as a glyph and a word.

use crate::message::AgentVitals;

use heartline_vocabulary::{Action, Phase, Reason, State};

/// The characters that may be drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GlyphSet {
    #[default]
    Unicode,
    /// `--ascii`.
    Ascii,
}

impl GlyphSet {
    pub const fn pick(self, unicode: &'static str, ascii: &'static str) -> &'static str {
        match self {
            Self::Unicode => unicode,
            Self::Ascii => ascii,
        }
    }
}

/// Returns the glyph of a state; one column.
pub const fn state_glyph(state: State, reason: Option<Reason>, charset: GlyphSet) -> &'static str {
    match (state, reason) {
        (State::Healthy, _) => charset.pick("●", "+"),
        (State::Degraded, _) => charset.pick("◐", "~"),
        (State::Unreachable, _) => charset.pick("✖", "X"),
        (State::Killed, Some(Reason::Shutdown)) => charset.pick("□", "."),
        (State::Killed, _) => charset.pick("■", "#"),
        (State::Unknown, _) => charset.pick("○", "?"),
    }
}

/// Returns the word of a state in a transition: its reason where that is more specific. At most
/// eight letters.
pub const fn state_word(state: State, reason: Option<Reason>) -> &'static str {
    match (state, reason) {
        (State::Healthy, _) => "HEALTHY",
        (State::Degraded, Some(Reason::Late)) => "LATE",
        (State::Degraded, Some(Reason::Stalled)) => "STALLED",
        (State::Degraded, Some(Reason::Conflict)) => "CONFLICT",
        (State::Degraded, Some(Reason::Blocked)) => "BLOCKED",
        (State::Degraded, Some(Reason::CrashLooping)) => "LOOPING",
        (State::Degraded, Some(Reason::EmitterSilent)) => "EMITTER",
        (State::Degraded, Some(Reason::Flooding)) => "FLOODING",
        (State::Degraded, Some(Reason::Failing)) => "FAILING",
        (State::Degraded, Some(Reason::Idle)) => "IDLE",
        (State::Degraded, Some(Reason::Slow)) => "SLOW",
        (State::Degraded, Some(Reason::Fast)) => "FAST",
        (State::Degraded, Some(Reason::Flapping)) => "FLAPPING",
        (State::Degraded, _) => "DEGRADED",
        (State::Unreachable, Some(Reason::Crashed)) => "CRASHED",
        (State::Unreachable, Some(Reason::OneWay)) => "ONE-WAY",
        (State::Unreachable, _) => "UNREACH",
        (State::Killed, Some(Reason::Shutdown)) => "STOPPED",
        (State::Killed, _) => "KILLED",
        (State::Unknown, _) => "UNKNOWN",
    }
}

/// Returns the word of an agent's state and command, of at most eight letters.
///
/// 1. A killed agent has the progress of the kill: PENDING, DRAINING, KILLED; or DISOBEYS.
/// 2. One that stopped by itself is STOPPED.
/// 3. A healthy one that waits for a person is WAITING.
/// 4. Otherwise the reason, and without one the state.
pub fn vitals_word(vitals: &AgentVitals) -> &'static str {
    let plain = state_word(vitals.state, vitals.reason);
    match vitals.state {
        State::Killed if vitals.reason != Some(Reason::Shutdown) => {
            kill_progress(vitals).unwrap_or(plain)
        }
        State::Healthy if vitals.phase == Some(Phase::Waiting) => "WAITING",
        _ => plain,
    }
}

/// Returns the progress of a kill, until it is obeyed.
fn kill_progress(vitals: &AgentVitals) -> Option<&'static str> {
    let kill = vitals.command.as_ref().filter(|command| command.action == Action::Kill)?;
    match (kill.disobeyed, kill.delivered_ms, kill.obeyed_ms) {
        (true, ..) => Some("DISOBEYS"),
        (_, _, Some(_)) => None,
        (_, Some(_), None) => Some("DRAINING"),
        (_, None, None) => Some("PENDING"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn every_state_has_a_word_of_eight_letters_and_a_glyph_of_one_column() {
        let with_each = |state| {
            let reasons = Reason::ALL.into_iter().map(Some).chain([None]);
            reasons.map(move |reason| (state, reason))
        };
        for (state, reason) in State::ALL.into_iter().flat_map(with_each) {
            assert!(state_word(state, reason).len() <= 8);
            let glyph = |charset| state_glyph(state, reason, charset);
            assert_eq!(glyph(GlyphSet::Unicode).chars().count(), 1);
            assert!(glyph(GlyphSet::Ascii).is_ascii() && glyph(GlyphSet::Ascii).len() == 1);
        }
    }

    #[test]
    fn a_kill_says_how_far_it_has_come() {
        let mut vitals = sample::draining_agent().vitals;
        let mut word = |delivered_ms, obeyed_ms, disobeyed| {
            let kill = vitals.command.as_mut().unwrap();
            (kill.delivered_ms, kill.obeyed_ms, kill.disobeyed) =
                (delivered_ms, obeyed_ms, disobeyed);
            vitals_word(&vitals)
        };
        assert_eq!(word(None, None, false), "PENDING");
        assert_eq!(word(Some(3), None, false), "DRAINING");
        assert_eq!(word(Some(3), Some(8), false), "KILLED");
        assert_eq!(word(Some(3), Some(8), true), "DISOBEYS");
        vitals.reason = Some(Reason::Shutdown);
        assert_eq!(vitals_word(&vitals), "STOPPED");
    }
}
