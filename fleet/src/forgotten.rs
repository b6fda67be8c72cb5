//! Agents that were removed: their recordings must not make them look alive.

use std::collections::BTreeMap;

use crate::agent::Agent;
use crate::fleet::Fleet;
use crate::input::Message;
use crate::output::{ControlDbRow, HistoryDbRow, Output};
use crate::roster::AgentIndex;
use crate::session::Superseded;
use crate::time::MonoTime;
use crate::work::UnconfirmedWork;
use heartline_vocabulary::AgentRowId;

/// What is left of the agents that were removed since the collector started.
#[derive(Debug, Default)]
pub(crate) struct Forgotten {
    by_name: BTreeMap<Box<str>, Tombstone>,
    /// The highest generation of any of them: one that comes back may remember it.
    pub(crate) generation: u64,
    /// With so many it is worth looking for those that can go.
    look_at: usize,
}

#[derive(Debug)]
struct Tombstone {
    id: AgentRowId,
    sessions: Superseded,
}

/// So many are kept at least; more only while a challenge of theirs could still be echoed.
const KEPT: usize = 1_024;

impl Forgotten {
    /// Whether the message was received before its agent was removed.
    pub(crate) fn is_replay(&self, message: &Message<'_>) -> bool {
        let tombstone = self.by_name.get(message.agent);
        let session = tombstone.and_then(|tombstone| tombstone.sessions.get(message.session));
        session.is_some_and(|session| !session.window.is_new(message.sequence))
    }

    /// The sessions of an agent that comes back. What of their work is under way to the disk, for
    /// the agent that was removed, counts again for the one that comes back: only so is all of it
    /// counted, and confirmed.
    pub(crate) fn take(&mut self, agent: &str) -> Option<Box<Superseded>> {
        let mut sessions = self.by_name.remove(agent)?.sessions;
        for session in sessions.iter_mut() {
            session.applied = session.durable;
        }
        Some(Box::new(sessions))
    }

    /// Work of an agent that was removed is on disk.
    pub(crate) fn stored(&mut self, row: &UnconfirmedWork) {
        let tombstone = self.by_name.values_mut().find(|tombstone| tombstone.id == row.id);
        let session = tombstone.and_then(|tombstone| tombstone.sessions.get_mut(row.session));
        if let Some(session) = session {
            session.durable = session.durable.max(row.segment);
        }
    }

    fn bury(&mut self, agent: Agent, now: MonoTime) -> Box<str> {
        let mut sessions = agent.superseded.map(|it| *it).unwrap_or_default();
        if agent.starts > 0 {
            sessions.push(agent.session);
        }
        self.generation = self.generation.max(agent.generation);
        if self.by_name.len() >= self.look_at.max(KEPT) {
            self.by_name.retain(|_, tombstone| tombstone.sessions.challenged_until() > now);
            // When many are forgotten at once, none of them can go yet: not to look at each anew.
            self.look_at = 2 * self.by_name.len();
        }
        if !sessions.is_empty() {
            self.by_name.insert(agent.name.clone(), Tombstone { id: agent.id, sessions });
        }
        agent.name
    }
}

impl Fleet {
    pub(crate) fn on_forget(&mut self, agents: &[AgentIndex], by: &str, at: MonoTime) {
        for &index in agents {
            self.note_changed(index);
            let Some(agent) = self.roster.remove(index) else { continue };
            let id = agent.id;
            self.summary.remove(agent.standing.state);
            if let Some(pushes) = &agent.pushes {
                self.pushing.remove(&(pushes.next, index));
            }
            let agent = self.forgotten.bury(agent, at);
            self.outputs.extend([
                Output::Persist(ControlDbRow::Forgotten { id, at, by: by.into() }),
                Output::Record(HistoryDbRow::Forgotten { id, at, by: by.into() }),
                Output::Forgotten { index, agent },
            ]);
        }
    }
}
