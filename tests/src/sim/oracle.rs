//! The oracle: checks the core's inputs and outputs against the invariants.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use heartline_fleet::{
    Agent, AgentIndex, AgentMessage, ControlDbRow, Fleet, HealthThresholds, HistoryDbRow, MonoTime,
    OutgoingAck, Output, RestoredAgent, TICK_INTERVAL_MAX, Transition,
};

use heartline_engine::AppliedStates;
use heartline_protocol::{Body, ControlId, DesiredState};
use heartline_vocabulary::{AgentStatus, Reason, State, StateCounts};

use super::disk::DurableCommand;
use super::expected_agent::ExpectedAgent;
use super::expected_quality::ExpectedQuality;
use super::plan::RunPlan;
use super::thief::STOLEN;
use super::violation::{CheckResult, ensure};

/// State of all agents as expected since the collector's last start.
#[derive(Debug)]
pub(super) struct FleetOracle {
    agents: Vec<Option<ExpectedAgent>>,
    /// Agents that were forgotten and are not registered again yet.
    forgotten: Vec<Option<ExpectedAgent>>,
    /// Row ids of all agents that were forgotten since the collector started.
    forgotten_ids: BTreeSet<i64>,
    rules: HealthThresholds,
    /// [`RunPlan::stall_rule`].
    stall_rule: Option<Duration>,
    /// Tags of all datagrams handled by any start of the collector.
    handled: BTreeSet<[u8; 32]>,
    swept_to: MonoTime,
    /// Agents of which a copy ran: two processes in one session obey one after the other.
    copied: BTreeSet<usize>,
    /// Until when nobody is called flooding.
    excused_until: MonoTime,
    wall_was_set: bool,
    /// Time at which each kill became durable first, by agent, control id and generation.
    kills: BTreeMap<(usize, ControlId, u64), MonoTime>,
    /// The same of each resume.
    resumes: BTreeMap<(usize, ControlId, u64), MonoTime>,
}

/// Stands in the place of the current session where there is none.
pub(super) const NO_SESSION: u64 = 0;
/// Shortest time between two sweeps of the core.
const SWEEP_INTERVAL_MS: u64 = 20;
/// Shortest time without an input that the core takes for a gap.
pub(super) const GAP_MIN: Duration = Duration::from_millis(300);
/// Number of superseded sessions that the core keeps in any case.
pub(super) const SUPERSEDED_MIN: usize = 8;
/// For how long after a gap nobody is called flooding.
const EXCUSED_AFTER_GAP_MS: u64 = 1_000;

/// Returns the number in an agent's name.
pub(super) fn agent_number(agent: &str) -> usize {
    agent.rsplit('-').next().and_then(|n| n.parse().ok()).expect("agents are named by number")
}

impl FleetOracle {
    pub(super) fn new(plan: &RunPlan) -> Self {
        Self {
            agents: vec![None; plan.agents],
            forgotten: vec![None; plan.agents],
            forgotten_ids: BTreeSet::new(),
            rules: plan.rules,
            stall_rule: plan.stall_rule,
            handled: BTreeSet::new(),
            swept_to: MonoTime::NEVER_YET,
            copied: BTreeSet::new(),
            excused_until: MonoTime::NEVER_YET,
            wall_was_set: false,
            kills: BTreeMap::new(),
            resumes: BTreeMap::new(),
        }
    }

    pub(super) fn expected_agent(&self, agent: usize) -> Option<&ExpectedAgent> {
        self.agents[agent].as_ref()
    }

    /// Takes in that a copy of an agent's process runs.
    pub(super) fn on_copy(&mut self, agent: usize) {
        self.copied.insert(agent);
    }

    /// Takes in the agents that a new start of the collector restores.
    pub(super) fn on_collector_start(
        &mut self,
        restored: &[RestoredAgent],
        control: ControlId,
        wall_was_set: bool,
        now: MonoTime,
    ) {
        self.forgotten = vec![None; self.agents.len()];
        self.forgotten_ids.clear();
        self.agents.clone_from(&self.forgotten);
        self.wall_was_set |= wall_was_set;
        self.swept_to = now;
        for agent in restored {
            let number = agent_number(&agent.agent);
            let mut expected = ExpectedAgent::new(agent.id.0, agent.interval_ms, now);
            expected.stall_rule = self.stall_rule.filter(|_| &*agent.agent == RunPlan::RULED);
            expected.sessions = agent.sessions.iter().map(|it| it.session).collect();
            expected.ended = agent.sessions.first().and_then(|it| it.ended);
            expected.desired =
                agent.desired.as_ref().map(|desired| (desired.killed, desired.at.min(now)));
            if let Some(desired) = &agent.desired {
                expected.commanded_by = desired.cause;
            }
            expected.quality = ExpectedQuality::restored(&agent.quality, agent.status.reason);
            expected.generation = agent.desired.as_ref().map_or(0, |desired| desired.generation);
            expected.restored = Some(agent.status);
            // Its collector may have ended before it heard of the commit.
            if let Some(command) = &agent.desired {
                self.record_durable(number, command.state(control), now);
            }
            // The newest transitions may not have reached the disk.
            expected.since = agent.since.min(now);
            self.agents[number] = Some(expected);
        }
    }

    /// Takes in that the kernel dropped datagrams from `from` to `to`.
    pub(super) fn on_kernel_drops(&mut self, from: MonoTime, to: MonoTime) {
        for expected in self.agents.iter_mut().flatten() {
            expected.on_kernel_drops(from, to, self.rules.stall_after);
        }
    }

    /// Takes in that time has passed to `now`; the core had its last input at `last_input`.
    pub(super) fn observe_time(&mut self, last_input: MonoTime, now: MonoTime) {
        if now.since(last_input) > GAP_MIN {
            self.swept_to = self.swept_to.max(last_input);
            self.excused_until = now.plus_millis(EXCUSED_AFTER_GAP_MS);
            self.agents
                .iter_mut()
                .flatten()
                .for_each(|expected| expected.postpone_deadlines(last_input, now));
        }
    }

    pub(super) fn on_tick(&mut self, now: MonoTime) {
        self.swept_to = self.swept_to.max(now.minus_millis(SWEEP_INTERVAL_MS));
    }

    /// Records a datagram; returns whether it was handled before.
    pub(super) fn is_repeated(&mut self, bytes: &[u8]) -> bool {
        let tag = bytes.last_chunk().expect("a verified datagram has a tag");
        !self.handled.insert(*tag)
    }

    /// Takes in an authentic datagram.
    pub(super) fn on_message(
        &mut self,
        message: &AgentMessage<'_>,
        fleet: &Fleet,
        control: ControlId,
        now: MonoTime,
    ) -> CheckResult {
        let number = agent_number(message.agent);
        let view = fleet.find(message.agent).and_then(|index| fleet.agent(index));
        let Some(view) = view else { return Ok(()) };
        let stall_rule = self.stall_rule.filter(|_| message.agent == RunPlan::RULED);
        let expected = self.agents[number].get_or_insert_with(|| {
            let interval_ms = match &message.body {
                Body::Beat(beat) => beat.interval_ms,
                _ => heartline_protocol::limits::INTERVAL_DEFAULT_MS,
            };
            let mut expected = ExpectedAgent::new(view.id().0, interval_ms, now);
            expected.stall_rule = stall_rule;
            if let Some(before) = self.forgotten[number].take() {
                (expected.sessions, expected.received) = (before.sessions, before.received);
                expected.sessions.insert(0, NO_SESSION);
            }
            expected
        });
        let is_current = expected.sessions.first() == Some(&message.session);
        let is_known = expected.sessions.contains(&message.session);
        expected.forget_evicted_session(message, view);
        expected.note_recording_of_old_session(message);
        if is_known && !expected.received.insert((message.session, message.sequence)) {
            return Ok(());
        }
        // A copy of a process sends again what the original has sent before it was live.
        if message.fresh && !is_known && expected.was_received_before_live(message) {
            return Ok(());
        }
        if !message.fresh {
            if !is_known && !expected.is_new_of_unverified(message.session, message.sequence) {
                return Ok(());
            }
            // A recording from before this start is new to it, but not proven fresh.
            if is_current || !is_known {
                expected.received_at = now;
                if expected.unconfirmed_from <= expected.silent_from {
                    expected.unconfirmed_from = now;
                }
            }
            return Ok(());
        }
        expected.on_live_message(message, view, &self.rules, control, now)
    }

    /// Takes in a live message that the core did not judge because of the agent's budget.
    pub(super) fn on_over_budget(
        &mut self,
        message: &AgentMessage<'_>,
        now: MonoTime,
    ) -> CheckResult {
        let number = agent_number(message.agent);
        ensure!(number == STOLEN, "{} keeps to the rules and is over its budget", message.agent);
        let Some(expected) = self.agents[number].as_mut() else { return Ok(()) };
        expected.received.insert((message.session, message.sequence));
        if now >= self.excused_until {
            expected.limits.on_over_budget(now);
        }
        if expected.sessions.first() == Some(&message.session) {
            (expected.received_at, expected.silent_from) = (now, now);
            expected.has_been_live = true;
            expected.premature.clear();
        }
        Ok(())
    }

    /// Returns whether the core must still know a session, and so count none of its segments twice.
    pub(super) fn knows_session(&self, id: i64, session: u64) -> bool {
        let expected = self.agents.iter().flatten().find(|expected| expected.id == id);
        let at = expected.and_then(|it| it.sessions.iter().position(|&known| known == session));
        let is_new = expected.is_some_and(|it| it.new_session == Some(session));
        at.is_some_and(|at| at <= SUPERSEDED_MIN) && !is_new
    }

    /// Returns whether a session was new to the collector since it started: then it knows no segment
    /// that was counted before.
    pub(super) fn is_new_session(&self, id: i64, session: u64) -> bool {
        let expected = self.agents.iter().flatten().find(|expected| expected.id == id);
        expected.is_some_and(|it| it.new_sessions.contains(&session))
    }

    /// Returns whether the agent of this row id was forgotten since the collector started.
    pub(super) fn has_forgotten(&self, id: i64) -> bool {
        self.forgotten_ids.contains(&id)
    }

    /// Takes in that commands have become durable.
    pub(super) fn on_commands_durable(
        &mut self,
        commands: &[DurableCommand],
        control: ControlId,
        now: MonoTime,
    ) -> CheckResult {
        for command in commands {
            let id = command.id.0;
            ensure!(!self.has_forgotten(id), "a command of forgotten agent row {id} was stored");
        }
        for command in commands.iter().filter(|command| command.changed) {
            let is_it =
                |it: &Option<ExpectedAgent>| it.as_ref().is_some_and(|it| it.id == command.id.0);
            let number = self.agents.iter().position(is_it);
            if let Some(number) = number {
                let DurableCommand { generation, killed, .. } = *command;
                let state = DesiredState { control: Some(control), generation, killed };
                self.record_durable(number, state, now);
            }
            let expected = self.agents.iter_mut().flatten().find(|it| it.id == command.id.0);
            if let Some(expected) = expected {
                // Of one generation a kill wins: it is adopted where an older copy of the file was restored, and the
                // number given again.
                let was_killed = expected.desired.is_some_and(|(killed, _)| killed);
                ensure!(
                    (command.generation, command.killed) > (expected.generation, was_killed),
                    "generation {} after {}",
                    command.generation,
                    expected.generation
                );
                expected.generation = command.generation;
                expected.desired = Some((command.killed, now));
                expected.commanded_by = command.cause;
                if command.killed {
                    expected.quality = ExpectedQuality::default();
                }
            }
        }
        Ok(())
    }

    fn record_durable(&mut self, agent: usize, state: DesiredState, now: MonoTime) {
        let commands = if state.killed { &mut self.kills } else { &mut self.resumes };
        let control = state.control.expect("a durable command has one");
        commands.entry((agent, control, state.generation)).or_insert(now);
    }

    /// Checks a change of the states that an agent has applied: only a durable kill kills it, and only
    /// a resume that is newer than the kill lets it go on.
    pub(super) fn check_applied_change(
        &self,
        agent: usize,
        before: &AppliedStates,
        after: &AppliedStates,
    ) -> CheckResult {
        let durable_at = |kill: &DesiredState| {
            let control = kill.control.expect("an applied state has one");
            self.kills.get(&(agent, control, kill.generation)).copied()
        };
        for kill in after.as_slice().iter().filter(|state| state.killed) {
            ensure!(
                durable_at(kill).is_some(),
                "agent-{agent} applied {kill:?}: it is not durable"
            );
        }
        if !before.is_killed() || after.is_killed() {
            return Ok(());
        }
        let resumed_at =
            self.resumes.iter().filter(|(key, _)| key.0 == agent).map(|(_, at)| *at).max();
        for kill in before.as_slice().iter().filter(|state| state.killed) {
            ensure!(resumed_at >= durable_at(kill), "{kill:?} of agent-{agent} was undone");
        }
        Ok(())
    }

    /// Checks one output.
    pub(super) fn check_output(&mut self, output: &Output, now: MonoTime) -> CheckResult {
        match output {
            Output::Transition(row @ Transition { id, at, from, to, .. }) => {
                let (stall_after, was_set) = (self.rules.stall_after, self.wall_was_set);
                let Some(expected) = self.by_id(id.0) else { return Ok(()) };
                // It may have come back to how it was before the collector's start, and left that at
                // once: history has it so already.
                let restored = expected.restored.take();
                expected.limits.on_transition(row, now)?;
                ensure!(
                    *from == expected.status || restored == Some(*from),
                    "{from:?} → {to:?} although it was {:?}",
                    expected.status
                );
                ensure!(from != to, "{from:?} became itself");
                ensure!(*at <= now, "{to:?} became true in the future");
                ensure!(
                    *at >= expected.since || was_set,
                    "{to:?} became true at {at:?}, before {from:?}"
                );
                // From unreachable to late: drops that were reported since then excuse the silence, and the
                // agent's next message shows it.
                // What an agent was before its first live beat is recorded with that beat.
                let is_deadline = expected.is_stored
                    && !matches!(from.state, State::Killed | State::Unreachable)
                    && (from.reason != Some(Reason::Flapping) || to.state == State::Unreachable);
                match to.reason {
                    Some(Reason::Late) if is_deadline => ensure!(
                        expected.may_become_late_at(*at),
                        "late at {at:?} and not at its deadline {:?}",
                        expected.late_at()
                    ),
                    Some(Reason::Silent | Reason::OneWay) if is_deadline => ensure!(
                        expected.may_become_unreachable_at(*at),
                        "unreachable at {at:?} and not at its deadline {:?}",
                        expected.unreachable_at()
                    ),
                    Some(Reason::Stalled) if *from == AgentStatus::HEALTHY => {
                        let due = expected.stalled_at(stall_after).unwrap_or(MonoTime::NEVER);
                        ensure!(
                            *at == due.max(expected.since),
                            "stalled at {at:?}, not at {due:?}"
                        );
                    }
                    _ => {}
                }
                expected.since = *at;
                expected.status = *to;
            }
            Output::WriteControl(ControlDbRow::Profile { id, .. }) => {
                return self.by_id(id.0).map_or(Ok(()), |it| it.limits.on_row(now));
            }
            Output::WriteHistory(HistoryDbRow::Work(row)) => {
                let rules = self.rules;
                let Some(expected) = self.by_id(row.id.0) else { return Ok(()) };
                expected.quality.on_work(row, &rules);
                return expected.limits.on_row(now);
            }
            Output::WriteHistory(HistoryDbRow::Disobeyed { id, .. }) => {
                let is_it =
                    |it: &Option<ExpectedAgent>| it.as_ref().is_some_and(|it| it.id == id.0);
                let is_copied =
                    self.agents.iter().position(is_it).is_some_and(|n| self.copied.contains(&n));
                ensure!(is_copied, "an obedient agent was called disobedient");
            }
            Output::WriteHistory(HistoryDbRow::Forgotten { id, .. }) => {
                self.forgotten_ids.insert(id.0);
                for (expected, forgotten) in self.agents.iter_mut().zip(&mut self.forgotten) {
                    if let Some(agent) = expected.take_if(|expected| expected.id == id.0) {
                        let is_killed = agent.desired.is_some_and(|(killed, _)| killed);
                        ensure!(!is_killed, "a killed agent was forgotten");
                        *forgotten = Some(agent);
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Checks an ack that is `len` bytes long.
    pub(super) fn on_ack(
        &mut self,
        agent: usize,
        ack: &OutgoingAck,
        len: usize,
        now: MonoTime,
    ) -> CheckResult {
        ensure!(len <= usize::from(ack.message_len), "an ack is longer than its request");
        let Some(expected) = self.agents[agent].as_mut() else { return Ok(()) };
        expected.limits.on_answer(now)
    }

    /// Checks the shown state of every agent.
    pub(super) fn check(
        &mut self,
        fleet: &Fleet,
        changed: &[AgentIndex],
        now: MonoTime,
    ) -> CheckResult {
        let (stall_after, swept_to) = (self.rules.stall_after, self.swept_to.min(now));
        let mut counts = StateCounts::default();
        let (mut agents, mut next, mut next_of) = (0, MonoTime::NEVER, "nobody");
        for (index, agent) in fleet.agents() {
            agents += 1;
            counts.add(agent.status());
            let Some(expected) = self.agents[agent_number(agent.name())].as_mut() else {
                ensure!(false, "{} is known to the core alone", agent.name());
                return Ok(());
            };
            expected.check(agent, stall_after, swept_to, now)?;
            let shown = (agent.status(), *agent.totals(), agent.last_live());
            let was = expected.shown.replace(shown);
            ensure!(
                was == Some(shown) || changed.contains(&index),
                "{} changed and is not in the list of changed agents",
                agent.name()
            );
            // What drops caused before they were reported stands until the agent's next message.
            if expected.is_excused(agent.status(), stall_after, now) {
                continue;
            }
            let boundaries = expected.boundaries();
            let to_come = boundaries.into_iter().filter(|&at| at > now);
            let is_flapping = agent.status().reason == Some(Reason::Flapping);
            let changes = |at: &MonoTime| {
                let to = expected.expected(*at, stall_after);
                // While it flaps, changes between these two are not shown.
                let is_hidden = is_flapping && matches!(to.state, State::Healthy | State::Degraded);
                to != agent.status() && !is_hidden
            };
            let own = to_come.filter(changes).min().unwrap_or(MonoTime::NEVER);
            if own < next {
                (next, next_of) = (own, agent.name());
            }
        }
        if agents < self.agents.iter().flatten().count() {
            // Only an agent that was never live is removed without a word.
            for (number, expected) in self.agents.iter_mut().enumerate() {
                if fleet.find(&format!("agent-{number}")).is_none() {
                    self.forgotten[number] = expected.take_if(|expected| !expected.is_stored);
                }
            }
        }
        ensure!(agents == self.agents.iter().flatten().count(), "an agent is missing");
        let summary = fleet.state_counts();
        ensure!(summary.total == agents as u32, "{} in all states, {agents} agents", summary.total);
        ensure!(*summary == counts, "{summary:?} are counted, and {counts:?} are there");
        let timeout = fleet.poll_timeout();
        ensure!(timeout <= now + TICK_INTERVAL_MAX, "it would sleep for longer than a heartbeat");
        ensure!(
            timeout <= next.max(now.plus_millis(SWEEP_INTERVAL_MS)),
            "it would sleep until {timeout:?}, past a deadline of {next_of} at {next:?}: {:?}",
            fleet.find(next_of).and_then(|index| fleet.agent(index)).map(Agent::status)
        );
        Ok(())
    }

    fn by_id(&mut self, id: i64) -> Option<&mut ExpectedAgent> {
        self.agents.iter_mut().flatten().find(|expected| expected.id == id)
    }
}
