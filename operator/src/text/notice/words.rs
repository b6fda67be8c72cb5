//! The words for statuses, scopes and members.

use crate::message::{Incident, IncidentMember, MemberCounts, ReplicaShortage, Shortage};
use heartline_vocabulary::{AgentStatus, Reason, ScopeKind, State};

use super::clean::clean;
use super::when::Times;

/// Returns the word of a status in a title: the reason where that is more specific than the state.
pub fn status_word(status: AgentStatus) -> String {
    let word = match (status.state, status.reason) {
        (State::Unreachable, Some(Reason::Silent)) | (_, None) => status.count_name(),
        (State::Killed, Some(Reason::Operator)) => "killed by an operator",
        (State::Killed, Some(Reason::Policy)) => "killed by a policy",
        (State::Killed, Some(Reason::Shutdown)) => "stopped by itself",
        (_, Some(reason)) => reason.name(),
    };
    word.to_uppercase()
}

/// Returns what an incident is about: `mail.7 on m3`, `host m3`, `group prod`.
pub fn scope(incident: &Incident) -> String {
    let name = clean(&incident.scope.name);
    match incident.scope.kind {
        ScopeKind::Agent => {
            let member = incident.members.iter().find(|it| it.agent == incident.scope.name);
            match member.and_then(|it| it.host.as_deref()) {
                Some(host) => format!("{name} on {}", clean(host)),
                None => name,
            }
        }
        ScopeKind::Process => format!("process {name}"),
        ScopeKind::Host => format!("host {name}"),
        ScopeKind::Dependency => format!("{name} and what needs it"),
        ScopeKind::Group | ScopeKind::Replicas => format!("group {name}"),
        ScopeKind::Fleet => "the fleet".to_owned(),
        ScopeKind::Collector => "the collector or its network".to_owned(),
        ScopeKind::Sink => format!("sink {name}"),
        ScopeKind::Budget => format!("budget {name}"),
        ScopeKind::Expected if name.is_empty() => "expected agents".to_owned(),
        ScopeKind::Expected => name,
    }
}

/// Returns what is wrong: `UNREACHABLE`, `5 of 12 agents UNREACHABLE`.
pub fn trouble(incident: &Incident) -> String {
    let word = status_word(incident.worst);
    match &incident.shortage {
        Some(Shortage::Replicas(it)) => {
            return format!(
                "{} of {} RUNNING, alert below {}",
                it.running, it.expect, it.alert_below
            );
        }
        Some(Shortage::NeverSeen(_)) if incident.counts.in_trouble > 1 => {
            return format!("{} NEVER SEEN", incident.counts.in_trouble);
        }
        Some(Shortage::NeverSeen(_)) => return "NEVER SEEN".to_owned(),
        None => {}
    }
    match incident.scope.kind {
        ScopeKind::Agent => incident.members.first().map_or(word, |it| status_word(it.status)),
        ScopeKind::Sink => "takes no notices".to_owned(),
        // Its sums; the rest is in the lines.
        ScopeKind::Budget => {
            let remark = incident.remark.as_deref().unwrap_or("near its limit");
            clean(remark.split(';').next().unwrap_or(remark))
        }
        ScopeKind::Collector => {
            format!("{} silent at once", agents(incident.counts))
        }
        _ => format!("{} in trouble, worst {word}", agents(incident.counts)),
    }
}

/// Returns what is wrong and since when, as it is told first: `UNREACHABLE since 14:02:31 UTC (4 min)`.
pub fn opened(incident: &Incident, times: Times<'_>) -> String {
    let (at, ago) = (times.at(incident.opened_ms), times.ago(incident.opened_ms));
    format!("{} since {at} ({ago})", trouble(incident))
}

/// Returns where the replicas are that a group lacks: `2 in trouble, 1 killed`.
pub fn gone(shortage: &ReplicaShortage) -> String {
    let ReplicaShortage { running, expect, lost, killed, stopped, unknown, .. } = *shortage;
    let known = lost + killed + stopped + unknown;
    let all = [
        (lost, "in trouble"),
        (killed, "killed"),
        (stopped, "stopped by themselves"),
        (unknown, "not heard yet since the collector started"),
        (expect.saturating_sub(running).saturating_sub(known), "not there"),
    ];
    let gone = all.iter().filter(|(count, _)| *count > 0);
    gone.map(|(count, what)| format!("{count} {what}")).collect::<Vec<_>>().join(", ")
}

/// Returns `5 of 12 agents`, or `5 agents` where it is not known of how many.
fn agents(counts: MemberCounts) -> String {
    let MemberCounts { in_trouble, of, .. } = counts;
    match (of > in_trouble, of.max(in_trouble)) {
        (true, _) => format!("{in_trouble} of {of} agents"),
        (false, 1) => "1 agent".to_owned(),
        (false, _) if of == in_trouble && of > 0 => format!("all {of} agents"),
        (false, _) => format!("{in_trouble} agents"),
    }
}

/// Returns how many there are of what a message lists.
pub fn member_count(incident: &Incident) -> usize {
    let count = match &incident.shortage {
        None => incident.counts.in_trouble.max(incident.counts.total),
        Some(Shortage::Replicas(it)) => it.lost,
        Some(Shortage::NeverSeen(it)) if it.agents.len() > 1 => incident.counts.in_trouble,
        Some(Shortage::NeverSeen(_)) => 0,
    };
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// Returns a member with its status: `mail.7 on m3 UNREACHABLE`.
pub fn member(member: &IncidentMember) -> String {
    let host = member.host.as_deref().map(|it| format!(" on {}", clean(it))).unwrap_or_default();
    format!("{}{host} {}", clean(&member.agent), status_word(member.status))
}

/// Returns whether an incident is told with its members in a list.
pub fn lists_members(incident: &Incident) -> bool {
    !matches!(incident.scope.kind, ScopeKind::Agent | ScopeKind::Sink | ScopeKind::Budget)
}
