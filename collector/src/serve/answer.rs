//! Requests of operators and their replies.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use heartline_fleet::CommandRequest;

use heartline_operator::message::{
    AgentCommand, AgentSelector, CommandOutcome, EVENTS_MAX, ErrorCode, EventQuery, ForgetCommand,
    HistoryHealth, Reply, Request, SubscriptionUpdate,
};
use heartline_operator::{Filter, text};
use heartline_vocabulary::{CommandRefusal, Reason};
use tokio::time::timeout;

use super::ServerContext;
use super::access::SocketRole;
use super::alert;
use super::backup;
use super::connection::ReplyWriter;
use super::health;
use super::history;
use super::incident::{self, IncidentPart};
use super::selection::{self, AgentMatcher, FleetPages, Selection};
use super::subscription::ClientGone;
use super::token;
use crate::driver::{DriverRequest, FleetPage};

/// Longest reason, in bytes.
pub const REASON_MAX: usize = 512;
/// Most agents in one command.
pub const AGENTS_MAX: usize = 100_000;
/// Fewest agents in a page of a snapshot but the last: in a longer one more of them share an identity.
const SNAPSHOT_PAGE: usize = 2_000;
/// Longest wait for events that were judged before a question to be on disk.
const FLUSH_WITHIN: Duration = Duration::from_secs(2);

/// The operator behind a connection.
#[derive(Clone, Debug)]
pub struct OperatorIdentity {
    pub role: SocketRole,
    /// `user@host`, for the audit.
    pub name: String,
    /// It is root or the collector's own user.
    pub is_owner: bool,
}

/// Why a request failed.
pub type RequestError = (ErrorCode, String);

/// Answers one request.
pub async fn answer(
    request: Request,
    writer: &ReplyWriter,
    operator: &OperatorIdentity,
    context: &ServerContext,
) -> Result<(), ClientGone> {
    let sent = match request {
        Request::Snapshot { agents } => send_snapshot(&agents, writer, context).await,
        Request::Backup(command) => backup::send(command, writer, operator, context).await,
        Request::IncidentContents(query) => {
            incident::send(query, IncidentPart::Contents, writer, context).await
        }
        Request::IncidentFile(query) => {
            incident::send(query, IncidentPart::File, writer, context).await
        }
        request => match reply(request, operator, context).await {
            Ok(reply) => Ok(writer.send(reply).await),
            Err(error) => Err(error),
        },
    };
    match sent {
        Ok(sent) => sent,
        Err((code, message)) => writer.send(Reply::Error { code, message }).await,
    }
}

async fn reply(
    request: Request,
    operator: &OperatorIdentity,
    context: &ServerContext,
) -> Result<Reply, RequestError> {
    match request {
        Request::Ping => Ok(Reply::Pong { at_ms: crate::clock::wall_ms() }),
        Request::CollectorHealth => health::answer(context).await,
        Request::Collector => {
            let status = health::ask_driver(&context.driver, DriverRequest::Status).await?;
            Ok(Reply::Collector(Box::new(status)))
        }
        Request::Budgets => {
            let budgets =
                context.driver.request(DriverRequest::Budgets).await.ok_or_else(ending)?;
            Ok(Reply::Budgets { budgets })
        }
        Request::Roster => {
            let roster = context.driver.request(DriverRequest::Roster).await.ok_or_else(ending)?;
            Ok(Reply::Roster(Box::new(roster)))
        }
        Request::Agent { agent } => agent_detail(agent, context).await,
        Request::Events(query) => events(query, context).await,
        request @ (Request::Outages(_)
        | Request::AgentHistory(_)
        | Request::FleetHistory(_)
        | Request::AgentNames(_)
        | Request::Past { .. }
        | Request::Moment { .. }
        | Request::Timeline(_)) => history::answer(request, context).await,
        Request::Command(command) => {
            may_control(operator)?;
            run_command(command, operator, context).await
        }
        Request::Preview { agents, list } => {
            let preview = selection::preview(&agents, list, context).await?;
            Ok(Reply::Preview(Box::new(preview)))
        }
        Request::Forget(command) => {
            may_control(operator)?;
            forget(command, operator, context).await
        }
        Request::Alerts(_)
        | Request::Acknowledge { .. }
        | Request::Silence(_)
        | Request::TestSink { .. } => alert::answer(request, operator, context).await,
        Request::Note(command) => {
            may_control(operator)?;
            history::note(command, operator, context).await
        }
        Request::Token(request) => {
            may_control(operator)?;
            token::answer(request, operator, context).await.map(Reply::Token)
        }
        Request::Hello { .. }
        | Request::Snapshot { .. }
        | Request::Subscribe { .. }
        | Request::Backup(_)
        | Request::IncidentContents(_)
        | Request::IncidentFile(_)
        | Request::MoreNames { .. } => {
            Err((ErrorCode::BadRequest, "a connection says hello once, at its start".to_owned()))
        }
    }
}

/// Refuses an operator who may only look.
pub fn may_control(operator: &OperatorIdentity) -> Result<(), RequestError> {
    match operator.role {
        SocketRole::Control => Ok(()),
        SocketRole::View => Err((
            ErrorCode::NotAllowed,
            "read-only connection: connect through ctl.sock".to_owned(),
        )),
    }
}

/// Returns the error of a request that comes during shutdown.
pub fn ending() -> RequestError {
    (ErrorCode::Unavailable, "the collector is shutting down".to_owned())
}

/// Returns the error of a question that history can't answer.
pub fn unavailable(error: &impl std::fmt::Display) -> RequestError {
    (ErrorCode::Unavailable, format!("history can't be read: {error}"))
}

/// Sends agents as they are, page by page.
async fn send_snapshot(
    selector: &AgentSelector,
    writer: &ReplyWriter,
    context: &ServerContext,
) -> Result<Result<(), ClientGone>, RequestError> {
    let mut matcher = AgentMatcher::new(selector)?;
    let mut pages = FleetPages::new(context, selector).with_refreshed_work();
    let mut found = Vec::new();
    while let Some(FleetPage { mut entries, status, .. }) = pages.next().await? {
        let (last, now_ms) = (pages.is_done(), status.at_ms);
        entries.retain(|entry| matcher.matches(entry, now_ms));
        found.append(&mut entries);
        if found.len() < SNAPSHOT_PAGE && !last {
            continue;
        }
        let (entries, collector) = (std::mem::take(&mut found), Box::new(status));
        let page = SubscriptionUpdate::Page { entries, collector, last };
        if writer.send(Reply::Update(page)).await.is_err() {
            return Ok(Err(ClientGone));
        }
    }
    Ok(Ok(()))
}

async fn agent_detail(agent: String, context: &ServerContext) -> Result<Reply, RequestError> {
    let name = agent.clone();
    let detail = context.driver.request(|to| DriverRequest::Agent(name, to)).await;
    let Some(mut detail) = detail.ok_or_else(ending)? else {
        let unknown = selection::with_similar(vec![agent], context).await?;
        let message = unknown.into_iter().map(|unknown| unknown.to_string()).collect();
        return Err((ErrorCode::NotFound, message));
    };
    flush_history(context).await?;
    let id = detail.entry.id;
    let read = context.readers.read(move |reader| {
        let sessions = reader.sessions(id, 20)?;
        let query = EventQuery { agent: Some(agent), limit: 50, ..EventQuery::default() };
        let (mut events, _) = reader.events(&query)?;
        events.reverse();
        let work = reader.work_of(&[id], crate::clock::wall_ms())?.remove(&id);
        Ok((sessions, events, work.unwrap_or_default()))
    });
    (detail.sessions, detail.events, detail.entry.work) =
        read.await.map_err(|error| unavailable(&error))?;
    Ok(Reply::Agent(Box::new(detail)))
}

async fn events(mut query: EventQuery, context: &ServerContext) -> Result<Reply, RequestError> {
    let filter = Filter::parse(&std::mem::take(&mut query.filter))
        .map_err(|error| (ErrorCode::BadRequest, error.to_string()))?;
    flush_history(context).await?;
    // Fewer than asked for is no loss: the answer says where to go on.
    let query = EventQuery { limit: query.limit.clamp(1, EVENTS_MAX), ..query };
    let read = context.readers.read(move |reader| reader.events(&query));
    let (mut events, next) = read.await.map_err(|error| unavailable(&error))?;
    if !filter.is_empty() {
        let names: BTreeSet<String> = events.iter().filter_map(|it| it.agent.clone()).collect();
        let mut pages = FleetPages::named(context, names.into_iter().collect());
        let (mut entries, mut now_ms) = (BTreeMap::new(), crate::clock::wall_ms());
        while let Some(page) = pages.next().await? {
            now_ms = page.status.at_ms;
            entries.extend(page.entries.into_iter().map(|entry| (entry.agent.clone(), entry)));
        }
        events.retain(|event| {
            let entry = event.agent.as_ref().and_then(|agent| entries.get(agent));
            filter.matches_event(event, entry, now_ms)
        });
    }
    Ok(Reply::Events { events, next })
}

/// Waits until everything that was judged before is on disk, so that an answer holds what its
/// operator was shown. While history is paused there is nothing to wait for.
pub async fn flush_history(context: &ServerContext) -> Result<(), RequestError> {
    let flushed = context.driver.request(DriverRequest::FlushHistory);
    match timeout(FLUSH_WITHIN, flushed).await {
        Ok(flushed) => flushed.ok_or_else(ending),
        Err(_) => {
            let status = context.driver.request(DriverRequest::Status).await.ok_or_else(ending)?;
            if matches!(status.history, HistoryHealth::Paused(_)) {
                return Ok(());
            }
            let behind = FLUSH_WITHIN.as_secs();
            Err((
                ErrorCode::Unavailable,
                format!("history is {behind} s behind: its disk does not keep up; try again"),
            ))
        }
    }
}

async fn run_command(
    command: AgentCommand,
    operator: &OperatorIdentity,
    context: &ServerContext,
) -> Result<Reply, RequestError> {
    if command.reason.len() > REASON_MAX {
        let len = command.reason.len();
        let message = format!("a reason has at most {REASON_MAX} bytes, this one has {len}");
        return Err((ErrorCode::BadRequest, message));
    }
    let request_id = command.request_id;
    let outcome = match check_command(&command, context).await? {
        Ok(agents) => send_command(command, agents, operator, context).await?,
        Err(refusal) => CommandOutcome {
            request_id,
            at_ms: crate::clock::wall_ms(),
            targets: Vec::new(),
            refused: Some(refusal),
        },
    };
    if outcome.refused.is_some() {
        // A command that was carried out changes what its selector finds. Sent again, as after a
        // lost reply, it is answered as it was the first time.
        let before = context.readers.read(move |reader| reader.command(request_id)).await;
        if let Ok(Some(before)) = before {
            return Ok(Reply::Command(before));
        }
    }
    if let Some(CommandRefusal::UnknownAgents(agents)) = &outcome.refused {
        let agents: Vec<String> = agents.iter().map(|agent| scrubbed(agent)).collect();
        tracing::info!(?agents, "a command named agents that are not known");
    }
    Ok(Reply::Command(outcome))
}

/// Finds the agents of a command, or the reason why it is refused.
async fn check_command(
    command: &AgentCommand,
    context: &ServerContext,
) -> Result<Result<Vec<String>, CommandRefusal>, RequestError> {
    let selection = selection::resolve(&command.agents, context).await?;
    check_size(selection.agents.len())?;
    Ok(check_selection(selection, &command.agents, command.fingerprint))
}

fn check_size(agents: usize) -> Result<(), RequestError> {
    if agents > AGENTS_MAX {
        let message = format!(
            "{agents} agents: at most {AGENTS_MAX} are taken at once; narrow the names or the filter"
        );
        return Err((ErrorCode::BadRequest, message));
    }
    Ok(())
}

/// Checks that every name was found, and that the agents are those that the operator was shown.
fn check_selection(
    selection: Selection,
    selector: &AgentSelector,
    fingerprint: Option<u64>,
) -> Result<Vec<String>, CommandRefusal> {
    if !selection.unknown.is_empty() {
        return Err(CommandRefusal::UnknownAgents(selection.unknown));
    }
    if selection.agents.is_empty() {
        return Err(CommandRefusal::NoAgents);
    }
    // Ids can't stand for other agents than before.
    let has_changed = fingerprint.is_some_and(|shown| shown != selection.fingerprint);
    if has_changed && !selector.is_exact() {
        return Err(CommandRefusal::TargetsChanged);
    }
    Ok(selection.agents)
}

async fn send_command(
    command: AgentCommand,
    agents: Vec<String>,
    operator: &OperatorIdentity,
    context: &ServerContext,
) -> Result<CommandOutcome, RequestError> {
    let AgentCommand { request_id, action, reason, expect, .. } = command;
    let request = CommandRequest {
        request_id,
        action,
        cause: Reason::Operator,
        agents,
        reason: scrubbed(&reason).into(),
        by: operator.name.as_str().into(),
        expect,
    };
    context.driver.request(|to| DriverRequest::Command(request, to)).await.ok_or_else(ending)?
}

async fn forget(
    command: ForgetCommand,
    operator: &OperatorIdentity,
    context: &ServerContext,
) -> Result<Reply, RequestError> {
    let refused = |message: String| (ErrorCode::BadRequest, message);
    let selection = selection::resolve(&command.agents, context).await?;
    check_size(selection.agents.len())?;
    let (hits, fleet_size) = (selection.agents.len(), selection.fleet_size);
    let (beating, first_beating) = (selection.beating, selection.first_beating.clone());
    let agents = check_selection(selection, &command.agents, command.fingerprint)
        .and_then(|agents| {
            CommandRefusal::check_count(hits, fleet_size, command.expect).map(|()| agents)
        })
        .map_err(|refusal| refused(refusal.to_string()))?;
    if let Some((name, age_ms)) = first_beating {
        let others =
            if beating > 1 { format!(" (and {} more)", beating - 1) } else { String::new() };
        return Err(refused(format!(
            "nothing was done: {name}{others} still beats (last {} ago) and would be back at once; \
             stop it first",
            text::age(age_ms)
        )));
    }
    let by = operator.name.as_str().into();
    let forgotten =
        context.driver.request(|reply_to| DriverRequest::Forget { by, agents, reply_to }).await;
    let agents = forgotten.ok_or_else(ending)?.map_err(|refusal| refused(refusal.to_string()))?;
    let stored = context.driver.request(DriverRequest::FlushControl).await.ok_or_else(ending)?;
    stored.map_err(|why| {
        let message = format!(
            "the agents are forgotten until the collector's next start alone: {why}; then forget \
             them again"
        );
        (ErrorCode::Unavailable, message)
    })?;
    Ok(Reply::Forgotten { agents })
}

/// Scrubs text from an operator, for terminals, logs and the audit.
pub fn scrubbed(text: &str) -> String {
    heartline_vocabulary::text::scrub(text).collect()
}
