//! Kills and resumes that this operator gave, until every agent obeys.

use std::collections::BTreeMap;

use heartline_operator::message::{AgentCommand, CommandOutcome, CommandStatus, Event, EventKind};

use heartline_vocabulary::{Action, CommandRefusal};

use super::world::World;
use crate::clock::MonoTime;

/// How long an order that is done stays on the screen.
const DONE_SHOWN_MS: u64 = 10_000;
/// Orders that are followed; the oldest is dropped for one more.
const MOST_ORDERS: usize = 32;

/// One command on its way.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Order {
    pub command: AgentCommand,
    pub asked: MonoTime,
    pub stage: Stage,
    /// How long each agent took to obey, in ms, once it does.
    pub obeyed_ms: BTreeMap<String, u64>,
    done: Option<MonoTime>,
}

/// How far a command has come.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Stage {
    /// Sent; no answer yet.
    Sent,
    /// Durable at the collector, with each agent's generation.
    Taken { at_ms: i64, generations: BTreeMap<String, u64> },
    /// Nothing was done, and why.
    Refused(String),
}

/// All of them, newest last.
#[derive(Clone, Debug, Default)]
pub(crate) struct Orders {
    list: Vec<Order>,
}

impl Order {
    pub(crate) fn new(command: AgentCommand, asked: MonoTime) -> Self {
        Self { command, asked, stage: Stage::Sent, obeyed_ms: BTreeMap::new(), done: None }
    }

    /// Agents that have yet to obey.
    pub(crate) fn pending(&self) -> impl Iterator<Item = &str> {
        let waits = |agent: &&String| !self.obeyed_ms.contains_key(*agent);
        self.command.agents.iter().filter(waits).map(String::as_str)
    }

    /// How the agents stand that have the order, but have yet to obey: their tasks drain.
    pub(crate) fn draining<'a>(&self, world: &'a World) -> Vec<&'a CommandStatus> {
        let Stage::Taken { generations, .. } = &self.stage else { return Vec::new() };
        let command = |agent: &str| world.agent(agent)?.vitals.command.as_ref();
        let has_it = |agent: &str, command: &CommandStatus| {
            command.action == self.command.action
                && command.delivered_ms.is_some()
                && generations.get(agent).is_some_and(|wanted| command.generation >= *wanted)
        };
        let found = self.pending().filter_map(|agent| Some((agent, command(agent)?)));
        found.filter(|(agent, command)| has_it(agent, command)).map(|(_, it)| it).collect()
    }

    fn obeyed(&mut self, agent: &str, generation: u64, ms: u64) {
        if let Stage::Taken { generations, .. } = &self.stage
            && generations.get(agent).is_some_and(|wanted| generation >= *wanted)
        {
            self.obeyed_ms.entry(agent.to_owned()).or_insert(ms);
        }
    }
}

impl Orders {
    pub(crate) fn push(&mut self, order: Order) {
        if self.list.len() >= MOST_ORDERS {
            self.list.remove(0);
        }
        self.list.push(order);
    }

    /// Those to show, newest first.
    pub(crate) fn shown(&self) -> impl DoubleEndedIterator<Item = &Order> {
        self.list.iter().rev()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(crate) fn dismiss_all(&mut self) {
        self.list.clear();
    }

    /// Commands without an answer. Sent again after a lost link; their number makes that safe.
    pub(crate) fn unanswered(&self) -> impl Iterator<Item = &AgentCommand> {
        self.list.iter().filter(|order| order.stage == Stage::Sent).map(|order| &order.command)
    }

    /// The collector's answer to a command.
    pub(crate) fn answer(&mut self, outcome: &CommandOutcome) {
        let Some(order) =
            self.list.iter_mut().find(|order| order.command.request_id == outcome.request_id)
        else {
            return;
        };
        order.stage = match &outcome.refused {
            Some(refusal) => Stage::Refused(refusal_text(refusal)),
            None => Stage::Taken {
                at_ms: outcome.at_ms,
                generations: outcome
                    .targets
                    .iter()
                    .map(|target| (target.agent.to_string(), target.generation))
                    .collect(),
            },
        };
    }

    /// A command that could not even be given.
    pub(crate) fn fail(&mut self, request_id: u64, why: &str) {
        if let Some(order) = self.list.iter_mut().find(|o| o.command.request_id == request_id) {
            order.stage = Stage::Refused(why.to_owned());
        }
    }

    /// Notes who obeys by now. Called with all news.
    pub(crate) fn observe(&mut self, world: &World, events: &[Event], now: MonoTime) {
        for order in &mut self.list {
            observe_events(order, events);
            observe_vitals(order, world);
            let settled =
                matches!(order.stage, Stage::Refused(_)) || order.pending().next().is_none();
            if settled && order.done.is_none() {
                order.done = Some(now);
            }
        }
    }

    /// Forgets what has been done for a while. Returns whether anything went.
    pub(crate) fn tidy(&mut self, now: MonoTime) -> bool {
        let before = self.list.len();
        self.list.retain(|order| order.done.is_none_or(|at| now.since(at) < DONE_SHOWN_MS));
        self.list.len() != before
    }
}

fn observe_events(order: &mut Order, events: &[Event]) {
    for event in events {
        if let (Some(agent), EventKind::Obeyed { action, generation, obeyed_ms, .. }) =
            (&event.agent, &event.kind)
            && *action == order.command.action
        {
            order.obeyed(agent, *generation, *obeyed_ms);
        }
    }
}

fn observe_vitals(order: &mut Order, world: &World) {
    let pending: Vec<String> = order.pending().map(str::to_owned).collect();
    for agent in pending {
        let command = world.agent(&agent).and_then(|entry| entry.vitals.command.as_ref());
        if let Some(command) = command
            && command.action == order.command.action
            && let Some(ms) = command.obeyed_ms
        {
            order.obeyed(&agent, command.generation, ms);
        }
    }
}

fn refusal_text(refusal: &CommandRefusal) -> String {
    match refusal {
        CommandRefusal::UnknownAgents(agents) => {
            format!("not known to the collector: {}", agents.join(", "))
        }
        CommandRefusal::NoReason => "a reason is required".to_owned(),
        CommandRefusal::NoAgents => "no agent was named".to_owned(),
        CommandRefusal::CountNotConfirmed { hits, .. } => {
            format!("it would hit {hits} agents, which was not confirmed")
        }
    }
}

impl Order {
    /// Kill or resume, for the screen.
    pub(crate) fn verb(&self) -> &'static str {
        match self.command.action {
            Action::Kill => "KILL",
            Action::Resume => "RESUME",
        }
    }
}
