//! Kills and resumes that this operator sent, followed until every agent obeys.

use std::collections::BTreeMap;

use heartline_operator::message::{AgentCommand, CommandOutcome, CommandStatus, Event, EventKind};
use heartline_vocabulary::CommandRefusal;

use super::model::FleetModel;
use crate::clock::MonoTime;

/// How long a finished command stays on the screen.
const FINISHED_VISIBLE_MS: u64 = 10_000;
/// The most commands that are followed; for one more the oldest is dropped.
const MAX_COMMANDS: usize = 32;

/// A command that was sent, and who obeys it so far.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TrackedCommand {
    pub command: AgentCommand,
    pub sent_at: MonoTime,
    pub progress: CommandProgress,
    /// How long each agent took to obey, in ms.
    pub obeyed_ms: BTreeMap<String, u64>,
    finished_at: Option<MonoTime>,
}

/// The answer of the collector to a command, so far.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum CommandProgress {
    /// Not answered yet.
    Sent,
    /// Durable at the collector, with the generation that each agent has to obey.
    Accepted { generations: BTreeMap<String, u64> },
    /// Not carried out, with the reason.
    Refused(String),
}

/// The commands that this operator sent, newest last.
#[derive(Clone, Debug, Default)]
pub(crate) struct CommandTracker {
    commands: Vec<TrackedCommand>,
}

impl TrackedCommand {
    pub(crate) fn new(command: AgentCommand, sent_at: MonoTime) -> Self {
        let progress = CommandProgress::Sent;
        Self { command, sent_at, progress, obeyed_ms: BTreeMap::new(), finished_at: None }
    }

    /// Returns the agents that have yet to obey.
    pub(crate) fn pending_agents(&self) -> impl Iterator<Item = &str> {
        let is_pending = |agent: &&String| !self.obeyed_ms.contains_key(*agent);
        self.command.agents.names().iter().filter(is_pending).map(String::as_str)
    }

    /// Returns the status of the command at those agents that received it and have yet to obey: their
    /// tasks drain.
    pub(crate) fn draining<'a>(&self, model: &'a FleetModel) -> Vec<&'a CommandStatus> {
        let CommandProgress::Accepted { generations } = &self.progress else { return Vec::new() };
        let command = |agent: &str| model.agent(agent)?.vitals.command.as_deref();
        let has_it = |agent: &str, command: &CommandStatus| {
            command.action == self.command.action
                && command.delivered_ms.is_some()
                && generations.get(agent).is_some_and(|wanted| command.generation >= *wanted)
        };
        let found = self.pending_agents().filter_map(|agent| Some((agent, command(agent)?)));
        found.filter(|(agent, command)| has_it(agent, command)).map(|(_, it)| it).collect()
    }

    fn record_obeyed(&mut self, agent: &str, generation: u64, ms: u64) {
        if let CommandProgress::Accepted { generations } = &self.progress
            && generations.get(agent).is_some_and(|wanted| generation >= *wanted)
        {
            self.obeyed_ms.entry(agent.to_owned()).or_insert(ms);
        }
    }
}

impl CommandTracker {
    pub(crate) fn push(&mut self, tracked: TrackedCommand) {
        if self.commands.len() >= MAX_COMMANDS {
            self.commands.remove(0);
        }
        self.commands.push(tracked);
    }

    /// Returns the commands, newest first.
    pub(crate) fn newest_first(&self) -> impl Iterator<Item = &TrackedCommand> {
        self.commands.iter().rev()
    }

    pub(crate) fn clear(&mut self) {
        self.commands.clear();
    }

    /// Returns the commands without an answer. They are sent again after a lost link, which their
    /// request ids make safe.
    pub(crate) fn unanswered(&self) -> impl Iterator<Item = &AgentCommand> {
        self.commands
            .iter()
            .filter(|tracked| tracked.progress == CommandProgress::Sent)
            .map(|tracked| &tracked.command)
    }

    /// Records the collector's answer to a command.
    pub(crate) fn record_outcome(&mut self, outcome: &CommandOutcome) {
        let progress = match &outcome.refused {
            Some(refusal) => CommandProgress::Refused(refusal_text(refusal)),
            None => CommandProgress::Accepted {
                generations: outcome
                    .targets
                    .iter()
                    .map(|target| (target.agent.to_string(), target.generation))
                    .collect(),
            },
        };
        self.set_progress(outcome.request_id, progress);
    }

    /// Records that a command could not be sent or was not understood.
    pub(crate) fn record_failure(&mut self, request_id: u64, why: &str) {
        self.set_progress(request_id, CommandProgress::Refused(why.to_owned()));
    }

    fn set_progress(&mut self, request_id: u64, progress: CommandProgress) {
        let mut commands = self.commands.iter_mut();
        if let Some(tracked) = commands.find(|it| it.command.request_id == request_id) {
            tracked.progress = progress;
        }
    }

    /// Records who obeys, by new events and by the agents' vitals.
    pub(crate) fn observe(&mut self, model: &FleetModel, events: &[Event], now: MonoTime) {
        for tracked in &mut self.commands {
            observe_events(tracked, events);
            observe_vitals(tracked, model);
            let is_finished = matches!(tracked.progress, CommandProgress::Refused(_))
                || tracked.pending_agents().next().is_none();
            if is_finished && tracked.finished_at.is_none() {
                tracked.finished_at = Some(now);
            }
        }
    }

    /// Removes commands that finished a while ago. Returns whether there were any.
    pub(crate) fn remove_finished(&mut self, now: MonoTime) -> bool {
        let before = self.commands.len();
        self.commands.retain(|tracked| {
            tracked.finished_at.is_none_or(|at| now.since(at) < FINISHED_VISIBLE_MS)
        });
        self.commands.len() != before
    }
}

fn observe_events(tracked: &mut TrackedCommand, events: &[Event]) {
    for event in events {
        if let (Some(agent), EventKind::Obeyed { action, generation, obeyed_ms, .. }) =
            (&event.agent, &event.kind)
            && *action == tracked.command.action
        {
            tracked.record_obeyed(agent, *generation, *obeyed_ms);
        }
    }
}

fn observe_vitals(tracked: &mut TrackedCommand, model: &FleetModel) {
    let pending: Vec<String> = tracked.pending_agents().map(str::to_owned).collect();
    for agent in pending {
        let command = model.agent(&agent).and_then(|entry| entry.vitals.command.as_ref());
        if let Some(command) = command
            && command.action == tracked.command.action
            && let Some(ms) = command.obeyed_ms
        {
            tracked.record_obeyed(&agent, command.generation, ms);
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
        CommandRefusal::TargetsChanged => "other agents match now than were shown".to_owned(),
    }
}
