//! Requests of operators and their replies.

use std::collections::BTreeSet;
use std::time::Duration;

use heartline_fleet::CommandRequest;

use heartline_operator::message::{
    AgentCommand, EVENTS_MAX, ErrorCode, EventQuery, HistoryHealth, Reply, Request,
};
use heartline_vocabulary::{CommandRefusal, Reason};
use tokio::time::timeout;

use super::ServerContext;
use super::access::SocketRole;
use super::connection::ReplyWriter;
use super::subscription::{ClientGone, SubscriptionRequest, send_pages};
use super::token;
use crate::driver::DriverRequest;

/// Longest reason, in bytes.
const REASON_MAX: usize = 512;
/// Most agents in one command or question.
const AGENTS_MAX: usize = 100_000;
/// Longest wait for events that were judged before a question to be on disk.
const FLUSH_WITHIN: Duration = Duration::from_secs(2);

/// The operator behind a connection.
#[derive(Clone, Debug)]
pub struct OperatorIdentity {
    pub role: SocketRole,
    /// `user@host`, for the audit.
    pub name: String,
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
    if let Request::Snapshot { agents } = request {
        context.publisher.refresh_work().await;
        let wanted =
            SubscriptionRequest { agents: BTreeSet::from_iter(agents), every: Duration::ZERO };
        return send_pages(&context.publisher, &context.driver, writer, &wanted).await.map(drop);
    }
    let reply = match reply(request, operator, context).await {
        Ok(reply) => reply,
        Err((code, message)) => Reply::Error { code, message },
    };
    writer.send(reply).await
}

async fn reply(
    request: Request,
    operator: &OperatorIdentity,
    context: &ServerContext,
) -> Result<Reply, RequestError> {
    match request {
        Request::Ping => Ok(Reply::Pong { at_ms: crate::clock::wall_ms() }),
        Request::Collector => {
            let status = context.driver.request(DriverRequest::Status).await.ok_or_else(ending)?;
            Ok(Reply::Collector(Box::new(status)))
        }
        Request::Agent { agent } => agent_detail(agent, context).await,
        Request::Events(query) => events(query, context).await,
        Request::Command(command) => {
            may_control(operator)?;
            run_command(command, operator, context).await
        }
        Request::Forget { agents } => {
            may_control(operator)?;
            forget(agents, operator, context).await
        }
        Request::Token(request) => {
            may_control(operator)?;
            token::answer(request, operator, context).await.map(Reply::Token)
        }
        Request::Hello { .. } | Request::Snapshot { .. } | Request::Subscribe { .. } => {
            Err((ErrorCode::BadRequest, "a connection says hello once, at its start".to_owned()))
        }
    }
}

fn may_control(operator: &OperatorIdentity) -> Result<(), RequestError> {
    match operator.role {
        SocketRole::Control => Ok(()),
        SocketRole::View => Err((
            ErrorCode::NotAllowed,
            "read-only connection: connect through ctl.sock".to_owned(),
        )),
    }
}

fn ending() -> RequestError {
    (ErrorCode::Unavailable, "the collector is shutting down".to_owned())
}

fn unavailable(error: &impl std::fmt::Display) -> RequestError {
    (ErrorCode::Unavailable, format!("history can't be read: {error}"))
}

async fn agent_detail(agent: String, context: &ServerContext) -> Result<Reply, RequestError> {
    let name = agent.clone();
    let detail = context.driver.request(|to| DriverRequest::Agent(name, to)).await;
    let Some(mut detail) = detail.ok_or_else(ending)? else {
        return Err((ErrorCode::NotFound, format!("there is no agent \"{}\"", scrubbed(&agent))));
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

async fn events(query: EventQuery, context: &ServerContext) -> Result<Reply, RequestError> {
    flush_history(context).await?;
    // Fewer than asked for is no loss: the answer says where to go on.
    let query = EventQuery { limit: query.limit.clamp(1, EVENTS_MAX), ..query };
    let read = context.readers.read(move |reader| reader.events(&query));
    let (events, next) = read.await.map_err(|error| unavailable(&error))?;
    Ok(Reply::Events { events, next })
}

/// Waits until everything that was judged before is on disk, so that an answer holds what its
/// operator was shown. While history is paused there is nothing to wait for.
async fn flush_history(context: &ServerContext) -> Result<(), RequestError> {
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
    let AgentCommand { request_id, action, agents, reason, expect } = command;
    if reason.len() > REASON_MAX || agents.len() > AGENTS_MAX {
        let message = format!(
            "a command has at most {REASON_MAX} bytes of reason and {AGENTS_MAX} agents, this one \
             has {} and {}",
            reason.len(),
            agents.len()
        );
        return Err((ErrorCode::BadRequest, message));
    }
    let request = CommandRequest {
        request_id,
        action,
        cause: Reason::Operator,
        agents,
        reason: scrubbed(&reason).into(),
        by: operator.name.as_str().into(),
        expect,
    };
    let outcome = context
        .driver
        .request(|to| DriverRequest::Command(request, to))
        .await
        .ok_or_else(ending)??;
    if let Some(CommandRefusal::UnknownAgents(agents)) = &outcome.refused {
        let agents: Vec<String> = agents.iter().map(|agent| scrubbed(agent)).collect();
        tracing::info!(?agents, "a command named agents that are not known");
    }
    Ok(Reply::Command(outcome))
}

async fn forget(
    agents: Vec<String>,
    operator: &OperatorIdentity,
    context: &ServerContext,
) -> Result<Reply, RequestError> {
    if agents.is_empty() || agents.len() > AGENTS_MAX {
        let message = format!("name 1 to {AGENTS_MAX} agents to forget");
        return Err((ErrorCode::BadRequest, message));
    }
    let by = operator.name.as_str().into();
    let forgotten =
        context.driver.request(|reply_to| DriverRequest::Forget { by, agents, reply_to }).await;
    let agents = forgotten
        .ok_or_else(ending)?
        .map_err(|refusal| (ErrorCode::BadRequest, refusal.to_string()))?;
    Ok(Reply::Forgotten { agents })
}

/// Scrubs text from an operator, for terminals, logs and the audit.
pub fn scrubbed(text: &str) -> String {
    heartline_vocabulary::text::scrub(text).collect()
}
