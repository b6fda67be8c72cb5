//! How far a command has come, in words.

use heartline_operator::message::CommandStatus;

use crate::state::{AppState, CommandProgress, TrackedCommand};
use crate::text::{age, span};
use crate::theme::StyleRole;

/// The most agents that are named.
const MAX_NAMED: usize = 3;

/// Returns the text of the newest command, and the number of earlier ones; `None` when there is none.
pub(crate) fn newest_command(state: &AppState) -> Option<(StyleRole, String)> {
    let mut commands = state.tracker.newest_first();
    let newest = commands.next()?;
    let earlier = match commands.count() {
        0 => String::new(),
        n => format!(" (and {n} earlier)"),
    };
    let (role, text) = progress(state, newest);
    let verb = newest.command.action.name().to_uppercase();
    Some((role, format!("{verb} {}: {text}{earlier}", target_label(newest))))
}

fn target_label(tracked: &TrackedCommand) -> String {
    match tracked.command.agents.names() {
        [only] => only.clone(),
        several => format!("{} agents", several.len()),
    }
}

/// Formats how far a command has come.
fn progress(state: &AppState, tracked: &TrackedCommand) -> (StyleRole, String) {
    let waited = age(state.now.since(tracked.sent_at));
    match &tracked.progress {
        CommandProgress::Sent if state.connection.is_live() => {
            (StyleRole::Warning, format!("sent, waiting for the collector {waited}"))
        }
        CommandProgress::Sent => (
            StyleRole::Alert,
            format!(
                "no answer for {waited}: connection lost; the command is sent again after \
                 reconnecting"
            ),
        ),
        CommandProgress::Refused(why) => {
            (StyleRole::Alert, format!("REFUSED, nothing was done: {why}"))
        }
        CommandProgress::Accepted { .. } => accepted_progress(state, tracked, &waited),
    }
}

fn accepted_progress(
    state: &AppState,
    tracked: &TrackedCommand,
    waited: &str,
) -> (StyleRole, String) {
    let slowest = tracked.obeyed_ms.values().max().copied().unwrap_or(0);
    let pending: Vec<&str> = tracked.pending_agents().collect();
    if pending.is_empty() {
        return (StyleRole::Healthy, format!("obeyed in {}", span(slowest)));
    }
    let draining = tracked.draining(&state.live);
    let text = match (tracked.command.agents.names().len(), draining.as_slice()) {
        (1, [one]) => draining_progress(one, waited),
        (1, _) => format!("PENDING {waited}: durable, and sent again until it is obeyed"),
        _ => several_progress(&pending, draining.len(), waited),
    };
    let text = match tracked.obeyed_ms.len() {
        0 => text,
        done => format!("{done} obeyed in {}, {text}", span(slowest)),
    };
    (StyleRole::Warning, text)
}

/// Formats the progress of a command that one agent has received and not obeyed yet.
fn draining_progress(command: &CommandStatus, waited: &str) -> String {
    let tasks = if command.draining == 1 { "task" } else { "tasks" };
    let delivered = span(command.delivered_ms.unwrap_or_default());
    format!("delivered in {delivered}, DRAINING {waited}: {} {tasks} in flight", command.draining)
}

fn several_progress(pending_agents: &[&str], draining: usize, waited: &str) -> String {
    let pending = pending_agents.len() - draining;
    let counts = match (pending, draining) {
        (0, _) => format!("{draining} DRAINING"),
        (_, 0) => format!("{pending} PENDING"),
        _ => format!("{pending} PENDING, {draining} DRAINING"),
    };
    let mut names = pending_agents[..pending_agents.len().min(MAX_NAMED)].join(", ");
    if pending_agents.len() > MAX_NAMED {
        names.push_str(", and others");
    }
    format!("{counts} {waited} ({names})")
}
