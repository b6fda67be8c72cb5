//! The lines below a title: why, with the numbers; what was last said; how far it goes; what to do.

use heartline_operator::message::{Incident, IncidentMember, Notice, Shortage};
use heartline_operator::text::notice::{self as words, Times, clean, duration};
use heartline_vocabulary::text::span;
use heartline_vocabulary::{NoticeKind, ScopeKind, State};

use super::message::is_of_agent;
use crate::{CollectorLabel, Delivery};

/// A line with what it is about in front.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MessageLine {
    pub(crate) label: &'static str,
    pub(crate) text: String,
}

/// Returns the lines of a delivery.
///
/// 1. Why it is judged so, with the numbers; of what is over, what holds now.
/// 2. What the agent last said.
/// 3. How far it goes.
/// 4. What else is to be said: a remark, who takes care of it, the transitions that are told late.
/// 5. Commands: to see it, and to quiet what goes on.
pub(super) fn of(
    delivery: &Delivery<'_>,
    last: &Notice,
    times: Times<'_>,
    label: &CollectorLabel,
) -> Vec<MessageLine> {
    let incident = &last.incident;
    let is_over = last.kind == NoticeKind::Resolved;
    let is_told = !matches!(last.kind, NoticeKind::Digest | NoticeKind::Test);
    let mut lines = Vec::new();
    let mut add = |label, text: Option<String>| {
        lines.extend(text.filter(|it| !it.is_empty()).map(|text| MessageLine { label, text }));
    };
    if is_told {
        add("Why", if is_over { outcome(incident) } else { why(incident, times) });
        let member = incident.members.first().filter(|_| is_of_agent(incident) && !is_over);
        add("Last", member.and_then(|it| last_said(it, times)));
        add("Scope", how_far(incident).filter(|_| !is_over));
        // Of a sink that works again, it is what was wrong.
        let is_old = is_over && incident.scope.kind == ScopeKind::Sink;
        let is_said = is_old || incident.scope.kind == ScopeKind::Budget;
        add("Note", incident.remark.as_deref().filter(|_| !is_said).map(clean));
        add(
            "Ack",
            incident
                .acknowledged
                .as_ref()
                .filter(|_| !is_over)
                .map(|it| format!("by {} at {}", clean(&it.by), times.at(it.at_ms))),
        );
    }
    if delivery.notices.len() > 1 {
        let told =
            delivery.notices.iter().map(|it| format!("{} {}", it.kind.name(), times.at(it.at_ms)));
        add("Late", Some(format!("this stands for {}", told.collect::<Vec<_>>().join(", "))));
    }
    if last.kind == NoticeKind::Test {
        add("Time", Some(times.at(last.at_ms)));
        return lines;
    }
    add("See", Some(see(last, label)));
    let is_quiet = is_over
        || incident.acknowledged.is_some()
        || matches!(last.kind, NoticeKind::Digest | NoticeKind::Merged);
    let quiet = label.command(&format!("ack {}", incident.id));
    add("Quiet", Some(quiet).filter(|_| !is_quiet));
    lines
}

/// Returns the command that shows what a notice is about.
pub(super) fn see(notice: &Notice, label: &CollectorLabel) -> String {
    let incident = &notice.incident;
    let name = &incident.scope.name;
    // A name that a shell would read in another way is not put into a command.
    let is_plain = |it: &str| {
        !it.is_empty() && it.bytes().all(|c| c.is_ascii_alphanumeric() || b"._-".contains(&c))
    };
    match incident.scope.kind {
        _ if notice.kind == NoticeKind::Digest => label.command("alerts"),
        ScopeKind::Agent if is_plain(name) => label.command(&format!("agent {name}")),
        ScopeKind::Budget => label.command("budgets"),
        _ => label.command(&format!("incidents {}", incident.id)),
    }
}

fn why(incident: &Incident, times: Times<'_>) -> Option<String> {
    match &incident.shortage {
        Some(Shortage::Replicas(it)) => return Some(words::gone(it)),
        Some(Shortage::NeverSeen(it)) => {
            let (who, have) =
                if it.agents.len() == 1 { ("it was", "has") } else { ("they were", "have") };
            let since = times.at(it.since_ms);
            return Some(format!(
                "{who} expected and {have} never sent a beat; the collector has been waiting since {since}"
            ));
        }
        None => {}
    }
    if is_of_agent(incident) {
        let member = incident.members.first()?;
        let mut parts: Vec<String> = member.cause.iter().map(|it| clean(it)).collect();
        let interval = span(u64::from(member.interval_ms));
        if !parts.iter().any(|it| it.contains("interval")) && member.interval_ms > 0 {
            parts.push(format!("interval {interval}"));
        }
        parts.extend(member.last_beat_ms.map(|it| format!("last beat {}", times.at(it))));
        return Some(parts.join("; "));
    }
    match incident.scope.kind {
        ScopeKind::Sink => return None,
        ScopeKind::Budget => return incident.remark.as_deref().map(clean),
        _ => {}
    }
    let lost = times.span(incident.cause_from_ms, incident.cause_to_ms);
    Some(format!("lost between {}", lost.replace('–', " and ")))
}

/// Returns what holds now that it is over.
fn outcome(incident: &Incident) -> Option<String> {
    match &incident.shortage {
        Some(Shortage::Replicas(it)) => {
            return Some(format!("now {} of {} run", it.running, it.expect));
        }
        Some(Shortage::NeverSeen(_)) => return Some("nobody is waited for any more".to_owned()),
        None => {}
    }
    if is_of_agent(incident) {
        return Some(format!("now {}", words::status_word(incident.members.first()?.status)));
    }
    match incident.scope.kind {
        ScopeKind::Sink => return Some("it takes notices again".to_owned()),
        ScopeKind::Budget => return incident.remark.as_deref().map(clean),
        _ => {}
    }
    let is_well = |it: &&IncidentMember| it.status.state == State::Healthy;
    let longest = incident.members.iter().max_by_key(|it| it.lasted_ms);
    let longest = longest.and_then(|it| {
        let lasted = i64::try_from(it.lasted_ms?).unwrap_or(i64::MAX);
        Some(format!("; longest {} ({})", duration(lasted), clean(&it.agent)))
    });
    let others: Vec<String> =
        incident.members.iter().filter(|it| !is_well(it)).take(5).map(words::member).collect();
    let others = match others.is_empty() {
        true => String::new(),
        false => format!("; not healthy again: {}", others.join(", ")),
    };
    let total = incident.counts.total;
    Some(format!("{total} agents were in it{}{others}", longest.unwrap_or_default()))
}

fn last_said(member: &IncidentMember, times: Times<'_>) -> Option<String> {
    let mut parts: Vec<String> =
        member.step.iter().map(|it| format!("step \"{}\"", clean(it))).collect();
    if member.in_flight > 0 {
        let oldest = member.oldest_task_ms.map(|it| format!(" for {}", times.ago(it)));
        let tasks = if member.in_flight == 1 { "1 task" } else { "tasks" };
        let count =
            if member.in_flight == 1 { String::new() } else { format!("{} ", member.in_flight) };
        parts.push(format!("{count}{tasks} in flight{}", oldest.unwrap_or_default()));
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn how_far(incident: &Incident) -> Option<String> {
    let counts = incident.counts;
    match incident.scope.kind {
        ScopeKind::Agent if counts.of > 1 => {
            let member = incident.members.first()?;
            let place =
                member.host.as_deref().map_or("here".to_owned(), |it| format!("on {}", clean(it)));
            Some(format!("only this one of {} {place}", counts.of))
        }
        ScopeKind::Agent
        | ScopeKind::Sink
        | ScopeKind::Budget
        | ScopeKind::Replicas
        | ScopeKind::Expected => None,
        ScopeKind::Collector => {
            Some("the agents may be well: the collector did not hear them".to_owned())
        }
        _ if counts.affected > 0 => Some(format!(
            "{} of them only need what is in trouble; {} were in it at some time",
            counts.affected, counts.total
        )),
        _ => Some(format!("{} were in it at some time", counts.total)),
    }
}

/// Returns the members, as they are listed: of what goes on those in trouble, with their begin.
pub(super) fn members(incident: &Incident, times: Times<'_>, kind: NoticeKind) -> Vec<String> {
    if let Some(Shortage::NeverSeen(missing)) = &incident.shortage {
        let several = missing.agents.iter().filter(|_| missing.agents.len() > 1);
        return several.map(|agent| clean(agent)).collect();
    }
    let is_over = kind == NoticeKind::Resolved;
    let listed = incident.members.iter().filter(|it| is_over || it.lasted_ms.is_none());
    let line = |it: &IncidentMember| match it.lasted_ms {
        Some(lasted) => {
            let lasted = duration(i64::try_from(lasted).unwrap_or(i64::MAX));
            format!("{} after {lasted}", words::member(it))
        }
        None if is_over => words::member(it),
        None => {
            let note = if it.is_affected { ", needs what is in trouble" } else { "" };
            format!("{} since {}{note}", words::member(it), times.at(it.since_ms))
        }
    };
    listed.map(line).collect()
}
