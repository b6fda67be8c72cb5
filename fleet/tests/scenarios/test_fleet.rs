//! A fleet on a simulated clock, with its outputs as texts to compare.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use heartline_fleet::{
    Agent, AgentMessage, BudgetEvent, BudgetSetup, CommandRequest, CommandRow, ControlDbRow, Fleet,
    FleetConfig, HealthRules, HistoryDbRow, Input, MonoTime, OutgoingAck, OutgoingPush, Output,
    RestoredAgent, ReturnAddress, Transition, WorkRow, WriteTicket,
};

use heartline_vocabulary::{Action, AgentRowId, AgentStatus, Reason};

use crate::test_message::TestMessage;

/// A fleet on a simulated clock.
pub(crate) struct TestFleet {
    pub(crate) core: Fleet,
    pub(crate) now: MonoTime,
    /// Times in transitions count from here.
    origin: MonoTime,
    outputs: Vec<Output>,
    sequences: BTreeMap<(&'static str, u64), u64>,
    requests: u64,
}

/// Start of every scenario.
pub(crate) const START: MonoTime = MonoTime::from_millis(1_000_000_000);

impl TestFleet {
    /// Returns an empty fleet that has just begun.
    pub(crate) fn new() -> Self {
        Self::restored(Vec::new())
    }

    /// Returns a fleet with restored agents that has just begun.
    pub(crate) fn restored(agents: Vec<RestoredAgent>) -> Self {
        Self::begun(FleetConfig::default(), agents)
    }

    /// Returns an empty fleet with a configuration.
    pub(crate) fn with_config(config: FleetConfig) -> Self {
        Self::begun(config, Vec::new())
    }

    /// Returns a fleet with restored agents and with budgets, that has just begun.
    pub(crate) fn with_budgets(setup: BudgetSetup, agents: Vec<RestoredAgent>) -> Self {
        Self::begun_with(FleetConfig::default(), Some(setup), agents)
    }

    /// Returns a fleet with a configuration and restored agents that has just begun.
    pub(crate) fn begun(config: FleetConfig, agents: Vec<RestoredAgent>) -> Self {
        Self::begun_with(config, None, agents)
    }

    fn begun_with(
        config: FleetConfig,
        budgets: Option<BudgetSetup>,
        agents: Vec<RestoredAgent>,
    ) -> Self {
        let mut core = Fleet::new(config, START);
        for agent in agents {
            core.handle(Input::Restore(Box::new(agent)), START);
        }
        let mut fleet = Self {
            core,
            now: START,
            origin: START,
            outputs: Vec::new(),
            sequences: BTreeMap::new(),
            requests: 0,
        };
        if let Some(setup) = budgets {
            fleet.handle(Input::Budgets(Box::new(setup)));
        }
        fleet.handle(Input::Begin { last_alive: None, next_id: AgentRowId(1) });
        fleet
    }

    /// Returns a fleet with one agent that has sent one message.
    pub(crate) fn with_agent(agent: TestMessage) -> Self {
        let mut fleet = Self::new();
        fleet.receive(agent);
        fleet.discard_outputs();
        fleet
    }

    pub(crate) fn handle(&mut self, input: Input<'_>) {
        self.core.handle(input, self.now);
        self.outputs.extend(std::iter::from_fn(|| self.core.poll_output()));
    }

    pub(crate) fn receive(&mut self, message: TestMessage) {
        let next = self.sequences.entry((message.agent, message.session)).or_insert(0);
        let sequence = message.sequence.unwrap_or(*next + 1);
        *next = sequence.max(*next);
        let message = AgentMessage {
            index: self.core.find(message.agent),
            agent: message.agent,
            scope: message.scope,
            session: message.session,
            sequence,
            tag_prefix: message.tag_prefix,
            fresh: message.fresh,
            from: ReturnAddress { peer: peer(message.host, message.port), via: 0 },
            len: 190,
            body: message.body,
        };
        self.handle(Input::Message(&message));
    }

    /// Advances the clock, with a tick at each timeout of the fleet.
    pub(crate) fn advance_ms(&mut self, ms: u64) {
        let end = self.now.plus_millis(ms);
        while self.now < end {
            self.now = self.core.poll_timeout().max(self.now.plus_millis(1)).min(end);
            self.handle(Input::Tick);
        }
    }

    /// Advances to so many milliseconds after the origin.
    pub(crate) fn advance_to_ms(&mut self, ms: u64) {
        self.advance_ms(self.origin.plus_millis(ms).millis_since(self.now));
    }

    /// Advances the clock without ticks.
    pub(crate) fn skip_ms(&mut self, ms: u64) {
        self.now = self.now.plus_millis(ms);
    }

    /// Makes now the origin of times.
    pub(crate) fn reset_origin(&mut self) {
        self.origin = self.now;
    }

    pub(crate) fn origin(&self) -> MonoTime {
        self.origin
    }

    pub(crate) fn agent(&self, agent: &str) -> &Agent {
        self.core.agent(self.core.find(agent).expect("known")).expect("known")
    }

    /// `healthy`, `degraded late`, …
    pub(crate) fn status(&self, agent: &str) -> String {
        status_text(self.agent(agent).status())
    }

    /// Sends an operator's command for one agent.
    pub(crate) fn command(&mut self, action: Action, agent: &str) -> u64 {
        self.requests += 1;
        let request = request(self.requests, action, &[agent]);
        self.handle(Input::Command(request));
        self.requests
    }

    /// Confirms that all commands so far are durable.
    pub(crate) fn confirm_commands(&mut self) {
        let ticket = self.outputs.iter().rev().find_map(|output| match output {
            Output::WriteControl(ControlDbRow::Command(row)) => Some(row.ticket),
            _ => None,
        });
        self.handle(Input::ControlCommitted { ticket: ticket.expect("a command is pending") });
    }

    /// Sends a command that is durable at once.
    pub(crate) fn command_durably(&mut self, action: Action, agent: &str) {
        self.command(action, agent);
        self.confirm_commands();
    }

    /// Confirms that work is stored up to this ticket.
    /// Returns the reasons for which an agent is not judged yet.
    pub(crate) fn being_learned(&self, agent: &str) -> Vec<Reason> {
        self.core.being_learned(self.core.find(agent).expect("known"))
    }

    pub(crate) fn confirm_work(&mut self, ticket: u64) {
        self.handle(Input::HistoryCommitted { ticket: WriteTicket(ticket), known: Vec::new() });
    }

    pub(crate) fn discard_outputs(&mut self) {
        self.outputs.clear();
    }

    pub(crate) fn outputs_so_far(&self) -> &[Output] {
        &self.outputs
    }

    /// Takes all outputs.
    pub(crate) fn outputs(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.outputs)
    }

    /// Takes the transitions, as `90000 healthy → degraded late`.
    pub(crate) fn transitions(&mut self) -> Vec<String> {
        let origin = self.origin;
        let text = |Transition { at, from, to, .. }| {
            format!("{} {} → {}", ms(at, origin), status_text(from), status_text(to))
        };
        self.transition_rows().into_iter().map(text).collect()
    }

    /// Takes the causes of the transitions.
    pub(crate) fn causes(&mut self) -> Vec<String> {
        self.transition_rows().iter().map(|row| row.cause.to_string()).collect()
    }

    /// Takes the rows of the transitions.
    pub(crate) fn transition_rows(&mut self) -> Vec<Transition> {
        let row = |row| match row {
            HistoryDbRow::Transition(row) => Some(row),
            _ => None,
        };
        self.history().into_iter().filter_map(row).collect()
    }

    /// Takes the rows for `history.db`.
    pub(crate) fn history(&mut self) -> Vec<HistoryDbRow> {
        let row = |output| match output {
            Output::WriteHistory(row) => Some(row),
            Output::Transition(row) => Some(HistoryDbRow::Transition(row)),
            _ => None,
        };
        self.outputs().into_iter().filter_map(row).collect()
    }

    /// Takes the rows of work.
    pub(crate) fn work(&mut self) -> Vec<WorkRow> {
        let row = |row| match row {
            HistoryDbRow::Work(row) => Some(*row),
            _ => None,
        };
        self.history().into_iter().filter_map(row).collect()
    }

    /// Takes the acks.
    pub(crate) fn acks(&mut self) -> Vec<OutgoingAck> {
        let ack = |output| match output {
            Output::Ack(ack) => Some(ack),
            _ => None,
        };
        self.outputs().into_iter().filter_map(ack).collect()
    }

    /// Takes the events of budgets.
    pub(crate) fn budget_events(&mut self) -> Vec<BudgetEvent> {
        let event = |output| match output {
            Output::Budget(event) => Some(*event),
            _ => None,
        };
        self.outputs().into_iter().filter_map(event).collect()
    }

    /// Takes the commands on their way to the disk, as `kill a b by policy: p`.
    pub(crate) fn commands(&mut self) -> Vec<String> {
        let command = |output| match output {
            Output::WriteControl(ControlDbRow::Command(row)) => Some(row),
            _ => None,
        };
        let text = |row: CommandRow| {
            let agents: Vec<_> = row.targets.iter().map(|it| &*it.target.agent).collect();
            format!("{} {} by {}", row.action.name(), agents.join(" "), row.by)
        };
        self.outputs().into_iter().filter_map(command).map(text).collect()
    }

    /// Takes the pushes.
    pub(crate) fn pushes(&mut self) -> Vec<OutgoingPush> {
        let push = |output| match output {
            Output::Push(push) => Some(push),
            _ => None,
        };
        self.outputs().into_iter().filter_map(push).collect()
    }
}

/// Returns an operator's command.
pub(crate) fn request(request_id: u64, action: Action, agents: &[&str]) -> CommandRequest {
    CommandRequest {
        request_id,
        action,
        cause: Reason::Operator,
        agents: agents.iter().map(|&agent| agent.to_owned()).collect(),
        reason: "over budget".into(),
        by: "root@desk".into(),
        expect: None,
    }
}

/// Returns an agent to restore: healthy, with the one session 1.
pub(crate) fn restored_agent(agent: &str) -> RestoredAgent {
    RestoredAgent {
        id: AgentRowId(7),
        agent: agent.into(),
        first_seen: START.minus_millis(9_000_000),
        identity: None,
        interval_ms: crate::test_message::INTERVAL_MS,
        status: AgentStatus::HEALTHY,
        since: START.minus_millis(8_000_000),
        last_live: Some(START.minus_millis(60_000)),
        starts: 1,
        sessions: vec![heartline_fleet::RestoredSession {
            session: 1,
            applied_segment: 5,
            ended: None,
        }],
        totals: heartline_vocabulary::WorkTotals {
            ok: 50,
            ..heartline_vocabulary::WorkTotals::default()
        },
        quality: heartline_fleet::QualityRecord::default(),
        desired: None,
    }
}

/// Returns changed default rules.
pub(crate) fn rules(change: impl FnOnce(&mut HealthRules)) -> HealthRules {
    let mut rules = HealthRules::default();
    change(&mut rules);
    rules
}

pub(crate) fn peer(host: u8, port: u16) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, host], port))
}

/// Returns the milliseconds from `from` to `at`; negative if `at` is earlier.
pub(crate) fn ms(at: MonoTime, from: MonoTime) -> i64 {
    (at.nanos() - from.nanos()) / 1_000_000
}

fn status_text(status: AgentStatus) -> String {
    let reason = status.reason.map_or(String::new(), |reason| format!(" {}", reason.name()));
    format!("{}{reason}", status.state.name())
}
