//! The owner of all incidents.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use heartline_vocabulary::{AgentRowId, AgentStatus, IncidentId, NoticeKind, ScopeKind, State};

use super::cause_interval::CauseInterval;
use super::incident::Incident;
use super::penalty::Penalty;
use super::replicas::GroupWatch;
use super::roster::Roster;
use super::rules::{AlertRules, Silence, is_trouble};
use super::scope::Scope;
use super::storm::Storm;
use super::trouble::{Recovery, Trouble};
use super::{AlertEvent, World};
use crate::agent_table::AgentIndex;
use crate::output::HistoryDbRow;
use crate::time::MonoTime;

/// All incidents that go on, and what is to become of trouble.
#[derive(Debug, Default)]
pub(crate) struct AlertEngine {
    pub(super) rules: AlertRules,
    pub(super) silences: Vec<Silence>,
    pub(super) troubles: BTreeMap<AgentIndex, Trouble>,
    /// Those that are in no incident yet.
    pub(super) undecided: BTreeSet<AgentIndex>,
    /// Those of which nobody is told while enough others of their group run.
    pub(super) held_back: BTreeSet<AgentIndex>,
    /// Groups whose replicas are counted.
    pub(super) groups: BTreeMap<Arc<str>, GroupWatch>,
    pub(super) roster: Roster,
    /// Those that are well, by the time at which that has lasted.
    recovering: BTreeSet<(MonoTime, AgentIndex)>,
    pub(super) incidents: BTreeMap<IncidentId, Incident>,
    pub(super) by_scope: BTreeMap<Scope, BTreeSet<IncidentId>>,
    pub(super) penalties: BTreeMap<AgentRowId, Penalty>,
    /// The number of penalties at which spent ones are removed.
    sweep_penalties_at: usize,
    /// Incidents by the time at which to look at them again.
    pub(super) due: BTreeSet<(MonoTime, IncidentId)>,
    /// By sink.
    pub(super) storms: BTreeMap<Box<str>, Storm>,
    /// When undecided trouble is looked at again.
    pub(super) decide_at: Option<MonoTime>,
    pub(super) next_id: IncidentId,
    timeout: Option<MonoTime>,
    pub(super) rows: Vec<HistoryDbRow>,
}

/// Fewer penalties than these are never swept.
const PENALTIES_MIN: usize = 64;

impl AlertEngine {
    /// Returns an engine without incidents; `next_id` is the smallest number that no incident ever had.
    pub(crate) fn new(rules: AlertRules, next_id: IncidentId) -> Self {
        Self { rules, next_id, ..Self::default() }
    }

    /// Takes in what happened, and what has become due.
    pub(crate) fn handle(&mut self, events: Vec<AlertEvent>, world: &World<'_>, now: MonoTime) {
        let mut budgets_change = false;
        for event in events {
            budgets_change |= event.can_end_budget_incidents();
            self.take_in_arrival(&event, world, now);
            match event {
                AlertEvent::Transition { index, from, to, at } if is_trouble(to) => {
                    self.on_trouble(world, index, (from, to), at, now);
                }
                AlertEvent::Transition { index, to, at, .. } => self.on_well(index, to, at),
                AlertEvent::Forgotten { index, id, name, at } => {
                    self.on_forgotten(index, id, at);
                    self.expect_again(name, world, now);
                }
                AlertEvent::Regrouped => self.release_strays(world, now),
                AlertEvent::BudgetReached { event, index } => {
                    self.on_budget(&event, index, world, now);
                }
                AlertEvent::BudgetsBegun => {}
            }
        }
        if budgets_change {
            self.end_budget_incidents(world, now);
        }
        self.end_recoveries(now);
        self.expire_silences(world, now);
        self.decide(world, now);
        self.judge_groups(world, now);
        self.judge_roster(world, now);
        self.tell_due(world, now);
    }

    /// Takes in that an agent is there that was waited for.
    fn take_in_arrival(&mut self, event: &AlertEvent, world: &World<'_>, now: MonoTime) {
        if let AlertEvent::Transition { index, from, .. } = event
            && from.state == State::Unknown
            && let Some(agent) = world.agents.get(*index)
        {
            self.stop_waiting(agent.name(), now);
        }
    }

    /// Returns when to call [`Self::handle`] again at the latest. Every beat asks.
    pub(crate) fn poll_timeout(&self) -> MonoTime {
        self.timeout.unwrap_or(MonoTime::NEVER)
    }

    /// Works out the timeout, after anything was changed.
    pub(crate) fn update_timeout(&mut self) {
        let due = self.due.first().map(|&(at, _)| at);
        let recovery = self.recovering.first().map(|&(at, _)| at);
        let storm = self.storms.values().filter_map(|storm| storm.due).min();
        let silence = self.silences.iter().map(|silence| silence.until).min();
        let group = self.groups.values().map(|group| group.due).min();
        let all = [due, recovery, storm, silence, self.decide_at, group, Some(self.roster.due)];
        self.timeout = all.into_iter().flatten().min();
    }

    /// Moves out the rows to be stored, in order.
    pub(crate) fn take_rows(&mut self) -> std::vec::Drain<'_, HistoryDbRow> {
        self.rows.drain(..)
    }

    /// Returns the incidents that go on.
    pub(crate) fn incidents(&self) -> impl Iterator<Item = &Incident> {
        self.incidents.values()
    }

    pub(crate) fn rules(&self) -> &AlertRules {
        &self.rules
    }

    fn on_trouble(
        &mut self,
        world: &World<'_>,
        index: AgentIndex,
        (from, to): (AgentStatus, AgentStatus),
        at: MonoTime,
        now: MonoTime,
    ) {
        let Some(agent) = world.agents.get(index) else { return };
        let mut has_fallen = false;
        if let Some(trouble) = self.troubles.get_mut(&index) {
            trouble.status = to;
            if let Some(recovery) = trouble.recovery.take() {
                self.recovering.remove(&(recovery.until, index));
                trouble.since = at;
                has_fallen = true;
            }
            match trouble.incident {
                Some(id) => {
                    let since = trouble.since;
                    self.update_member(world, id, index, (to, since), now);
                }
                None => self.decide_anew(index, now),
            }
        } else if self.rules.is_alert(agent.name(), agent.identity(), to) {
            self.begin_trouble(world, index, (to, at), now);
            has_fallen = true;
        }
        // What falls when it is started again after a stop or kill has not come and gone.
        if has_fallen && from.state != State::Killed && from.state != State::Unknown {
            self.on_fall(index, at, now);
        }
    }

    /// Begins the trouble of an agent; what it is part of is decided with everything else that is noticed now.
    pub(super) fn begin_trouble(
        &mut self,
        world: &World<'_>,
        index: AgentIndex,
        (status, since): (AgentStatus, MonoTime),
        now: MonoTime,
    ) {
        let Some(agent) = world.agents.get(index) else { return };
        let interval = CauseInterval::of(agent, status.reason, since, world.context.clock);
        let trouble = Trouble {
            id: agent.id(),
            status,
            since,
            interval,
            incident: None,
            noticed: now,
            recovery: None,
        };
        self.troubles.insert(index, trouble);
        self.undecided.insert(index);
        self.decide_at = Some(now);
    }

    /// Counts that an agent fell into trouble; where that is too often, its incident flaps.
    fn on_fall(&mut self, index: AgentIndex, at: MonoTime, now: MonoTime) {
        let Some(trouble) = self.troubles.get(&index) else { return };
        let rule = &self.rules.flapping;
        if self.penalties.len() >= self.sweep_penalties_at {
            self.penalties.retain(|_, penalty| !penalty.is_spent(rule, at));
            // When many fall at once, none is spent: don't sweep for each.
            self.sweep_penalties_at = PENALTIES_MIN.max(2 * self.penalties.len());
        }
        let penalty = self.penalties.entry(trouble.id).or_insert_with(|| Penalty::new(at));
        let has_begun = penalty.fall(rule, at);
        let Some(id) = trouble.incident.filter(|_| penalty.is_flapping) else { return };
        let outages = penalty.outages;
        let incident = self.incidents.get_mut(&id);
        // A group flaps by itself.
        if let Some(incident) = incident.filter(|it| it.scope.kind != ScopeKind::Replicas) {
            if incident.flapping.is_none() && has_begun {
                incident.news = Some(NoticeKind::Flapping);
            }
            incident.flapping = Some(outages);
            incident.is_dirty = true;
            self.look_at(id, now);
        }
    }

    fn on_well(&mut self, index: AgentIndex, to: AgentStatus, at: MonoTime) {
        let Some(trouble) = self.troubles.get_mut(&index) else { return };
        if let Some(recovery) = trouble.recovery.take() {
            self.recovering.remove(&(recovery.until, index));
        }
        if to.state != State::Healthy {
            self.end_trouble(index, at);
        } else if trouble.incident.is_none() {
            // It was over before anybody could have been told.
            self.troubles.remove(&index);
            self.undecided.remove(&index);
            self.held_back.remove(&index);
        } else {
            let flapping = self.penalties.get(&trouble.id).filter(|penalty| penalty.is_flapping);
            let hold = at + self.rules.recovery_hold;
            let until = flapping.map_or(hold, |it| it.rests_at(&self.rules.flapping, at));
            trouble.recovery = Some(Recovery { since: at, until });
            self.recovering.insert((until, index));
        }
    }

    fn on_forgotten(&mut self, index: AgentIndex, id: AgentRowId, at: MonoTime) {
        self.penalties.remove(&id);
        if self.troubles.get(&index).is_some_and(|trouble| trouble.id == id) {
            self.end_trouble(index, at);
        }
    }

    fn end_recoveries(&mut self, now: MonoTime) {
        while let Some(&(until, index)) = self.recovering.first() {
            if until > now {
                return;
            }
            let since = self.troubles.get(&index).and_then(|it| it.recovery).map(|it| it.since);
            self.end_trouble(index, since.unwrap_or(until));
        }
    }

    /// Ends the trouble of an agent that has been well since `at`.
    pub(super) fn end_trouble(&mut self, index: AgentIndex, at: MonoTime) {
        let Some(trouble) = self.troubles.remove(&index) else { return };
        self.undecided.remove(&index);
        self.held_back.remove(&index);
        if let Some(recovery) = trouble.recovery {
            self.recovering.remove(&(recovery.until, index));
        }
        if let Some(penalty) = self.penalties.get_mut(&trouble.id).filter(|it| it.is_flapping) {
            (penalty.is_flapping, penalty.outages) = (false, 0);
        }
        let Some(id) = trouble.incident else { return };
        if let Some(incident) = self.incidents.get_mut(&id) {
            incident.release(trouble.id, at);
            self.look_at(id, at);
        }
    }

    /// Takes in that a member of an incident is in another status.
    fn update_member(
        &mut self,
        world: &World<'_>,
        id: IncidentId,
        index: AgentIndex,
        (status, since): (AgentStatus, MonoTime),
        now: MonoTime,
    ) {
        let Some(agent) = world.agents.get(index) else { return };
        let Some(incident) = self.incidents.get_mut(&id) else { return };
        if let Some(member) = incident.members.get_mut(&agent.id()) {
            (member.status, member.since) = (status, since);
        }
        incident.worsen(status);
        incident.is_dirty = true;
        self.route_member(world, id, index, status);
        self.look_at(id, now);
    }

    /// Adds an incident, and looks at it now.
    pub(super) fn insert(&mut self, incident: Incident, now: MonoTime) {
        let id = incident.id;
        self.by_scope.entry(incident.scope.clone()).or_default().insert(id);
        self.incidents.insert(id, incident);
        self.look_at(id, now);
    }

    /// Has an incident looked at, at `at` or before.
    pub(super) fn look_at(&mut self, id: IncidentId, at: MonoTime) {
        let Some(incident) = self.incidents.get_mut(&id) else { return };
        if at < incident.due {
            self.due.remove(&(incident.due, id));
            incident.due = at;
            self.due.insert((at, id));
        }
    }

    /// Gives out the number of a new incident.
    pub(super) fn take_id(&mut self) -> IncidentId {
        let next = IncidentId(self.next_id.0 + 1);
        std::mem::replace(&mut self.next_id, next)
    }
}
