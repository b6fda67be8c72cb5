//! Those who send just what they are told, byte for byte.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use fastrand::Rng;
use heartline_protocol::limits::CHALLENGE_LEN;
use heartline_protocol::{
    Ack, Beat, Body, Datagram, DatagramWriter, Direction, Header, MessageType, Token,
};

/// Somebody on the network with no business there.
pub struct Stranger {
    socket: UdpSocket,
}

impl Stranger {
    /// One who speaks to this collector.
    ///
    /// # Panics
    /// If there is no port to be had.
    #[must_use]
    pub fn new(collector: SocketAddr) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port can be had");
        socket.connect(collector).expect("loopback works");
        socket.set_nonblocking(true).expect("a socket can be told not to block");
        Self { socket }
    }

    /// Sends these bytes.
    pub fn send(&self, bytes: &[u8]) {
        // A collector that is down just now refuses: nothing is lost that UDP would have kept.
        let _ = self.socket.send(bytes);
    }

    /// What has come back and was not heard yet.
    #[must_use]
    pub fn hear(&self) -> Option<Vec<u8>> {
        let mut buffer = [0; 2_048];
        self.socket.recv(&mut buffer).ok().map(|len| buffer[..len].to_vec())
    }
}

/// An agent on strings: it holds a token and says what a test has it say.
pub struct Puppet {
    stranger: Stranger,
    token: Token,
    /// Its id.
    pub agent: String,
    /// Its session.
    pub session: u64,
    /// Number of its last message.
    pub sequence: u64,
    /// What it echoes.
    pub challenge: [u8; CHALLENGE_LEN],
}

impl Puppet {
    /// An agent that has not said anything yet.
    ///
    /// # Panics
    /// If there is no port to be had.
    #[must_use]
    pub fn new(collector: SocketAddr, token: Token, agent: &str, seed: u64) -> Self {
        Self {
            stranger: Stranger::new(collector),
            token,
            agent: agent.to_owned(),
            session: Rng::with_seed(seed).u64(..),
            sequence: 0,
            challenge: [0; CHALLENGE_LEN],
        }
    }

    /// A signed datagram, with the next number, of whatever body is written.
    ///
    /// # Panics
    /// If it does not fit.
    #[track_caller]
    pub fn seal(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        self.sequence += 1;
        let header = Header {
            kind: MessageType::Beat,
            epoch: self.token.epoch,
            scope_len: u8::try_from(self.token.scope.as_str().len()).expect("a scope is short"),
            agent: &self.agent,
            session: self.session,
            sequence: self.sequence,
            challenge: self.challenge,
        };
        let mut datagram = Vec::new();
        let mut sealer = DatagramWriter::new(&mut datagram, &header);
        write(sealer.body());
        let key = self.token.key.agent_key(Direction::Up, &self.agent);
        sealer.seal(&key).expect("what a test says fits a datagram");
        datagram
    }

    /// A beat that says little.
    #[must_use]
    pub fn plain_beat() -> Beat<'static> {
        Beat { interval_ms: 60_000, uptime_ms: 1, ..Beat::default() }
    }

    /// Sends these bytes from the agent's address.
    pub fn send(&self, bytes: &[u8]) {
        self.stranger.send(bytes);
    }

    /// Beats once.
    pub fn beat(&mut self, beat: &Beat<'_>) {
        let datagram = self.seal(|out| beat.write(out));
        self.send(&datagram);
    }

    /// Hears the next answer, if one has come, and keeps its challenge.
    pub fn hear(&mut self) -> Option<Ack> {
        let bytes = self.stranger.hear()?;
        let key = self.token.key.agent_key(Direction::Down, &self.agent);
        let verified = Datagram::parse(&bytes).ok()?.verify(&key).ok()?;
        let challenge = verified.header.challenge;
        match verified.decode().ok()? {
            Body::Ack(ack) => {
                self.challenge = challenge;
                Some(ack)
            }
            _ => None,
        }
    }

    /// Beats until the collector takes it as live.
    ///
    /// # Panics
    /// If the collector never does.
    #[track_caller]
    pub fn go_live(&mut self, beat: &Beat<'_>) {
        let mut ticks: u32 = 0;
        super::wait_until("the collector takes a puppet's beat as live", || {
            if ticks.is_multiple_of(20) {
                self.beat(beat);
            }
            ticks += 1;
            match self.hear() {
                Some(ack) if ack.unconfirmed => {
                    ticks = 0;
                    false
                }
                heard => heard.is_some(),
            }
        });
    }
}
