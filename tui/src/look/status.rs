//! An agent's state as glyph, word and colour.

use heartline_operator::message::{Action, Phase, Reason, State, Vitals};

use super::{Glyphs, Role};

/// What stands in the STATE column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    pub glyph: &'static str,
    pub label: &'static str,
    pub role: Role,
}

/// How an agent is, in one glyph and one word of at most eight letters.
///
/// 1. A killed agent says how far the kill has come: PENDING, DRAINING, KILLED; or DISOBEYS.
/// 2. One that stopped by itself is STOPPED.
/// 3. A healthy one that waits for somebody is WAITING.
/// 4. Otherwise the reason, and without one the state.
pub(crate) fn status(vitals: &Vitals, glyphs: &Glyphs) -> Status {
    let plain = of_state(vitals.state, vitals.reason, glyphs);
    match vitals.state {
        State::Killed if vitals.reason != Some(Reason::Shutdown) => kill_progress(vitals, plain),
        State::Healthy if vitals.phase == Phase::Waiting => Status { label: "WAITING", ..plain },
        _ => plain,
    }
}

/// The same for a state alone, as in a transition.
pub(crate) fn of_state(state: State, reason: Option<Reason>, glyphs: &Glyphs) -> Status {
    let (glyph, role) = match state {
        State::Healthy => (glyphs.healthy, Role::Healthy),
        State::Degraded => (glyphs.degraded, Role::Degraded),
        State::Unreachable => (glyphs.unreachable, Role::Unreachable),
        State::Killed if reason == Some(Reason::Shutdown) => (glyphs.stopped, Role::Unknown),
        State::Killed => (glyphs.killed, Role::Killed),
        State::Unknown => (glyphs.unknown, Role::Unknown),
    };
    Status { glyph, label: label(state, reason), role }
}

fn label(state: State, reason: Option<Reason>) -> &'static str {
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

fn kill_progress(vitals: &Vitals, plain: Status) -> Status {
    let Some(command) = vitals.command.as_ref().filter(|c| c.action == Action::Kill) else {
        return plain;
    };
    if command.disobeyed {
        return Status { label: "DISOBEYS", role: Role::Alert, ..plain };
    }
    match (command.delivered_ms, command.obeyed_ms) {
        (_, Some(_)) => plain,
        (Some(_), None) => Status { label: "DRAINING", ..plain },
        (None, None) => Status { label: "PENDING", ..plain },
    }
}
