//! The ceiling on what one sink is told: beyond it incidents go into a list.

use std::collections::{BTreeSet, VecDeque};

use heartline_vocabulary::IncidentId;

use super::notice::IncidentFacts;
use super::rules::StormRule;
use crate::time::MonoTime;

/// What one sink was told lately, and what waits to be told in a list.
#[derive(Debug, Default)]
pub(crate) struct Storm {
    /// Times of the incidents that were told one by one.
    told: VecDeque<MonoTime>,
    /// The open incidents that are told in lists.
    pub(crate) listed: BTreeSet<IncidentId>,
    /// Those that are over since the last list.
    pub(crate) over: Vec<IncidentFacts>,
    /// When the next list is due; `None`: nothing has changed.
    pub(crate) due: Option<MonoTime>,
    /// The incident that the lists are notices of, and how many there were.
    pub(crate) digest: Option<(IncidentId, u32)>,
}

impl Storm {
    /// Returns whether one more incident may be told by itself, and counts it then.
    pub(crate) fn try_tell(&mut self, rule: &StormRule, now: MonoTime) -> bool {
        while self.told.front().is_some_and(|&at| now.since(at) > rule.within) {
            self.told.pop_front();
        }
        let has_room = self.told.len() < rule.after as usize;
        if has_room {
            self.told.push_back(now);
        }
        has_room
    }

    /// Counts an incident that was told before the collector started.
    pub(crate) fn restore(&mut self, at: MonoTime) {
        self.told.push_back(at);
    }

    /// Puts an incident on the next list.
    pub(crate) fn list(&mut self, id: IncidentId, rule: &StormRule, now: MonoTime) {
        self.listed.insert(id);
        self.due.get_or_insert(now + rule.digest_every);
    }

    /// Takes an incident off the list, and puts it among those that are over.
    pub(crate) fn unlist(&mut self, facts: IncidentFacts, rule: &StormRule, now: MonoTime) {
        self.listed.remove(&facts.incident.id);
        self.over.push(facts);
        self.due.get_or_insert(now + rule.digest_every);
    }
}
