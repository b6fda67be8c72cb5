//! Emitters of the supervised process: where they are answered, for one collector.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;

use heartline_engine::{
    AgentKeys, BeatVitals, IdentityConfig, LocalCollector, MetricsSource, MonoNanos, SegmentBuilder,
};
use heartline_protocol::limits::DATAGRAM_MAX;
use heartline_protocol::{AgentName, BudgetLeft, Datagram, DatagramError};
use heartline_vocabulary::ProcessUsage;

use super::relay::DatagramRelay;
use crate::shared::SharedState;
use crate::supervisor::SupervisedProcess;

/// Most datagrams that are served in one turn: more than the system queues for a socket.
const SERVE_MAX: usize = 4_096;

/// Answers emitters of the process that speak for its agent, and relays the messages of others.
pub(super) struct ChildEmitters {
    socket: UdpSocket,
    /// `None` until there is a token.
    collector: Option<LocalCollector>,
    relay: DatagramRelay,
    process: Arc<SupervisedProcess>,
}

impl ChildEmitters {
    pub(super) fn bind(process: Arc<SupervisedProcess>) -> io::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket, collector: None, relay: DatagramRelay::default(), process })
    }

    pub(super) fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Returns the open sockets, to wait for.
    pub(super) fn sockets(&self) -> impl Iterator<Item = &UdpSocket> {
        std::iter::once(&self.socket).chain(self.relay.socket())
    }

    pub(super) fn start_session(&mut self, agent: AgentName, keys: AgentKeys) {
        match &mut self.collector {
            Some(collector) => collector.rekey(keys),
            None => {
                let mut key = [0; 32];
                if getrandom::fill(&mut key).is_err() {
                    fastrand::fill(&mut key);
                }
                self.collector = Some(LocalCollector::new(agent, keys, &key));
            }
        }
    }

    pub(super) fn rekey(&mut self, keys: AgentKeys) {
        if let Some(collector) = &mut self.collector {
            collector.rekey(keys);
        }
    }

    /// Answers all that is queued; `peer` is the collector's address, as far as it is known.
    pub(super) fn serve(&mut self, peer: Option<SocketAddr>, now: MonoNanos) {
        let (mut buffer, mut reply) = ([0; DATAGRAM_MAX + 1], Vec::new());
        for _ in 0..SERVE_MAX {
            let (len, from) = match self.socket.recv_from(&mut buffer) {
                Ok(received) => received,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // Nothing more is queued; or an answer was refused, and more is found the next time.
                Err(_) => break,
            };
            let Some(collector) = &mut self.collector else { continue };
            match collector.handle_datagram(&buffer[..len], now, &mut reply) {
                Ok(true) => {
                    // An answer that can't be sent is lost, as in any network.
                    let _ = self.socket.send_to(&reply, from);
                }
                Err(DatagramError::BadAgent) => {
                    if let (Some(peer), Ok(datagram)) = (peer, Datagram::parse(&buffer[..len])) {
                        self.relay.forward(&datagram, &buffer[..len], from, peer);
                    }
                }
                Ok(false) | Err(_) => {}
            }
        }
        self.relay.deliver_answers(&self.socket);
    }

    /// Sets what is left of the budget after the work that was taken. Returns whether nothing is, with
    /// what the emitters have reported since.
    pub(super) fn set_budget(&mut self, budget: Option<BudgetLeft>) -> bool {
        let Some(collector) = &mut self.collector else { return false };
        collector.set_budget(budget);
        collector.budget_left().is_some_and(|left| left.amount == 0)
    }

    /// Takes the identity that an emitter has reported since it was last taken.
    pub(super) fn take_identity(&mut self) -> Option<IdentityConfig> {
        self.collector.as_mut().and_then(LocalCollector::take_identity)
    }

    /// Returns whether the emitters have reported work that is in no segment yet.
    pub(super) fn has_work(&self) -> bool {
        self.collector.as_ref().is_some_and(LocalCollector::has_work)
    }

    /// Ends the emitters, with the process.
    pub(super) fn end_emitters(&mut self) {
        if let Some(collector) = &mut self.collector {
            collector.end_emitters();
        }
    }

    /// Returns the source of what the supervisor's beats carry.
    pub(super) fn metrics<'a>(&'a mut self, shared: &'a SharedState) -> ProcessMetrics<'a> {
        ProcessMetrics { emitters: self, shared }
    }
}

/// Metrics of the process: what its emitters report, and what the supervisor sees.
pub(super) struct ProcessMetrics<'a> {
    emitters: &'a mut ChildEmitters,
    shared: &'a SharedState,
}

impl MetricsSource for ProcessMetrics<'_> {
    fn vitals(&mut self, now: MonoNanos) -> BeatVitals {
        let process = self.emitters.process.state();
        let collector = self.emitters.collector.as_ref().filter(|_| process.is_running);
        let mut vitals = collector.and_then(|it| it.vitals(now)).unwrap_or_default();
        if !process.is_running {
            return vitals;
        }
        // A kill is obeyed when the process has ended, not when its tasks have. And a process that is to
        // show progress is a task itself.
        if self.shared.gate.is_closed() || process.stall_after.is_some() {
            vitals.in_flight = vitals.in_flight.saturating_add(1);
        }
        if process.stall_after.is_some() {
            let age = now.since(process.progress_at);
            vitals.progress_age = Some(vitals.progress_age.map_or(age, |other| other.min(age)));
            vitals.stall_after = process.stall_after;
        }
        let silent = collector.and_then(|it| it.silent_for(now));
        let (cpu_permille, memory_bytes) = process.usage;
        vitals.process = Some(ProcessUsage {
            cpu_permille,
            memory_bytes,
            emitter_silent_ms: silent
                .map(|silence| u64::try_from(silence.as_millis()).unwrap_or(u64::MAX)),
        });
        vitals
    }

    fn take(&mut self, segment: &mut SegmentBuilder) -> bool {
        self.emitters.collector.as_mut().is_some_and(|collector| collector.take(segment))
    }
}
