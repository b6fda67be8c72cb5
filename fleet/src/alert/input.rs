//! The inputs of alerts, and how the fleet hands them over.

use heartline_vocabulary::IncidentId;

use super::World;
use super::incident::Incident;
use super::notice::IncidentFacts;
use super::rules::{AlertRules, Silence};
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

    /// Returns the rules of alerting.
    pub fn alert_rules(&self) -> &AlertRules {
        self.alerts.rules()
    }

    pub(crate) fn on_alert_input(&mut self, input: AlertInput, now: MonoTime) {
        let world = World { agents: &self.agents, context: &self.context };
        match input {
            AlertInput::Restore(incident) => self.alerts.restore(*incident, now),
            AlertInput::Rules(rules) => self.alerts.set_rules(rules, &world, now),
            AlertInput::Silences(silences) => self.alerts.set_silences(silences, &world, now),
            AlertInput::Acknowledge { id, by } => self.alerts.acknowledge(id, by, now),
            AlertInput::SinkHealth { sink, why } => self.alerts.set_sink_health(&sink, why, now),
        }
        self.alerts.update_timeout();
    }

    pub(crate) fn begin_alerts(&mut self, now: MonoTime) {
        let world = World { agents: &self.agents, context: &self.context };
        self.alerts.begin(&world, now);
        self.alerts.update_timeout();
    }

    /// Has alerts take in what the input has brought about, and what is due.
    pub(crate) fn run_alerts(&mut self, now: MonoTime) {
        let is_due = self.alerts.poll_timeout() <= now;
        if (self.context.alert_events.is_empty() && !is_due) || !self.gap_detector.has_begun() {
            return;
        }
        let events = std::mem::take(&mut self.context.alert_events);
        let world = World { agents: &self.agents, context: &self.context };
        self.alerts.handle(events, &world, now);
        self.alerts.update_timeout();
        let rows = self.alerts.take_rows();
        self.context.outputs.extend(rows.map(Output::WriteHistory));
    }
}
