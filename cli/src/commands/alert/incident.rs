//! Incidents as a table, and one of them with everything.

use std::collections::BTreeMap;

use heartline_operator::message::{
    AlertQuery, AlertReport, Incident, IncidentReport, IncidentScope, NoticeReport, Shortage,
};
use heartline_operator::{json, text};
use heartline_vocabulary::{AgentStatus, DeliveryState, ScopeKind};

use super::{ask, at_ms, or_dash, print_table};
use crate::args::IncidentsArgs;
use crate::console::Console;
use crate::error::{CliError, CommandExit};
use crate::settings::Settings;
use crate::table::{Table, TableColumn};

/// Runs `incidents`.
pub(crate) async fn run(
    args: &IncidentsArgs,
    settings: &Settings,
    console: &mut Console,
) -> Result<CommandExit, CliError> {
    let client = settings.connect().await?;
    let query = match (args.incident, args.since) {
        (Some(id), _) => AlertQuery::One(id),
        (None, None) => AlertQuery::Open,
        (None, Some(since)) => {
            let since_ms = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
            AlertQuery::Since(at_ms(&client).await?.saturating_sub(since_ms))
        }
    };
    let report = ask(&client, query).await?;
    if args.json {
        for incident in &report.incidents {
            console.print(&json::line(&json::incident(incident)))?;
        }
    } else if args.incident.is_some() {
        report.incidents.iter().try_for_each(|incident| print_one(incident, console))?;
    } else if report.incidents.is_empty() {
        console.say("no incident");
    } else {
        print_all(&report, console)?;
    }
    if report.has_more {
        console.say("there are more: narrow --since");
    }
    Ok(CommandExit::Success)
}

const INCIDENT_COLUMNS: [TableColumn; 7] = [
    TableColumn::left("INCIDENT", 0),
    TableColumn::left("SEVERITY", 2),
    TableColumn::left("WHAT", 0),
    TableColumn::left("SINCE", 0),
    TableColumn::right("IN TROUBLE", 1),
    TableColumn::left("TOLD", 1),
    TableColumn::left("ACKNOWLEDGED BY", 3),
];

pub(super) fn print_all(report: &AlertReport, console: &mut Console) -> Result<(), CliError> {
    let mut table = Table::new(&INCIDENT_COLUMNS);
    for IncidentReport { incident, notices } in &report.incidents {
        let counts = &incident.counts;
        let ended = incident.ended_ms.map(|ms| format!(" to {}", text::timestamp_s(ms)));
        let told: Vec<String> = told(notices);
        table.push(&[
            incident.id.to_string(),
            incident.severity.name().to_owned(),
            what(incident),
            format!("{}{}", text::timestamp_s(incident.opened_ms), ended.unwrap_or_default()),
            format!("{} of {}", counts.in_trouble, counts.total),
            or_dash(&told.join(", ")).to_owned(),
            incident.acknowledged.as_ref().map_or("-", |ack| &ack.by).to_owned(),
        ]);
    }
    print_table(&table, report.incidents.len(), console)
}

/// Returns the sinks that were told, each with what became of the newest notice for it.
fn told(notices: &[NoticeReport]) -> Vec<String> {
    let mut newest: BTreeMap<&str, DeliveryState> = BTreeMap::new();
    for delivery in notices.iter().flat_map(|notice| &notice.deliveries) {
        newest.insert(&delivery.sink, delivery.state);
    }
    let text = |(sink, state): (&str, DeliveryState)| match state {
        DeliveryState::Delivered | DeliveryState::Merged => sink.to_owned(),
        state => format!("{sink} ({})", state.name()),
    };
    newest.into_iter().map(text).collect()
}

fn print_one(report: &IncidentReport, console: &mut Console) -> Result<(), CliError> {
    let IncidentReport { incident, notices } = report;
    let mut lines = vec![
        format!("incident   {} ({})", incident.id, incident.severity.name()),
        format!("what       {}", what(incident)),
        format!("since      {}", text::timestamp_s(incident.opened_ms)),
        format!(
            "cause      between {} and {}",
            text::timestamp_s(incident.cause_from_ms),
            text::timestamp_s(incident.cause_to_ms)
        ),
    ];
    if let Some(ended_ms) = incident.ended_ms {
        lines.push(format!("until      {}", text::timestamp_s(ended_ms)));
    }
    if let Some(into) = incident.merged_into {
        lines.push(format!("part of    {into}"));
    }
    if let Some(ack) = &incident.acknowledged {
        lines.push(format!("ack        {} at {}", ack.by, text::timestamp_s(ack.at_ms)));
    }
    lines.extend(
        incident.shortage.as_ref().map(|shortage| format!("short of   {}", details(shortage))),
    );
    lines.extend(incident.remark.iter().map(|remark| format!("remark     {remark}")));
    for member in &incident.members {
        let role = if member.is_affected { ", affected" } else { "" };
        let cause = member.cause.as_ref().map(|cause| format!(": {cause}")).unwrap_or_default();
        let (status, since) = (status_text(member.status), text::timestamp_s(member.since_ms));
        lines.push(format!("member     {} {status} since {since}{role}{cause}", member.agent));
    }
    for notice in notices {
        let at = text::timestamp_s(notice.at_ms);
        lines.push(format!(
            "notice     {}-{} {} {at}",
            incident.id,
            notice.number,
            notice.kind.name()
        ));
        for delivery in &notice.deliveries {
            let (sink, state, at) =
                (&delivery.sink, delivery.state.name(), text::timestamp_s(delivery.at_ms));
            let answer = or_dash(&delivery.answer);
            let attempts = delivery.attempts;
            lines.push(format!("           {sink} {state} {at}, attempts {attempts}: {answer}"));
        }
    }
    console.print(&lines.join("\n"))?;
    Ok(())
}

/// Returns what an incident is about, and what is wrong.
fn what(incident: &Incident) -> String {
    let scope = scope_text(&incident.scope);
    match &incident.shortage {
        None => format!("{scope}: {}", status_text(incident.worst)),
        Some(Shortage::Replicas(it)) => format!(
            "{scope}: {} of {} running, alert below {}",
            it.running, it.expect, it.alert_below
        ),
        Some(Shortage::NeverSeen(_)) => format!("{scope}: never seen"),
    }
}

/// Returns what there is too little of.
fn details(shortage: &Shortage) -> String {
    match shortage {
        Shortage::Replicas(it) => {
            let all = [
                (it.lost, "in trouble"),
                (it.killed, "killed"),
                (it.stopped, "stopped"),
                (it.unknown, "not heard yet since the collector started"),
            ];
            let known: u32 = all.iter().map(|(count, _)| count).sum();
            let rest = it.expect.saturating_sub(it.running).saturating_sub(known);
            let gone = all.into_iter().chain([(rest, "not there")]).filter(|(count, _)| *count > 0);
            let gone: Vec<String> = gone.map(|(count, what)| format!("{count} {what}")).collect();
            or_dash(&gone.join(", ")).to_owned()
        }
        Shortage::NeverSeen(it) => format!(
            "{}: expected, and never a beat since {}",
            or_dash(&it.agents.join(", ")),
            text::timestamp_s(it.since_ms)
        ),
    }
}

fn scope_text(scope: &IncidentScope) -> String {
    match scope.kind {
        ScopeKind::Fleet => "the fleet".to_owned(),
        ScopeKind::Collector => "the collector or its network".to_owned(),
        ScopeKind::Dependency => format!("what needs {}", scope.name),
        ScopeKind::Replicas => format!("group {}", scope.name),
        ScopeKind::Expected if scope.name.is_empty() => "expected agents".to_owned(),
        ScopeKind::Agent | ScopeKind::Expected => scope.name.clone(),
        kind => format!("{} {}", kind.name(), scope.name),
    }
}

fn status_text(status: AgentStatus) -> String {
    match status.reason {
        Some(reason) => format!("{} ({})", status.state.name(), reason.name()),
        None => status.state.name().to_owned(),
    }
}
