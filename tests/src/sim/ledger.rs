//! The agents' own account of their work, against which the collector's is checked.

use std::collections::{BTreeMap, BTreeSet};

use heartline_fleet::{Agent, WorkRow};
use heartline_vocabulary::WorkTotals;

use super::disk::{SimDisk, StoredWork};
use super::oracle::FleetOracle;
use super::violation::{CheckResult, ensure};

/// Work as done by the agents, and as counted by the collector.
#[derive(Debug, Default)]
pub(super) struct WorkLedger {
    /// All work of each session's process so far.
    done: BTreeMap<u64, WorkTotals>,
    /// Totals that this start of the collector must show, by row id.
    shown: BTreeMap<i64, WorkTotals>,
    /// Rows that are not reported as stored yet, by ticket: row id and work.
    unconfirmed: BTreeMap<u64, (i64, WorkTotals)>,
    /// Row id of each session and segment that was stored before the collector started.
    counted_before: BTreeMap<(u64, u64), i64>,
    /// The same for those that were counted since.
    counted: BTreeMap<(u64, u64), i64>,
    /// Sessions of processes of which a copy ran. What one had pending, the other may have had, too.
    shared: BTreeSet<u64>,
    /// The agent of each row id.
    agents: BTreeMap<i64, usize>,
}

impl WorkLedger {
    pub(super) fn record_row_id(&mut self, id: i64, agent: usize) {
        self.agents.insert(id, agent);
    }

    /// Records all work that a session's process has done so far.
    pub(super) fn record_done(&mut self, session: u64, done: WorkTotals) {
        self.done.insert(session, done);
    }

    /// Records that a process left a session for another one, because a copy of it had the same.
    pub(super) fn record_session_left(&mut self, before: u64, after: u64) {
        self.shared.extend([before, after]);
    }

    pub(super) fn on_collector_start(&mut self, disk: &SimDisk) {
        self.unconfirmed.clear();
        self.shown = disk.history.totals();
        self.counted_before = disk.history.counted();
        self.counted.clear();
    }

    /// Takes in that the collector counts a segment.
    ///
    /// A segment counts once, also for an agent and its successor together, unless the collector can
    /// no longer know that it counted: the segment's session was dropped because of many newer ones,
    /// or the agent was forgotten before the collector started, as sessions of forgotten agents are
    /// kept in memory alone, or the session was not among those that it restored: then the store
    /// finds that it has the segment.
    pub(super) fn record_counted(&mut self, row: &WorkRow, oracle: &FleetOracle) -> CheckResult {
        let (id, session, segment) = (row.id.0, row.session, row.segment);
        let is_of_agent = |of: &i64| *of == id || oracle.has_forgotten(*of);
        let since = self.counted.insert((session, segment), id);
        let before = self.counted_before.get(&(session, segment));
        let is_known = since.as_ref().is_some_and(is_of_agent)
            || before.is_some_and(is_of_agent) && !oracle.is_new_session(id, session);
        ensure!(
            !is_known || !oracle.knows_session(id, session),
            "segment {segment} of {session:x} counts twice"
        );
        let shown = self.shown.entry(id).or_default();
        *shown = shown.saturating_add(&row.work);
        self.unconfirmed.insert(row.ticket.0, (id, row.work));
        Ok(())
    }

    /// Takes in what the collector learns of a commit.
    pub(super) fn on_stored(&mut self, stored: &StoredWork) -> CheckResult {
        let later = self.unconfirmed.split_off(&(stored.ticket.0 + 1));
        let confirmed = std::mem::replace(&mut self.unconfirmed, later);
        for (ticket, (id, work)) in confirmed {
            if stored.known.iter().any(|known| known.0 == ticket) {
                let shown = self.shown.entry(id).or_default();
                ensure!(is_within(&work, shown), "{work:?} was stored before and never counted");
                *shown = shown.saturating_sub(&work);
            }
        }
        Ok(())
    }

    pub(super) fn check_forgotten(&self, id: i64) -> CheckResult {
        let is_pending = self.unconfirmed.values().any(|unconfirmed| unconfirmed.0 == id);
        ensure!(!is_pending, "agent row {id} was forgotten before its work was stored");
        Ok(())
    }

    /// Checks that a segment is durable which the collector confirmed to its agent.
    pub(super) fn check_confirmed(
        &self,
        session: u64,
        segment: u64,
        disk: &SimDisk,
    ) -> CheckResult {
        ensure!(
            disk.history.has(session, segment),
            "segment {segment} of {session:x} was confirmed and is not on disk"
        );
        Ok(())
    }

    /// Checks the totals that the collector shows of an agent.
    pub(super) fn check(&self, view: &Agent) -> CheckResult {
        let expected = self.shown.get(&view.id().0).copied().unwrap_or_default();
        ensure!(
            *view.totals() == expected,
            "{} shows {:?}, not {expected:?}",
            view.name(),
            view.totals()
        );
        Ok(())
    }

    /// Checks that nothing is on disk that was not done.
    pub(super) fn check_disk(&self, disk: &SimDisk) -> CheckResult {
        for (session, done) in self.done.iter().filter(|it| !self.shared.contains(it.0)) {
            let (once, again) = disk.history.of_session(*session);
            ensure!(
                is_within(&once, done),
                "session {session:x} did {done:?}, and {once:?} is on disk, {again:?} of it twice"
            );
        }
        Ok(())
    }

    /// Checks that all work of an agent's sessions is on disk under its own row ids, those before it
    /// was forgotten included.
    pub(super) fn check_agent(
        &self,
        agent: usize,
        sessions: &[u64],
        disk: &SimDisk,
    ) -> CheckResult {
        let sum = |sum: WorkTotals, work: &WorkTotals| sum.saturating_add(work);
        let by_session = sessions.iter().fold(WorkTotals::default(), |total, &session| {
            let (once, again) = disk.history.of_session(session);
            sum(sum(total, &once), &again)
        });
        let of_agent = disk.history.totals().into_iter();
        let of_agent = of_agent.filter(|(id, _)| self.agents.get(id) == Some(&agent));
        let by_id = of_agent.fold(WorkTotals::default(), |total, (_, work)| sum(total, &work));
        ensure!(
            by_id == by_session,
            "agent-{agent} has {by_id:?} on disk, and its sessions {by_session:?}"
        );
        Ok(())
    }

    /// Checks that all work of a session is on disk.
    pub(super) fn check_complete(&self, session: u64, disk: &SimDisk) -> CheckResult {
        if self.shared.contains(&session) {
            return Ok(());
        }
        let done = self.done.get(&session).copied().unwrap_or_default();
        let (once, again) = disk.history.of_session(session);
        ensure!(
            done == once,
            "session {session:x} did {done:?}, and in the end {once:?} is on disk, {again:?} of it \
             twice"
        );
        Ok(())
    }
}

/// Returns whether no sum of `part` is above that of `whole`.
fn is_within(part: &WorkTotals, whole: &WorkTotals) -> bool {
    part.saturating_sub(whole) == WorkTotals::default()
}
