//! The agents' own books, against which the collector's are checked.

use std::collections::{BTreeMap, BTreeSet};

use heartline_fleet::{AgentView, WorkRow};

use super::disk::{Disk, Stored};
use super::violation::{Checked, hold};
use super::work::Work;

/// What was done, and what the collector has counted of it.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// By session: all that its process has done so far.
    done: BTreeMap<u64, Work>,
    /// By durable id: what this start of the collector must show.
    shown: BTreeMap<i64, Work>,
    /// Rows of this start of the collector that it has not heard of again.
    under_way: BTreeMap<u64, (i64, Work)>,
    /// Sessions and segments that were counted and not lost since.
    counted: BTreeSet<(i64, u64, u64)>,
    /// Sessions whose agent was forgotten while they lived. A segment that was stored for the old
    /// agent, and whose ack was lost, counts for the new one too when the collector restarts.
    blurred: BTreeSet<u64>,
}

impl Ledger {
    /// A process of this session has done this much in all.
    pub(super) fn did(&mut self, session: u64, done: Work) {
        self.done.insert(session, done);
    }

    /// Sessions that the agent of that name has lose their exactness.
    pub(super) fn blur(&mut self, session: u64) {
        self.blurred.insert(session);
    }

    /// The collector has started from what is on disk.
    pub(super) fn begin(&mut self, disk: &Disk) {
        self.under_way.clear();
        self.shown = disk.history.totals();
        self.counted = disk.history.counted();
    }

    /// The collector counts a segment. `remembered`: it knows the segment's session.
    pub(super) fn count(&mut self, row: &WorkRow, remembered: bool) -> Checked {
        let key = (row.id.0, row.session, row.segment);
        let is_new = self.counted.insert(key);
        hold!(is_new || !remembered, "segment {} of {:x} counts twice", row.segment, row.session);
        let work = Work::from(row);
        self.shown.entry(row.id.0).or_default().add(&work);
        self.under_way.insert(row.ticket.0, (row.id.0, work));
        Ok(())
    }

    /// The collector hears what was stored.
    pub(super) fn stored(&mut self, stored: &Stored) {
        let still = self.under_way.split_off(&(stored.ticket.0 + 1));
        let done = std::mem::replace(&mut self.under_way, still);
        for (ticket, (id, work)) in done {
            if stored.known.iter().any(|known| known.0 == ticket) {
                self.shown.entry(id).or_default().subtract(&work);
            }
        }
    }

    /// An agent was told that this segment of its session is durable.
    pub(super) fn confirmed(&self, session: u64, segment: u64, disk: &Disk) -> Checked {
        hold!(
            disk.history.has(session, segment),
            "segment {segment} of {session:x} was confirmed and is not on disk"
        );
        Ok(())
    }

    /// Checks what the collector shows of an agent.
    pub(super) fn check(&self, view: &AgentView<'_>) -> Checked {
        let shown = Work::from(view.totals());
        let expected = self.shown.get(&view.id().0).copied().unwrap_or_default();
        hold!(shown == expected, "{} shows {shown:?}, not {expected:?}", view.name());
        Ok(())
    }

    /// Nothing is on disk that was not done.
    pub(super) fn check_disk(&self, disk: &Disk) -> Checked {
        for (session, done) in &self.done {
            let stored = disk.history.of_session(*session);
            hold!(
                stored.is_within(done) || self.blurred.contains(session),
                "session {session:x} did {done:?}, and {stored:?} is on disk"
            );
        }
        Ok(())
    }

    /// What is shown of an agent is what is on disk of all its sessions.
    pub(super) fn check_shown(
        &self,
        view: &AgentView<'_>,
        sessions: &[u64],
        disk: &Disk,
    ) -> Checked {
        if sessions.iter().any(|session| self.blurred.contains(session)) {
            return Ok(());
        }
        let mut stored = Work::default();
        sessions.iter().for_each(|&session| stored.add(&disk.history.of_session(session)));
        let shown = Work::from(view.totals());
        hold!(shown == stored, "{} shows {shown:?}, and {stored:?} is on disk", view.name());
        Ok(())
    }

    /// All that a session did is on disk, exactly.
    pub(super) fn check_complete(&self, session: u64, disk: &Disk) -> Checked {
        let (done, stored) = (self.done.get(&session), disk.history.of_session(session));
        let done = done.copied().unwrap_or_default();
        hold!(
            done == stored || self.blurred.contains(&session) && done.is_within(&stored),
            "session {session:x} did {done:?}, and in the end {stored:?} is on disk"
        );
        Ok(())
    }
}
