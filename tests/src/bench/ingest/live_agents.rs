//! Agents that beat at a real collector process: they learn their challenges from its acks, and send
//! each segment of work until it is durable, as emitters do.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use anyhow::{Context as _, Result};
use heartline_collector::ingest::RECEIVE_BUFFER;
use heartline_protocol::limits::CHALLENGE_LEN;
use heartline_protocol::{AgentKey, Body, Datagram, Direction, Token};
use rustix::net::sockopt::set_socket_recv_buffer_size;

use super::synthetic_fleet::{self, BeatFields, BeatPayload, SyntheticFleet};
use crate::clock;

/// The work that beats carry.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum WorkPattern {
    /// Each beat repeats a segment that is durable already.
    Idle,
    /// A new segment follows as soon as the previous one is durable.
    Busy,
}

#[derive(Clone, Copy)]
struct AgentSession {
    sequence: u64,
    /// The segment that is sent until it is durable.
    segment: u64,
    challenge: [u8; CHALLENGE_LEN],
}

/// Agents that share one socket and beat in turn.
pub(super) struct LiveAgents {
    fleet: SyntheticFleet,
    socket: UdpSocket,
    sessions: Vec<AgentSession>,
    /// The keys that the collector seals its acks with.
    keys: Vec<[u8; 32]>,
    next: usize,
    datagram: Vec<u8>,
    counters: BeatCounters,
    work: WorkPattern,
}

/// Counts of beats and of their acks, over one call of [`LiveAgents::beat`].
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct BeatCounters {
    pub(super) sent: u64,
    pub(super) acks: u64,
    pub(super) durable_segments: u64,
    /// The furthest that sending fell behind its rate.
    pub(super) lag_max: Duration,
}

impl LiveAgents {
    /// Creates agents that beat every `interval_ms`, before their first beats.
    pub(super) fn new(
        agents: u32,
        interval_ms: u32,
        token: &Token,
        to: SocketAddr,
        work: WorkPattern,
    ) -> Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0").context("can't bind a sender")?;
        socket.connect(to).with_context(|| format!("can't send to {to}"))?;
        socket.set_nonblocking(true).context("can't keep a sender from waiting")?;
        set_socket_recv_buffer_size(&socket, RECEIVE_BUFFER).context("can't make room")?;
        let session = AgentSession { sequence: 0, segment: 1, challenge: [0; CHALLENGE_LEN] };
        let sessions = vec![session; agents as usize];
        let fleet = SyntheticFleet::new(agents, token.epoch, &token.key);
        let fleet = fleet.with_interval(interval_ms);
        let key = |agent| token.key.agent_key_bytes(Direction::Down, &synthetic_fleet::name(agent));
        let keys = (0..agents).map(key).collect();
        let (datagram, counters) = (Vec::new(), BeatCounters::default());
        Ok(Self { fleet, socket, sessions, keys, next: 0, datagram, counters, work })
    }

    /// Sends beats for `span`, evenly, at `rate` a second.
    pub(super) fn beat(&mut self, rate: u64, span: Duration) -> Result<BeatCounters> {
        self.counters = BeatCounters::default();
        let begin = clock::monotonic();
        loop {
            let elapsed = clock::monotonic().saturating_sub(begin);
            let due = (elapsed.min(span).as_secs_f64() * rate as f64) as u64;
            let backlog = due.saturating_sub(self.counters.sent);
            let lag = Duration::from_secs_f64(backlog as f64 / rate as f64);
            self.counters.lag_max = self.counters.lag_max.max(lag);
            // In small portions, so that no ack waits for long.
            for _ in 0..backlog.min(64) {
                self.send()?;
            }
            self.receive_acks()?;
            if backlog == 0 {
                if elapsed >= span {
                    return Ok(self.counters);
                }
                std::thread::sleep(Duration::from_micros(200));
            }
        }
    }

    /// Receives acks for `span`, without sending beats.
    pub(super) fn pause(&mut self, span: Duration) -> Result<()> {
        let end = clock::monotonic() + span;
        while clock::monotonic() < end {
            self.receive_acks()?;
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    fn send(&mut self) -> Result<()> {
        let agent = self.fleet.agent(self.next);
        self.next += 1;
        let session = &mut self.sessions[agent as usize];
        session.sequence += 1;
        let AgentSession { sequence, segment, challenge } = *session;
        let payload =
            if sequence == 1 { BeatPayload::Identity } else { BeatPayload::Segment(segment) };
        let fields = BeatFields { sequence, challenge, payload };
        self.fleet.write_beat(agent, fields, &mut self.datagram);
        self.counters.sent += 1;
        match self.socket.send(&self.datagram) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                Err(error).context("can't send a beat")
            }
            _ => Ok(()),
        }
    }

    fn receive_acks(&mut self) -> Result<()> {
        let mut buffer = [0; 512];
        loop {
            match self.socket.recv(&mut buffer) {
                Ok(len) => self.on_ack(&buffer[..len]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error).context("can't receive answers"),
            }
        }
    }

    fn on_ack(&mut self, bytes: &[u8]) {
        let Ok(datagram) = Datagram::parse(bytes) else { return };
        let Some(agent) = synthetic_fleet::parse_name(datagram.claimed().agent) else { return };
        let Some(session) = self.sessions.get_mut(agent as usize) else { return };
        self.counters.acks += 1;
        if self.work == WorkPattern::Idle {
            // Not verified: all agents share one core, and must keep pace with the collector.
            session.challenge = datagram.claimed().challenge;
            return;
        }
        let Ok(verified) = datagram.verify(&AgentKey::new(&self.keys[agent as usize])) else {
            return;
        };
        let Ok(Body::Ack(ack)) = verified.decode() else { return };
        session.challenge = verified.header.challenge;
        if ack.durable_segment >= session.segment {
            session.segment = ack.durable_segment + 1;
            self.counters.durable_segments += 1;
        }
    }
}
