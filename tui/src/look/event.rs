//! An event in colour.

use heartline_operator::message::{Event, EventKind};

use heartline_vocabulary::Action;

use super::Role;
use super::status::state_role;

/// In which colour an event is told.
pub(crate) fn event_role(event: &Event) -> Role {
    match &event.kind {
        EventKind::Transition { to, reason, .. } => state_role(*to, *reason),
        EventKind::Command { action: Action::Kill, .. } => Role::Killed,
        EventKind::Disobeyed { .. } => Role::Alert,
        EventKind::Gap { .. } => Role::Degraded,
        _ => Role::Text,
    }
}
