//! Agents that beat at a real collector process: they learn their challenges from its acks, and send
//! each segment of work until it is durable, and obey pushes at once, as emitters do.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use anyhow::{Context as _, Result};
use heartline_collector::ingest::RECEIVE_BUFFER;
use heartline_protocol::limits::CHALLENGE_LEN;
use heartline_protocol::{AgentKey, Body, Datagram, DesiredState, Direction, MessageType, Token};
use rustix::net::sockopt::set_socket_recv_buffer_size;

use super::synthetic_fleet::{self, BeatFields, BeatPayload, SyntheticFleet};
use crate::clock;

/// A config file for a collector that takes all of them at once.
pub(super) const REGISTRATION_CONFIG: &str = "[limits]\nnew_agents_per_minute = 100000000\n";
/// Most datagrams that are received from one socket before beats are sent again.
const RECEIVED_AT_ONCE: usize = 64;

/// The work that beats carry.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum WorkPattern {
    /// Each beat repeats a segment that is durable already.
    Idle,
    /// A new segment follows as soon as the previous one is durable.
    Busy,
}

/// A fleet to be started.
#[derive(Clone, Copy)]
pub(super) struct LiveAgentsConfig {
    pub(super) agents: u32,
    pub(super) interval_ms: u32,
    pub(super) work: WorkPattern,
    /// Number of sockets that they share.
    pub(super) sockets: usize,
}

#[derive(Clone, Copy)]
struct AgentSession {
    sequence: u64,
    /// The segment that is sent until it is durable.
    segment: u64,
    challenge: [u8; CHALLENGE_LEN],
    applied: DesiredState,
}

/// Agents that share sockets and beat in turn.
pub(super) struct LiveAgents {
    fleet: SyntheticFleet,
    sockets: Vec<UdpSocket>,
    sessions: Vec<AgentSession>,
    /// The keys that the collector seals its acks with.
    keys: Vec<[u8; 32]>,
    next: usize,
    datagram: Vec<u8>,
    counters: BeatCounters,
    work: WorkPattern,
    /// When each push was received that brought a newer state.
    pushed_at: Vec<Duration>,
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
    /// Creates agents with a fleet-wide token, before their first beats.
    pub(super) fn new(config: LiveAgentsConfig, token: &Token, to: SocketAddr) -> Result<Self> {
        let LiveAgentsConfig { agents, interval_ms, work, sockets } = config;
        let sockets = (0..sockets.max(1)).map(|_| bind(to)).collect::<Result<_>>()?;
        let (challenge, applied) = ([0; CHALLENGE_LEN], DesiredState::default());
        let session = AgentSession { sequence: 0, segment: 1, challenge, applied };
        let fleet = SyntheticFleet::new(agents, token.epoch, &token.key);
        let key = |agent| token.key.agent_key_bytes(Direction::Down, &synthetic_fleet::name(agent));
        Ok(Self {
            fleet: fleet.with_interval(interval_ms),
            sockets,
            sessions: vec![session; agents as usize],
            keys: (0..agents).map(key).collect(),
            next: 0,
            datagram: Vec::new(),
            counters: BeatCounters::default(),
            work,
            pushed_at: Vec::new(),
        })
    }

    /// Returns how many agents have received a push with a newer state since the last
    /// [`Self::take_pushes`].
    pub(super) fn pushed(&self) -> usize {
        self.pushed_at.len()
    }

    /// Takes the times at which those were received.
    pub(super) fn take_pushes(&mut self) -> Vec<Duration> {
        std::mem::take(&mut self.pushed_at)
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
                self.send_next()?;
            }
            self.receive()?;
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
            self.receive()?;
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    fn send_next(&mut self) -> Result<()> {
        let agent = self.fleet.agent(self.next);
        self.next += 1;
        self.send(agent)
    }

    fn send(&mut self, agent: u32) -> Result<()> {
        let session = &mut self.sessions[agent as usize];
        session.sequence += 1;
        let AgentSession { sequence, segment, challenge, applied } = *session;
        let payload =
            if sequence == 1 { BeatPayload::Identity } else { BeatPayload::Segment(segment) };
        let fields = BeatFields { sequence, challenge, applied, payload };
        self.fleet.write_beat(agent, fields, &mut self.datagram);
        self.counters.sent += 1;
        let socket = &self.sockets[agent as usize % self.sockets.len()];
        match socket.send(&self.datagram) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                Err(error).context("can't send a beat")
            }
            _ => Ok(()),
        }
    }

    fn receive(&mut self) -> Result<()> {
        let mut buffer = [0; 512];
        for at in 0..self.sockets.len() {
            for _ in 0..RECEIVED_AT_ONCE {
                match self.sockets[at].recv(&mut buffer) {
                    Ok(len) => self.on_datagram(&buffer[..len])?,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error).context("can't receive answers"),
                }
            }
        }
        Ok(())
    }

    fn on_datagram(&mut self, bytes: &[u8]) -> Result<()> {
        let Ok(datagram) = Datagram::parse(bytes) else { return Ok(()) };
        let header = *datagram.claimed();
        let Some(agent) = synthetic_fleet::parse_name(header.agent) else { return Ok(()) };
        let Some(session) = self.sessions.get_mut(agent as usize) else { return Ok(()) };
        if header.kind == MessageType::Ack {
            self.counters.acks += 1;
            if self.work == WorkPattern::Idle {
                // Not verified: all agents share one core, and must keep pace with the collector.
                session.challenge = header.challenge;
                return Ok(());
            }
        }
        let Ok(verified) = datagram.verify(&AgentKey::new(&self.keys[agent as usize])) else {
            return Ok(());
        };
        match verified.decode() {
            Ok(Body::Ack(ack)) => {
                session.challenge = verified.header.challenge;
                if ack.durable_segment >= session.segment {
                    session.segment = ack.durable_segment + 1;
                    self.counters.durable_segments += 1;
                }
                Ok(())
            }
            Ok(Body::Push(push)) => self.on_push(agent, push.desired),
            _ => Ok(()),
        }
    }

    fn on_push(&mut self, agent: u32, desired: DesiredState) -> Result<()> {
        let applied = &mut self.sessions[agent as usize].applied;
        if desired.outranks(applied) {
            *applied = desired;
            self.pushed_at.push(clock::monotonic());
        }
        // A repeated push means that the report was lost.
        self.send(agent)
    }
}

fn bind(to: SocketAddr) -> Result<UdpSocket> {
    let socket = UdpSocket::bind("127.0.0.1:0").context("can't bind a sender")?;
    socket.connect(to).with_context(|| format!("can't send to {to}"))?;
    socket.set_nonblocking(true).context("can't keep a sender from waiting")?;
    set_socket_recv_buffer_size(&socket, RECEIVE_BUFFER).context("can't make room")?;
    Ok(socket)
}
