//! Link to one collector: a session, a socket, and what was sent of the counters.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use heartline_engine::{
    AgentKeys, AppliedStates, CollectorAddress, ConnectionState, Engine, EngineConfig,
    IdentityConfig, MetricsSource, MonoNanos, ProcessExit, SpendingLimit,
};
use heartline_protocol::ControlId;
use heartline_protocol::limits::DATAGRAM_MAX;

use super::child::ChildEmitters;
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
/// Longest goodbye to a collector that has answered before, and to one that never has. The first second
/// of a session is left for its first answer, unless the address refuses.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(1);
const GOODBYE_TIMEOUT_UNANSWERED: Duration = Duration::from_millis(250);

/// Link to one collector, to which the emitter speaks as if it were the only one.
pub(super) struct CollectorLink {
    /// `None` until there is a token.
    engine: Option<Engine>,
    /// When the session was started.
    started_at: MonoNanos,
    socket: CollectorSocket,
    shared: Arc<SharedState>,
    metrics: SharedMetrics,
    /// Of a supervised process.
    child: Option<ChildEmitters>,
    /// What the supervisor itself says of the process.
    identity: IdentityConfig,
    /// What an emitter of the process says of it.
    child_identity: Option<IdentityConfig>,
    /// The next process begins a session.
    has_ended_process: bool,
    /// The agent is killed between two processes.
    awaits_resume: bool,
    /// The process has used up the budget.
    is_budget_used_up: bool,
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
        let child = shared.process.clone().and_then(|process| ChildEmitters::bind(process).ok());
        Self {
            child,
            identity: IdentityConfig::default(),
            child_identity: None,
            has_ended_process: false,
            awaits_resume: false,
            is_budget_used_up: false,
            engine: None,
            started_at: MonoNanos::default(),
            socket: CollectorSocket::new(collector, waker),
            metrics: SharedMetrics::new(Arc::clone(&shared)),
            shared,
            watchdog: AnswerWatchdog::new(interval),
            refused_datagrams: 0,
            datagram: Vec::with_capacity(DATAGRAM_MAX),
        }
    }

    /// Returns the open sockets, to wait for.
    pub(super) fn sockets(&self) -> impl Iterator<Item = &UdpSocket> {
        let of_child = self.child.iter().flat_map(ChildEmitters::sockets);
        self.socket.socket().into_iter().chain(of_child)
    }

    /// Returns where emitters of the supervised process are answered.
    pub(super) fn child_address(&self) -> Option<SocketAddr> {
        self.child.as_ref()?.address().ok()
    }

    pub(super) fn start_session(&mut self, config: EngineConfig, now: MonoNanos) {
        if let Some(child) = &mut self.child {
            child.start_session(config.agent.clone(), config.keys.clone());
            self.identity = config.identity.clone();
        }
        self.started_at = now;
        self.engine = Some(Engine::new(config, now));
    }

    pub(super) fn rekey(&mut self, keys: AgentKeys) {
        if let Some(child) = &mut self.child {
            child.rekey(keys.clone());
        }
        if let Some(engine) = &mut self.engine {
            engine.rekey(keys);
        }
    }

    /// Answers the emitters of the supervised process.
    pub(super) fn serve_child(&mut self, now: MonoNanos) {
        let budget = self.engine.as_ref().and_then(Engine::budget_left);
        let Some(child) = &mut self.child else { return };
        child.set_budget(budget);
        child.serve(self.socket.peer(), now);
        let is_used_up = child.set_budget(budget);
        let was_used_up = std::mem::replace(&mut self.is_budget_used_up, is_used_up);
        if is_used_up
            && !was_used_up
            && let Some(engine) = &mut self.engine
        {
            engine.notify_change(now);
        }
        let Some(child) = &mut self.child else { return };
        if let Some(identity) = child.take_identity() {
            self.child_identity = Some(identity);
            self.update_identity();
        }
    }

    /// Reports the identity as it is known now. An emitter of the process may be heard before its start
    /// is.
    fn update_identity(&mut self) {
        let Some(engine) = &mut self.engine else { return };
        match &self.child_identity {
            Some(of_child) => engine.set_identity(&self.identity.filled_from(of_child)),
            None => engine.set_identity(&self.identity),
        }
    }

    /// Begins a session for the next process.
    pub(super) fn begin_process(&mut self, pid: u32, now: MonoNanos) {
        self.identity.pid = Some(pid);
        self.update_identity();
        self.awaits_resume = false;
        if std::mem::take(&mut self.has_ended_process)
            && let Some(engine) = &mut self.engine
        {
            engine.begin_process(draw_session(), now);
        }
    }

    /// Goes on beating for an agent that is killed between two processes, also after one that ended
    /// without a fault: nothing else would report the kill, or hear of the resume.
    pub(super) fn await_resume(&mut self) {
        self.awaits_resume = true;
    }

    /// Reports the end of the process, after all that it has sent was taken.
    pub(super) fn report_exit(&mut self, exit: &ProcessExit, now: MonoNanos) {
        self.end_process(now);
        if let Some(engine) = &mut self.engine {
            engine.report_exit(exit.clone(), now);
        }
    }

    /// Takes all that the process has sent, and ends its emitters.
    pub(super) fn end_process(&mut self, now: MonoNanos) {
        self.serve_child(now);
        self.has_ended_process = true;
        self.child_identity = None;
        if let Some(child) = &mut self.child {
            child.end_emitters();
        }
        self.notify_change(now);
    }

    /// Returns whether the end of the process is acknowledged, and all of its work is durable. What is
    /// left is sent at once.
    pub(super) fn complete_exit(&mut self, now: MonoNanos) -> bool {
        let Some(engine) = &mut self.engine else { return false };
        if self.child.as_ref().is_some_and(ChildEmitters::has_work) {
            engine.send_rest(now);
            return false;
        }
        let is_complete = engine.is_exit_acknowledged();
        if self.awaits_resume && engine.is_session_over() {
            engine.begin_process(draw_session(), now);
        }
        is_complete
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

    /// Returns the limit of the tightest budget, while there is one.
    pub(super) fn spending_limit(&self) -> Option<SpendingLimit> {
        self.engine.as_ref().and_then(Engine::spending_limit)
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
                // A short program gives a slow collector the time for its first answer.
                ConnectionState::Unanswered if self.socket.problem().is_none() => {
                    let age = now.since(self.started_at);
                    GOODBYE_TIMEOUT.saturating_sub(age).max(GOODBYE_TIMEOUT_UNANSWERED)
                }
                ConnectionState::Unanswered => GOODBYE_TIMEOUT_UNANSWERED,
                ConnectionState::Unconfirmed | ConnectionState::Confirmed => GOODBYE_TIMEOUT,
            };
            engine.close(now, timeout);
        }
    }

    pub(super) fn transmit(&mut self, now: MonoNanos) {
        let Some(engine) = &mut self.engine else { return };
        let mut of_process = self.child.as_mut().map(|child| child.metrics(&self.shared));
        let metrics: &mut dyn MetricsSource = match &mut of_process {
            Some(of_process) => of_process,
            None => &mut self.metrics,
        };
        while engine.poll_transmit(now, metrics, &mut self.datagram) {
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
