//! The sender's thread: the only part that uses the network and, after the start, the disk.

mod metrics;
mod socket;
mod watchdog;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use heartline_engine::{
    AgentKeys, AppliedStates, ConnectionState, Engine, EngineConfig, MonoNanos,
};
use heartline_protocol::limits::DATAGRAM_MAX;

#[cfg(test)]
pub(crate) use self::metrics::CounterDeltaReader;
use self::metrics::SharedMetrics;
use self::socket::CollectorSocket;
pub(crate) use self::socket::SenderWaker;
use self::watchdog::{AnswerWatchdog, WatchdogAlarm};
use crate::problem::EmitterProblem;
use crate::settings::EmitterSettings;
use crate::shared::{SharedState, StopRequest};

/// Period at which a missing or invalid token is read again.
const TOKEN_RETRY: Duration = Duration::from_secs(1);
/// Most datagrams received in one turn.
const RECEIVE_BATCH: usize = 64;
/// Longest goodbye to a collector that has answered before, and to one that never has.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(1);
const GOODBYE_TIMEOUT_UNANSWERED: Duration = Duration::from_millis(250);

/// Everything that the sender's thread owns.
pub(crate) struct SenderThread {
    shared: Arc<SharedState>,
    settings: EmitterSettings,
    restored: AppliedStates,
    /// `None` until there is a token.
    engine: Option<Engine>,
    socket: CollectorSocket,
    waker: Arc<SenderWaker>,
    metrics: SharedMetrics,
    watchdog: AnswerWatchdog,
    token_retry_at: MonoNanos,
    /// Killed, with tasks still in flight.
    is_draining: bool,
    datagram: Vec<u8>,
}

impl SenderThread {
    pub(crate) fn new(
        shared: Arc<SharedState>,
        settings: EmitterSettings,
        restored: AppliedStates,
        keys: Result<AgentKeys, EmitterProblem>,
        waker: Arc<SenderWaker>,
    ) -> Self {
        let now = shared.clock.now();
        let interval = Duration::from_millis(u64::from(settings.interval_ms));
        let mut sender = Self {
            socket: CollectorSocket::new(settings.collector.clone()),
            watchdog: AnswerWatchdog::new(interval, now),
            metrics: SharedMetrics::new(Arc::clone(&shared)),
            shared,
            settings,
            restored,
            engine: None,
            waker,
            token_retry_at: now.plus(TOKEN_RETRY),
            is_draining: false,
            datagram: Vec::with_capacity(DATAGRAM_MAX),
        };
        sender.start_session(keys, now);
        sender
    }

    /// Runs until the agent stops it. A panic, which would be a bug of this crate, ends the emitter
    /// and not the agent.
    pub(crate) fn run(mut self) {
        if catch_unwind(AssertUnwindSafe(|| while self.turn() {})).is_err() {
            tracing::error!(agent = %self.settings.agent, "heartline: the emitter has failed");
        }
        self.shared.mark_stopped();
    }

    /// Receives, sends, checks for problems, and waits; returns whether there is another turn.
    fn turn(&mut self) -> bool {
        let now = self.shared.clock.now();
        if self.engine.is_none() && now >= self.token_retry_at {
            self.token_retry_at = now.plus(TOKEN_RETRY);
            self.start_session(self.settings.token.keys(&self.settings.agent), now);
        }
        self.receive(now);
        match (self.shared.stop_request(), &mut self.engine) {
            (StopRequest::None, _) => {}
            (StopRequest::Silent, _) | (StopRequest::WithGoodbye, None) => return false,
            (StopRequest::WithGoodbye, Some(engine)) => {
                let timeout = match engine.connection() {
                    ConnectionState::Unanswered => GOODBYE_TIMEOUT_UNANSWERED,
                    ConnectionState::Unconfirmed | ConnectionState::Confirmed => GOODBYE_TIMEOUT,
                };
                engine.close(now, timeout);
            }
        }
        self.transmit(now);
        self.check_answers(now);
        let due = match &self.engine {
            Some(engine) => engine.poll_timeout(),
            None => Some(self.token_retry_at),
        };
        let Some(due) = due else { return false };
        self.socket.wait(&self.waker, due.since(self.shared.clock.now()));
        true
    }

    /// Starts the session, once there are keys for it.
    fn start_session(&mut self, keys: Result<AgentKeys, EmitterProblem>, now: MonoNanos) {
        let problem = keys.as_ref().err().cloned();
        if let Ok(keys) = keys {
            // Without the system's source: from what the standard library seeds its maps with.
            let session = getrandom::u64().unwrap_or_else(|_| fastrand::u64(..));
            let config = EngineConfig {
                interval_ms: self.settings.interval_ms,
                identity: self.settings.identity.clone(),
                applied: self.restored.clone(),
                ..EngineConfig::new(self.settings.agent.clone(), keys, session)
            };
            self.engine = Some(Engine::new(config, now));
            self.shared.sender_status().connection = Some(ConnectionState::Unanswered);
        }
        let before =
            std::mem::replace(&mut self.shared.sender_status().token_problem, problem.clone());
        match problem {
            // A collector that starts after its agents is nothing to log.
            None | Some(EmitterProblem::NoToken { .. }) => {}
            same if same == before => {}
            Some(problem) => tracing::warn!(agent = %self.settings.agent, "heartline: {problem}"),
        }
    }

    fn receive(&mut self, now: MonoNanos) {
        let Some(engine) = &mut self.engine else { return };
        let mut buffer = [0; DATAGRAM_MAX + 1];
        for _ in 0..RECEIVE_BATCH {
            let Some(datagram) = self.socket.receive(&mut buffer) else { break };
            match engine.handle_datagram(datagram, now) {
                Ok(true) => {
                    // At once for the agent; on disk before any beat reports it.
                    self.shared.apply(engine.applied());
                    self.is_draining = engine.applied().is_killed();
                    store(&self.shared, &self.settings, engine.applied());
                }
                Ok(false) => {}
                Err(_) => self.shared.sender_status().refused_datagrams += 1,
            }
        }
    }

    fn transmit(&mut self, now: MonoNanos) {
        let Some(engine) = &mut self.engine else { return };
        if self.is_draining && self.shared.counters.in_flight() == 0 {
            self.is_draining = false;
            engine.notify_change(now);
        }
        while engine.poll_transmit(now, &mut self.metrics, &mut self.datagram) {
            self.socket.send(&self.datagram);
        }
    }

    /// Updates the status; where answers are missing, logs it once and tries another address.
    fn check_answers(&mut self, now: MonoNanos) {
        let alarm = self.watchdog.check(self.engine.as_ref(), self.socket.collector(), now);
        let mut status = self.shared.sender_status();
        status.connection = self.engine.as_ref().map(Engine::connection);
        status.last_answer = self.engine.as_ref().and_then(Engine::last_answer);
        status.socket_problem = self.socket.problem().cloned();
        status.answer_problem = self.watchdog.problem().cloned();
        if alarm == WatchdogAlarm::None {
            return;
        }
        if alarm == WatchdogAlarm::First {
            let problems: Vec<String> = status.problems().iter().map(ToString::to_string).collect();
            tracing::warn!(agent = %self.settings.agent, "heartline: {}", problems.join("; "));
        }
        drop(status);
        self.socket.reopen();
        // The collector may have been set up anew, with other keys.
        if let (Some(engine), true) = (&mut self.engine, self.settings.token.may_change())
            && let Ok(keys) = self.settings.token.keys(&self.settings.agent)
        {
            engine.rekey(keys);
        }
    }
}

fn store(shared: &SharedState, settings: &EmitterSettings, applied: &AppliedStates) {
    let Some(file) = &settings.state_file else { return };
    let problem = file.write(applied).err();
    if let Some(problem) = &problem {
        tracing::warn!(agent = %settings.agent, "heartline: {problem}");
    }
    shared.sender_status().state_file_problem = problem;
}
