//! All that is known of an agent, in words: for the detail pane and for the Agent screen.

use heartline_operator::message::{AgentDetail, AgentEntry, CommandStatus};

use heartline_operator::text::money;
use heartline_vocabulary::{Action, Phase};

use super::cells::load;
use crate::look::{
    Role, age, age_since, clock, count, latency, percent, rate_if_known, span, status,
};
use crate::state::{State, ZoneChoice};

/// A label and its value.
pub(super) struct Fact {
    pub label: &'static str,
    pub role: Role,
    pub value: String,
}

/// A heading and the facts under it.
pub(super) struct Section {
    pub title: &'static str,
    pub facts: Vec<Fact>,
}

fn fact(label: &'static str, value: impl Into<String>) -> Fact {
    Fact { label, role: Role::Text, value: value.into() }
}

fn maybe(label: &'static str, value: Option<&str>) -> Option<Fact> {
    value.filter(|value| !value.is_empty()).map(|value| fact(label, value))
}

/// The sections of an agent, most urgent first. Nothing is invented: what is not known is left out
/// or is `-`.
pub(super) fn sections(
    state: &State,
    entry: &AgentEntry,
    detail: Option<&AgentDetail>,
) -> Vec<Section> {
    let mut all = vec![
        Section { title: "state", facts: how(state, entry) },
        Section { title: "beats", facts: beats(entry) },
        Section { title: "doing", facts: doing(state, entry) },
        Section { title: "1 hour", facts: work(state, entry) },
        Section { title: "latency", facts: latencies(entry) },
        Section { title: "cost", facts: costs(state, entry, detail) },
        Section { title: "who", facts: who(entry, detail) },
    ];
    if let Some(command) = &entry.vitals.command {
        all.insert(1, Section { title: "order", facts: order(state, command) });
    }
    let labels = labels(entry);
    if !labels.is_empty() {
        all.push(Section { title: "labels", facts: labels });
    }
    all
}

fn how(state: &State, entry: &AgentEntry) -> Vec<Fact> {
    let vitals = &entry.vitals;
    let now = status(vitals, state.charset);
    let mut facts =
        vec![Fact { label: "", role: now.role, value: format!("{} {}", now.glyph, now.label) }];
    if let Some(reason) = vitals.reason {
        facts.push(fact("because", reason.name()));
    }
    facts.push(fact("for", age(vitals.state_age_ms(state.now_ms()))));
    facts.push(fact("since", when(state, vitals.since_ms)));
    facts.push(fact("beat", age_since(vitals.last_beat_ms, state.now_ms())));
    facts.push(fact("step", age_since(vitals.progress_ms, state.now_ms())));
    facts
}

fn beats(entry: &AgentEntry) -> Vec<Fact> {
    let vitals = &entry.vitals;
    let sent = vitals.beats.saturating_add(vitals.lost);
    let loss = if sent == 0 { 0.0 } else { vitals.lost as f64 / sent as f64 };
    vec![
        fact("every", span(vitals.interval_ms.into())),
        fact("boot", super::cells::boot(entry)),
        // They are counted in memory: a session may be older than its collector.
        fact("since collector start", count(vitals.beats)),
        fact("lost", format!("{} ({:.1} %)", count(vitals.lost), loss * 100.0)),
    ]
}

fn doing(state: &State, entry: &AgentEntry) -> Vec<Fact> {
    let vitals = &entry.vitals;
    let phase = match vitals.phase {
        Phase::Starting => "starting",
        Phase::Running => "running",
        Phase::Waiting => "waiting",
        Phase::Stopping => "stopping",
    };
    let step_label = if vitals.phase == Phase::Waiting { "for" } else { "at" };
    let mut facts = vec![fact("", phase)];
    facts.extend(maybe(step_label, vitals.step.as_deref()));
    facts.push(fact("in flight", vitals.in_flight.to_string()));
    if vitals.oldest_task_ms.is_some() {
        facts.push(fact("oldest", age_since(vitals.oldest_task_ms, state.now_ms())));
    }
    facts.extend(vitals.queue.map(|queue| fact("queue", count(queue.into()))));
    facts
}

fn work(state: &State, entry: &AgentEntry) -> Vec<Fact> {
    let work = &entry.work;
    let failed = if work.failed == 0 { Role::Text } else { Role::Degraded };
    vec![
        fact("ok", count(work.ok)),
        Fact { label: "failed", role: failed, value: count(work.failed) },
        fact("success", format!("{} %", percent(work.success_rate()))),
        fact("tasks/m", rate_if_known(entry.tasks_per_minute(state.now_ms()))),
        fact("15 min", load(&work.per_minute, state.glyphs)),
    ]
}

fn latencies(entry: &AgentEntry) -> Vec<Fact> {
    match &entry.work.latency {
        None => vec![fact("", "no task was timed in the last hour")],
        Some(all) => vec![
            fact("p50", latency(all.p50)),
            fact("p90", latency(all.p90)),
            fact("p95", latency(all.p95)),
            fact("p99", latency(all.p99)),
            fact("max", latency(all.max)),
        ],
    }
}

fn costs(state: &State, entry: &AgentEntry, detail: Option<&AgentDetail>) -> Vec<Fact> {
    let (work, total) = (&entry.work, &entry.total);
    let mut facts = vec![
        fact("today", money(work.cost_today_nano_usd)),
        fact("1 hour", money(work.cost_nano_usd)),
        fact("tokens 1 h", format!("{} in {} out", count(work.tokens_in), count(work.tokens_out))),
        fact(
            "ever",
            format!(
                "{} ok {} failed {}",
                count(total.ok),
                count(total.failed),
                money(total.cost_nano_usd)
            ),
        ),
    ];
    if let Some(detail) = detail {
        facts.push(fact("first seen", moment(state, detail.first_seen_ms)));
    }
    facts
}

fn who(entry: &AgentEntry, detail: Option<&AgentDetail>) -> Vec<Fact> {
    let identity = &entry.identity;
    let mut facts = vec![fact("host", identity.shared.host.as_deref().unwrap_or("-"))];
    facts.extend(identity.pid.map(|pid| fact("pid", pid.to_string())));
    facts.extend(maybe("group", identity.shared.group.as_deref()));
    facts.extend(maybe("version", identity.shared.version.as_deref()));
    facts.extend(maybe("framework", identity.shared.framework.as_deref()));
    facts.extend(maybe("sdk", identity.shared.sdk.as_deref()));
    if let Some(detail) = detail {
        facts.extend(maybe("from", detail.address.as_deref()));
        let scope = if detail.scope.is_empty() { "whole fleet" } else { &detail.scope };
        facts.push(fact("token", format!("{scope}, key {}", detail.epoch)));
    }
    facts
}

fn labels(entry: &AgentEntry) -> Vec<Fact> {
    let identity = &entry.identity;
    let mut facts: Vec<Fact> = identity
        .shared
        .labels
        .iter()
        .map(|(key, value)| fact("", format!("{key}={value}")))
        .collect();
    if !identity.shared.depends.is_empty() {
        facts.push(fact("needs", identity.shared.depends.join(", ")));
    }
    facts
}

/// A command and how far it has come.
fn order(state: &State, command: &CommandStatus) -> Vec<Fact> {
    let verb = match command.action {
        Action::Kill => "killed by",
        Action::Resume => "resumed by",
    };
    let mut facts = vec![fact(verb, command.by.clone()), fact("at", when(state, command.at_ms))];
    facts.extend(maybe("because", Some(&command.reason)));
    if command.disobeyed {
        let value = "it went on completing work".to_owned();
        facts.push(Fact { label: "DISOBEYED", role: Role::Alert, value });
    }
    facts.push(match (command.delivered_ms, command.obeyed_ms) {
        (_, Some(ms)) => Fact { label: "obeyed in", role: Role::Healthy, value: span(ms) },
        (Some(ms), None) => {
            let value = format!("{}, {} tasks draining", span(ms), command.draining);
            Fact { label: "delivered in", role: Role::Warning, value }
        }
        (None, None) => {
            let waits = age_since(Some(command.at_ms), state.now_ms());
            Fact { label: "PENDING", role: Role::Warning, value: waits }
        }
    });
    facts
}

/// A time of day in the chosen zone, with the date when it is another day.
pub(super) fn when(state: &State, ms: i64) -> String {
    let zulu = if state.zone == ZoneChoice::Utc { "Z" } else { "" };
    let zone = state.zone();
    let time = crate::look::day_clock(ms, state.now_ms(), &zone);
    if time.contains('.') { format!("{}{zulu}", clock(ms, &zone)) } else { format!("{time}{zulu}") }
}

/// As [`when`], for moments far back.
fn moment(state: &State, ms: i64) -> String {
    format!("{} ({} ago)", when(state, ms), age_since(Some(ms), state.now_ms()))
}
