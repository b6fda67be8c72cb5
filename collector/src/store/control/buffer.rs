//! Rows for `control.db` in front of the writer's queue: the latest of each kind for each agent.

use std::collections::{BTreeMap, VecDeque};

use heartline_fleet::ControlDbRow;
use heartline_vocabulary::AgentRowId;

use crate::clock::WallClockAnchor;

/// A row with the anchor that turns its times into wall-clock time.
pub(crate) type AnchoredRow = (ControlDbRow, WallClockAnchor);

/// Rows that agents cause, and that no reply depends on. They are bounded by the number of agents: a
/// newer row of a kind replaces the one that waits.
#[derive(Debug, Default)]
pub(crate) struct RowBuffer {
    agents: BTreeMap<AgentRowId, AgentRows>,
    /// The agents whose rows wait, in the order of their first one. One whose rows were taken along
    /// by a command may still be in it.
    order: VecDeque<AgentRowId>,
}

/// The rows of one agent that wait, in the order in which they are written.
#[derive(Debug, Default)]
struct AgentRows {
    registered: Option<AnchoredRow>,
    profile: Option<AnchoredRow>,
    progress: Option<AnchoredRow>,
}

impl AgentRows {
    fn into_rows(self) -> impl Iterator<Item = AnchoredRow> {
        [self.registered, self.profile, self.progress].into_iter().flatten()
    }
}

impl RowBuffer {
    pub(crate) fn len(&self) -> usize {
        self.agents.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.agents.is_empty()
    }

    /// Adds a row. Returns what must be written without delay, in order: what operators do (or an
    /// agent's retention), with the rows of its agents that wait.
    pub(crate) fn insert(
        &mut self,
        row: ControlDbRow,
        anchor: WallClockAnchor,
    ) -> Vec<AnchoredRow> {
        let ids: Vec<AgentRowId> = match &row {
            ControlDbRow::Command(command) => command.targets.iter().map(|it| it.id).collect(),
            ControlDbRow::Forgotten { id, .. } => vec![*id],
            ControlDbRow::Registered { id, .. }
            | ControlDbRow::Profile { id, .. }
            | ControlDbRow::Progress { id, .. } => {
                let id = *id;
                self.replace(id, row, anchor);
                return Vec::new();
            }
        };
        let mut urgent: Vec<AnchoredRow> =
            ids.into_iter().flat_map(|id| self.take_agent(id)).collect();
        urgent.push((row, anchor));
        urgent
    }

    fn replace(&mut self, id: AgentRowId, row: ControlDbRow, anchor: WallClockAnchor) {
        let rows = self.agents.entry(id).or_insert_with(|| {
            self.order.push_back(id);
            AgentRows::default()
        });
        let place = match row {
            ControlDbRow::Registered { .. } => &mut rows.registered,
            ControlDbRow::Progress { .. } => &mut rows.progress,
            _ => &mut rows.profile,
        };
        *place = Some((row, anchor));
    }

    fn take_agent(&mut self, id: AgentRowId) -> impl Iterator<Item = AnchoredRow> + use<> {
        self.agents.remove(&id).into_iter().flat_map(AgentRows::into_rows)
    }

    /// Takes about so many rows, those of the agents that have waited longest.
    pub(crate) fn take(&mut self, rows_max: usize) -> Vec<AnchoredRow> {
        let mut taken = Vec::new();
        while taken.len() < rows_max {
            let Some(id) = self.order.pop_front() else { break };
            taken.extend(self.take_agent(id));
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use heartline_fleet::MonoTime;

    use super::*;

    fn anchor() -> WallClockAnchor {
        WallClockAnchor::new(MonoTime::from_nanos(0), 0)
    }

    fn registered(id: i64) -> ControlDbRow {
        let (agent, at) = (format!("agent-{id}").into(), MonoTime::from_nanos(0));
        ControlDbRow::Registered { id: AgentRowId(id), agent, at }
    }

    fn profile(id: i64, interval_ms: u32) -> ControlDbRow {
        ControlDbRow::Profile { id: AgentRowId(id), interval_ms, identity: None }
    }

    fn rows(taken: Vec<AnchoredRow>) -> Vec<ControlDbRow> {
        taken.into_iter().map(|(row, _)| row).collect()
    }

    #[test]
    fn only_the_latest_row_of_an_agent_waits() {
        let mut buffer = RowBuffer::default();
        assert!(buffer.insert(registered(7), anchor()).is_empty());
        for n in 0..100_000 {
            assert!(buffer.insert(profile(7, 100 + n % 2), anchor()).is_empty());
        }
        assert_eq!(rows(buffer.take(1_000)), [registered(7), profile(7, 101)]);
        assert!(buffer.is_empty());
    }

    #[test]
    fn what_an_operator_does_takes_along_the_rows_of_its_agents_alone() {
        let mut buffer = RowBuffer::default();
        for id in 1..=1_000 {
            buffer.insert(registered(id), anchor());
        }
        let (id, at) = (AgentRowId(900), MonoTime::from_nanos(0));
        let forgotten = ControlDbRow::Forgotten { id, at, by: "root@host".into() };
        let urgent = buffer.insert(forgotten.clone(), anchor());
        assert_eq!(rows(urgent), [registered(900), forgotten]);
        let rest = rows(buffer.take(usize::MAX));
        assert_eq!((rest.len(), rest.contains(&registered(900))), (999, false));
    }
}
