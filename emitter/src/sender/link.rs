//! Link to one collector: a session, a socket, and what was sent of the counters.

use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Duration;

use heartline_engine::{
    AgentKeys, AppliedStates, CollectorAddress, ConnectionState, Engine, EngineConfig, MonoNanos,
};
use heartline_protocol::ControlId;
use heartline_protocol::limits::DATAGRAM_MAX;

use super::draw_session;
use super::metrics::SharedMetrics;
use super::socket::CollectorSocket;
use super::waker::SenderWaker;
use super::watchdog::{AnswerWatchdog, WatchdogAlarm};
use crate::problem::EmitterProblem;
use crate::shared::SharedState;
use crate::status::LinkStatus;

/// Most datagrams received in one turn.
const RECEIVE_BATCH: usize = 64;
/// Longest goodbye to a collector that has answered before, and to one that never has.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(1);
const GOODBYE_TIMEOUT_UNANSWERED: Duration = Duration::from_millis(250);

/// Link to one collector, to which the emitter speaks as if it were the only one.
pub(super) struct CollectorLink {
    /// `None` until there is a token.
    engine: Option<Engine>,
    socket: CollectorSocket,
    metrics: SharedMetrics,
    watchdog: AnswerWatchdog,
    refused_datagrams: u64,
    datagram: Vec<u8>,
}

impl CollectorLink {
    pub(super) fn new(
        collector: CollectorAddress,
        interval: Duration,
        shared: Arc<SharedState>,
        waker: Arc<SenderWaker>,
    ) -> Self {
        Self {
            engine: None,
            socket: CollectorSocket::new(collector, waker),
            metrics: SharedMetrics::new(shared),
            watchdog: AnswerWatchdog::new(interval),
            refused_datagrams: 0,
            datagram: Vec::with_capacity(DATAGRAM_MAX),
        }
    }

    /// Returns the open socket, to wait for.
    pub(super) fn socket(&self) -> Option<&UdpSocket> {
        self.socket.socket()
    }

    pub(super) fn start_session(&mut self, config: EngineConfig, now: MonoNanos) {
        self.engine = Some(Engine::new(config, now));
    }

    pub(super) fn rekey(&mut self, keys: AgentKeys) {
        if let Some(engine) = &mut self.engine {
            engine.rekey(keys);
        }
    }

    /// Receives what is queued; returns whether the applied states changed.
    pub(super) fn receive(&mut self, now: MonoNanos) -> bool {
        self.socket.poll_lookup();
        let Some(engine) = &mut self.engine else { return false };
        let mut has_changed = false;
        let mut buffer = [0; DATAGRAM_MAX + 1];
        for _ in 0..RECEIVE_BATCH {
            let Some(datagram) = self.socket.receive(&mut buffer) else { break };
            match engine.handle_datagram(datagram, now) {
                Ok(changed) => has_changed |= changed,
                Err(_) => self.refused_datagrams += 1,
            }
            if engine.is_session_taken() {
                engine.begin_session(draw_session(), now);
            }
        }
        has_changed
    }

    /// Returns the desired states that are applied.
    pub(super) fn applied(&self) -> Option<&AppliedStates> {
        self.engine.as_ref().map(Engine::applied)
    }

    /// Returns the control id of the collector, once it was received.
    pub(super) fn control(&self) -> Option<ControlId> {
        self.engine.as_ref().and_then(Engine::control)
    }

    /// Keeps this collector from lifting the kills of others that are heard.
    pub(super) fn set_other_controls(&mut self, controls: &[ControlId]) {
        let own = self.control();
        if let Some(engine) = &mut self.engine {
            let others = controls.iter().copied().filter(|&control| Some(control) != own);
            engine.set_other_controls(others.collect());
        }
    }

    /// Takes over what another collector has changed.
    pub(super) fn set_applied(&mut self, applied: &AppliedStates, now: MonoNanos) {
        if let Some(engine) = &mut self.engine {
            engine.set_applied(applied, now);
        }
    }

    /// Makes the next beat due at once.
    pub(super) fn notify_change(&mut self, now: MonoNanos) {
        if let Some(engine) = &mut self.engine {
            engine.notify_change(now);
        }
    }

    /// Begins to say goodbye, if that has not begun.
    pub(super) fn close(&mut self, now: MonoNanos) {
        if let Some(engine) = &mut self.engine {
            let timeout = match engine.connection() {
                ConnectionState::Unanswered => GOODBYE_TIMEOUT_UNANSWERED,
                ConnectionState::Unconfirmed | ConnectionState::Confirmed => GOODBYE_TIMEOUT,
            };
            engine.close(now, timeout);
        }
    }

    pub(super) fn transmit(&mut self, now: MonoNanos) {
        let Some(engine) = &mut self.engine else { return };
        while engine.poll_transmit(now, &mut self.metrics, &mut self.datagram) {
            self.socket.send(&self.datagram);
        }
    }

    /// Returns when there is next something to send; `None` without a session, or after its end.
    pub(super) fn poll_timeout(&self) -> Option<MonoNanos> {
        self.engine.as_ref().and_then(Engine::poll_timeout)
    }

    /// Checks for missing answers. Where they are missing for long, tries another address.
    pub(super) fn check_answers(&mut self, now: MonoNanos) -> WatchdogAlarm {
        let alarm = self.watchdog.check(self.engine.as_ref(), self.socket.collector(), now);
        if alarm != WatchdogAlarm::None {
            self.socket.reopen();
        }
        alarm
    }

    pub(super) fn status(&self) -> LinkStatus {
        let engine = self.engine.as_ref();
        LinkStatus {
            collector: self.socket.collector().to_string(),
            connection: engine.map(Engine::connection),
            last_answer: engine.and_then(Engine::last_answer),
            refused_datagrams: self.refused_datagrams,
            problems: self.problems(),
        }
    }

    /// Returns the problems with this collector, worst first.
    pub(super) fn problems(&self) -> Vec<EmitterProblem> {
        [self.watchdog.problem(), self.socket.problem()].into_iter().flatten().cloned().collect()
    }
}
