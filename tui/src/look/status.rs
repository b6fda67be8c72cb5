//! An agent's state as glyph, word and colour.

use heartline_operator::message::AgentVitals;

use heartline_operator::text::{state_glyph, state_word, vitals_word};
use heartline_vocabulary::{Reason, State};

use super::{GlyphSet, Role};

/// What stands in the STATE column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    pub glyph: &'static str,
    pub label: &'static str,
    pub role: Role,
}

/// How an agent is, with how far a kill has come.
pub(crate) fn status(vitals: &AgentVitals, charset: GlyphSet) -> Status {
    let plain = of_state(vitals.state, vitals.reason, charset);
    let disobeys = vitals.command.as_ref().is_some_and(|command| command.disobeyed);
    let role = if vitals.state == State::Killed && disobeys { Role::Alert } else { plain.role };
    Status { label: vitals_word(vitals), role, ..plain }
}

/// The same for a state alone, as in a transition.
pub(crate) fn of_state(state: State, reason: Option<Reason>, charset: GlyphSet) -> Status {
    Status {
        glyph: state_glyph(state, reason, charset),
        label: state_word(state, reason),
        role: state_role(state, reason),
    }
}

/// In which colour a state is told.
pub(super) fn state_role(state: State, reason: Option<Reason>) -> Role {
    match state {
        State::Healthy => Role::Healthy,
        State::Degraded => Role::Degraded,
        State::Unreachable => Role::Unreachable,
        State::Killed if reason == Some(Reason::Shutdown) => Role::Unknown,
        State::Killed => Role::Killed,
        State::Unknown => Role::Unknown,
    }
}
