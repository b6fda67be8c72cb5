//! The collector of the year: the real core, started again now and then with what a store would give back.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use heartline_fleet::{
    AgentFilter, AgentMessage, AlertInput, AlertRoute, AlertRules, CommandRequest, ControlDbRow,
    Fleet, FleetConfig, HistoryDbRow, Input, LatencyLimits, MonoTime, Output, ReturnAddress,
    SinkTraits, StateSet,
};
use heartline_protocol::{ControlId, DesiredState};
use heartline_vocabulary::{Action, AgentStatus, Identity, Reason};

use super::agent::{Sent, YearAgent};
use super::past::LatencyPast;
use super::rules::YearRules;
use super::site::{AGENTS, DAY_MS, agent_name, agent_number};
use super::store::YearStore;
use super::watch::{CHAT, PAGER, Watch, needs_page};

/// The year begins so long after the zero of time: ages reach back before it.
const START_MS: u64 = 1_000 * DAY_MS;

/// The collector and its store.
pub(super) struct YearCollector {
    fleet: Option<Fleet>,
    pub(super) store: YearStore,
    /// The limits of latencies that the last hour set, by agent.
    limits: Vec<Option<LatencyLimits>>,
    past: Vec<LatencyPast>,
    names: Vec<Arc<str>>,
    requests: u64,
    rules: YearRules,
    pub(super) watch: Watch,
}

/// Everybody, in any state.
#[derive(Debug)]
struct Everybody;

impl AgentFilter for Everybody {
    fn matches(&self, _: &str, _: Option<&Identity>, _: AgentStatus) -> bool {
        true
    }
}

/// Returns the rules of the year: a plain route to a chat, one for what is slow or fast, which no plain route is for,
/// and one to a pager.
fn alert_rules() -> AlertRules {
    let route = |states, sink: &str| AlertRoute {
        filter: Arc::new(Everybody),
        states,
        sinks: vec![sink.into()],
        hold: Duration::ZERO,
        repeat: None,
        escalation: None,
        is_last: false,
    };
    let latency =
        StateSet { states: Vec::new(), reasons: vec![Reason::Slow, Reason::Fast], budgets: false };
    let pager = SinkTraits { reminds: true, groups: false };
    AlertRules {
        routes: vec![
            route(StateSet::default(), CHAT),
            route(latency, CHAT),
            route(needs_page(), PAGER),
        ],
        sinks: [(CHAT.into(), SinkTraits::default()), (PAGER.into(), pager)].into(),
        ..AlertRules::default()
    }
}

pub(super) fn at(ms: u64) -> MonoTime {
    MonoTime::from_millis((START_MS + ms) as i64)
}

/// Returns the time in the year; 0 before it.
pub(super) fn ms_of(at_time: MonoTime) -> u64 {
    at_time.millis_since(at(0))
}

impl YearCollector {
    pub(super) fn new(rules: YearRules, watch: Watch) -> Self {
        Self {
            fleet: None,
            store: YearStore::default(),
            limits: vec![None; AGENTS],
            past: (0..AGENTS).map(|_| LatencyPast::new()).collect(),
            names: (0..AGENTS).map(|agent| agent_name(agent).into()).collect(),
            requests: 0,
            rules,
            watch,
        }
    }

    /// Starts it with what the one before has stored.
    pub(super) fn start(&mut self, now_ms: u64) {
        let now = at(now_ms);
        let config = FleetConfig {
            rules: self.rules.health(),
            alerts: alert_rules(),
            next_incident: self.store.next_incident(),
            ..FleetConfig::default()
        };
        let mut fleet = Fleet::new(config, now);
        for agent in self.store.agents() {
            fleet.handle(Input::Restore(Box::new(agent.clone())), now);
        }
        for incident in self.store.open_incidents() {
            fleet.handle(Input::Alert(AlertInput::Restore(Box::new(incident))), now);
        }
        let (last_alive, next_id) = (self.store.last_alive, self.store.next_id());
        self.fleet = Some(fleet);
        self.handle(Input::Begin { last_alive, next_id }, now_ms);
        self.publish_hours(now_ms);
        for agent in 0..AGENTS {
            self.publish_limits(agent, now_ms);
        }
    }

    /// Ends it, or lets it be killed.
    pub(super) fn stop(&mut self, is_clean: bool, now_ms: u64) {
        if is_clean {
            self.handle(Input::End, now_ms);
        }
        self.store.last_alive = Some(at(now_ms));
        self.fleet = None;
    }

    /// Takes what an agent sends.
    pub(super) fn receive(
        &mut self,
        number: usize,
        agent: &mut YearAgent,
        what: &Sent,
        now_ms: u64,
    ) {
        let Some(fleet) = &self.fleet else { return };
        self.past[number].add(agent.latencies());
        let name = Arc::clone(&self.names[number]);
        let (index, session) = (fleet.find(&name), agent.session);
        let sequence = agent.sequence + 1;
        let Some(body) = agent.send(what, now_ms) else { return };
        let message = AgentMessage {
            index,
            agent: &name,
            scope: "",
            session,
            sequence,
            tag_prefix: sequence as u32,
            fresh: true,
            from: ReturnAddress { peer: ([10, 0, 0, 1], 1).into(), via: 0 },
            len: 300,
            body,
        };
        self.handle(Input::Message(&message), now_ms);
    }

    pub(super) fn is_running(&self) -> bool {
        self.fleet.is_some()
    }

    /// Lets time pass.
    pub(super) fn tick(&mut self, now_ms: u64) {
        let now = at(now_ms);
        if self.fleet.as_ref().is_some_and(|fleet| fleet.poll_timeout() <= now) {
            self.handle(Input::Tick, now_ms);
        }
    }

    /// Confirms the work that was written.
    pub(super) fn commit(&mut self, now_ms: u64) {
        let ticket = self.store.last_ticket;
        self.handle(Input::HistoryCommitted { ticket, known: Vec::new() }, now_ms);
    }

    /// Ends an hour: each agent gets the limits of latencies that its past sets for the next.
    pub(super) fn end_hour(&mut self, is_midnight: bool, now_ms: u64) {
        self.publish_hours(now_ms);
        for agent in 0..AGENTS {
            // What is not known any more stays as it was.
            if let Some(limits) = self.past[agent].end_hour(is_midnight) {
                self.limits[agent] = Some(limits);
                self.publish_limits(agent, now_ms);
            }
        }
    }

    fn publish_hours(&mut self, now_ms: u64) {
        for (expectation, hours) in self.rules.hours(now_ms) {
            self.handle(Input::ExpectedHours { expectation, hours: Some(hours) }, now_ms);
        }
    }

    fn publish_limits(&mut self, agent: usize, now_ms: u64) {
        if let Some(limits) = self.limits[agent] {
            let name = agent_name(agent);
            self.handle(Input::Baseline { agent: &name, limits }, now_ms);
        }
    }

    /// Gives a command of an operator, which is durable at once.
    pub(super) fn command(&mut self, action: Action, agents: &[usize], now_ms: u64) -> Result<()> {
        self.requests += 1;
        let request = CommandRequest {
            request_id: self.requests,
            action,
            cause: Reason::Operator,
            agents: agents.iter().map(|&it| agent_name(it)).collect(),
            reason: "maintenance".into(),
            by: "ops@desk".into(),
            expect: u32::try_from(agents.len()).ok(),
        };
        let refused = self.watch.commands_refused;
        self.handle(Input::Command(request), now_ms);
        ensure!(self.watch.commands_refused == refused, "a command was refused");
        Ok(())
    }

    /// Returns the state that an agent is to be in.
    pub(super) fn desired(&self, agent: &str) -> Option<DesiredState> {
        let fleet = self.fleet.as_ref()?;
        let known = fleet.agent(fleet.find(agent)?)?;
        let control = ControlId::new(1).expect("it is not 0");
        Some(self.store.agent(known.id())?.desired.as_ref()?.state(control))
    }

    fn handle(&mut self, input: Input<'_>, now_ms: u64) {
        let now = at(now_ms);
        let Some(fleet) = &mut self.fleet else { return };
        fleet.handle(input, now);
        let mut durable = None;
        while let Some(output) = fleet.poll_output() {
            match output {
                Output::Transition(row) => {
                    self.store.set_status(row.id, row.to, row.at);
                    if let Some(agent) = self.store.agent(row.id) {
                        let agent = agent_number(&agent.agent);
                        let is_outage = row.to.state.is_trouble();
                        self.past[agent].set_outage(is_outage);
                        self.watch.on_transition(agent, &row, now_ms);
                    }
                }
                Output::WriteHistory(HistoryDbRow::Notice(notice)) => {
                    self.watch.on_notice(&notice, now_ms);
                }
                Output::WriteHistory(row) => self.store.write_history(&row),
                Output::WriteControl(row) => {
                    if let ControlDbRow::Command(command) = &row {
                        durable = Some(command.ticket);
                    }
                    self.store.write_control(row, now);
                }
                Output::CommandRefused { .. } => self.watch.commands_refused += 1,
                _ => {}
            }
        }
        if let Some(ticket) = durable {
            self.handle(Input::ControlCommitted { ticket }, now_ms);
        }
    }
}
