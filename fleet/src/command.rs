//! Commands: from the request to the disk, to the agent, and how far it obeys.

use std::collections::{BTreeMap, BTreeSet};

use heartline_protocol::limits::GENERATION_MAX;
use heartline_protocol::{Beat, ControlId, DesiredState};
use heartline_vocabulary::{Action, AgentRowId, CommandRefusal, CommandTarget, Reason};

use crate::agent::Agent;
use crate::cause::TransitionCause;
use crate::context::AgentMut;
use crate::fleet::Fleet;
use crate::input::CommandRequest;
use crate::output::{
    CommandRow, CommandRowTarget, ControlDbRow, HistoryDbRow, OutgoingPush, Output, WriteTicket,
};
use crate::return_address::ReturnAddress;
use crate::time::MonoTime;

/// The newest command to an agent: its desired state, who set it, and how far the agent obeys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandRecord {
    /// Grows with every command.
    pub generation: u64,
    pub killed: bool,
    /// [`Reason::Operator`] or [`Reason::Policy`].
    pub cause: Reason,
    /// `user@host`
    pub by: Box<str>,
    /// Scrubbed.
    pub reason: Box<str>,
    /// Time at which it became durable.
    pub at: MonoTime,
    /// Time until a beat reported it as applied.
    pub delivered_ms: Option<u64>,
    /// Time until no task was in flight any more.
    pub obeyed_ms: Option<u64>,
    /// The last segment of its session that may still hold work from before it was quiet;
    /// [`u64::MAX`] until this session was quiet.
    pub last_segment: u64,
    /// It went on completing work after it was quiet.
    pub disobeyed: bool,
    /// Control id whose kill it lifts.
    pub lifts: Option<ControlId>,
}

impl CommandRecord {
    /// Returns the state that the agent is to be in, under our control id.
    pub fn state(&self, control: ControlId) -> DesiredState {
        let Self { generation, killed, .. } = *self;
        DesiredState { control: Some(control), generation, killed }
    }

    /// Returns whether it is a kill by the policy of that name.
    pub(crate) fn is_kill_by(&self, policy: &str) -> bool {
        self.killed && self.cause == Reason::Policy && *self.by == *policy
    }

    pub(crate) fn action(&self) -> Action {
        if self.killed { Action::Kill } else { Action::Resume }
    }
}

/// Most agents that a durable command is applied to in one turn: a few milliseconds.
const APPLIED_AT_ONCE: usize = 1_024;
/// Most pushes in one turn.
const PUSHED_AT_ONCE: usize = 512;

/// A durable command, and how many of its targets it was applied to.
#[derive(Debug)]
pub(crate) struct ApplyingCommand {
    row: CommandRow,
    applied: usize,
}

/// The next push of its desired state to an agent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PushSchedule {
    sent: u8,
    pub(crate) next: MonoTime,
}

/// The delays between pushes: they go out 0, 100, 200, 400 and 800 ms after the command; then the
/// acks carry it alone.
const PUSH_DELAYS_MS: [u64; 4] = [100, 100, 200, 400];

impl PushSchedule {
    fn new(now: MonoTime) -> Self {
        Self { sent: 0, next: now }
    }

    /// Advances to the next push; returns whether there is one.
    fn advance(&mut self, now: MonoTime) -> bool {
        let delay = PUSH_DELAYS_MS.get(usize::from(self.sent));
        self.sent = self.sent.saturating_add(1);
        delay.is_some_and(|&delay| {
            self.next = now.plus_millis(delay);
            true
        })
    }
}

impl Fleet {
    pub(crate) fn on_command(&mut self, request: CommandRequest, now: MonoTime) {
        let targets = match self.resolve_targets(&request) {
            Ok(targets) => targets,
            Err(refusal) => {
                let request_id = request.request_id;
                self.context.outputs.push_back(Output::CommandRefused { request_id, refusal });
                return;
            }
        };
        let CommandRequest { request_id, action, cause, reason, by, .. } = request;
        let ticket = WriteTicket(0);
        self.issue(CommandRow { ticket, request_id, at: now, action, cause, by, reason, targets });
    }

    /// Passes a command to `control.db`, under the next ticket.
    pub(crate) fn issue(&mut self, mut row: CommandRow) {
        self.last_command.0 += 1;
        row.ticket = self.last_command;
        self.context.persist(ControlDbRow::Command(row.clone()));
        self.pending_commands.insert(row.ticket, row);
    }

    /// Finds the agents of a command, checks it, and gives out their generations.
    fn resolve_targets(
        &mut self,
        request: &CommandRequest,
    ) -> Result<Vec<CommandRowTarget>, CommandRefusal> {
        if request.agents.is_empty() {
            return Err(CommandRefusal::NoAgents);
        }
        if request.action.kills() && request.reason.trim().is_empty() {
            return Err(CommandRefusal::NoReason);
        }
        let (mut found, mut unknown) = (BTreeSet::new(), Vec::new());
        for agent in &request.agents {
            match self.agents.find(agent) {
                Some(index) => drop(found.insert(index)),
                None => unknown.push(agent.clone()),
            }
        }
        if !unknown.is_empty() {
            return Err(CommandRefusal::UnknownAgents(unknown));
        }
        CommandRefusal::check_count(found.len(), self.agents.len(), request.expect)?;
        let mut target = |index| {
            let mut it = self.agent_mut(index)?;
            it.store();
            let agent = it.agent;
            let lifts = agent.blocked_by().filter(|_| !request.action.kills());
            // With another command on its way to the disk, only a further one can be sure to win.
            let changed = agent.generation > agent.durable_generation()
                || agent.is_killed() != request.action.kills()
                || lifts.is_some()
                || agent.is_kill_to_be_taken_over(request);
            if changed {
                // It must outrank what the agent has applied, which our database may have forgotten.
                let applied = agent.plausible_claim().unwrap_or(0);
                agent.generation = (agent.generation.max(applied) + 1).min(GENERATION_MAX);
            }
            let target = CommandTarget {
                agent: agent.name.clone(),
                generation: agent.generation,
                state: agent.status.state,
                changed,
            };
            Some(CommandRowTarget { id: agent.id, target, lifts })
        };
        Ok(found.into_iter().filter_map(&mut target).collect())
    }

    /// Applies every command that `control.db` committed up to `ticket`, as far as one turn goes.
    pub(crate) fn on_persisted(&mut self, ticket: WriteTicket, now: MonoTime) {
        while let Some(entry) = self.pending_commands.first_entry().filter(|it| *it.key() <= ticket)
        {
            self.applying_commands.push_back(ApplyingCommand { row: entry.remove(), applied: 0 });
        }
        self.apply_commands(now);
    }

    /// Applies durable commands to the next agents; the rest follow with later ticks, so that a
    /// command for a whole fleet does not keep it from observing.
    pub(crate) fn apply_commands(&mut self, now: MonoTime) {
        let mut left = APPLIED_AT_ONCE;
        while left > 0
            && let Some(mut command) = self.applying_commands.pop_front()
        {
            let from = command.applied;
            command.applied = (from + left).min(command.row.targets.len());
            left -= command.applied - from;
            let targets = &command.row.targets[from..command.applied];
            for row in targets.iter().filter(|row| row.target.changed) {
                let index = self.agents.find(&row.target.agent);
                if let Some(mut agent) = index.and_then(|index| self.agent_mut_if(index, row.id)) {
                    agent.set_desired(&command.row, row, now);
                }
            }
            if command.applied < command.row.targets.len() {
                self.applying_commands.push_front(command);
            } else {
                self.context.outputs.push_back(Output::CommandApplied {
                    request_id: command.row.request_id,
                    at: now,
                    targets: command.row.targets.into_iter().map(|row| row.target).collect(),
                });
            }
        }
        self.send_due_pushes(now);
    }

    /// Returns the agents that have commands which are not applied yet, with the highest generation
    /// that these give to each.
    pub(crate) fn commanded_agents(&self) -> BTreeMap<AgentRowId, u64> {
        let pending = self.pending_commands.values();
        let applying = self.applying_commands.iter().map(|command| &command.row);
        let mut commanded = BTreeMap::new();
        for CommandRowTarget { id, target, .. } in
            pending.chain(applying).flat_map(|row| &row.targets)
        {
            let highest: &mut u64 = commanded.entry(*id).or_default();
            *highest = (*highest).max(target.generation);
        }
        commanded
    }

    /// Drops a command that could not be stored, and reports it.
    pub(crate) fn on_abandoned(&mut self, ticket: WriteTicket, why: Box<str>, now: MonoTime) {
        let Some(row) = self.pending_commands.remove(&ticket) else { return };
        let request_id = row.request_id;
        self.context.outputs.push_back(Output::CommandAbandoned { request_id, why });
        self.resume_killed_again(now);
        // Their numbers were never seen outside, and are free again.
        let commanded = self.commanded_agents();
        for CommandRowTarget { id, target, .. } in row.targets {
            let index = self.agents.find(&target.agent);
            if let Some(it) = index.and_then(|index| self.agent_mut_if(index, id)) {
                let pending = commanded.get(&id).copied().unwrap_or(0);
                it.agent.generation = it.agent.durable_generation().max(pending);
            }
        }
    }

    /// Sends pushes that are due; the rest follow with later ticks.
    pub(crate) fn send_due_pushes(&mut self, now: MonoTime) {
        for _ in 0..PUSHED_AT_ONCE {
            let due = self.context.pushes_due.first().filter(|&&(at, _)| at <= now);
            let Some(&(at, index)) = due else { break };
            self.context.pushes_due.remove(&(at, index));
            if let Some(mut agent) = self.agent_mut(index) {
                agent.push(now);
            }
        }
    }
}

impl Agent {
    /// Returns whether it is killed by a policy, and a person wants it killed: then no policy may resume it.
    fn is_kill_to_be_taken_over(&self, request: &CommandRequest) -> bool {
        let is_by_policy = |it: &CommandRecord| it.killed && it.cause == Reason::Policy;
        request.action.kills()
            && request.cause == Reason::Operator
            && self.desired.as_deref().is_some_and(is_by_policy)
    }
}

impl AgentMut<'_> {
    fn set_desired(&mut self, command: &CommandRow, row: &CommandRowTarget, now: MonoTime) {
        self.catch_up(now);
        let generation = row.target.generation;
        let (by, reason) = (command.by.clone(), command.reason.clone());
        self.agent.desired = Some(Box::new(CommandRecord {
            generation,
            killed: command.action.kills(),
            cause: command.cause,
            by: by.clone(),
            reason: reason.clone(),
            at: now,
            delivered_ms: None,
            obeyed_ms: None,
            last_segment: u64::MAX,
            disobeyed: false,
            lifts: row.lifts,
        }));
        if command.action.kills() {
            self.agent.quality = None;
        }
        let schedule = Box::new(PushSchedule::new(now));
        if let Some(before) = self.agent.push_schedule.replace(schedule) {
            self.context.pushes_due.remove(&(before.next, self.index));
        }
        self.context.pushes_due.insert((now, self.index));
        self.context.record(HistoryDbRow::Commanded {
            id: self.agent.id,
            at: now,
            action: command.action,
            generation,
            by: by.clone(),
            reason: reason.clone(),
        });
        self.end_leases();
        self.record_budget_kill(command);
        self.rejudge(now, Some(TransitionCause::Command { by, reason }));
        self.mark_changed();
    }

    /// Sends the agent its desired state, until it has applied it or the schedule has ended.
    fn push(&mut self, now: MonoTime) {
        let agent = &mut *self.agent;
        let undelivered = agent.desired.as_ref().filter(|it| it.delivered_ms.is_none());
        let (Some(desired), Some(schedule)) = (undelivered, agent.push_schedule.as_deref_mut())
        else {
            agent.push_schedule = None;
            return;
        };
        // Without a live message there is no address: the next ack carries it.
        let observed = self.context.clock.observed(now);
        let second = agent.throttle.as_ref().and_then(|throttle| throttle.second_address);
        let second = second.filter(|&(_, until)| until > observed).map(|(address, _)| address);
        let last = agent.address.map(ReturnAddress::from);
        for to in last.into_iter().chain(second.filter(|second| Some(*second) != last)) {
            self.context.outputs.push_back(Output::Push(OutgoingPush {
                index: self.index,
                to,
                session: agent.session.id,
                desired: desired.state(self.context.control),
                lifts: desired.lifts,
            }));
        }
        if schedule.advance(now) {
            self.context.pushes_due.insert((schedule.next, self.index));
        } else {
            agent.push_schedule = None;
        }
    }

    /// Detects work that a killed agent completed after it was quiet.
    pub(crate) fn check_obedience(&mut self, beat: &Beat<'_>, now: MonoTime) {
        let agent = &mut *self.agent;
        let Some(desired) = agent.desired.as_mut().filter(|desired| desired.killed) else { return };
        if desired.last_segment == u64::MAX {
            if beat.in_flight == 0 {
                // The pending segment, and the open one behind it, hold work from before.
                let pending = beat.segment.map_or(0, |segment| segment.number);
                desired.last_segment = agent.session.applied.max(pending) + 1;
            }
            return;
        }
        let worked = beat.segment.is_some_and(|segment| {
            segment.number > desired.last_segment && segment.ok + segment.failed > 0
        });
        if worked && !desired.disobeyed {
            desired.disobeyed = true;
            let (id, generation) = (agent.id, desired.generation);
            self.context.record(HistoryDbRow::Disobeyed { id, at: now, generation });
        }
    }
}
