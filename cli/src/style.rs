//! States as glyph, word and colour, for terminals.
//!
//! Styled text is always written with its escape codes; [`Console`](crate::console::Console) strips
//! them where no terminal shows colours.

use anstyle::AnsiColor;
use heartline_operator::message::AgentVitals;
use heartline_operator::text::{GlyphSet, state_glyph, state_word, vitals_word};
use heartline_vocabulary::{AgentStatus, Reason, State};

/// Formats states and marks with the glyphs of one character set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StateFormatter(pub(crate) GlyphSet);

impl StateFormatter {
    /// Formats the state of an agent: `◐ STALLED`.
    pub(crate) fn vitals(self, vitals: &AgentVitals) -> String {
        let word = vitals_word(vitals);
        coloured(vitals.state, &format!("{} {word}", self.glyph(vitals.state, vitals.reason)))
    }

    /// Formats a state that was: `✖ UNREACH`.
    pub(crate) fn status(self, status: AgentStatus) -> String {
        let AgentStatus { state, reason } = status;
        let word = state_word(state, reason);
        coloured(state, &format!("{} {word}", self.glyph(state, reason)))
    }

    /// Formats how many agents are in a state: `● 16 healthy`.
    pub(crate) fn count(self, status: AgentStatus, count: u32) -> String {
        let glyph = self.glyph(status.state, status.reason);
        coloured(status.state, &format!("{glyph} {count} {}", status.count_name()))
    }

    /// Returns `✓`, for a check that passed.
    pub(crate) fn tick(self) -> String {
        coloured(State::Healthy, self.0.pick("✓", "ok"))
    }

    /// Returns `✗`, for a check that failed.
    pub(crate) fn cross(self) -> String {
        coloured(State::Unreachable, self.0.pick("✗", "no"))
    }

    /// Returns a full and an empty cell of a bar.
    pub(crate) fn bar(self) -> (&'static str, &'static str) {
        (self.0.pick("█", "#"), self.0.pick("░", "-"))
    }

    /// Returns the arrow between two states.
    pub(crate) fn arrow(self) -> &'static str {
        self.0.pick("→", "->")
    }

    /// Returns the glyph of a status.
    pub(crate) fn glyph_of(self, status: AgentStatus) -> &'static str {
        self.glyph(status.state, status.reason)
    }

    fn glyph(self, state: State, reason: Option<Reason>) -> &'static str {
        state_glyph(state, reason, self.0)
    }
}

/// Highlights a warning, such as a banner or a loss.
pub(crate) fn alert(text: &str) -> String {
    coloured(State::Degraded, text)
}

/// Colours text as its state is, in one of the 16 colours of the terminal's own theme.
fn coloured(state: State, text: &str) -> String {
    let style = match state {
        State::Healthy => AnsiColor::Green,
        State::Degraded => AnsiColor::Yellow,
        State::Unreachable => AnsiColor::Red,
        State::Killed => AnsiColor::Magenta,
        State::Unknown => AnsiColor::BrightBlack,
    }
    .on_default();
    format!("{style}{text}{style:#}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use heartline_operator::sample;

    #[test]
    fn a_state_is_a_coloured_glyph_and_word() {
        let of = |charset, state, reason| {
            let mut entry = sample::healthy_agent(1, "a");
            (entry.vitals.state, entry.vitals.reason) = (state, reason);
            StateFormatter(charset).vitals(&entry.vitals)
        };
        let stalled = of(GlyphSet::Unicode, State::Degraded, Some(Reason::Stalled));
        assert_eq!(stalled, "\u{1b}[33m◐ STALLED\u{1b}[0m");
        let stopped = of(GlyphSet::Unicode, State::Killed, Some(Reason::Shutdown));
        assert_eq!(stopped, "\u{1b}[35m□ STOPPED\u{1b}[0m");
        let unreachable = of(GlyphSet::Ascii, State::Unreachable, None);
        assert_eq!(unreachable, "\u{1b}[31mX UNREACH\u{1b}[0m");
    }
}
