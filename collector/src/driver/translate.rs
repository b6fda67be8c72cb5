//! From the core's view of an agent to what operators are sent.

use heartline_fleet::AgentView;
use heartline_operator::message::{AgentVitals, CommandStatus};

use crate::clock::Anchor;

pub(super) fn vitals(view: &AgentView<'_>, anchor: Anchor) -> AgentVitals {
    let wall = |moment| anchor.wall_ms(moment);
    let status = view.standing();
    AgentVitals {
        state: status.state,
        reason: status.reason,
        since_ms: wall(view.since()),
        last_beat_ms: view.last_live().map(wall),
        progress_ms: view.progress_at().map(wall),
        oldest_task_ms: view.oldest_task_at().map(wall),
        in_flight: view.in_flight(),
        queue: view.queue(),
        step: view.step().map(ToOwned::to_owned),
        phase: view.phase(),
        interval_ms: view.interval_ms(),
        session: view.session(),
        starts: view.starts(),
        beats: view.received(),
        lost: view.lost(),
        command: view.command().map(|command| CommandStatus {
            action: command.action,
            cause: command.desired.cause,
            generation: command.desired.generation,
            by: command.desired.by.to_string(),
            reason: command.desired.reason.to_string(),
            at_ms: wall(command.desired.at),
            delivered_ms: command.desired.delivered_ms,
            obeyed_ms: command.desired.obeyed_ms,
            draining: command.draining,
            disobeyed: command.desired.disobeyed,
        }),
    }
}
