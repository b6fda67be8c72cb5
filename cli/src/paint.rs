//! A state as glyph, word and, on a terminal, colour.

use heartline_operator::message::AgentVitals;

use heartline_operator::text::{Charset, state_glyph, vitals_word};
use heartline_vocabulary::{Reason, State};

/// Whether colours are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Colour {
    /// The 16 ANSI colours, which the terminal's own theme decides.
    Ansi,
    /// None: no terminal, or `NO_COLOR`.
    None,
}

/// How things are drawn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint {
    charset: Charset,
    colour: Colour,
}

impl Paint {
    pub(crate) const fn new(charset: Charset, colour: Colour) -> Self {
        Self { charset, colour }
    }

    /// The same with other characters.
    pub(crate) const fn with(self, charset: Charset) -> Self {
        Self { charset, ..self }
    }

    /// The state of an agent: `◐ STALLED`.
    pub(crate) fn vitals(self, vitals: &AgentVitals) -> String {
        let word = vitals_word(vitals);
        self.coloured(vitals.state, &format!("{} {word}", self.glyph(vitals.state, vitals.reason)))
    }

    /// The glyph of a state with a count: `● 16`.
    pub(crate) fn count(self, state: State, count: u32) -> String {
        self.coloured(state, &format!("{} {count} {}", self.glyph(state, None), state.name()))
    }

    /// `✓`, for what is right.
    pub(crate) fn tick(self) -> String {
        self.coloured(State::Healthy, self.pick("✓", "ok"))
    }

    /// `✗`, for what is wrong.
    pub(crate) fn cross(self) -> String {
        self.coloured(State::Unreachable, self.pick("✗", "no"))
    }

    /// An arrow between two states.
    pub(crate) fn arrow(self) -> &'static str {
        self.pick("→", "->")
    }

    /// What is said loudly: a banner, a drop.
    pub(crate) fn alert(self, text: &str) -> String {
        self.coloured(State::Degraded, text)
    }

    fn glyph(self, state: State, reason: Option<Reason>) -> &'static str {
        state_glyph(state, reason, self.charset)
    }

    fn pick(self, unicode: &'static str, ascii: &'static str) -> &'static str {
        self.charset.pick(unicode, ascii)
    }

    fn coloured(self, state: State, text: &str) -> String {
        let code = match state {
            State::Healthy => 32,
            State::Degraded => 33,
            State::Unreachable => 31,
            State::Killed => 35,
            State::Unknown => 90,
        };
        match self.colour {
            Colour::Ansi => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            Colour::None => text.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use heartline_operator::sample;

    #[test]
    fn a_state_is_glyph_and_word_and_colour_only_where_wanted() {
        let plain = Paint::new(Charset::Unicode, Colour::None);
        let ascii = Paint::new(Charset::Ascii, Colour::Ansi);
        let of = |paint: Paint, state, reason| {
            let mut entry = sample::healthy_agent(1, "a");
            (entry.vitals.state, entry.vitals.reason) = (state, reason);
            paint.vitals(&entry.vitals)
        };
        assert_eq!(of(plain, State::Degraded, Some(Reason::Stalled)), "◐ STALLED");
        assert_eq!(of(plain, State::Killed, Some(Reason::Shutdown)), "□ STOPPED");
        assert_eq!(of(ascii, State::Unreachable, None), "\u{1b}[31mX UNREACH\u{1b}[0m");
    }
}
