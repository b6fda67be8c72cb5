//! Questions and their answers.

use std::collections::BTreeSet;
use std::time::Duration;

use heartline_fleet::CommandRequest;

use heartline_operator::message::{AgentDetail, Command, ErrorCode, EventQuery, Reply, Request};
use heartline_protocol::wire::Text;
use heartline_vocabulary::CommandRefusal;
use heartline_vocabulary::Reason;

use super::ServerContext;
use super::access::SocketRole;
use super::connection::ReplyWriter;
use super::subscription::{ClientGone, SubscriptionRequest, send_pages};
use super::token;
use crate::driver::{AgentSnapshot, DriverRequest};

/// Longest reason, in bytes.
const REASON_MAX: usize = 512;
/// Most agents in one command or question.
const AGENTS_MAX: usize = 100_000;
/// Most events in one page: so many fit a frame, whatever their reasons say.
const EVENTS_MAX: u32 = 1_000;

/// Who asks.
#[derive(Clone, Debug)]
pub struct Operator {
    /// By which door they came.
    pub door: SocketRole,
    /// `user@host`, for the audit.
    pub name: String,
}

/// Why a question has no answer.
pub type Refusal = (ErrorCode, String);

/// Answers one question.
pub async fn answer(
    request: Request,
    outlet: &ReplyWriter,
    operator: &Operator,
    world: &ServerContext,
) -> Result<(), ClientGone> {
    if let Request::Snapshot { agents } = request {
        world.publisher.freshen_work().await;
        let wanted =
            SubscriptionRequest { agents: BTreeSet::from_iter(agents), every: Duration::ZERO };
        return send_pages(&world.mailbox, outlet, &wanted).await.map(drop);
    }
    let reply = match reply(request, operator, world).await {
        Ok(reply) => reply,
        Err((code, message)) => Reply::Error { code, message },
    };
    outlet.send(reply).await
}

async fn reply(
    request: Request,
    operator: &Operator,
    world: &ServerContext,
) -> Result<Reply, Refusal> {
    match request {
        Request::Ping => Ok(Reply::Pong { at_ms: crate::clock::wall_ms() }),
        Request::Collector => {
            let status = world.mailbox.ask(DriverRequest::Status).await.ok_or_else(ending)?;
            Ok(Reply::Collector(Box::new(status)))
        }
        Request::Agent { agent } => agent_detail(agent, world).await,
        Request::Events(query) => events(query, world).await,
        Request::Command(command) => {
            may_control(operator)?;
            run_command(command, operator, world).await
        }
        Request::Forget { agents } => {
            may_control(operator)?;
            forget(agents, operator, world).await
        }
        Request::Token(request) => {
            may_control(operator)?;
            token::answer(request, operator, world).await.map(Reply::Token)
        }
        Request::Hello { .. } | Request::Snapshot { .. } | Request::Subscribe { .. } => {
            Err((ErrorCode::BadRequest, "a connection says hello once, at its start".to_owned()))
        }
    }
}

fn may_control(operator: &Operator) -> Result<(), Refusal> {
    match operator.door {
        SocketRole::Control => Ok(()),
        SocketRole::View => Err((
            ErrorCode::NotAllowed,
            "this connection may look, but not act: connect through ctl.sock".to_owned(),
        )),
    }
}

fn ending() -> Refusal {
    (ErrorCode::Unavailable, "the collector is ending".to_owned())
}

fn unavailable(error: &impl std::fmt::Display) -> Refusal {
    (ErrorCode::Unavailable, format!("history can't be read: {error}"))
}

async fn agent_detail(agent: String, world: &ServerContext) -> Result<Reply, Refusal> {
    let asked = agent.clone();
    let snapshot =
        world.mailbox.ask(|to| DriverRequest::Agent(asked, to)).await.ok_or_else(ending)?;
    let Some(AgentSnapshot { entry, id, first_seen_ms, address, scope, epoch }) = snapshot else {
        return Err((ErrorCode::NotFound, format!("there is no agent \"{}\"", clean(&agent))));
    };
    let read = world.readers.read(move |reader| {
        let sessions = reader.sessions(id, 20)?;
        let query = EventQuery { agent: Some(agent), limit: 50, ..EventQuery::default() };
        let (mut events, _) = reader.events(&query)?;
        events.reverse();
        let work = reader.work_of(&[id], crate::clock::wall_ms())?.remove(&id);
        Ok((sessions, events, work))
    });
    let (sessions, events, work) = read.await.map_err(|error| unavailable(&error))?;
    let mut entry = entry;
    entry.work = work.unwrap_or_default();
    Ok(Reply::Agent(Box::new(AgentDetail {
        entry,
        first_seen_ms,
        address,
        scope,
        epoch,
        sessions,
        events,
    })))
}

async fn events(query: EventQuery, world: &ServerContext) -> Result<Reply, Refusal> {
    // Fewer than asked for is no loss: the answer says where to go on.
    let query = EventQuery { limit: query.limit.clamp(1, EVENTS_MAX), ..query };
    let read = world.readers.read(move |reader| reader.events(&query));
    let (events, next) = read.await.map_err(|error| unavailable(&error))?;
    Ok(Reply::Events { events, next })
}

async fn run_command(
    command: Command,
    operator: &Operator,
    world: &ServerContext,
) -> Result<Reply, Refusal> {
    let Command { request_id, action, agents, reason, expect } = command;
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
        reason: clean(&reason).into(),
        by: operator.name.as_str().into(),
        expect,
    };
    let outcome =
        world.mailbox.ask(|to| DriverRequest::Command(request, to)).await.ok_or_else(ending)??;
    if let Some(CommandRefusal::UnknownAgents(agents)) = &outcome.refused {
        let agents: Vec<String> = agents.iter().map(|agent| clean(agent)).collect();
        tracing::info!(?agents, "a command named agents that are not known");
    }
    Ok(Reply::Command(outcome))
}

async fn forget(
    agents: Vec<String>,
    operator: &Operator,
    world: &ServerContext,
) -> Result<Reply, Refusal> {
    if agents.is_empty() || agents.len() > AGENTS_MAX {
        let message = format!("name 1 to {AGENTS_MAX} agents to forget");
        return Err((ErrorCode::BadRequest, message));
    }
    let by = operator.name.as_str().into();
    let forgotten = world.mailbox.ask(|to| DriverRequest::Forget(by, agents, to)).await;
    let agents =
        forgotten.ok_or_else(ending)?.map_err(|why| (ErrorCode::BadRequest, clean(&why)))?;
    Ok(Reply::Forgotten { agents })
}

/// Text from an operator, fit for a terminal, a log and the audit.
pub fn clean(text: &str) -> String {
    Text::new(text).scrubbed()
}
