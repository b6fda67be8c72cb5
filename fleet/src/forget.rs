//! Agents that were forgotten: their recordings must not make them look alive.

use std::collections::{BTreeMap, BTreeSet};

use heartline_vocabulary::{AgentRowId, ForgetRefusal};

use crate::agent::Agent;
use crate::agent_table::AgentIndex;
use crate::alert::AlertEvent;
use crate::fleet::Fleet;
use crate::input::{AgentMessage, ForgetRequest};
use crate::output::{ControlDbRow, HistoryDbRow, Output};
use crate::session::SupersededSessions;
use crate::time::MonoTime;

/// The sessions of agents that were forgotten since the collector started, by name.
#[derive(Debug, Default)]
pub(crate) struct Tombstones {
    by_name: BTreeMap<Box<str>, SupersededSessions>,
    /// The number of tombstones at which expired ones are removed.
    sweep_at: usize,
}

/// Number of tombstones that are always kept; more only while a challenge of theirs can be echoed.
const TOMBSTONES_MIN: usize = 1_024;

impl Tombstones {
    /// Returns whether the message was received before its agent was forgotten.
    pub(crate) fn is_replay(&self, message: &AgentMessage<'_>) -> bool {
        let sessions = self.by_name.get(message.agent);
        let session = sessions.and_then(|sessions| sessions.get(message.session));
        session.is_some_and(|session| !session.window.is_new(message.sequence))
    }

    /// Returns how often the challenges of a forgotten agent were voided.
    fn challenges_voided(&self, agent: &str) -> u32 {
        self.by_name.get(agent).map_or(0, SupersededSessions::challenges_voided)
    }

    /// Takes the sessions of an agent that comes back.
    pub(crate) fn take(&mut self, agent: &str) -> Option<Box<SupersededSessions>> {
        self.by_name.remove(agent).map(Box::new)
    }

    fn insert(&mut self, agent: Agent, now: MonoTime) {
        let mut sessions = agent.superseded.map(|it| *it).unwrap_or_default();
        if agent.starts > 0 {
            sessions.push(agent.session);
        }
        if self.by_name.len() >= self.sweep_at.max(TOMBSTONES_MIN) {
            self.by_name.retain(|_, sessions| sessions.challenged_until() > now);
            // When many are forgotten at once, none of them has expired: don't sweep for each.
            self.sweep_at = 2 * self.by_name.len();
        }
        if !sessions.is_empty() {
            self.by_name.insert(agent.name, sessions);
        }
    }
}

impl Fleet {
    /// Returns how often all challenges that were given to an agent were voided, also where it was
    /// forgotten since. The number enters its challenges, so that those before it prove nothing.
    pub fn challenges_voided(&self, index: Option<AgentIndex>, agent: &str) -> u32 {
        let known = index.and_then(|index| self.agents.get(index));
        known.map_or_else(|| self.tombstones.challenges_voided(agent), Agent::challenges_voided)
    }

    /// Forgets all agents of a request, or none of them. Those that are not known are left out.
    ///
    /// In this order, a request is refused for an agent that
    /// 1. is killed: the kill would be forgotten with it (invariant 8);
    /// 2. has a command on its way to the disk, which may be a kill;
    /// 3. has work on its way to the disk: heard again, it would have that work counted under both
    ///    of its row ids.
    pub(crate) fn on_forget(&mut self, request: ForgetRequest, now: MonoTime) {
        let ForgetRequest { request_id, agents, by } = request;
        let mut seen = BTreeSet::new();
        let known = agents.iter().filter_map(|agent| self.agents.find(agent));
        let found: Vec<AgentIndex> = known.filter(|&index| seen.insert(index)).collect();
        let commanded = self.commanded_agents();
        let refusal = found.iter().find_map(|&it| refusal(self.agents.get(it)?, &commanded));
        let result = match refusal {
            Some(refusal) => Err(refusal),
            None => Ok(found.into_iter().filter_map(|it| self.forget(it, &by, now)).collect()),
        };
        self.context.outputs.push_back(Output::ForgetDone { request_id, result });
    }

    pub(crate) fn forget(&mut self, index: AgentIndex, by: &str, at: MonoTime) -> Option<String> {
        let mut agent = self.agent_mut(index)?;
        agent.mark_changed();
        agent.close_accounts();
        let agent = self.agents.remove(index)?;
        let (id, name): (AgentRowId, String) = (agent.id, agent.name.to_string());
        self.context.state_counts.remove(agent.status);
        if let Some(pushes) = &agent.push_schedule {
            self.context.pushes_due.remove(&(pushes.next, index));
        }
        self.context.flooding.remove(&index);
        let is_stored = agent.is_stored;
        self.context.population.update((index, agent.status), agent.identity(), None);
        let forgotten = AlertEvent::Forgotten { index, id, name: agent.name.clone(), at };
        self.context.alert_events.push(forgotten);
        self.tombstones.insert(agent, at);
        if is_stored {
            self.context.persist(ControlDbRow::Forgotten { id, at, by: by.into() });
            self.context.record(HistoryDbRow::Forgotten { id, at, by: by.into() });
        }
        self.context.outputs.push_back(Output::AgentRemoved { index });
        Some(name)
    }
}

/// Returns why an agent can't be forgotten, if it can't; `commanded` have pending commands.
pub(crate) fn refusal(
    agent: &Agent,
    commanded: &BTreeMap<AgentRowId, u64>,
) -> Option<ForgetRefusal> {
    let refusal = if agent.is_killed() {
        ForgetRefusal::Killed
    } else if commanded.contains_key(&agent.id) {
        ForgetRefusal::CommandPending
    } else if agent.has_uncommitted_work() {
        ForgetRefusal::WorkPending
    } else {
        return None;
    };
    Some(refusal(agent.name.to_string()))
}
