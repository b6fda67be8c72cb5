//! What history keeps of a fleet, and nothing else of it.

use std::collections::BTreeMap;

use heartline_fleet::{
    AlertInput, AlertReplay, AlertRules, HealthRules, HistoryDbRow, MonoTime, OutgoingNotice,
    Output, RecordedAgent, RecordedEvent, ReplaySetup,
};
use heartline_vocabulary::{AgentRowId, AgentStatus};

/// The recorded past of a fleet that began without agents.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    names: BTreeMap<AgentRowId, Box<str>>,
    events: Vec<(MonoTime, RecordedEvent)>,
}

impl Recorder {
    /// Takes in what the fleet gave out; `interval_ms` is that of an agent.
    pub(crate) fn take(&mut self, output: &Output, interval_ms: impl Fn(&str) -> u32) {
        match output {
            Output::WriteHistory(HistoryDbRow::Registered { id, agent, .. }) => {
                self.names.insert(*id, agent.clone());
            }
            Output::WriteHistory(HistoryDbRow::Identity { id, at, identity }) => {
                // After a restart only the databases know it.
                let Some(agent) = self.names.get(id).cloned() else { return };
                let recorded = RecordedAgent {
                    interval_ms: interval_ms(&agent),
                    agent,
                    identity: Some(identity.clone()),
                    status: AgentStatus::UNKNOWN,
                    since: *at,
                };
                self.events.push((*at, RecordedEvent::Agent(Box::new(recorded))));
            }
            Output::WriteHistory(HistoryDbRow::Forgotten { id, at, .. }) => {
                // After a restart only the databases know it.
                let Some(agent) = self.names.get(id).cloned() else { return };
                self.events.push((*at, RecordedEvent::Forgotten { agent }));
            }
            Output::WriteHistory(HistoryDbRow::Gap { from, to, cause }) => {
                self.events.push((*to, RecordedEvent::Gap { from: *from, cause: *cause }));
            }
            Output::Transition(transition) => {
                let Some(agent) = self.names.get(&transition.id).cloned() else { return };
                let event = RecordedEvent::Transition {
                    agent,
                    from: transition.from,
                    to: transition.to,
                    cause: transition.cause.to_string().into(),
                };
                self.events.push((transition.at, event));
            }
            _ => {}
        }
    }

    /// Takes in that silences, or the health of a sink, changed.
    pub(crate) fn alert(&mut self, input: AlertInput, now: MonoTime) {
        self.events.push((now, RecordedEvent::Alert(Box::new(input))));
    }

    /// Takes in that the incident of these agents was acknowledged.
    pub(crate) fn acknowledge(&mut self, agents: &[AgentRowId], now: MonoTime) {
        let agents = agents.iter().filter_map(|id| self.names.get(id).cloned()).collect();
        self.events.push((now, RecordedEvent::Acknowledged { agents, by: "ops@desk".into() }));
    }

    /// Returns what other rules would have told until a time.
    pub(crate) fn replay(
        &self,
        rules: AlertRules,
        begin: MonoTime,
        until: MonoTime,
    ) -> Vec<OutgoingNotice> {
        let health = HealthRules::default();
        let setup = ReplaySetup { rules, health, begin, agents: Vec::new() };
        let mut notices = Vec::new();
        AlertReplay::run(setup, self.events.clone(), until, |row| {
            if let HistoryDbRow::Notice(notice) = row {
                notices.push(*notice);
            }
        });
        notices
    }
}
