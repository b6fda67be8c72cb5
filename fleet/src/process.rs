//! The process of an agent: what its beats and its supervisor say of it beside its vitals, and its end.

use std::time::Duration;

use heartline_protocol::{Beat, ExitReport};
use heartline_vocabulary::{ExitStatus, ProcessUsage, SessionEnd};

use crate::agent::Agent;
use crate::cause::TransitionCause;
use crate::context::AgentMut;
use crate::output::HistoryDbRow;
use crate::time::MonoTime;

/// What is known of an agent's process. Most agents say nothing of it.
#[derive(Debug, Default)]
pub(crate) struct ProcessState {
    /// Its end, if it was reported; a new session clears it.
    end: Option<ProcessEnd>,
    /// What its supervisor saw of it last.
    usage: Option<ProcessUsage>,
    /// Time without progress after which it is to count as stalled.
    stall_after: Option<Duration>,
}

/// The end of an agent's process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ProcessEnd {
    Shutdown,
    Crashed(ProcessExit),
}

/// The exit of a process that its supervisor reported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessExit {
    pub status: ExitStatus,
    /// The last lines of its standard error, oldest first. Scrubbed.
    pub last_lines: Box<[Box<str>]>,
}

impl ProcessExit {
    /// Returns the last line that is not blank: what a program says at its end stands there.
    pub(crate) fn last_words(&self) -> Option<&str> {
        let mut lines = self.last_lines.iter().rev().map(|line| line.trim());
        lines.find(|line| !line.is_empty())
    }
}

impl ProcessState {
    fn is_empty(&self) -> bool {
        self.end.is_none() && self.usage.is_none() && self.stall_after.is_none()
    }
}

impl ProcessEnd {
    /// Returns the end that a supervisor reports.
    pub(crate) fn reported(report: &ExitReport<'_>) -> Self {
        let status =
            ExitStatus { code: report.code, signal: report.signal, oom_killed: report.oom_killed };
        if status.is_success() {
            return Self::Shutdown;
        }
        let last_lines = report.last_lines.iter().map(|line| line.scrubbed().into()).collect();
        Self::Crashed(ProcessExit { status, last_lines })
    }
}

impl Agent {
    /// Returns what its supervisor saw of its process last, if it has one and the process runs.
    pub fn process_usage(&self) -> Option<&ProcessUsage> {
        self.process.as_ref()?.usage.as_ref()
    }

    /// Returns the time without progress after which it is to count as stalled, if it declares one.
    pub(crate) fn declared_stall_after(&self) -> Option<Duration> {
        self.process.as_ref()?.stall_after
    }

    /// Returns the end of its process, if it was reported.
    pub(crate) fn ended(&self) -> Option<&ProcessEnd> {
        self.process.as_ref()?.end.as_ref()
    }

    /// Returns whether it said goodbye, and was not started since.
    pub(crate) fn has_said_goodbye(&self) -> bool {
        self.ended() == Some(&ProcessEnd::Shutdown)
    }

    pub(crate) fn set_ended(&mut self, end: ProcessEnd) {
        let process = self.process.get_or_insert_default();
        process.end = Some(end);
        // Of a process that is gone nothing is seen any more.
        process.usage = None;
    }

    /// Forgets the process, as another one takes over; returns whether its end was reported.
    pub(crate) fn forget_process(&mut self) -> bool {
        self.process.take().is_some_and(|process| process.end.is_some())
    }

    /// Takes in what a beat says of the process.
    pub(crate) fn set_process(&mut self, beat: &Beat<'_>) {
        if beat.process.is_none() && beat.stall_after_ms.is_none() && self.process.is_none() {
            return;
        }
        let process = self.process.get_or_insert_default();
        process.usage = beat.process;
        process.stall_after = beat.stall_after_ms.map(|ms| Duration::from_millis(ms.into()));
        if process.is_empty() {
            self.process = None;
        }
    }
}

impl AgentMut<'_> {
    /// Records the end of the agent's process; returns it as the cause of what follows.
    pub(crate) fn on_process_end(&mut self, ended: ProcessEnd, now: MonoTime) -> TransitionCause {
        let (end, cause) = match &ended {
            ProcessEnd::Shutdown => (SessionEnd::Shutdown, TransitionCause::Goodbye),
            ProcessEnd::Crashed(exit) => {
                (SessionEnd::Crashed, TransitionCause::Exited(exit.clone()))
            }
        };
        self.end_leases();
        let agent = &mut *self.agent;
        if agent.ended() != Some(&ended) {
            let (id, session) = (agent.id, agent.session.id);
            agent.set_ended(ended);
            agent.in_flight = 0;
            agent.oldest_task_at = MonoTime::NEVER_YET;
            self.context.record(HistoryDbRow::SessionEnded { id, session, at: now, end });
        }
        // A process that has ended works no more: it obeys whatever command it was sent.
        self.record_command_progress(now);
        cause
    }
}
