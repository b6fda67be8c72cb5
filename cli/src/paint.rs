//! A state as glyph, word and, on a terminal, colour.

use heartline_operator::message::{Action, Phase, Reason, State, Vitals};

/// Which characters may be drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Charset {
    /// Any.
    #[default]
    Unicode,
    /// `--ascii`.
    Ascii,
}

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
    pub(crate) fn vitals(self, vitals: &Vitals) -> String {
        let word = match vitals.state {
            State::Killed => kill_word(vitals),
            State::Healthy if vitals.phase == Phase::Waiting => "WAITING",
            state => state_word(state, vitals.reason),
        };
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
        match (state, reason) {
            (State::Healthy, _) => self.pick("●", "+"),
            (State::Degraded, _) => self.pick("◐", "~"),
            (State::Unreachable, _) => self.pick("✖", "X"),
            (State::Killed, Some(Reason::Shutdown)) => self.pick("□", "."),
            (State::Killed, _) => self.pick("■", "#"),
            (State::Unknown, _) => self.pick("○", "?"),
        }
    }

    fn pick(self, unicode: &'static str, ascii: &'static str) -> &'static str {
        match self.charset {
            Charset::Unicode => unicode,
            Charset::Ascii => ascii,
        }
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

/// How far a kill has come is part of the state.
fn kill_word(vitals: &Vitals) -> &'static str {
    let kill = vitals.command.as_ref().filter(|command| command.action == Action::Kill);
    match kill {
        Some(kill) if vitals.reason != Some(Reason::Shutdown) => {
            match (kill.disobeyed, kill.delivered_ms, kill.obeyed_ms) {
                (true, ..) => "DISOBEYS",
                (_, _, Some(_)) => "KILLED",
                (_, Some(_), None) => "DRAINING",
                (_, None, None) => "PENDING",
            }
        }
        _ => state_word(vitals.state, vitals.reason),
    }
}

/// At most eight letters.
pub(crate) fn state_word(state: State, reason: Option<Reason>) -> &'static str {
    match (state, reason) {
        (State::Healthy, _) => "HEALTHY",
        (State::Degraded, Some(Reason::Late)) => "LATE",
        (State::Degraded, Some(Reason::Stalled)) => "STALLED",
        (State::Degraded, Some(Reason::Failing)) => "FAILING",
        (State::Degraded, Some(Reason::Slow)) => "SLOW",
        (State::Degraded, Some(Reason::Conflict)) => "CONFLICT",
        (State::Degraded, Some(Reason::CrashLooping)) => "LOOPING",
        (State::Degraded, _) => "DEGRADED",
        (State::Unreachable, Some(Reason::Crashed)) => "CRASHED",
        (State::Unreachable, Some(Reason::OneWay)) => "ONE-WAY",
        (State::Unreachable, _) => "UNREACH",
        (State::Killed, Some(Reason::Shutdown)) => "STOPPED",
        (State::Killed, _) => "KILLED",
        (State::Unknown, _) => "UNKNOWN",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn a_state_is_glyph_and_word_and_colour_only_where_wanted() {
        let plain = Paint::new(Charset::Unicode, Colour::None);
        let ascii = Paint::new(Charset::Ascii, Colour::Ansi);
        let of = |paint: Paint, state, reason| {
            let mut entry = sample::healthy(1, "a");
            (entry.vitals.state, entry.vitals.reason) = (state, reason);
            paint.vitals(&entry.vitals)
        };
        assert_eq!(of(plain, State::Degraded, Some(Reason::Stalled)), "◐ STALLED");
        assert_eq!(of(plain, State::Killed, Some(Reason::Shutdown)), "□ STOPPED");
        assert_eq!(of(ascii, State::Unreachable, None), "\u{1b}[31mX UNREACH\u{1b}[0m");
    }

    #[test]
    fn a_kill_says_how_far_it_has_come() {
        let plain = Paint::new(Charset::Unicode, Colour::None);
        let mut entry = sample::killed("mail.7");
        assert_eq!(plain.vitals(&entry.vitals), "■ PENDING");
        let kill = entry.vitals.command.as_mut().unwrap();
        kill.delivered_ms = Some(3);
        assert_eq!(plain.vitals(&entry.vitals), "■ DRAINING");
        entry.vitals.command.as_mut().unwrap().obeyed_ms = Some(8);
        assert_eq!(plain.vitals(&entry.vitals), "■ KILLED");
    }
}
