//! `control.db`: registered agents and their desired states.

use std::collections::{BTreeMap, BTreeSet};

use heartline_fleet::{
    CommandRecord, CommandRow, CommandRowTarget, ControlDbRow, MonoTime, WriteTicket,
};

use heartline_protocol::ControlId;
use heartline_vocabulary::{AgentRowId, Identity, Reason};

use super::StoreNotice;

#[derive(Debug)]
pub(in crate::sim) struct RegisteredAgent {
    pub(super) agent: Box<str>,
    pub(super) first_seen: MonoTime,
    pub(super) interval_ms: u32,
    pub(super) identity: Option<Identity>,
}

/// The durable command of one agent.
#[derive(Clone, Debug)]
pub(in crate::sim) struct DurableCommand {
    pub(in crate::sim) ticket: WriteTicket,
    pub(in crate::sim) id: AgentRowId,
    pub(in crate::sim) generation: u64,
    pub(in crate::sim) killed: bool,
    pub(in crate::sim) changed: bool,
    pub(in crate::sim) cause: Reason,
}

/// Committed rows.
#[derive(Debug)]
pub(in crate::sim) struct ControlTables {
    /// The series that generations belong to.
    pub(in crate::sim) id: ControlId,
    /// The commands of an older copy were restored since the last loss.
    pub(in crate::sim) was_restored: bool,
    /// Desired states and requests at the time of the last copy.
    copied: Option<(BTreeMap<i64, CommandRecord>, BTreeSet<u64>)>,
    agents: BTreeMap<i64, RegisteredAgent>,
    desired: BTreeMap<i64, CommandRecord>,
    requests: BTreeSet<u64>,
    forgotten: BTreeSet<i64>,
    last_id: i64,
}

impl Default for ControlTables {
    fn default() -> Self {
        Self {
            id: ControlId::new(1).expect("it is not 0"),
            was_restored: false,
            copied: None,
            agents: BTreeMap::new(),
            desired: BTreeMap::new(),
            requests: BTreeSet::new(),
            forgotten: BTreeSet::new(),
            last_id: 0,
        }
    }
}

impl ControlTables {
    /// Copies the desired states.
    pub(in crate::sim) fn copy(&mut self) {
        self.copied = Some((self.desired.clone(), self.requests.clone()));
    }

    /// Goes back to the last copy, if there is one: later commands are lost. Agents are registered
    /// anew from `history.db`.
    pub(in crate::sim) fn restore_copy(&mut self) {
        if let Some((desired, requests)) = &self.copied {
            self.was_restored = true;
            self.desired.clone_from(desired);
            self.requests.clone_from(requests);
            self.desired.retain(|id, _| self.agents.contains_key(id));
        }
    }

    /// Loses all commands: a new file has another control id.
    pub(in crate::sim) fn lose_commands(&mut self) {
        self.id = ControlId::new(self.id.get() + 1).expect("it is not 0");
        (self.was_restored, self.copied) = (false, None);
        self.desired.clear();
        self.requests.clear();
    }

    /// Returns whether a command is durable.
    pub(in crate::sim) fn has(&self, request_id: u64) -> bool {
        self.requests.contains(&request_id)
    }

    /// Returns the desired state of an agent.
    pub(in crate::sim) fn desired(&self, id: i64) -> Option<&CommandRecord> {
        self.desired.get(&id)
    }

    /// Returns the agents that were not forgotten.
    pub(in crate::sim) fn agents(&self) -> impl Iterator<Item = (i64, &RegisteredAgent)> {
        self.agents.iter().map(|(&id, known)| (id, known))
    }

    /// Removes an agent that `history.db` has as forgotten.
    pub(super) fn forget(&mut self, id: i64) {
        self.agents.remove(&id);
        self.desired.remove(&id);
        self.forgotten.insert(id);
    }

    /// Registers an agent of `history.db` whose registration was lost here.
    pub(super) fn adopt(&mut self, id: i64, agent: &str, first_seen: MonoTime) {
        let is_taken = self.agents.values().any(|known| &*known.agent == agent);
        if !is_taken && !self.forgotten.contains(&id) && !self.agents.contains_key(&id) {
            self.register(id, agent.into(), first_seen);
        }
    }

    fn register(&mut self, id: i64, agent: Box<str>, first_seen: MonoTime) {
        let interval_ms = heartline_protocol::limits::INTERVAL_DEFAULT_MS;
        self.agents.insert(id, RegisteredAgent { agent, first_seen, interval_ms, identity: None });
        self.last_id = self.last_id.max(id);
    }

    pub(super) fn last_id(&self) -> i64 {
        self.last_id
    }

    pub(super) fn commit(
        &mut self,
        rows: Vec<ControlDbRow>,
        wall_ahead_ms: i64,
        mut refuses: impl FnMut() -> bool,
    ) -> Vec<StoreNotice> {
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
                    abandoned.push(StoreNotice::Abandoned(row.ticket));
                }
                ControlDbRow::Command(row) => {
                    let CommandRow { ticket, at, action, cause, by, reason, targets, .. } = row;
                    // Stored as a time of the wall clock.
                    let at = MonoTime::from_nanos(at.nanos() + wall_ahead_ms * 1_000_000);
                    self.requests.insert(row.request_id);
                    for CommandRowTarget { id, target, lifts } in targets {
                        let (killed, generation) = (action.kills(), target.generation);
                        let changed = target.changed;
                        durable.push(DurableCommand {
                            ticket,
                            id,
                            generation,
                            killed,
                            changed,
                            cause,
                        });
                        if changed && self.agents.contains_key(&id.0) {
                            let desired = CommandRecord {
                                generation,
                                killed,
                                cause,
                                by: by.clone(),
                                reason: reason.clone(),
                                at,
                                delivered_ms: None,
                                obeyed_ms: None,
                                last_segment: u64::MAX,
                                disobeyed: false,
                                lifts,
                            };
                            self.desired.insert(id.0, desired);
                        }
                    }
                }
            }
        }
        if !durable.is_empty() {
            abandoned.push(StoreNotice::Persisted(durable));
        }
        abandoned
    }
}
