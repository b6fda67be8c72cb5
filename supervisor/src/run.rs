//! The loop: one process at a time, and what becomes of it.
//!
//! 1. Signals for the program reach its whole group. After one that asks to end the program is not
//!    started again, and its end is a stop, no crash. SIGHUP and SIGQUIT ask for that only where it ends
//!    soon: some programs take them for other requests, and go on.
//! 2. A kill of the agent ends the program: SIGTERM, and SIGKILL after the grace. A resume starts it.
//! 3. An end that nobody asked for is reported at once. Then this ends, too, or starts it again.

use std::collections::HashSet;
use std::io;
use std::mem::Discriminant;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use heartline::EmitterProblem;
use heartline::supervisor::{ProcessExit, Supervisor};
use rustix::process::{Signal, WaitStatus, getpid, kill_process};
use signal_hook::consts::SIGTERM;

use crate::backoff::RestartBackoff;
use crate::child::{ChildChange, ChildProcess, SpawnError, exit_code, next_change};
use crate::clock;
use crate::config::{ExitPolicy, RunConfig};
use crate::event::{RunEvent, asks_to_end, event_queue, is_stop_for_good};
use crate::output::OutputNotifier;
use crate::progress_file::ProgressFile;
use crate::terminal::ForegroundTerminal;

/// Time between two looks at what the process uses, and at the file that it touches.
const SAMPLE_EVERY: Duration = Duration::from_secs(1);

/// Why a program could not be supervised. It was not started.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// No handler could be installed, or no thread started.
    #[error("can't watch for signals: {0}")]
    Signals(io::Error),
}

/// Runs a program as an agent until it has ended for good. Messages for the user are passed to `say`.
/// Returns the exit code that is to be passed on: the program's, 128 and its signal, 127 for one that
/// is not there, 126 for one that can't be run.
///
/// # Errors
/// [`RunError`]; the program was not started.
pub fn run(mut config: RunConfig, say: &mut dyn FnMut(&str)) -> Result<u8, RunError> {
    let (events, queue) = event_queue().map_err(RunError::Signals)?;
    let hook = |event: RunEvent| {
        let events = events.clone();
        // The loop outlives the emitter, but for its last moments.
        move || {
            let _ = events.send(event);
        }
    };
    let emitter = std::mem::replace(&mut config.emitter, heartline::Builder::new(""));
    let emitter = emitter.on_kill(hook(RunEvent::Killed)).on_resume(hook(RunEvent::Resumed));
    let supervisor = emitter.supervise(config.stall_watch.as_ref().map(|watch| watch.after));
    let now = clock::now();
    let mut runner = Runner {
        notifier: OutputNotifier::new(events.clone()),
        terminal: ForegroundTerminal::of_process(),
        config,
        supervisor,
        _events: events,
        state: RunState::Paused { until: Some(now) },
        stop_signal: None,
        has_run: false,
        backoff: RestartBackoff::default(),
        sample_at: now,
        said: HashSet::new(),
        say,
    };
    let end = runner.run(&queue);
    Ok(runner.finish(&end))
}

/// Where the process stands.
enum RunState {
    Running {
        child: ChildProcess,
        /// Whether it is ended because the agent was killed.
        is_ended_by_us: bool,
        /// When it gets SIGKILL.
        kill_at: Option<Instant>,
    },
    /// There is none, until this time; `None`: until the agent is resumed.
    Paused { until: Option<Instant> },
}

/// How it has come to an end.
enum RunEnd {
    /// The program has ended by itself.
    Exited(ProcessExit),
    /// It was asked to end, by a signal that this process was sent.
    Stopped {
        code: u8,
    },
    NotStarted(SpawnError),
}

struct Runner<'a> {
    config: RunConfig,
    supervisor: Supervisor,
    /// Keeps the queue open.
    _events: Sender<RunEvent>,
    notifier: OutputNotifier,
    terminal: Option<ForegroundTerminal>,
    state: RunState,
    /// The signal that asked for the end, and when.
    stop_signal: Option<(i32, Instant)>,
    /// The program was started before.
    has_run: bool,
    backoff: RestartBackoff,
    sample_at: Instant,
    /// Kinds of problems that the user was told of.
    said: HashSet<Discriminant<EmitterProblem>>,
    say: &'a mut dyn FnMut(&str),
}

impl Runner<'_> {
    fn run(&mut self, queue: &Receiver<RunEvent>) -> RunEnd {
        loop {
            let now = clock::now();
            if let Some(end) = self.on_time(now) {
                return end;
            }
            let wait = self.next_deadline().saturating_duration_since(now);
            let end = match queue.recv_timeout(wait) {
                Ok(event) => self.on_event(event),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => None,
            };
            if let Some(end) = end {
                return end;
            }
        }
    }

    fn next_deadline(&self) -> Instant {
        let next = match &self.state {
            RunState::Running { kill_at, .. } => *kill_at,
            RunState::Paused { until } => *until,
        };
        next.map_or(self.sample_at, |next| next.min(self.sample_at))
    }

    /// Does what is due.
    fn on_time(&mut self, now: Instant) -> Option<RunEnd> {
        if now >= self.sample_at {
            self.sample_at = now + SAMPLE_EVERY;
            self.sample(now);
        }
        match &mut self.state {
            RunState::Running { child, kill_at: kill_at @ Some(_), .. }
                if *kill_at <= Some(now) =>
            {
                *kill_at = None;
                child.signal(Signal::KILL);
                None
            }
            RunState::Paused { until: Some(until) } if *until <= now => self.start(now),
            _ => None,
        }
    }

    fn sample(&mut self, now: Instant) {
        let status = self.supervisor.status();
        for problem in &status.problems {
            // Its text may count on, as the seconds without an answer.
            if self.said.insert(std::mem::discriminant(problem)) {
                (self.say)(&problem.to_string());
            }
        }
        let RunState::Running { child, .. } = &mut self.state else { return };
        if let Some(usage) = child.usage.sample(now) {
            self.supervisor.record_usage(usage.cpu_permille, usage.memory_bytes);
        }
        if child.progress_file.as_mut().is_some_and(ProgressFile::was_touched) {
            self.supervisor.record_progress();
        }
    }

    fn start(&mut self, now: Instant) -> Option<RunEnd> {
        if self.supervisor.killed() {
            self.wait_for_resume();
            return None;
        }
        let environment = self.supervisor.environment();
        let spawned =
            ChildProcess::spawn(&self.config, &environment, self.terminal, &self.notifier, now);
        match spawned {
            Ok(child) => {
                self.has_run = true;
                self.supervisor.report_start(child.id());
                self.state = RunState::Running { child, is_ended_by_us: false, kill_at: None };
                None
            }
            // It was there before, and may be again: a new version is being installed.
            Err(error) if self.config.on_exit == ExitPolicy::Restart && self.has_run => {
                self.pause_after(error.exit(), Duration::ZERO, now);
                None
            }
            Err(error) => Some(RunEnd::NotStarted(error)),
        }
    }

    fn wait_for_resume(&mut self) {
        let agent = &self.config.agent;
        (self.say)(&format!("{agent} is killed: its program starts when an operator resumes it"));
        self.supervisor.await_resume();
        self.state = RunState::Paused { until: None };
    }

    fn on_event(&mut self, event: RunEvent) -> Option<RunEnd> {
        match event {
            RunEvent::Signal(signal) => self.on_signal(signal),
            RunEvent::Child => self.on_child(),
            RunEvent::Continued => {
                if let RunState::Running { child, .. } = &self.state {
                    child.go_on();
                }
                None
            }
            RunEvent::Killed => {
                self.on_killed();
                None
            }
            RunEvent::Resumed => {
                if let RunState::Paused { until: until @ None } = &mut self.state {
                    *until = Some(clock::now());
                }
                None
            }
            RunEvent::Output => {
                self.notifier.rearm();
                self.supervisor.record_progress();
                None
            }
        }
    }

    fn on_signal(&mut self, signal: i32) -> Option<RunEnd> {
        let ends = asks_to_end(signal);
        match &self.state {
            RunState::Running { child, .. } => {
                if let Some(signal) = Signal::from_named_raw(signal) {
                    child.signal(signal);
                }
                let is_stopping =
                    self.stop_signal.is_some_and(|(signal, _)| is_stop_for_good(signal));
                if ends && !is_stopping {
                    self.stop_signal = Some((signal, clock::now()));
                }
                None
            }
            RunState::Paused { .. } if ends => {
                Some(RunEnd::Stopped { code: 128 + u8::try_from(signal).unwrap_or(0) })
            }
            RunState::Paused { .. } => None,
        }
    }

    fn on_killed(&mut self) {
        let grace = self.config.kill_grace;
        match &mut self.state {
            RunState::Running { child, is_ended_by_us: is_ended @ false, kill_at } => {
                child.signal(Signal::TERM);
                *is_ended = true;
                *kill_at = Some(clock::now() + grace);
                let agent = &self.config.agent;
                (self.say)(&format!("{agent} was killed: its program is ended"));
            }
            RunState::Running { .. } | RunState::Paused { until: None } => {}
            RunState::Paused { until: Some(_) } => self.wait_for_resume(),
        }
    }

    fn on_child(&mut self) -> Option<RunEnd> {
        loop {
            let pid = match &self.state {
                RunState::Running { child, .. } => Some(child.pid),
                RunState::Paused { .. } => None,
            };
            match next_change(pid)? {
                ChildChange::Stopped => self.stop_with_child(),
                ChildChange::Ended(status) => {
                    if let Some(end) = self.on_end(status) {
                        return Some(end);
                    }
                }
            }
        }
    }

    /// Stops with the program, which was stopped from the terminal, so that a shell has it back.
    fn stop_with_child(&mut self) {
        if let RunState::Running { child, .. } = &self.state
            && child.take_terminal()
        {
            // Continues here at SIGCONT, which is an event, too.
            let _ = kill_process(getpid(), Signal::STOP);
        }
    }

    fn on_end(&mut self, status: WaitStatus) -> Option<RunEnd> {
        let paused = RunState::Paused { until: None };
        let before = std::mem::replace(&mut self.state, paused);
        let RunState::Running { child, is_ended_by_us, .. } = before else { return None };
        let now = clock::now();
        let ran_for = now.saturating_duration_since(child.started_at);
        let exit = child.exit(status);
        let grace = self.config.kill_grace;
        let stop_signal = self.stop_signal.take().filter(|(signal, at)| {
            is_stop_for_good(*signal) || now.saturating_duration_since(*at) <= grace
        });
        if let Some((asked, _)) = stop_signal {
            return Some(end_after_stop(exit, asked));
        }
        if is_ended_by_us {
            self.supervisor.report_stop();
            // Resumed meanwhile: it starts at once.
            self.state = RunState::Paused { until: Some(now) };
            return None;
        }
        if self.config.on_exit == ExitPolicy::Stay {
            return Some(RunEnd::Exited(exit));
        }
        self.pause_after(exit, ran_for, now);
        None
    }

    /// Reports an end, and has the program started again after a while.
    fn pause_after(&mut self, exit: ProcessExit, ran_for: Duration, now: Instant) {
        let pause = self.backoff.next_pause(ran_for);
        let agent = &self.config.agent;
        (self.say)(&format!("{agent}: {}; it starts again in {pause:?}", exit.status));
        self.supervisor.report_exit(exit);
        self.supervisor.wait_until_reported();
        self.state = RunState::Paused { until: Some(now + pause) };
    }

    /// Ends the emitter; returns the exit code.
    fn finish(self, end: &RunEnd) -> u8 {
        match end {
            RunEnd::Exited(exit) => {
                self.supervisor.report_exit(exit.clone());
                self.supervisor.finish();
                exit_code(&exit.status)
            }
            RunEnd::NotStarted(error) => {
                (self.say)(&error.to_string());
                self.supervisor.report_exit(error.exit());
                self.supervisor.finish();
                error.code()
            }
            RunEnd::Stopped { code } => {
                self.supervisor.report_stop();
                self.supervisor.say_goodbye();
                *code
            }
        }
    }
}

/// Tells a stop from a crash: after a signal that asks to end, the program ends as it likes, but not by
/// another signal.
fn end_after_stop(exit: ProcessExit, asked: i32) -> RunEnd {
    let by = exit.status.signal.and_then(|signal| i32::try_from(signal).ok());
    if by.is_some_and(|by| by != asked && by != SIGTERM) {
        return RunEnd::Exited(exit);
    }
    RunEnd::Stopped { code: exit_code(&exit.status) }
}
