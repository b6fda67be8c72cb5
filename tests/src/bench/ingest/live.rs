//! A crowd that talks with a real collector process: it learns its challenges from the answers, and
//! sends each segment of work until that is durable, as emitters do.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use anyhow::{Context as _, Result};
use heartline_collector::ingest::RECEIVE_BUFFER;
use heartline_protocol::limits::CHALLENGE_LEN;
use heartline_protocol::{AgentKey, Body, Datagram, Direction, Token};
use rustix::net::sockopt::set_socket_recv_buffer_size;

use super::crowd::{self, Crowd, Load, Said};
use crate::clock;

/// What the agents do between beats.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    /// Nothing new: each beat repeats a segment that has long been durable.
    Idle,
    /// A new segment as soon as the one before is durable.
    Busy,
}

/// What is known of one agent's talk with the collector.
#[derive(Clone, Copy)]
struct Talk {
    sequence: u64,
    /// The segment that is sent until it is durable.
    segment: u64,
    challenge: [u8; CHALLENGE_LEN],
}

/// Agents that all speak through one socket, in turn.
pub(super) struct Live {
    crowd: Crowd,
    socket: UdpSocket,
    talks: Vec<Talk>,
    /// The keys that the collector signs its answers with.
    keys: Vec<[u8; 32]>,
    next: usize,
    datagram: Vec<u8>,
    told: Told,
    work: Work,
}

/// What the crowd has seen.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Told {
    /// Beats sent.
    pub(super) sent: u64,
    /// Answers received.
    pub(super) answers: u64,
    /// Segments that an answer called durable.
    pub(super) durable: u64,
    /// The furthest that sending fell behind its pace.
    pub(super) behind: Duration,
}

impl Live {
    /// Agents that beat every `interval_ms`, silent as yet.
    pub(super) fn new(
        agents: u32,
        interval_ms: u32,
        token: &Token,
        to: SocketAddr,
        work: Work,
    ) -> Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0").context("can't bind a crowd")?;
        socket.connect(to).with_context(|| format!("can't send to {to}"))?;
        socket.set_nonblocking(true).context("can't keep a crowd from waiting")?;
        set_socket_recv_buffer_size(&socket, RECEIVE_BUFFER).context("can't make room")?;
        let silent = Talk { sequence: 0, segment: 1, challenge: [0; CHALLENGE_LEN] };
        let talks = vec![silent; agents as usize];
        let crowd = Crowd::new(agents, token.epoch, &token.key).every(interval_ms);
        let key = |agent| token.key.agent_key_bytes(Direction::Down, &crowd::name(agent));
        let keys = (0..agents).map(key).collect();
        let (datagram, told) = (Vec::new(), Told::default());
        Ok(Self { crowd, socket, talks, keys, next: 0, datagram, told, work })
    }

    /// Beats for `span`, evenly, at so many beats a second; says what was seen meanwhile.
    pub(super) fn beat(&mut self, rate: u64, span: Duration) -> Result<Told> {
        self.told = Told::default();
        let begin = clock::monotonic();
        loop {
            let elapsed = clock::monotonic().saturating_sub(begin);
            let due = (elapsed.min(span).as_secs_f64() * rate as f64) as u64;
            let backlog = due.saturating_sub(self.told.sent);
            let behind = Duration::from_secs_f64(backlog as f64 / rate as f64);
            self.told.behind = self.told.behind.max(behind);
            // In small portions, so that no answer waits for long.
            for _ in 0..backlog.min(64) {
                self.send()?;
            }
            self.listen()?;
            if backlog == 0 {
                if elapsed >= span {
                    return Ok(self.told);
                }
                std::thread::sleep(Duration::from_micros(200));
            }
        }
    }

    /// Listens for so long.
    pub(super) fn hush(&mut self, span: Duration) -> Result<()> {
        let end = clock::monotonic() + span;
        while clock::monotonic() < end {
            self.listen()?;
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    fn send(&mut self) -> Result<()> {
        let agent = self.crowd.agent(self.next);
        self.next += 1;
        let talk = &mut self.talks[agent as usize];
        talk.sequence += 1;
        let Talk { sequence, segment, challenge } = *talk;
        let load = if sequence == 1 { Load::Identity } else { Load::Segment(segment) };
        let said = Said { sequence, challenge, load };
        self.crowd.write(agent, said, &mut self.datagram);
        self.told.sent += 1;
        match self.socket.send(&self.datagram) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                Err(error).context("can't send a beat")
            }
            _ => Ok(()),
        }
    }

    fn listen(&mut self) -> Result<()> {
        let mut buffer = [0; 512];
        loop {
            match self.socket.recv(&mut buffer) {
                Ok(len) => self.answered(&buffer[..len]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error).context("can't receive answers"),
            }
        }
    }

    fn answered(&mut self, bytes: &[u8]) {
        let Ok(datagram) = Datagram::parse(bytes) else { return };
        let Some(agent) = crowd::number(datagram.claimed().agent) else { return };
        let Some(talk) = self.talks.get_mut(agent as usize) else { return };
        self.told.answers += 1;
        if self.work == Work::Idle {
            // Taken on trust: the crowd has one core, as its collector has, and must keep pace.
            talk.challenge = datagram.claimed().challenge;
            return;
        }
        let Ok(verified) = datagram.verify(&AgentKey::new(&self.keys[agent as usize])) else {
            return;
        };
        let Ok(Body::Ack(ack)) = verified.decode() else { return };
        talk.challenge = verified.header.challenge;
        if ack.durable_segment >= talk.segment {
            talk.segment = ack.durable_segment + 1;
            self.told.durable += 1;
        }
    }
}
