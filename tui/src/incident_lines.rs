//! An incident shown whole, as lines: what and why, its members, who was told, and how far that has come.

use heartline_operator::message::{
    AgentEntry, DeliveryReport, Incident, IncidentMember, IncidentReport, NoticeReport, Shortage,
};
use heartline_operator::text::{incident_scope, incident_what, notice};
use heartline_vocabulary::{DeliveryState, ScopeKind};

use crate::commands::AppCommand;
use crate::state::AppState;
use crate::text::{TextAlign, age, age_since, count, fit, width, wrap, wrap_at_most};
use crate::theme::{StyleRole, state_label};
use crate::view::zoned_time;

/// Columns of the headings.
const HEADING: usize = 9;
/// Columns of an agent's name, and of a sink's.
const NAME: usize = 20;
/// The most lines of what a sink said.
const ANSWER_LINES: usize = 3;

/// A line, and the member that it is about.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct IncidentLine {
    pub pieces: Vec<(StyleRole, String)>,
    /// Its place among the members.
    pub member: Option<usize>,
}

impl IncidentLine {
    fn new(pieces: impl IntoIterator<Item = (StyleRole, String)>) -> Self {
        Self { pieces: pieces.into_iter().collect(), member: None }
    }
}

/// Returns an incident in one line: `host m3: unreachable (silent)`.
pub(crate) fn headline(incident: &Incident) -> String {
    match incident.scope.kind {
        // What is wrong with a sink is in the remark.
        ScopeKind::Sink => format!("{}: takes no notices", incident_scope(&incident.scope)),
        _ => incident_what(incident),
    }
}

/// Returns the agent that commands are about on the Alerts screen: of the line, or else of the incident.
pub(crate) fn current_agent(state: &AppState) -> Option<&str> {
    let report = state.alerts.current()?;
    let members = &report.incident.members;
    if state.alerts.opened.is_none() {
        return members.first().map(|member| member.agent.as_str());
    }
    let (at, _) = position(state);
    let line = lines_of_opened(state).into_iter().nth(at)?;
    Some(members.get(line.member?)?.agent.as_str())
}

/// Returns the line that the keys are on, and how many lines there are.
pub(crate) fn position(state: &AppState) -> (usize, usize) {
    let Some(opened) = state.alerts.opened else { return (0, 0) };
    let lines = lines_of_opened(state);
    let first_member = || lines.iter().position(|line| line.member.is_some()).unwrap_or(0);
    let at = opened.at.unwrap_or_else(first_member).min(lines.len().saturating_sub(1));
    (at, lines.len())
}

/// Returns the lines of the incident that is shown whole.
fn lines_of_opened(state: &AppState) -> Vec<IncidentLine> {
    let opened = state.alerts.opened.and_then(|opened| state.alerts.incident(opened.id));
    opened.map_or_else(Vec::new, |report| incident_lines(state, report))
}

/// Returns the lines of an incident, none wider than a box on the whole screen.
pub(crate) fn incident_lines(state: &AppState, report: &IncidentReport) -> Vec<IncidentLine> {
    let columns = usize::from(state.size.0.saturating_sub(4));
    let incident = &report.incident;
    let mut all = Vec::new();
    let now_ms = state.live_ms();
    let time = |ms| zoned_time(state, ms);
    let since = match incident.ended_ms {
        None => format!(
            "{}, for {}",
            time(incident.opened_ms),
            age_since(Some(incident.opened_ms), now_ms)
        ),
        Some(ended_ms) => format!(
            "{} to {}, for {}",
            time(incident.opened_ms),
            time(ended_ms),
            age_since(Some(incident.opened_ms), ended_ms)
        ),
    };
    field(&mut all, "since", StyleRole::Text, &since, columns);
    if let Some(shortage) = &incident.shortage {
        field(&mut all, "why", StyleRole::Text, &shortage_text(state, shortage), columns);
    } else if !matches!(incident.scope.kind, ScopeKind::Sink | ScopeKind::Budget) {
        let cause = format!(
            "the cause lies between {} and {}",
            time(incident.cause_from_ms),
            time(incident.cause_to_ms)
        );
        field(&mut all, "why", StyleRole::Text, &cause, columns);
        field(&mut all, "how far", StyleRole::Text, &counts(incident), columns);
    }
    if let Some(remark) = &incident.remark {
        field(&mut all, "remark", StyleRole::Text, remark, columns);
    }
    if incident.outages > 0 {
        let flaps = format!("it comes and goes: {} outages lately", incident.outages);
        field(&mut all, "flaps", StyleRole::Degraded, &flaps, columns);
    }
    if let Some(into) = incident.merged_into {
        field(&mut all, "part of", StyleRole::Text, &format!("incident {into}"), columns);
    }
    acknowledgement(state, incident, &mut all, columns);
    members(state, incident, &mut all, columns);
    for notice in &report.notices {
        notice_lines(state, notice, &mut all, columns);
    }
    if report.notices.is_empty() {
        field(&mut all, "told", StyleRole::Dim, "nobody was told", columns);
    }
    all
}

/// Adds a heading and a text on as many lines as it needs.
fn field(all: &mut Vec<IncidentLine>, heading: &str, role: StyleRole, text: &str, columns: usize) {
    let mut heading = heading;
    for line in wrap(text, columns.saturating_sub(HEADING)) {
        let pieces = [(StyleRole::Title, format!("{heading:HEADING$}")), (role, line)];
        all.push(IncidentLine::new(pieces));
        heading = "";
    }
}

/// Returns where the replicas are that a group lacks, or who has never been seen.
fn shortage_text(state: &AppState, shortage: &Shortage) -> String {
    match shortage {
        Shortage::Replicas(it) => notice::gone(it),
        Shortage::NeverSeen(it) => format!(
            "{}: expected, and never a beat since {}",
            it.agents.join(", "),
            zoned_time(state, it.since_ms)
        ),
    }
}

fn counts(incident: &Incident) -> String {
    let counts = &incident.counts;
    let of = |n: u32| count(n.into());
    let mut text = format!("{} of {} members in trouble", of(counts.in_trouble), of(counts.total));
    if counts.affected > 0 {
        text += &format!(", {} only affected", of(counts.affected));
    }
    if incident.scope.kind != ScopeKind::Agent {
        text += &format!("; {} agents in its scope", of(counts.of));
    }
    text
}

fn acknowledgement(
    state: &AppState,
    incident: &Incident,
    all: &mut Vec<IncidentLine>,
    columns: usize,
) {
    let (role, text) = match &incident.acknowledged {
        Some(ack) => {
            (StyleRole::Healthy, format!("{} at {}", ack.by, zoned_time(state, ack.at_ms)))
        }
        None if incident.ended_ms.is_some() => (StyleRole::Dim, "nobody".to_owned()),
        None => {
            let key = state.keymap.keys(AppCommand::Acknowledge).next();
            let key = key.map(ToString::to_string).unwrap_or_default();
            (StyleRole::Unreachable, format!("nobody yet: {key} acknowledges it"))
        }
    };
    field(all, "ack", role, &text, columns);
}

fn members(state: &AppState, incident: &Incident, all: &mut Vec<IncidentLine>, columns: usize) {
    // Those that are only affected come last.
    let first_affected = incident.members.iter().position(|member| member.is_affected);
    for (at, member) in incident.members.iter().enumerate() {
        let heading = match at {
            _ if Some(at) == first_affected => "affected",
            0 => "members",
            _ => "",
        };
        member_lines(state, (heading, at, member), all, columns);
        if member.is_affected
            && let Some(chain) = chain(state, &member.agent)
        {
            field(all, "", StyleRole::Dim, &format!("  needs {chain}"), columns);
        }
    }
    let hidden =
        u64::from(incident.counts.in_trouble).saturating_sub(incident.members.len() as u64);
    if hidden > 0 && incident.ended_ms.is_none() {
        field(all, "", StyleRole::Dim, &format!("and {} more", count(hidden)), columns);
    }
}

/// Adds a member: who, what and since when, and why, on a line of its own where it does not fit.
fn member_lines(
    state: &AppState,
    (heading, at, member): (&str, usize, &IncidentMember),
    all: &mut Vec<IncidentLine>,
    columns: usize,
) {
    let label = state_label(member.status.state, member.status.reason, state.glyphs.glyph_set);
    let role = if member.lasted_ms.is_some() { StyleRole::Dim } else { label.role };
    let since = match member.lasted_ms {
        Some(ms) => format!("was so for {}", age(ms)),
        None => format!("since {}", zoned_time(state, member.since_ms)),
    };
    let mut pieces = vec![
        (StyleRole::Title, format!("{heading:HEADING$}")),
        (role, format!("{} {:9}", label.glyph, label.word)),
        (StyleRole::Strong, name(state, &member.agent)),
        (StyleRole::Text, since),
    ];
    let why = (StyleRole::Text, member.cause.clone().unwrap_or_default());
    let host = (StyleRole::Dim, format!("on {}", member.host.as_deref().unwrap_or("-")));
    let more = [why, host].into_iter().filter(|(_, text)| !text.is_empty());
    let more: Vec<_> = more.map(|(role, text)| (role, format!("  {text}"))).collect();
    let taken = pieces.iter().chain(&more).map(|(_, text)| width(text)).sum::<usize>();
    if taken <= columns {
        pieces.extend(more);
        all.push(IncidentLine { pieces, member: Some(at) });
        return;
    }
    all.push(IncidentLine { pieces, member: Some(at) });
    let indent = (StyleRole::Text, " ".repeat(HEADING));
    let pieces = [indent].into_iter().chain(more).collect();
    all.push(IncidentLine { pieces, member: Some(at) });
}

fn name(state: &AppState, name: &str) -> String {
    fit(name, NAME, TextAlign::Left, state.glyphs.more) + " "
}

/// Returns through what an affected agent depends on what is in trouble: `billing → db`.
pub(crate) fn chain(state: &AppState, agent: &str) -> Option<String> {
    let entry = state.live.agent(agent)?;
    let chain = state.dependency_chain(entry);
    let arrow = format!(" {} ", state.glyphs.arrow);
    let names: Vec<&str> = chain.iter().map(|entry: &&AgentEntry| entry.agent.as_str()).collect();
    let root = chain.last()?;
    let label = state_label(root.vitals.state, root.vitals.reason, state.glyphs.glyph_set);
    Some(format!("{} ({} {})", names.join(&arrow), label.glyph, label.word))
}

fn notice_lines(
    state: &AppState,
    notice: &NoticeReport,
    all: &mut Vec<IncidentLine>,
    columns: usize,
) {
    let title = format!("{} {}", notice.kind.name(), zoned_time(state, notice.at_ms));
    let heading = format!("notice {}", notice.number);
    all.push(IncidentLine::new([
        (StyleRole::Title, format!("{heading:HEADING$}")),
        (StyleRole::Strong, title),
    ]));
    for delivery in &notice.deliveries {
        delivery_lines(state, delivery, all, columns);
    }
}

/// Adds how far a notice has come with a sink, and what the sink said.
fn delivery_lines(
    state: &AppState,
    delivery: &DeliveryReport,
    all: &mut Vec<IncidentLine>,
    columns: usize,
) {
    let attempts = match delivery.attempts {
        1 => "1 attempt".to_owned(),
        n => format!("{} attempts", count(n.into())),
    };
    let (glyph, role) = delivery_glyph(delivery.state);
    let indent = " ".repeat(HEADING);
    all.push(IncidentLine::new([
        (StyleRole::Text, indent),
        (role, format!("{glyph} ")),
        (StyleRole::Strong, name(state, &delivery.sink)),
        (role, delivery.state.name().to_owned()),
        (StyleRole::Text, format!(" {}, {attempts}", zoned_time(state, delivery.at_ms))),
    ]));
    if !delivery.answer.is_empty() {
        let room = columns.saturating_sub(HEADING + 4);
        for line in wrap_at_most(&delivery.answer, room, ANSWER_LINES) {
            let indent = " ".repeat(HEADING + 4);
            all.push(IncidentLine::new([(StyleRole::Dim, indent + &line)]));
        }
    }
}

/// Returns how far a notice has come with a sink: taken, under way, silenced, or given up.
pub(crate) fn delivery_glyph(state: DeliveryState) -> (&'static str, StyleRole) {
    match state {
        DeliveryState::Delivered | DeliveryState::Merged => ("+", StyleRole::Healthy),
        DeliveryState::Pending | DeliveryState::Attempted => ("~", StyleRole::Degraded),
        DeliveryState::Held | DeliveryState::Silenced => ("z", StyleRole::Dim),
        DeliveryState::Refused | DeliveryState::Expired => ("x", StyleRole::Unreachable),
    }
}
