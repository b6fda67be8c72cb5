//! The fleet: one owner of all agents.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use heartline_protocol::ControlId;
use heartline_vocabulary::{AgentRowId, DatagramCounters, IncidentId, Reason, StateCounts};

use crate::agent::Agent;
use crate::agent_table::{AgentIndex, AgentTable};
use crate::alert::{AlertEngine, AlertRules};
use crate::cause::TransitionCause;
use crate::command::ApplyingCommand;
use crate::context::{AgentMut, HandlerContext};
use crate::forget::Tombstones;
use crate::gap::{GapDetector, TICK_INTERVAL_MAX};
use crate::input::Input;
use crate::latency_limit::LatencyLimits;
use crate::output::{CommandRow, HistoryDbRow, Output, WriteTicket};
use crate::registration::{RegistrationLimits, Registrations};
use crate::thresholds::{HealthRules, ThresholdTable};
use crate::time::MonoTime;

/// The settings of a fleet.
#[derive(Clone, Debug)]
pub struct FleetConfig {
    /// The thresholds by which agents are judged.
    pub rules: HealthRules,
    /// Seed of the name table's hash; random, so that names can't be chosen to collide.
    pub hash_seed: [u64; 4],
    /// The series that generations of commands belong to.
    pub control: ControlId,
    pub limits: RegistrationLimits,
    pub alerts: AlertRules,
    /// The smallest number that no incident ever had.
    pub next_incident: IncidentId,
    /// Largest number of agents; beats of further ones are counted and dropped.
    pub agents_max: usize,
}

impl Default for FleetConfig {
    fn default() -> Self {
        Self {
            rules: HealthRules::default(),
            hash_seed: [1, 2, 3, 4],
            control: const { ControlId::new(1).expect("it is not 0") },
            limits: RegistrationLimits::default(),
            alerts: AlertRules::default(),
            next_incident: IncidentId(1),
            agents_max: 4_000_000,
        }
    }
}

/// All agents, and every judgement about them. See the crate's documentation for its four verbs.
pub struct Fleet {
    pub(crate) agents: AgentTable,
    pub(crate) context: HandlerContext,
    pub(crate) tombstones: Tombstones,
    pub(crate) registrations: Registrations,
    pub(crate) limits: RegistrationLimits,
    pub(crate) alerts: AlertEngine,
    /// Commands on their way to the disk.
    pub(crate) pending_commands: BTreeMap<WriteTicket, CommandRow>,
    /// Durable commands that are not applied to all of their agents yet.
    pub(crate) applying_commands: VecDeque<ApplyingCommand>,
    pub(crate) last_command: WriteTicket,
    pub(crate) next_row_id: AgentRowId,
    pub(crate) gap_detector: GapDetector,
    pub(crate) gaps: u32,
    pub(crate) last_gap: Option<MonoTime>,
    due: Vec<AgentIndex>,
    last_sweep: MonoTime,
    /// Time up to which the socket was drained, or a gap recorded: drops found later began after it.
    pub(crate) observed_to: MonoTime,
}

/// Sweeps are at least this far apart, so that deadlines that pass one by one share one.
const SWEEP_EVERY: Duration = Duration::from_millis(20);

impl Fleet {
    /// Returns a fleet without agents. Restore the known ones, then [`Input::Begin`].
    pub fn new(config: FleetConfig, now: MonoTime) -> Self {
        Self {
            agents: AgentTable::new(config.hash_seed, config.agents_max),
            context: HandlerContext::new(config.control, ThresholdTable::new(config.rules)),
            tombstones: Tombstones::default(),
            registrations: Registrations::default(),
            limits: config.limits,
            alerts: AlertEngine::new(config.alerts, config.next_incident),
            pending_commands: BTreeMap::new(),
            applying_commands: VecDeque::new(),
            last_command: WriteTicket(0),
            next_row_id: AgentRowId(1),
            gap_detector: GapDetector::idle(),
            gaps: 0,
            last_gap: None,
            due: Vec::new(),
            last_sweep: now,
            observed_to: now,
        }
    }

    /// Takes one input. `now` never goes back.
    pub fn handle(&mut self, input: Input<'_>, now: MonoTime) {
        if let Some(gap) = self.gap_detector.observe(now) {
            self.on_frozen(gap);
        }
        match input {
            Input::Message(message) => self.on_message(message, now),
            Input::Tick => self.on_tick(now),
            Input::HistoryCommitted { ticket, known } => self.on_stored(ticket, &known, now),
            Input::Command(request) => self.on_command(request, now),
            Input::ControlCommitted { ticket } => self.on_persisted(ticket, now),
            Input::Abandoned { ticket, why } => self.on_abandoned(ticket, why, now),
            Input::KernelDrops { count } => self.on_kernel_drops(count, now),
            Input::Forget(request) => self.on_forget(request, now),
            Input::Baseline { agent, limits } => self.on_baseline(agent, limits),
            Input::Rules(rules) => self.on_rules(rules, now),
            Input::Budgets(setup) => self.on_budgets(*setup, now),
            Input::BudgetWindow { budget, window } => self.on_budget_window(budget, window, now),
            Input::ExpectedHours { expectation, hours } => {
                self.on_expected_hours(expectation, hours);
            }
            Input::Restore(agent) => self.on_restore(*agent, now),
            Input::Begin { last_alive, next_id } => self.on_begin(last_alive, next_id, now),
            Input::Alert(input) => self.on_alert_input(input, now),
            Input::End => self.on_end(),
        }
        self.run_alerts(now);
    }

    /// Returns the next thing to be done; `None`: nothing is left of the inputs so far.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.context.outputs.pop_front()
    }

    /// Returns when to call [`Self::handle`] again at the latest, with [`Input::Tick`].
    pub fn poll_timeout(&self) -> MonoTime {
        if !self.applying_commands.is_empty() {
            return self.gap_detector.last_observed();
        }
        let due = self.context.clock.mono(self.agents.earliest_deadline());
        let sweep = due.max(self.last_sweep + SWEEP_EVERY);
        let push = self.context.pushes_due.first().map_or(MonoTime::NEVER, |&(at, _)| at);
        let delayed_ack = self.context.delayed_acks.next_due();
        // Counted from the last tick, which messages that never cease must not put off.
        let alerts = self.alerts.poll_timeout();
        sweep.min(push).min(delayed_ack).min(alerts).min(self.observed_to + TICK_INTERVAL_MAX)
    }

    /// Finds an agent by its id.
    pub fn find(&self, agent: &str) -> Option<AgentIndex> {
        self.agents.find(agent)
    }

    /// Finds many agents, into `found` in the order of their ids. Faster than one by one when there
    /// are many, and messages of all of them are handled next.
    pub fn find_all(&self, agents: &[&str], found: &mut Vec<Option<AgentIndex>>) {
        self.agents.find_all(agents, found);
    }

    /// Returns one agent to read.
    pub fn agent(&self, index: AgentIndex) -> Option<&Agent> {
        self.agents.get(index)
    }

    /// Returns the reasons for which an agent is not judged yet, because too little of its own past is known.
    pub fn being_learned(&self, index: AgentIndex) -> Vec<Reason> {
        let agent = self.agents.get(index);
        agent.map_or_else(Vec::new, |agent| {
            agent.being_learned(self.context.thresholds.get(agent.thresholds))
        })
    }

    /// Returns the exclusive upper bound of every [`AgentIndex`].
    pub fn slot_count(&self) -> u32 {
        self.agents.slot_count()
    }

    /// Returns all agents to read, with their indices.
    pub fn agents(&self) -> impl Iterator<Item = (AgentIndex, &Agent)> {
        self.agents.indices().filter_map(|index| Some((index, self.agents.get(index)?)))
    }

    /// Returns the number of agents in each state.
    pub fn state_counts(&self) -> &StateCounts {
        &self.context.state_counts
    }

    /// Returns the counters of messages: those that were decoded, and acks to them.
    pub fn counters(&self) -> &DatagramCounters {
        &self.context.counters
    }

    /// Returns how often a segment was not taken, to be sent again, because the store lags.
    pub fn work_shed(&self) -> u64 {
        self.context.work_shed
    }

    /// Returns the scopes of which new agents were refused in the last minute, with how many were
    /// refused since the collector started.
    pub fn refused_registrations(&self, now: MonoTime) -> impl Iterator<Item = (&str, u64)> {
        self.registrations.refused(now)
    }

    /// Returns how many live beats reported a command too far above ours to be believed.
    pub fn implausible_reports(&self) -> u64 {
        self.context.implausible_reports
    }

    /// Returns how many identities and texts of them are kept more than once, because too many
    /// different ones are in use.
    pub fn unshared_identities(&self) -> u64 {
        self.context.interner.unshared()
    }

    /// Returns the number of gaps: stretches of time that were not observed.
    pub fn gaps(&self) -> u32 {
        self.gaps
    }

    /// Returns the number of work rows that are not on disk yet.
    pub fn uncommitted_work(&self) -> usize {
        self.context.uncommitted_work.len()
    }

    /// Returns the end of the newest stretch of time that was not observed.
    pub fn last_gap(&self) -> Option<MonoTime> {
        self.last_gap
    }

    /// Moves out the agents that changed since the last call, each once.
    pub fn drain_changed(&mut self, into: &mut Vec<AgentIndex>) {
        into.append(&mut self.context.changed);
        for &index in &*into {
            if let Some(agent) = self.agents.get_mut(index) {
                agent.changed = false;
            }
        }
    }

    /// Looks up an agent to work on.
    pub(crate) fn agent_mut(&mut self, index: AgentIndex) -> Option<AgentMut<'_>> {
        let (agent, deadline) = self.agents.get_with_deadline(index)?;
        Some(AgentMut { index, agent, deadline, context: &mut self.context })
    }

    /// Looks up an agent that may have been forgotten, and its place taken over, since `id` was
    /// given its index.
    pub(crate) fn agent_mut_if(
        &mut self,
        index: AgentIndex,
        id: AgentRowId,
    ) -> Option<AgentMut<'_>> {
        self.agent_mut(index).filter(|it| it.agent.id == id)
    }

    /// Works on every agent.
    pub(crate) fn for_each_agent(&mut self, mut work: impl FnMut(AgentMut<'_>)) {
        let all: Vec<AgentIndex> = self.agents.indices().collect();
        for index in all {
            self.agent_mut(index).into_iter().for_each(&mut work);
        }
    }

    /// Gives out a row id.
    pub(crate) fn take_row_id(&mut self) -> AgentRowId {
        let next = AgentRowId(self.next_row_id.0 + 1);
        std::mem::replace(&mut self.next_row_id, next)
    }

    fn on_tick(&mut self, now: MonoTime) {
        self.observed_to = now;
        if let Some(gap) = self.gap_detector.take_ended_drops(now) {
            self.record_gap(gap);
        }
        let is_due = self.context.clock.mono(self.agents.earliest_deadline()) <= now;
        if is_due && now >= self.last_sweep + SWEEP_EVERY {
            self.sweep(now);
        }
        self.apply_commands(now);
        self.resume_overdue(now);
        self.send_delayed_acks(now);
        self.remove_aged(now);
    }

    /// Judges every agent whose deadline has passed, each as of that deadline.
    pub(crate) fn sweep(&mut self, now: MonoTime) {
        self.last_sweep = now;
        let mut due = std::mem::take(&mut self.due);
        self.agents.sweep(self.context.clock.observed(now), &mut due);
        due.sort_by_key(|&index| self.agents.deadline(index));
        for index in due.drain(..) {
            self.agent_mut(index).into_iter().for_each(|mut agent| agent.catch_up(now));
        }
        self.due = due;
    }

    fn on_baseline(&mut self, agent: &str, limits: LatencyLimits) {
        if let Some(it) = self.find(agent).and_then(|index| self.agent_mut(index)) {
            it.agent.own_latency_limits = limits;
        }
    }

    fn on_rules(&mut self, rules: HealthRules, now: MonoTime) {
        self.sweep(now);
        let before = std::mem::replace(&mut self.context.thresholds, ThresholdTable::new(rules));
        self.for_each_agent(|mut it| {
            let expected_before = before.expected(before.get(it.agent.thresholds));
            it.agent.thresholds = it.context.thresholds.intern(&it.agent.name);
            let expected = it.context.thresholds.expected(it.thresholds());
            if expected.map(|(it, _)| it) != expected_before.map(|(it, _)| it) {
                it.agent.expected = None;
            }
            it.agent.drop_unruled_tests(it.context.thresholds.get(it.agent.thresholds));
            it.rejudge(now, Some(TransitionCause::Rules));
        });
    }

    fn on_end(&mut self) {
        if let Some(gap) = self.gap_detector.take_drops() {
            self.record_gap(gap);
        }
        self.for_each_agent(|it| {
            if let Some(at) = it.agent.last_live.known() {
                let (id, session) = (it.agent.id, it.agent.session.id);
                it.context.record(HistoryDbRow::LastBeat { id, session, at });
            }
        });
    }
}
