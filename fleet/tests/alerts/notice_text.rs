//! Notices in one line.

use heartline_fleet::{GoneReplicas, OutgoingNotice, ReplicaShortage, Shortage};
use heartline_vocabulary::AgentStatus;

use crate::world::START;

/// Returns a notice as [`crate::world::World::notices`] has it.
pub(crate) fn notice_text(notice: &OutgoingNotice) -> String {
    let incident = &notice.incident.incident;
    let scope = format!("{} {}", incident.scope.kind.name(), incident.scope.name);
    let at_s = notice.at.millis_since(START) / 1_000;
    let sinks = notice.sinks.join(", ");
    let listed = match (notice.listed.len(), &incident.shortage) {
        (0, Some(Shortage::Replicas(it))) => {
            let GoneReplicas { lost, killed, stopped, unknown } = notice.incident.gone;
            let gone =
                [(lost, "lost"), (killed, "killed"), (stopped, "stopped"), (unknown, "unknown")];
            let gone = gone.iter().filter(|(count, _)| *count > 0);
            let gone: String = gone.map(|(count, what)| format!(", {count} {what}")).collect();
            let (kind, name) = (notice.kind.name(), &incident.scope.name);
            let ReplicaShortage { running, expect, alert_below, .. } = it;
            return format!(
                "{at_s} {kind} {name}: {running} of {expect} run, below {alert_below}{gone} → {sinks}"
            );
        }
        (0, Some(Shortage::NeverSeen(it))) => {
            let agents: Vec<&str> = it.agents.iter().map(|name| &**name).collect();
            let (kind, since) = (notice.kind.name(), it.since.millis_since(START) / 1_000);
            let agents = agents.join(", ");
            return format!("{at_s} {kind} never seen since {since}: {agents} → {sinks}");
        }
        (0, None) => format!("{} of {}", incident.in_trouble, notice.incident.total),
        (listed, _) => format!("lists {listed}"),
    };
    let (kind, scope) = (notice.kind.name(), scope.trim_end());
    format!("{at_s} {kind} {scope}: {}, {listed} → {sinks}", status_text(incident.worst))
}

fn status_text(status: AgentStatus) -> String {
    match status.reason {
        Some(reason) => format!("{} {}", status.state.name(), reason.name()),
        None => status.state.name().to_owned(),
    }
}
