//! Questions about alerts, and what operators do about them.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use heartline_config::AlertFilter;
use heartline_operator::message::{
    AlertQuery, AlertReport, ErrorCode, HistoryHealth, INCIDENTS_MAX, Incident, IncidentReport,
    Reply, Request, SILENCE_REASON_MAX, SILENCES_MAX, Silence, SilenceCommand,
};
use heartline_vocabulary::{AgentRowId, IncidentId};
use tokio::time::timeout;

use super::ServerContext;
use super::answer::{
    OperatorIdentity, RequestError, ending, flush_history, may_control, scrubbed, unavailable,
};
use crate::clock;
use crate::driver::DriverRequest;
use crate::store::{SilenceChange, StoreReader, StoredSilence};

/// Longest silence.
const SILENCE_MAX: Duration = Duration::from_secs(366 * 24 * 3_600);
/// Longest wait for a sink that is tried.
const TEST_WITHIN: Duration = Duration::from_secs(70);

/// Answers a request about alerts.
pub(super) async fn answer(
    request: Request,
    operator: &OperatorIdentity,
    context: &ServerContext,
) -> Result<Reply, RequestError> {
    match request {
        Request::Alerts(query) => report(query, context).await,
        Request::Acknowledge { incidents } => {
            may_control(operator)?;
            acknowledge(incidents, operator, context).await
        }
        Request::Silence(command) => {
            may_control(operator)?;
            silence(command, operator, context).await
        }
        Request::TestSink { sink } => {
            may_control(operator)?;
            test_sink(sink, context).await
        }
        _ => Err((ErrorCode::BadRequest, "this is no question about alerts".to_owned())),
    }
}

async fn report(query: AlertQuery, context: &ServerContext) -> Result<Reply, RequestError> {
    flush_history(context).await?;
    let open = context.driver.request(DriverRequest::Incidents).await.ok_or_else(ending)?;
    let mut agents: BTreeMap<IncidentId, (Vec<AgentRowId>, Vec<AgentRowId>)> = BTreeMap::new();
    let open: Vec<Incident> = open
        .into_iter()
        .map(|it| {
            agents.insert(it.incident.id, (it.agents, it.affected));
            it.incident
        })
        .collect();
    let (mut incidents, mut has_more) = match query {
        AlertQuery::Open => (open, false),
        AlertQuery::Since(since_ms) => {
            let read = context.readers.read(move |reader| reader.ended_incidents(since_ms));
            let (ended, has_more) = read.await.map_err(|it| unavailable(&it))?;
            (open.into_iter().chain(ended).collect(), has_more)
        }
        AlertQuery::One(id) => match open.into_iter().find(|incident| incident.id == id) {
            Some(incident) => (vec![incident], false),
            None => (ended(id, context).await?, false),
        },
        AlertQuery::Range { since_ms, until_ms, after } => {
            let read =
                move |reader: &mut StoreReader| reader.incidents_between(since_ms, until_ms, after);
            context.readers.read(read).await.map_err(|it| unavailable(&it))?
        }
    };
    let silences = match query {
        AlertQuery::Range { since_ms, until_ms, .. } => {
            silences_between(since_ms, until_ms, context).await?
        }
        _ => {
            incidents.sort_by_key(|incident| std::cmp::Reverse(incident.id));
            context.alerts.silences(clock::wall_ms())
        }
    };
    has_more |= incidents.len() > INCIDENTS_MAX as usize;
    // Where not all are told of, those that go on are.
    incidents.sort_by_key(|incident| (incident.ended_ms.is_some(), Reverse(incident.id)));
    incidents.truncate(INCIDENTS_MAX as usize);
    incidents.sort_by_key(|incident| Reverse(incident.id));
    let ids: Vec<IncidentId> = incidents.iter().map(|incident| incident.id).collect();
    let read = context.readers.read(move |reader| reader.notices(&ids));
    let mut notices = read.await.map_err(|error| unavailable(&error))?;
    let incidents = incidents.into_iter().map(|incident| {
        let (agents, affected) = agents.remove(&incident.id).unwrap_or_default();
        let notices = notices.remove(&incident.id).unwrap_or_default();
        IncidentReport { incident, notices, agents, affected }
    });
    Ok(Reply::Alerts(Box::new(AlertReport {
        incidents: incidents.collect(),
        has_more,
        sinks: context.alerts.sinks(),
        routes: context.alerts.route_count(),
        silences,
    })))
}

async fn silences_between(
    since_ms: i64,
    until_ms: i64,
    context: &ServerContext,
) -> Result<Vec<Silence>, RequestError> {
    let read = context.readers.read(move |reader| reader.silences_between(since_ms, until_ms));
    let stored = read.await.map_err(|error| unavailable(&error))?;
    Ok(stored.into_iter().map(Silence::from).collect())
}

async fn ended(id: IncidentId, context: &ServerContext) -> Result<Vec<Incident>, RequestError> {
    let read = context.readers.read(move |reader| reader.incident(id));
    let found = read.await.map_err(|error| unavailable(&error))?;
    let unknown = || {
        let message = format!("there is no incident {id}: `heartline incidents` lists them");
        (ErrorCode::NotFound, message)
    };
    found.map(|incident| vec![incident]).ok_or_else(unknown)
}

async fn acknowledge(
    incidents: Vec<IncidentId>,
    operator: &OperatorIdentity,
    context: &ServerContext,
) -> Result<Reply, RequestError> {
    let by: Box<str> = operator.name.as_str().into();
    let asked = incidents.clone();
    let request = |reply_to| DriverRequest::Acknowledge { incidents, by, reply_to };
    let known = context.driver.request(request).await.ok_or_else(ending)?;
    if let Some(unknown) = asked.iter().find(|id| !known.contains(id)) {
        let message = format!(
            "no incident {unknown} goes on, and none was acknowledged: `heartline incidents` lists them"
        );
        return Err((ErrorCode::NotFound, message));
    }
    flush_history(context).await?;
    let status = context.driver.request(DriverRequest::Status).await.ok_or_else(ending)?;
    let is_stored = !matches!(status.history, HistoryHealth::Paused(_));
    Ok(Reply::Acknowledged { incidents: known, is_stored })
}

async fn silence(
    command: SilenceCommand,
    operator: &OperatorIdentity,
    context: &ServerContext,
) -> Result<Reply, RequestError> {
    let now_ms = clock::wall_ms();
    let change = match command {
        SilenceCommand::End { id } => {
            SilenceChange::End { id, at_ms: now_ms, by: operator.name.clone() }
        }
        SilenceCommand::Begin { filter, until_ms, reason } => {
            check_filter(&filter)?;
            let reason = check_reason(&reason)?;
            check_end(until_ms, now_ms)?;
            if context.alerts.silences(now_ms).len() >= SILENCES_MAX {
                let message = format!("there are {SILENCES_MAX} silences: end some of them first");
                return Err((ErrorCode::Busy, message));
            }
            let by = operator.name.clone();
            let filter = filter.trim().to_owned();
            let silence = StoredSilence { id: 0, filter, from_ms: now_ms, until_ms, by, reason };
            SilenceChange::Begin(silence)
        }
    };
    let stored = context.store.change_silence(change.clone()).await;
    let id = stored.map_err(|error| (ErrorCode::Unavailable, error.to_string()))?;
    context.alerts.take_change(change, id);
    context.alerts.apply_silences(&context.driver, now_ms);
    Ok(Reply::Silenced { id })
}

fn check_filter(filter: &str) -> Result<(), RequestError> {
    let refused = |message: String| Err((ErrorCode::BadRequest, message));
    if filter.trim().is_empty() {
        let message = "a silence needs a filter: what of, such as host:m3 or group:canary";
        return refused(message.to_owned());
    }
    match AlertFilter::parse(filter) {
        Ok(_) => Ok(()),
        Err((column, message)) => refused(format!("the filter, column {column}: {message}")),
    }
}

fn check_reason(reason: &str) -> Result<String, RequestError> {
    let reason = scrubbed(reason.trim());
    let refused = |message: String| Err((ErrorCode::BadRequest, message));
    if reason.is_empty() {
        return refused("a silence needs a reason".to_owned());
    }
    if reason.len() > SILENCE_REASON_MAX {
        return refused(format!("the reason has at most {SILENCE_REASON_MAX} bytes"));
    }
    Ok(reason)
}

fn check_end(until_ms: i64, now_ms: i64) -> Result<(), RequestError> {
    let longest_ms = i64::try_from(SILENCE_MAX.as_millis()).unwrap_or(i64::MAX);
    let message = if until_ms <= now_ms {
        "a silence ends after now"
    } else if until_ms > now_ms.saturating_add(longest_ms) {
        "a silence lasts a year at most"
    } else {
        return Ok(());
    };
    Err((ErrorCode::BadRequest, message.to_owned()))
}

async fn test_sink(sink: String, context: &ServerContext) -> Result<Reply, RequestError> {
    let Some(answer) = context.alerts.test(&sink) else {
        let known = context.alerts.sinks().into_iter().map(|it| it.name).collect::<Vec<_>>();
        let known = if known.is_empty() { "there is none".to_owned() } else { known.join(", ") };
        return Err((ErrorCode::NotFound, format!("there is no sink {sink:?} ({known})")));
    };
    match timeout(TEST_WITHIN, answer).await {
        Ok(Ok(Ok(answer))) => Ok(Reply::SinkTested { answer }),
        Ok(Ok(Err(why))) => Err((ErrorCode::Unavailable, format!("{sink} took nothing: {why}"))),
        Ok(Err(_)) => Err(ending()),
        Err(_) => Err((ErrorCode::Unavailable, format!("{sink} is busy with another notice"))),
    }
}
