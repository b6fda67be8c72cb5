//! Which routes an alert takes, who is told after which hold, and what keeps it quiet.

use std::collections::BTreeMap;
use std::time::Duration;

use heartline_config::{AlertFilter, AlertsConfig, StringSetting as _};
use heartline_fleet::{AgentFilter as _, AlertRoute, AlertRules};
use heartline_operator::message::{Incident, IncidentMember, IncidentScope, MemberCounts, Silence};
use heartline_operator::text::notice::{Times, opened, scope};
use heartline_operator::text::timestamp;
use heartline_vocabulary::{AgentStatus, IncidentId, Reason, ScopeKind, Severity};
use serde::Serialize;

use super::subject::CheckedAgent;

/// What would become of an alert; the document of `config check --agent --json`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Explanation {
    schema: u8,
    pub(crate) agent: String,
    pub(crate) host: Option<String>,
    pub(crate) group: Option<String>,
    pub(crate) labels: BTreeMap<String, String>,
    /// Where what the agent is was learnt.
    pub(crate) source: String,
    pub(crate) state: &'static str,
    pub(crate) reason: Option<&'static str>,
    pub(crate) routes: Vec<RouteVerdict>,
    pub(crate) sinks: Vec<SinkDuty>,
    pub(crate) quiet: Vec<Quiet>,
    /// The first line of the message; `None`: nobody is told.
    pub(crate) message: Option<String>,
}

/// Whether a route is taken.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct RouteVerdict {
    /// From 1.
    pub(crate) number: usize,
    #[serde(rename = "taken")]
    pub(crate) is_taken: bool,
    /// Why it is not.
    pub(crate) why: Option<String>,
    pub(crate) to: Vec<String>,
    pub(crate) hold_ms: u128,
    pub(crate) repeat_ms: Option<u128>,
    pub(crate) escalate_after_ms: Option<u128>,
    pub(crate) escalate_to: Vec<String>,
    pub(crate) stop: bool,
}

/// What is done for a sink, by all routes together.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct SinkDuty {
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    pub(crate) hold_ms: u128,
    pub(crate) repeat_ms: Option<u128>,
    /// It reminds by itself.
    pub(crate) reminds: bool,
    pub(crate) escalate_after_ms: Option<u128>,
    pub(crate) escalate_to: Vec<String>,
}

/// A silence, or a window of maintenance, that keeps it quiet now.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Quiet {
    /// `None`: a window of the config file.
    pub(crate) silence: Option<i64>,
    pub(crate) filter: String,
    #[serde(rename = "until", serialize_with = "as_timestamp")]
    pub(crate) until_ms: i64,
    pub(crate) reason: String,
}

fn as_timestamp<S: serde::Serializer>(at_ms: &i64, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&timestamp(*at_ms))
}

impl Explanation {
    /// Returns what would become of an alert at a time; `silences` are those of operators.
    pub(crate) fn new(
        config: &AlertsConfig,
        agent: &CheckedAgent,
        status: AgentStatus,
        silences: &[Silence],
        now_ms: i64,
    ) -> Self {
        let rules = config.rules();
        let identity = &agent.identity;
        let shared = &identity.shared;
        let text = |text: &Option<std::sync::Arc<str>>| text.as_deref().map(str::to_owned);
        let labels = shared.labels.iter().map(|(key, value)| (key.to_string(), value.to_string()));
        let sinks = sink_duties(config, &rules, agent, status);
        let hold_ms = sinks.iter().map(|sink| sink.hold_ms).min();
        Self {
            schema: 1,
            agent: agent.name.clone(),
            host: text(&shared.host),
            group: text(&shared.group),
            labels: labels.collect(),
            source: agent.source.clone(),
            state: status.state.name(),
            reason: status.reason.map(Reason::name),
            routes: verdicts(config, &rules, agent, status),
            quiet: quiet(config, agent, status, silences, now_ms),
            message: hold_ms.map(|hold_ms| {
                let hold_ms = i64::try_from(hold_ms).unwrap_or(i64::MAX);
                first_line(agent, status, now_ms, now_ms.saturating_sub(hold_ms))
            }),
            sinks,
        }
    }
}

fn verdicts(
    config: &AlertsConfig,
    rules: &AlertRules,
    agent: &CheckedAgent,
    status: AgentStatus,
) -> Vec<RouteVerdict> {
    let taken = rules.routes_of(&agent.name, Some(&agent.identity), status);
    let last = taken.iter().copied().find(|&number| rules.routes[number].is_last);
    let verdict = |(number, route): (usize, &AlertRoute)| {
        let is_taken = taken.contains(&number);
        let why = || match last {
            Some(last) if last < number => format!("route {} has stop = true", last + 1),
            _ if !route.states.contains(status) => {
                format!("its states are {}", states_of(config, number))
            }
            _ => {
                let filter = config.routes[number].filter.as_ref();
                format!("its match {:?} is not met", filter.map_or("", |it| it.get_ref()))
            }
        };
        let escalation = route.escalation.as_ref();
        RouteVerdict {
            number: number + 1,
            is_taken,
            why: (!is_taken).then(why),
            to: names(&route.sinks),
            hold_ms: route.hold.as_millis(),
            repeat_ms: route.repeat.as_ref().map(Duration::as_millis),
            escalate_after_ms: escalation.map(|it| it.after.as_millis()),
            escalate_to: escalation.map(|it| names(&it.sinks)).unwrap_or_default(),
            stop: route.is_last,
        }
    };
    rules.routes.iter().enumerate().map(verdict).collect()
}

/// Returns the states of a route as they are written, or that they are the default.
fn states_of(config: &AlertsConfig, number: usize) -> String {
    let written = config.routes.get(number).and_then(|route| route.states.as_ref());
    written.map_or_else(
        || "those of the default".to_owned(),
        |states| states.iter().map(|it| it.0.print()).collect::<Vec<_>>().join(", "),
    )
}

fn sink_duties(
    config: &AlertsConfig,
    rules: &AlertRules,
    agent: &CheckedAgent,
    status: AgentStatus,
) -> Vec<SinkDuty> {
    let duties = rules.duties_of(&agent.name, Some(&agent.identity), status);
    let duty = |(name, duty): (&str, heartline_fleet::SinkDuty<'_>)| {
        let section = config.sinks.iter().find(|sink| *sink.name.get_ref().0.0 == *name);
        SinkDuty {
            name: name.to_owned(),
            kind: section.map_or("", |section| section.kind.get_ref().0.name()),
            hold_ms: duty.hold.as_millis(),
            repeat_ms: duty.repeat.as_ref().map(Duration::as_millis),
            reminds: rules.sinks.get(name).is_some_and(|traits| traits.reminds),
            escalate_after_ms: duty.escalation.map(|it| it.after.as_millis()),
            escalate_to: duty.escalation.map(|it| names(&it.sinks)).unwrap_or_default(),
        }
    };
    duties.into_iter().map(duty).collect()
}

fn names(sinks: &[Box<str>]) -> Vec<String> {
    sinks.iter().map(ToString::to_string).collect()
}

/// Returns what keeps the agent quiet at a time: silences of operators, and windows of the config file.
fn quiet(
    config: &AlertsConfig,
    agent: &CheckedAgent,
    status: AgentStatus,
    silences: &[Silence],
    now_ms: i64,
) -> Vec<Quiet> {
    let matches = |filter: &str| {
        AlertFilter::parse(filter)
            .is_ok_and(|it| it.matches(&agent.name, Some(&agent.identity), status))
    };
    let windows = config.windows.iter().filter_map(|window| {
        let span = window.span_at(now_ms).filter(|span| span.from_ms <= now_ms)?;
        Some(Quiet {
            silence: None,
            filter: window.filter.get_ref().clone(),
            until_ms: span.until_ms,
            reason: window.reason.clone(),
        })
    });
    let lasts = |it: &&Silence| it.from_ms <= now_ms && now_ms < it.until_ms;
    let silences = silences.iter().filter(|it| it.id.is_some()).filter(lasts).map(|it| Quiet {
        silence: it.id,
        filter: it.filter.clone(),
        until_ms: it.until_ms,
        reason: it.reason.clone(),
    });
    silences.chain(windows).filter(|quiet| matches(&quiet.filter)).collect()
}

/// Returns the first line of a message, as sinks write it.
fn first_line(agent: &CheckedAgent, status: AgentStatus, now_ms: i64, opened_ms: i64) -> String {
    let member = IncidentMember {
        agent: agent.name.clone(),
        host: agent.identity.shared.host.as_deref().map(str::to_owned),
        status,
        since_ms: opened_ms,
        lasted_ms: None,
        cause: None,
        step: None,
        last_beat_ms: None,
        interval_ms: 0,
        in_flight: 0,
        oldest_task_ms: None,
        is_affected: false,
    };
    let incident = Incident {
        id: IncidentId(0),
        scope: IncidentScope { kind: ScopeKind::Agent, name: agent.name.clone() },
        severity: Severity::of(status),
        worst: status,
        opened_ms,
        ended_ms: None,
        cause_from_ms: opened_ms,
        cause_to_ms: opened_ms,
        counts: MemberCounts { total: 1, in_trouble: 1, affected: 0, of: 1 },
        members: vec![member],
        acknowledged: None,
        outages: 0,
        merged_into: None,
        shortage: None,
        remark: None,
    };
    format!("{}: {}", scope(&incident), opened(&incident, Times::utc(now_ms)))
}
