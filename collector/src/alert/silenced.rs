//! Which incidents nobody is to be told of now, as far as what is durable says so.

use std::collections::{BTreeMap, BTreeSet};

use heartline_vocabulary::IncidentId;

use crate::store::OutboxEvent;

/// The incidents of which all agents in trouble are silenced.
#[derive(Debug, Default)]
pub(super) struct SilencedIncidents {
    ids: BTreeSet<IncidentId>,
}

/// What is to be held back from now on, and what not any more.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct SilenceChanges {
    pub(super) held: BTreeSet<IncidentId>,
    pub(super) released: BTreeSet<IncidentId>,
    /// Ended under their silence: nothing is held back of them once their last notices have been taken in.
    pub(super) over: BTreeSet<IncidentId>,
}

impl SilencedIncidents {
    /// Begins anew with the incidents that are silenced.
    pub(super) fn reset(&mut self, silenced: BTreeSet<IncidentId>) {
        self.ids = silenced;
    }

    pub(super) fn ids(&self) -> &BTreeSet<IncidentId> {
        &self.ids
    }

    /// Takes in events in their order, of which the last of an incident holds.
    pub(super) fn take_in(&mut self, events: &[OutboxEvent]) -> SilenceChanges {
        let last: BTreeMap<IncidentId, (bool, bool)> = events
            .iter()
            .filter_map(|event| match *event {
                OutboxEvent::Incident { id, is_silenced, is_over } => {
                    Some((id, (is_silenced, is_over)))
                }
                OutboxEvent::Notice(_) => None,
            })
            .collect();
        let mut changes = SilenceChanges::default();
        for (id, (is_silenced, is_over)) in last {
            if !is_silenced {
                changes.released.extend(self.ids.take(&id));
                continue;
            }
            if self.ids.insert(id) {
                changes.held.insert(id);
            }
            if is_over {
                self.ids.remove(&id);
                changes.over.insert(id);
            }
        }
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: u64, is_silenced: bool, is_over: bool) -> OutboxEvent {
        OutboxEvent::Incident { id: IncidentId(id), is_silenced, is_over }
    }

    #[test]
    fn only_what_changes_is_told_and_what_is_over_is_forgotten() {
        let set = |ids: &[u64]| ids.iter().map(|it| IncidentId(*it)).collect::<BTreeSet<_>>();
        let mut silenced = SilencedIncidents::default();
        let changes = silenced.take_in(&[event(1, false, false), event(2, true, false)]);
        assert_eq!(changes, SilenceChanges { held: set(&[2]), ..SilenceChanges::default() });
        let unchanged = silenced.take_in(&[event(2, true, false), event(1, false, true)]);
        assert_eq!(unchanged, SilenceChanges::default());
        let changes = silenced.take_in(&[event(2, false, false), event(3, true, true)]);
        let (held, released, over) = (set(&[3]), set(&[2]), set(&[3]));
        assert_eq!(changes, SilenceChanges { held, released, over });
        assert!(silenced.ids().is_empty());
    }
}
