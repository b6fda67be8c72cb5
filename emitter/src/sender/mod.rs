//! The sender's thread: the only part that uses the network and, after the start, the disk.

mod child;
mod link;
mod lookup;
mod metrics;
mod relay;
#[cfg(test)]
mod simulation;
mod socket;
mod waker;
mod watchdog;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use heartline_engine::{AppliedStates, EngineConfig, MonoNanos};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use self::link::CollectorLink;
#[cfg(test)]
pub(crate) use self::metrics::CounterDeltaReader;
pub(crate) use self::waker::SenderWaker;
use self::watchdog::WatchdogAlarm;
use crate::kill::KillCause;
use crate::log::BackgroundLog;
use crate::problem::EmitterProblem;
use crate::settings::EmitterSettings;
use crate::shared::{SharedState, StopRequest};
use crate::supervisor::ProcessEvent;
use crate::token::{Credentials, FleetTag};

/// Period at which a missing or invalid token is read again.
const TOKEN_RETRY: Duration = Duration::from_secs(1);

/// Everything that the sender's thread owns.
pub(crate) struct SenderThread {
    shared: Arc<SharedState>,
    settings: EmitterSettings,
    links: Vec<CollectorLink>,
    /// `None` until there is a token.
    credentials: Option<Credentials>,
    token_retry_at: MonoNanos,
    /// The desired states applied, of all collectors.
    applied: AppliedStates,
    /// Killed, with tasks still in flight.
    is_draining: bool,
    /// A budget is used up, and that was reported.
    is_spent: bool,
    waker: Arc<SenderWaker>,
    log: BackgroundLog,
}

impl SenderThread {
    pub(crate) fn new(
        shared: Arc<SharedState>,
        settings: EmitterSettings,
        applied: AppliedStates,
        credentials: Result<Credentials, EmitterProblem>,
        waker: Arc<SenderWaker>,
    ) -> Self {
        let now = shared.clock.now();
        let interval = Duration::from_millis(u64::from(settings.interval_ms));
        let link = |collector: &_| {
            CollectorLink::new(
                Clone::clone(collector),
                interval,
                Arc::clone(&shared),
                Arc::clone(&waker),
            )
        };
        let mut sender = Self {
            links: settings.collectors.iter().map(link).collect(),
            credentials: None,
            token_retry_at: now.plus(TOKEN_RETRY),
            is_draining: false,
            is_spent: false,
            log: BackgroundLog::new(&settings.agent),
            shared,
            settings,
            applied,
            waker,
        };
        if let Some(process) = &sender.shared.process {
            let addresses = sender.links.iter().map(CollectorLink::child_address);
            // All or none: what is reported to one collector alone would be missing at the others.
            process.set_addresses(addresses.collect::<Option<_>>().unwrap_or_default());
        }
        sender.start_sessions(credentials, now);
        sender
    }

    /// Runs until the agent stops it. A panic, which would be a bug of this crate, ends the emitter
    /// and not the agent.
    pub(crate) fn run(mut self) {
        if catch_unwind(AssertUnwindSafe(|| while self.turn() {})).is_err() {
            self.log.warn(&EmitterProblem::SenderFailed);
            self.shared.sender_status().settings_problems.push(EmitterProblem::SenderFailed);
        }
        self.shared.mark_stopped();
    }

    /// Receives, sends, checks for problems, and waits; returns whether there is another turn.
    fn turn(&mut self) -> bool {
        let now = self.shared.clock.now();
        if self.credentials.is_none() && now >= self.token_retry_at {
            self.token_retry_at = now.plus(TOKEN_RETRY);
            let credentials = self.settings.token.credentials(&self.settings.agent);
            if let Ok(credentials) = &credentials {
                self.read_states_of(credentials.fleet);
            }
            self.start_sessions(credentials, now);
        }
        for at in 0..self.links.len() {
            let controls: Vec<_> = self.links.iter().filter_map(CollectorLink::control).collect();
            self.links[at].set_other_controls(&controls);
            if self.links[at].receive(now) {
                self.apply_states_of(at, now);
            }
        }
        self.serve_process(now);
        self.apply_budgets(now);
        match self.shared.stop_request() {
            StopRequest::None => {}
            StopRequest::Silent => return false,
            StopRequest::WithGoodbye => self.links.iter_mut().for_each(|link| link.close(now)),
        }
        if self.is_draining && self.shared.counters.in_flight() == 0 {
            self.is_draining = false;
            self.links.iter_mut().for_each(|link| link.notify_change(now));
        }
        self.links.iter_mut().for_each(|link| link.transmit(now));
        self.check_answers(now);
        let is_stopping = self.shared.stop_request() != StopRequest::None;
        let due = self.links.iter().filter_map(CollectorLink::poll_timeout).min();
        let due = match (due, self.credentials.is_none() && !is_stopping) {
            (None, true) => self.token_retry_at,
            (None, false) => return false,
            (Some(due), _) => due,
        };
        self.wait(due.since(self.shared.clock.now()));
        true
    }

    /// Applies what is left of the budgets, and reports at once when nothing is. A supervisor only hands
    /// it on: it ends its process when a collector kills the agent, and not by a sum of its own.
    fn apply_budgets(&mut self, now: MonoNanos) {
        if self.shared.process.is_some() {
            return;
        }
        let limits = self.links.iter().filter_map(CollectorLink::spending_limit);
        self.shared.spending_limits.replace(&limits.collect::<Vec<_>>());
        let is_spent = self.shared.spending_limits.is_reached(&self.shared.counters);
        let was_spent = std::mem::replace(&mut self.is_spent, is_spent);
        if !is_spent {
            self.shared.resume(KillCause::Budget);
        } else {
            self.shared.kill(KillCause::Budget);
            if !was_spent {
                self.links.iter_mut().for_each(|link| link.notify_change(now));
            }
        }
    }

    /// Answers the emitters of a supervised process, and reports what became of it.
    fn serve_process(&mut self, now: MonoNanos) {
        let Some(process) = self.shared.process.clone() else { return };
        self.links.iter_mut().for_each(|link| link.serve_child(now));
        for event in process.take_events() {
            for link in &mut self.links {
                match &event {
                    ProcessEvent::Started { pid } => link.begin_process(*pid, now),
                    ProcessEvent::Exited(exit) => link.report_exit(exit, now),
                    ProcessEvent::Stopped => link.end_process(now),
                    ProcessEvent::AwaitsResume => link.await_resume(),
                }
            }
        }
        let mut is_acknowledged = !self.links.is_empty();
        for link in &mut self.links {
            is_acknowledged &= link.complete_exit(now);
        }
        process.set_exit_acknowledged(is_acknowledged);
    }

    /// Waits until a datagram is received, the waker is used, or the timeout is over.
    fn wait(&self, timeout: Duration) {
        let timeout = Timespec::try_from(timeout).ok();
        let sockets = self.links.iter().flat_map(CollectorLink::sockets);
        let mut fds = vec![PollFd::new(&self.waker, PollFlags::IN)];
        fds.extend(sockets.map(|socket| PollFd::new(socket, PollFlags::IN)));
        // An error, such as EINTR, is one more turn of the loop.
        let _ = poll(&mut fds, timeout.as_ref());
        self.waker.drain();
    }

    /// Starts a session with each collector, once there are keys for it.
    fn start_sessions(&mut self, credentials: Result<Credentials, EmitterProblem>, now: MonoNanos) {
        let problem = credentials.as_ref().err().cloned();
        if let Ok(credentials) = credentials {
            for link in &mut self.links {
                let agent = self.settings.agent.clone();
                let config = EngineConfig {
                    interval_ms: self.settings.interval_ms,
                    stall_after_ms: self.settings.stall_after_ms,
                    identity: self.settings.identity.clone(),
                    applied: self.applied.clone(),
                    ..EngineConfig::new(agent, credentials.keys.clone(), draw_session())
                };
                link.start_session(config, now);
            }
            self.credentials = Some(credentials);
        }
        self.publish_links();
        let before =
            std::mem::replace(&mut self.shared.sender_status().token_problem, problem.clone());
        match problem {
            // A collector that starts after its agents is nothing to log.
            None | Some(EmitterProblem::NoToken { .. }) => {}
            same if same == before => {}
            Some(problem) => self.log.warn(&problem),
        }
    }

    /// Reads the states of the fleet, now that it is known: until then those of all fleets counted.
    fn read_states_of(&mut self, fleet: FleetTag) {
        let Some(memory) = &self.settings.memory else { return };
        let (applied, problems) = memory.read(Some(fleet));
        self.applied = applied;
        self.shared.sender_status().memory_problems = problems;
        self.apply_states();
    }

    /// Applies what one collector has changed: at once for the agent, and on disk before any beat
    /// reports it, to this collector and to the others.
    fn apply_states_of(&mut self, changed: usize, now: MonoNanos) {
        let Some(applied) = self.links[changed].applied() else { return };
        let was_killed = self.applied.is_killed();
        self.applied.clone_from(applied);
        self.links.iter_mut().for_each(|link| link.set_applied(&self.applied, now));
        if was_killed && !self.applied.is_killed() {
            // Who is let go on may start a process, which must not find the kill, and waits for no disk.
            self.remove_stored_states();
        }
        self.apply_states();
        self.store_states();
    }

    fn remove_stored_states(&self) {
        if let (Some(memory), Some(credentials)) = (&self.settings.memory, &self.credentials) {
            memory.remove(credentials.fleet);
        }
    }

    fn apply_states(&mut self) {
        self.is_draining = self.applied.is_killed();
        if self.is_draining {
            self.shared.kill(KillCause::Command);
        } else {
            self.shared.resume(KillCause::Command);
        }
    }

    fn store_states(&mut self) {
        let (Some(memory), Some(credentials)) = (&self.settings.memory, &self.credentials) else {
            return;
        };
        let problem = memory.write(credentials.fleet, &self.applied).err();
        if let Some(problem) = &problem {
            self.log.warn(problem);
        }
        self.shared.sender_status().memory_problems = problem.into_iter().collect();
    }

    /// Updates the status; where answers are missing, logs it once and reads the token again.
    fn check_answers(&mut self, now: MonoNanos) {
        let alarms: Vec<WatchdogAlarm> =
            self.links.iter_mut().map(|link| link.check_answers(now)).collect();
        self.publish_links();
        if alarms.contains(&WatchdogAlarm::First) {
            let problems = self.shared.sender_status().problems();
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            self.log.warn(&problems.join("; "));
        }
        if alarms.iter().any(|&alarm| alarm != WatchdogAlarm::None) {
            self.renew_keys();
        }
    }

    /// Reads the token again: the collector may have been set up anew, with other keys.
    fn renew_keys(&mut self) {
        if self.credentials.is_none() || !self.settings.token.may_change() {
            return;
        }
        let Ok(new) = self.settings.token.credentials(&self.settings.agent) else { return };
        self.links.iter_mut().for_each(|link| link.rekey(new.keys.clone()));
        let fleet = new.fleet;
        if self.credentials.replace(new).is_some_and(|before| before.fleet != fleet) {
            self.store_states();
        }
    }

    fn publish_links(&self) {
        let links = self.links.iter().map(CollectorLink::status).collect();
        self.shared.sender_status().links = links;
    }
}

/// Draws the id of a session. Not from a generator of the process alone: its copies would draw the same.
fn draw_session() -> u64 {
    // Without the system's source: from what the standard library seeds its maps with.
    getrandom::u64().unwrap_or_else(|_| fastrand::u64(..))
}
