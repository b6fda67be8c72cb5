//! Work that is expected of an agent, whatever its past says: so many tasks in so much time, during hours of the week.
//!
//! 1. The core knows no calendar: an input says from when until when the hours of an expectation last.
//! 2. Tasks count in slots of a twelfth of the time in which they are expected: in twelve of them and the one that
//!    goes on. So a task counts for that time and up to a twelfth longer.
//! 3. A task in flight counts as if it had ended: who works on one long task is not idle. One that makes no progress
//!    is a stall.
//! 4. An agent is idle at a beat within these hours, when fewer tasks count than are expected, and the whole time
//!    was observed: it begins anew with the hours, a start of the agent or of the collector, and a silence, and
//!    while the agent is killed or waits. What was not observed counts in no time.
//! 5. It is so until enough tasks count, or the hours are over. A restart of the collector changes nothing of it.

use std::sync::Arc;
use std::time::Duration;

use heartline_protocol::Beat;
use heartline_vocabulary::Phase;

use crate::agent::Agent;
use crate::context::AgentMut;
use crate::fleet::Fleet;
use crate::gap::ObservedTime;
use crate::judge::late_after;
use crate::time::MonoTime;

/// Slots in the time in which tasks are expected.
const SLOTS: usize = 12;

/// Tasks that are expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation {
    /// So many, at least 1.
    pub at_least: u32,
    pub within: Duration,
    /// The hours in words, such as "weekdays 09:00–17:00"; `None`: always.
    pub during: Option<Arc<str>>,
}

/// Hours of an expectation: those that last, or come next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpectedHours {
    pub from: MonoTime,
    pub until: MonoTime,
}

impl ExpectedHours {
    pub const ALWAYS: Self = Self { from: MonoTime::NEVER_YET, until: MonoTime::NEVER };

    fn contain(&self, at: MonoTime) -> bool {
        (self.from..self.until).contains(&at)
    }
}

/// The tasks of an agent of which some are expected.
#[derive(Debug)]
pub(crate) struct ExpectedWork {
    /// Since when it is observed without a break.
    since: ObservedTime,
    /// The begin of the hours that it is judged by.
    hours_from: Option<MonoTime>,
    starts: u32,
    /// Tasks of its total that were counted.
    counted: u64,
    /// The number of the slot that goes on, and the tasks in it and those before it.
    slot: u64,
    tasks: [u32; SLOTS + 1],
    /// It was idle when the collector started.
    was_idle: bool,
    missing: Option<MissingTasks>,
}

/// What a beat says of the work of an agent.
#[derive(Clone, Copy)]
struct WorkReport {
    /// When it came, by both clocks.
    at: MonoTime,
    observed: ObservedTime,
    /// All that the agent ever ended.
    tasks_ended: u64,
    in_flight: u32,
}

/// Tasks that were expected and did not end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MissingTasks {
    pub(crate) ended: u32,
    pub(crate) expected: Expectation,
}

impl ExpectedWork {
    /// Returns what is known of an agent at the first look at it.
    fn new(agent: &Agent, was_idle: bool) -> Self {
        Self {
            since: agent.silent_since,
            hours_from: None,
            starts: agent.starts,
            counted: agent.tasks_ended(),
            slot: 0,
            tasks: [0; SLOTS + 1],
            was_idle,
            missing: None,
        }
    }

    /// Counts the tasks that ended since the beat before.
    fn count(&mut self, report: WorkReport, within: Duration) {
        let length_ms = (within.as_millis() as u64 / SLOTS as u64).max(1);
        let slot = report.observed.since(ObservedTime::ORIGIN).as_millis() as u64 / length_ms;
        let passed = usize::try_from(slot.saturating_sub(self.slot)).unwrap_or(usize::MAX);
        let passed = passed.min(SLOTS + 1);
        self.tasks.rotate_right(passed % (SLOTS + 1));
        self.tasks[..passed].fill(0);
        self.slot = slot;
        let ended = report.tasks_ended.saturating_sub(self.counted);
        self.counted = report.tasks_ended;
        let ended = u32::try_from(ended).unwrap_or(u32::MAX);
        self.tasks[0] = self.tasks[0].saturating_add(ended);
    }

    /// Concludes whether tasks are missing.
    fn conclude(
        &mut self,
        report: WorkReport,
        expected: &Expectation,
        hours: Option<ExpectedHours>,
    ) {
        let Some(hours) = hours.filter(|hours| hours.contain(report.at)) else {
            (self.hours_from, self.missing, self.was_idle) = (None, None, false);
            return;
        };
        if self.hours_from.replace(hours.from) != Some(hours.from) {
            // Of one that was idle before the collector started, the time before that is known.
            let is_known = self.was_idle && report.at.since(hours.from) >= expected.within;
            self.since = if is_known { ObservedTime::NEVER_YET } else { report.observed };
        }
        self.was_idle = false;
        let ended = self.tasks.iter().fold(0, |sum: u32, tasks| sum.saturating_add(*tasks));
        let is_missed = report.observed.since(self.since) >= expected.within
            && ended.saturating_add(report.in_flight) < expected.at_least;
        if !is_missed && self.since == ObservedTime::NEVER_YET {
            self.since = report.observed;
        }
        self.missing = is_missed.then(|| MissingTasks { ended, expected: expected.clone() });
    }
}

impl Agent {
    /// Returns how many of its tasks have ended.
    fn tasks_ended(&self) -> u64 {
        self.totals.ok.saturating_add(self.totals.failed)
    }

    /// Returns the tasks for lack of which it is idle.
    pub(crate) fn missing_tasks(&self) -> Option<&MissingTasks> {
        self.expected.as_ref()?.missing.as_ref()
    }

    /// Remembers that it was idle when the collector before this one ended.
    pub(crate) fn restore_idle(&mut self) {
        self.expected = Some(Box::new(ExpectedWork::new(self, true)));
    }
}

impl AgentMut<'_> {
    /// Holds a beat against what is expected of the agent; `before` is when the one before it came.
    pub(crate) fn check_expected(&mut self, beat: &Beat<'_>, before: ObservedTime, now: MonoTime) {
        let thresholds = self.context.thresholds.get(self.agent.thresholds);
        let Some((expected, hours)) = self.context.thresholds.expected(thresholds) else { return };
        let observed = self.agent.silent_since;
        let was_silent = observed.since(before) >= late_after(self.agent.interval_ms, thresholds);
        let may_not_work =
            self.agent.is_killed() || beat.applied.killed || beat.blocked_by.is_some();
        let agent = &mut *self.agent;
        let mut work = match agent.expected.take() {
            Some(work) => work,
            None => Box::new(ExpectedWork::new(agent, false)),
        };
        let (tasks_ended, in_flight) = (agent.tasks_ended(), agent.in_flight);
        let report = WorkReport { at: now, observed, tasks_ended, in_flight };
        let has_started = std::mem::replace(&mut work.starts, agent.starts) != agent.starts;
        // Of one that was idle when the collector started, it was the collector that was not there.
        let was_silent = was_silent && !work.was_idle;
        work.count(report, expected.within);
        work.conclude(report, expected, hours);
        if has_started || was_silent || may_not_work || beat.phase == Phase::Waiting {
            (work.since, work.missing) = (observed, None);
        }
        agent.expected = Some(work);
    }
}

impl Fleet {
    /// Takes in the hours of an expectation.
    pub(crate) fn on_expected_hours(&mut self, expectation: u16, hours: Option<ExpectedHours>) {
        self.context.thresholds.set_hours(expectation, hours);
    }
}
