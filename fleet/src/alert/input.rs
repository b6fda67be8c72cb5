//! The inputs of alerts, and how the fleet hands them over.

use heartline_vocabulary::{AgentStatus, IncidentId, ScopeKind};

use super::cause_interval::CauseInterval;
use super::engine::AlertEngine;
use super::incident::{Incident, IncidentAck};
use super::notice::IncidentFacts;
use super::rules::{AlertRules, Silence};
use super::scope::Scope;
use super::{AlertEvent, ExpectedAgent, ReplicaGroup, World};
use crate::fleet::Fleet;
use crate::output::Output;
use crate::time::MonoTime;

/// What alerts go by, and what people do about them.
#[derive(Clone, Debug)]
pub enum AlertInput {
    /// An incident that went on when the last collector ended. Only before [`crate::Input::Begin`].
    Restore(Box<Incident>),
    /// Other rules: everything is looked at again.
    Rules(AlertRules),
    /// All silences there are now, and all windows of maintenance that last.
    Silences(Vec<Silence>),
    /// Somebody takes care of an incident. One that is not known, or over, stays as it is.
    Acknowledge {
        id: IncidentId,
        /// `user@host`
        by: Box<str>,
    },
    /// A sink takes no notices, and why; `None`: it takes them again.
    SinkHealth { sink: Box<str>, why: Option<Box<str>> },
}

impl Fleet {
    /// Returns the incidents that go on, in the order in which they began.
    pub fn incidents(&self) -> impl Iterator<Item = &Incident> {
        self.alerts.incidents()
    }

    /// Returns what is known of the incidents that go on, in the order in which they began.
    pub fn incident_facts(&self, now: MonoTime) -> Vec<IncidentFacts> {
        let world = World { agents: &self.agents, context: &self.context };
        self.incidents().map(|incident| IncidentFacts::of(incident, &world, now)).collect()
    }

    /// Returns how many silences and windows of maintenance last.
    pub fn silences(&self) -> usize {
        self.alerts.silences.len()
    }

    /// Returns the rules of alerting.
    pub fn alert_rules(&self) -> &AlertRules {
        self.alerts.rules()
    }

    /// Returns the agents that are expected and not there.
    pub fn expected_agents(&self) -> impl Iterator<Item = ExpectedAgent<'_>> {
        self.alerts.expected_agents()
    }

    /// Returns the groups whose replicas are counted, with how many agents of each run.
    pub fn replica_groups(&self) -> impl Iterator<Item = ReplicaGroup<'_>> {
        let groups = self.alerts.rules().groups.iter();
        groups.map(|(name, &rule)| ReplicaGroup {
            name,
            rule,
            running: self.context.population.tally(name).running,
            incident: self.alerts.incident_of_group(name),
        })
    }

    pub(crate) fn on_alert_input(&mut self, input: AlertInput, now: MonoTime) {
        if let AlertInput::Rules(rules) = &input {
            let groups = rules.groups.keys().cloned();
            self.context.population.watch(groups, &self.agents);
        }
        let world = World { agents: &self.agents, context: &self.context };
        self.alerts.take_input(input, &world, now);
    }

    pub(crate) fn begin_alerts(&mut self, now: MonoTime) {
        let groups = self.alerts.rules().groups.keys().cloned();
        self.context.population.watch(groups, &self.agents);
        let world = World { agents: &self.agents, context: &self.context };
        self.alerts.begin(&world, now);
        self.alerts.update_timeout();
    }

    /// Has alerts take in what the input has brought about, and what is due.
    pub(crate) fn run_alerts(&mut self, now: MonoTime) {
        let is_due = self.alerts.poll_timeout() <= now;
        let has_events = !self.context.alert_events.is_empty();
        let has_counted = self.context.population.has_changed();
        if (!has_events && !has_counted && !is_due) || !self.gap_detector.has_begun() {
            return;
        }
        let mut events = std::mem::take(&mut self.context.alert_events);
        if self.context.population.take_changes().members {
            events.push(AlertEvent::Regrouped);
        }
        let world = World { agents: &self.agents, context: &self.context };
        self.alerts.handle(events, &world, now);
        self.alerts.update_timeout();
        let rows = self.alerts.take_rows();
        self.context.outputs.extend(rows.map(Output::WriteHistory));
    }
}

impl AlertEngine {
    /// Takes an input; what follows from it comes with the next [`Self::handle`].
    pub(super) fn take_input(&mut self, input: AlertInput, world: &World<'_>, now: MonoTime) {
        match input {
            AlertInput::Restore(incident) => self.restore(*incident, now),
            AlertInput::Rules(rules) => self.set_rules(rules, world, now),
            AlertInput::Silences(silences) => self.set_silences(silences, world, now),
            AlertInput::Acknowledge { id, by } => self.acknowledge(id, by, now),
            AlertInput::SinkHealth { sink, why } => self.set_sink_health(&sink, why, now),
        }
        self.update_timeout();
    }

    /// Takes other rules, and looks at everything again.
    fn set_rules(&mut self, rules: AlertRules, world: &World<'_>, now: MonoTime) {
        self.rules = rules;
        self.end_removed_sinks(now);
        self.set_groups(world, now);
        self.set_roster(world, now);
        self.take_in_trouble(world, now);
        self.reroute_all(world, now);
    }

    /// Takes other silences, all there are.
    fn set_silences(&mut self, silences: Vec<Silence>, world: &World<'_>, now: MonoTime) {
        self.silences = silences;
        self.silences.retain(|silence| silence.until > now);
        self.reroute_all(world, now);
    }

    /// Takes in that somebody takes care of an incident: the first one stays.
    fn acknowledge(&mut self, id: IncidentId, by: Box<str>, now: MonoTime) {
        let incident = self.incidents.get_mut(&id).filter(|it| it.acknowledged.is_none());
        if let Some(incident) = incident {
            incident.acknowledged = Some(IncidentAck { by, at: now });
            (incident.is_dirty, incident.recorded_at) = (true, MonoTime::NEVER_YET);
            self.look_at(id, now);
        }
    }

    /// Ends the incidents of sinks that there are no more.
    pub(super) fn end_removed_sinks(&mut self, now: MonoTime) {
        let is_removed = |incident: &&Incident| {
            let Scope { kind, name } = &incident.scope;
            *kind == ScopeKind::Sink && !self.rules.sinks.contains_key(&**name)
        };
        let removed = self.incidents.values().filter(is_removed);
        let names: Vec<_> = removed.map(|incident| incident.scope.name.clone()).collect();
        names.iter().for_each(|name| self.set_sink_health(name, None, now));
    }

    /// Takes in whether a sink takes notices: `why` it does not.
    fn set_sink_health(&mut self, sink: &str, why: Option<Box<str>>, now: MonoTime) {
        let scope = Scope { kind: ScopeKind::Sink, name: sink.into() };
        let open = self.by_scope.get(&scope).and_then(|ids| ids.first().copied());
        match (open, why) {
            (None, Some(why)) => {
                let interval = CauseInterval::moment(now);
                let mut incident =
                    Incident::new(self.take_id(), scope, interval, (now, AgentStatus::UNKNOWN));
                incident.remark = Some(why);
                self.insert(incident, now);
            }
            (Some(id), why) => {
                let Some(incident) = self.incidents.get_mut(&id) else { return };
                match why {
                    Some(why) => incident.remark = Some(why),
                    None => incident.ended = Some(now),
                }
                incident.is_dirty = true;
                self.look_at(id, now);
            }
            (None, None) => {}
        }
    }
}
