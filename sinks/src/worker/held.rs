//! What a silence holds back: notices of incidents that were told to nobody yet when it began.

use std::collections::{BTreeMap, BTreeSet};

use heartline_vocabulary::{IncidentId, NoticeKind};

use super::pending::QueuedNotice;

/// The silenced incidents, each with what is held back of it, the oldest first.
#[derive(Debug, Default)]
pub(super) struct HeldNotices {
    incidents: BTreeMap<IncidentId, Vec<QueuedNotice>>,
}

/// What is to become of notices of an incident that is silenced and over.
#[derive(Debug)]
pub(super) enum HeldEnd {
    /// Somebody was told that it began, so that they have to be told how it ended.
    Send(Vec<QueuedNotice>),
    /// Nobody was told of it, and nobody has to be.
    Drop(Vec<QueuedNotice>),
}

impl HeldNotices {
    /// Begins to hold back what is of an incident.
    pub(super) fn begin(&mut self, incident: IncidentId) {
        self.incidents.entry(incident).or_default();
    }

    /// Returns whether what is of an incident is held back.
    pub(super) fn holds(&self, incident: IncidentId) -> bool {
        self.incidents.contains_key(&incident)
    }

    /// Holds back nothing of an incident any more, and returns what was.
    pub(super) fn end(&mut self, incident: IncidentId) -> Vec<QueuedNotice> {
        self.incidents.remove(&incident).unwrap_or_default()
    }

    /// Adds notices behind those of the same incident, or before them if they were tried.
    pub(super) fn add(&mut self, incident: IncidentId, at: HeldPlace, batch: Vec<QueuedNotice>) {
        let held = self.incidents.entry(incident).or_default();
        let place = match at {
            HeldPlace::First => 0,
            HeldPlace::Last => held.len(),
        };
        held.splice(place..place, batch);
    }

    /// Returns whether the last notice of an incident is held back.
    pub(super) fn has_end(&self, incident: IncidentId) -> bool {
        let is_end =
            |it: &QueuedNotice| matches!(it.kind(), NoticeKind::Resolved | NoticeKind::Merged);
        self.incidents.get(&incident).is_some_and(|held| held.iter().any(is_end))
    }

    /// Takes what is held back of an incident that is over, of which nothing is held back any more.
    pub(super) fn take_ended(&mut self, incident: IncidentId) -> Option<HeldEnd> {
        let all =
            if self.has_end(incident) { self.incidents.remove(&incident)? } else { return None };
        Some(if is_untold(&all) { HeldEnd::Drop(all) } else { HeldEnd::Send(all) })
    }

    /// Returns the incidents of which nobody was told, as that is held back.
    pub(super) fn untold(&self) -> BTreeSet<IncidentId> {
        self.incidents.iter().filter(|(_, held)| is_untold(held)).map(|(id, _)| *id).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.incidents.values().map(Vec::len).sum()
    }

    /// Takes all that is held back; nothing is, from now on.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = QueuedNotice> {
        std::mem::take(&mut self.incidents).into_values().flatten()
    }
}

/// Where a notice is put among those that are held back.
#[derive(Clone, Copy, Debug)]
pub(super) enum HeldPlace {
    First,
    Last,
}

/// Returns whether the sink has certainly not been told of an incident with these notices pending.
fn is_untold(held: &[QueuedNotice]) -> bool {
    held.iter().any(|it| it.kind() == NoticeKind::Opened)
        && held.iter().all(|it| !it.pending.may_have_arrived)
}
