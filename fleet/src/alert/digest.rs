//! Lists: what is beyond the ceiling of a sink, told in one notice now and then.
//!
//! The lists of one storm are notices of an incident of their own, which is over when everything in them is.

use heartline_vocabulary::{AgentStatus, NoticeId, NoticeKind};

use super::World;
use super::cause_interval::CauseInterval;
use super::engine::AlertEngine;
use super::incident::{Incident, badness};
use super::notice::{IncidentFacts, OutgoingNotice};
use super::scope::Scope;
use crate::output::HistoryDbRow;
use crate::time::MonoTime;

impl AlertEngine {
    /// Sends the lists that are due.
    pub(super) fn tell_digests(&mut self, world: &World<'_>, now: MonoTime) {
        let due = self.storms.iter().filter(|(_, storm)| storm.due.is_some_and(|at| at <= now));
        let sinks: Vec<Box<str>> = due.map(|(sink, _)| sink.clone()).collect();
        for sink in sinks {
            self.tell_digest(sink, world, now);
        }
    }

    fn tell_digest(&mut self, sink: Box<str>, world: &World<'_>, now: MonoTime) {
        let next_id = self.next_id;
        let Some(storm) = self.storms.get_mut(&sink) else { return };
        storm.due = None;
        let (id, before) = storm.digest.unwrap_or((next_id, 0));
        let over = std::mem::take(&mut storm.over);
        let open = storm.listed.iter().filter_map(|id| self.incidents.get(id));
        let open: Vec<IncidentFacts> =
            open.map(|incident| IncidentFacts::of(incident, world, now)).collect();
        let is_over = open.is_empty();
        let number = before + 1;
        storm.digest = (!is_over).then_some((id, number));
        if before == 0 {
            self.take_id();
        }
        let listed: Vec<IncidentFacts> = open.into_iter().chain(over).collect();
        let opened = listed.iter().map(|facts| facts.incident.opened).min().unwrap_or(now);
        let worst = listed.iter().map(|facts| facts.incident.worst).max_by_key(|&it| badness(it));
        let interval = CauseInterval { from: opened, to: now };
        let begun = (opened, worst.unwrap_or(AgentStatus::UNKNOWN));
        let mut incident = Incident::new(id, Scope::fleet(), interval, begun);
        incident.ended = is_over.then_some(now);
        let id = NoticeId { incident: id, number };
        let incident = IncidentFacts::of(&incident, world, now);
        let sinks = vec![sink];
        // Also the last list, in which all is over: pagers know a storm by a key of its own.
        let kind = NoticeKind::Digest;
        let notice = OutgoingNotice { id, kind, at: now, sinks, incident, listed };
        self.rows.push(HistoryDbRow::Notice(Box::new(notice)));
    }
}
