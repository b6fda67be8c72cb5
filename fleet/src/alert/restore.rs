//! Going on with the incidents of the collector before.

use std::collections::BTreeMap;

use heartline_vocabulary::{AgentRowId, AgentStatus, IncidentId};

use super::World;
use super::engine::AlertEngine;
use super::incident::Incident;
use super::penalty::Penalty;
use super::rules::is_trouble;
use super::trouble::Trouble;
use crate::agent::Agent;
use crate::agent_table::AgentIndex;
use crate::time::MonoTime;

impl AlertEngine {
    /// Takes in an incident that went on when the last collector ended.
    pub(crate) fn restore(&mut self, incident: Incident, now: MonoTime) {
        for (sink, told) in &incident.told {
            let storm = self.storms.entry(sink.clone()).or_default();
            if told.is_listed {
                storm.list(incident.id, &self.rules.storm, now);
            } else {
                storm.restore(told.first);
            }
        }
        self.insert(incident, now);
    }

    /// Begins, with all agents known.
    pub(crate) fn begin(&mut self, world: &World<'_>, now: MonoTime) {
        let by_id: BTreeMap<AgentRowId, AgentIndex> =
            if self.incidents.is_empty() { BTreeMap::new() } else { indices(world) };
        let ids: Vec<IncidentId> = self.incidents.keys().copied().collect();
        for id in ids {
            self.begin_members(id, &by_id, now);
        }
        self.end_removed_sinks(now);
        self.end_budget_incidents(world, now);
        self.begin_groups(world, now);
        self.begin_roster(world, now);
        self.take_in_trouble(world, now);
        self.reroute_all(world, now);
    }

    fn begin_members(
        &mut self,
        id: IncidentId,
        by_id: &BTreeMap<AgentRowId, AgentIndex>,
        now: MonoTime,
    ) {
        let Some(incident) = self.incidents.get_mut(&id) else { return };
        let mut gone = Vec::new();
        for (&agent, member) in &mut incident.members {
            member.index = by_id.get(&agent).copied();
            match member.index {
                _ if member.left.is_some() => {}
                None => gone.push(agent),
                Some(index) => {
                    let trouble = Trouble {
                        id: agent,
                        status: member.status,
                        since: member.since,
                        interval: incident.interval,
                        incident: Some(id),
                        noticed: now,
                        recovery: None,
                    };
                    self.troubles.insert(index, trouble);
                    if let Some(outages) = incident.flapping {
                        let penalty = Penalty::restored(&self.rules.flapping, outages, now);
                        self.penalties.insert(agent, penalty);
                    }
                }
            }
        }
        gone.into_iter().for_each(|agent| incident.release(agent, now));
    }

    /// Takes in what is in trouble by the rules and in no incident, and lets go what is not in trouble any more.
    pub(super) fn take_in_trouble(&mut self, world: &World<'_>, now: MonoTime) {
        let mut well = Vec::new();
        for index in world.agents.indices() {
            let Some(agent) = world.agents.get(index) else { continue };
            let (status, since) = last_known(agent);
            if self.troubles.contains_key(&index) {
                if !is_trouble(status) {
                    well.push((index, since));
                }
            } else if self.rules.is_alert(agent.name(), agent.identity(), status)
                && agent.is_stored()
            {
                self.begin_trouble(world, index, (status, since), now);
            }
        }
        for (index, since) in well {
            if self.troubles.get(&index).is_some_and(|trouble| trouble.recovery.is_none()) {
                self.end_trouble(index, since);
            }
        }
    }
}

/// Returns the status of an agent, and since when; before it is judged for the first time, what it was when the last
/// collector ended.
fn last_known(agent: &Agent) -> (AgentStatus, MonoTime) {
    agent.restored.as_deref().copied().unwrap_or((agent.status, agent.since))
}

fn indices(world: &World<'_>) -> BTreeMap<AgentRowId, AgentIndex> {
    let ids = world.agents.indices().filter_map(|it| Some((world.agents.get(it)?.id(), it)));
    ids.collect()
}
