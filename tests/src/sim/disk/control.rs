//! `control.db`: who is known, and what they shall be.

use std::collections::{BTreeMap, BTreeSet};

use heartline_fleet::{CommandRow, ControlDbRow, DesiredState, MonoTime, WriteTicket};

use heartline_vocabulary::{AgentRowId, Identity, Reason};

use super::Notice;

/// An agent's entry in the roster.
#[derive(Debug)]
pub(in crate::sim) struct Known {
    pub(super) agent: Box<str>,
    pub(super) first_seen: MonoTime,
    pub(super) interval_ms: u32,
    pub(super) identity: Option<Identity>,
}

/// A command of one agent that is durable.
#[derive(Clone, Copy, Debug)]
pub(in crate::sim) struct Durable {
    /// Of the command.
    pub(in crate::sim) ticket: WriteTicket,
    /// Whose.
    pub(in crate::sim) id: AgentRowId,
    /// The generation that it sets.
    pub(in crate::sim) generation: u64,
    /// Whether it kills.
    pub(in crate::sim) killed: bool,
    /// Whether it changes anything.
    pub(in crate::sim) changed: bool,
}

/// The committed tables.
#[derive(Debug, Default)]
pub(in crate::sim) struct Control {
    agents: BTreeMap<i64, Known>,
    desired: BTreeMap<i64, DesiredState>,
    requests: BTreeSet<u64>,
    forgotten: BTreeSet<i64>,
    last_id: i64,
}

impl Control {
    /// Whether a command is durable.
    pub(in crate::sim) fn has(&self, request_id: u64) -> bool {
        self.requests.contains(&request_id)
    }

    /// The desired state of an agent.
    pub(in crate::sim) fn desired(&self, id: i64) -> Option<&DesiredState> {
        self.desired.get(&id)
    }

    /// Everybody that was not forgotten.
    pub(in crate::sim) fn agents(&self) -> impl Iterator<Item = (i64, &Known)> {
        self.agents.iter().map(|(&id, known)| (id, known))
    }

    /// Removes an agent of which only `history.db` knows that it was forgotten.
    pub(super) fn forget(&mut self, id: i64) {
        self.agents.remove(&id);
        self.desired.remove(&id);
        self.forgotten.insert(id);
    }

    /// Takes in an agent of `history.db` whose registration was lost here.
    pub(super) fn adopt(&mut self, id: i64, agent: &str, first_seen: MonoTime) {
        let is_taken = self.agents.values().any(|known| &*known.agent == agent);
        if !is_taken && !self.forgotten.contains(&id) && !self.agents.contains_key(&id) {
            self.register(id, agent.into(), first_seen);
        }
    }

    fn register(&mut self, id: i64, agent: Box<str>, first_seen: MonoTime) {
        let interval_ms = heartline_protocol::limits::INTERVAL_DEFAULT_MS;
        self.agents.insert(id, Known { agent, first_seen, interval_ms, identity: None });
        self.last_id = self.last_id.max(id);
    }

    pub(super) fn last_id(&self) -> i64 {
        self.last_id
    }

    pub(super) fn commit(
        &mut self,
        rows: Vec<ControlDbRow>,
        now: MonoTime,
        mut refuses: impl FnMut() -> bool,
    ) -> Vec<Notice> {
        let (mut abandoned, mut durable) = (Vec::new(), Vec::new());
        for row in rows {
            match row {
                ControlDbRow::Registered { id: AgentRowId(id), agent, at } => {
                    self.register(id, agent, at);
                }
                ControlDbRow::Profile { id, interval_ms, identity } => {
                    if let Some(known) = self.agents.get_mut(&id.0) {
                        (known.interval_ms, known.identity) = (interval_ms, identity);
                    }
                }
                ControlDbRow::Forgotten { id, .. } => self.forget(id.0),
                ControlDbRow::Progress { id, generation, delivered_ms, obeyed_ms } => {
                    let desired = self.desired.get_mut(&id.0);
                    if let Some(desired) = desired.filter(|it| it.generation == generation) {
                        desired.delivered_ms = Some(delivered_ms);
                        desired.obeyed_ms = obeyed_ms;
                    }
                }
                ControlDbRow::Command(row)
                    if self.requests.contains(&row.request_id) || refuses() =>
                {
                    abandoned.push(Notice::Abandoned(row.ticket));
                }
                ControlDbRow::Command(row) => {
                    let CommandRow { ticket, action, by, reason, targets, .. } = row;
                    self.requests.insert(row.request_id);
                    for (id, target) in targets {
                        let (killed, generation) = (action.kills(), target.generation);
                        let changed = target.changed;
                        durable.push(Durable { ticket, id, generation, killed, changed });
                        if changed && self.agents.contains_key(&id.0) {
                            let (by, reason) = (by.clone(), reason.clone());
                            let desired = desired(generation, killed, by, reason, now);
                            self.desired.insert(id.0, desired);
                        }
                    }
                }
            }
        }
        if !durable.is_empty() {
            abandoned.push(Notice::Persisted(durable));
        }
        abandoned
    }
}

fn desired(
    generation: u64,
    killed: bool,
    by: Box<str>,
    reason: Box<str>,
    at: MonoTime,
) -> DesiredState {
    DesiredState {
        generation,
        killed,
        cause: Reason::Operator,
        by,
        reason,
        at,
        delivered_ms: None,
        obeyed_ms: None,
        last_segment: u64::MAX,
        disobeyed: false,
    }
}
