//! The supervisor of a process: what it sees of the program, and what it does when that ends.

use std::time::Duration;

use fastrand::Rng;
use heartline_engine::{BeatVitals, ProcessExit};
use heartline_fleet::MonoTime;
use heartline_vocabulary::{ExitStatus, ProcessUsage, WorkTotals};

use super::process::{SimProcess, engine_time};
use crate::random::RngExt as _;

/// A supervisor that starts its program again whenever it ends.
#[derive(Clone, Debug)]
pub(super) struct SimSupervisor {
    /// After what time without progress the agent is to count as stalled.
    stall_after: Option<Duration>,
    /// Since when the program's own emitter says nothing, and until when.
    emitter_silent: Option<(MonoTime, MonoTime)>,
    /// The end of the program, until the next one is started.
    ended: Option<EndedProgram>,
}

/// A program that has ended.
#[derive(Clone, Debug)]
struct EndedProgram {
    exit: ProcessExit,
    /// When it is started again, if its end is acknowledged by then.
    restarts_at: MonoTime,
}

impl SimSupervisor {
    pub(super) fn draw(interval_ms: u32, rng: &mut Rng) -> Self {
        let stall_after_ms = u64::from(interval_ms) * rng.u64(2..=30);
        let stall_after = rng.chance(300).then(|| Duration::from_millis(stall_after_ms));
        Self { stall_after, emitter_silent: None, ended: None }
    }

    /// Adds what it sees to what a beat says.
    pub(super) fn add_to(&self, vitals: &mut BeatVitals, now: MonoTime) {
        vitals.stall_after = self.stall_after;
        let silent = self.emitter_silent.filter(|&(_, until)| now < until);
        vitals.process = self.ended.is_none().then(|| ProcessUsage {
            cpu_permille: 1_000 * vitals.in_flight,
            memory_bytes: 1 << 26,
            emitter_silent_ms: silent.map(|(since, _)| now.millis_since(since)),
        });
    }
}

/// Returns an exit: by a code, a signal, the OOM killer, or without a fault.
pub(super) fn draw_exit(rng: &mut Rng) -> ProcessExit {
    let status = match rng.u64(..4) {
        0 => ExitStatus { code: Some(0), ..ExitStatus::default() },
        1 => ExitStatus { code: Some(1), ..ExitStatus::default() },
        2 => ExitStatus { signal: Some(11), ..ExitStatus::default() },
        _ => ExitStatus { signal: Some(9), oom_killed: true, ..ExitStatus::default() },
    };
    let line = |n| format!("line {n}: {}", "x".repeat(rng.usize(..200)));
    ProcessExit { status, last_lines: (0..7).map(line).collect() }
}

impl SimProcess {
    /// Has the program's own emitter say nothing until then.
    pub(super) fn silence_emitter(&mut self, now: MonoTime, until: MonoTime) {
        if let Some(supervisor) = &mut self.supervisor {
            supervisor.emitter_silent = Some((now, until));
        }
    }

    /// Ends the program, if it has a supervisor that can tell; another one begins at `restarts_at`.
    pub(super) fn end_program(&mut self, exit: ProcessExit, restarts_at: MonoTime, now: MonoTime) {
        if self.is_copy || self.frozen_until.is_some() || self.has_ended_program() {
            return;
        }
        let Some(supervisor) = &mut self.supervisor else { return };
        supervisor.ended = Some(EndedProgram { exit: exit.clone(), restarts_at });
        supervisor.emitter_silent = None;
        self.abandon_tasks();
        self.engine.report_exit(exit, engine_time(now));
    }

    /// Returns whether the program has ended, and no other one was started.
    pub(super) fn has_ended_program(&self) -> bool {
        self.supervisor.as_ref().is_some_and(|supervisor| supervisor.ended.is_some())
    }

    /// Returns whether the program has ended by a fault, and no other one was started.
    pub(super) fn has_crashed_program(&self) -> bool {
        let ended = self.supervisor.as_ref().and_then(|supervisor| supervisor.ended.as_ref());
        ended.is_some_and(|ended| ended.exit.status.code != Some(0))
    }

    /// Returns when the next program is to be started.
    pub(super) fn restarts_at(&self) -> Option<MonoTime> {
        let ended = self.supervisor.as_ref()?.ended.as_ref()?;
        // Of a program that ended without a fault nothing more is heard, no resume either.
        let may_start = ended.exit.status.code == Some(0) || !self.engine.applied().is_killed();
        (may_start && self.engine.is_exit_acknowledged()).then_some(ended.restarts_at)
    }

    /// Starts the next program, in a session of its own. Returns what the one before did in its session:
    /// what was never sent goes along.
    pub(super) fn restart_program(&mut self, session: u64, now: MonoTime) -> WorkTotals {
        let unsent = self.unsent();
        let done = self.done.saturating_sub(&unsent);
        self.forget_end();
        self.engine.begin_process(session, engine_time(now));
        (self.is_copy, self.idle, self.done) = (false, false, unsent);
        done
    }

    /// Has the supervisor start no program any more.
    pub(super) fn forget_end(&mut self) {
        if let Some(supervisor) = &mut self.supervisor {
            supervisor.ended = None;
        }
    }

    /// Ends what is wrong with the program.
    pub(super) fn repair_program(&mut self, now: MonoTime) {
        if let Some(supervisor) = &mut self.supervisor {
            supervisor.emitter_silent = None;
            if let Some(ended) = &mut supervisor.ended {
                ended.restarts_at = now;
            }
        }
    }
}
