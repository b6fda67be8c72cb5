//! Senders of datagrams that a test writes byte for byte.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use fastrand::Rng;
use heartline_protocol::limits::CHALLENGE_LEN;
use heartline_protocol::{
    Ack, Beat, Body, Datagram, DatagramWriter, Direction, Header, MessageType, Token,
};

/// A UDP socket connected to the collector, for arbitrary bytes.
pub struct RawUdpClient {
    socket: UdpSocket,
}

impl RawUdpClient {
    /// Binds any port.
    ///
    /// # Panics
    /// If there is none.
    pub fn new(collector: SocketAddr) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port can be had");
        socket.connect(collector).expect("loopback works");
        socket.set_nonblocking(true).expect("a socket can be made non-blocking");
        Self { socket }
    }

    /// Sends a datagram.
    pub fn send(&self, bytes: &[u8]) {
        // A collector that is down just now refuses: nothing is lost that UDP would have kept.
        let _ = self.socket.send(bytes);
    }

    /// Returns the next datagram received, if there is one.
    pub fn receive(&self) -> Option<Vec<u8>> {
        let mut buffer = [0; 2_048];
        self.socket.recv(&mut buffer).ok().map(|len| buffer[..len].to_vec())
    }
}

/// An agent with a valid token that sends only what a test has it send.
pub struct ScriptedAgent {
    client: RawUdpClient,
    token: Token,
    pub name: String,
    pub session: u64,
    /// Sequence of the last message.
    pub sequence: u64,
    /// Highest sequence that was acknowledged.
    pub acked: u64,
    /// The challenge to be echoed.
    pub challenge: [u8; CHALLENGE_LEN],
}

impl ScriptedAgent {
    /// Returns an agent that has not sent anything yet.
    ///
    /// # Panics
    /// If there is no port to bind.
    pub fn new(collector: SocketAddr, token: Token, name: &str, seed: u64) -> Self {
        Self {
            client: RawUdpClient::new(collector),
            token,
            name: name.to_owned(),
            session: Rng::with_seed(seed).u64(..),
            sequence: 0,
            acked: 0,
            challenge: [0; CHALLENGE_LEN],
        }
    }

    /// Returns a signed beat with the next sequence and any body.
    ///
    /// # Panics
    /// If it does not fit a datagram.
    #[track_caller]
    pub fn seal(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        self.sequence += 1;
        let header = Header {
            kind: MessageType::Beat,
            epoch: self.token.epoch,
            scope_len: u8::try_from(self.token.scope.as_str().len()).expect("a scope is short"),
            agent: &self.name,
            session: self.session,
            sequence: self.sequence,
            challenge: self.challenge,
        };
        let mut datagram = Vec::new();
        let mut writer = DatagramWriter::new(&mut datagram, &header);
        write(writer.body());
        let key = self.token.key.agent_key(Direction::Up, &self.name);
        writer.seal(&key).expect("a test's body fits a datagram");
        datagram
    }

    /// Returns the smallest useful beat.
    pub fn minimal_beat() -> Beat<'static> {
        Beat { interval_ms: 60_000, uptime_ms: 1, ..Beat::default() }
    }

    /// Sends a datagram from the agent's address.
    pub fn send(&self, bytes: &[u8]) {
        self.client.send(bytes);
    }

    /// Sends a beat.
    pub fn beat(&mut self, beat: &Beat<'_>) {
        let datagram = self.seal(|out| beat.write(out));
        self.send(&datagram);
    }

    /// Returns the next ack received, if there is one, and keeps its challenge.
    pub fn receive(&mut self) -> Option<Ack> {
        let bytes = self.client.receive()?;
        let key = self.token.key.agent_key(Direction::Down, &self.name);
        let verified = Datagram::parse(&bytes).ok()?.verify(&key).ok()?;
        let (challenge, sequence) = (verified.header.challenge, verified.header.sequence);
        match verified.decode().ok()? {
            Body::Ack(ack) => {
                (self.challenge, self.acked) = (challenge, self.acked.max(sequence));
                Some(ack)
            }
            _ => None,
        }
    }

    /// Beats until the collector takes a beat as live.
    ///
    /// # Panics
    /// If it never does.
    #[track_caller]
    pub fn beat_until_live(&mut self, beat: &Beat<'_>) {
        let mut polls: u32 = 0;
        super::wait_until("the collector takes a scripted beat as live", || {
            if polls.is_multiple_of(20) {
                self.beat(beat);
            }
            polls += 1;
            match self.receive() {
                Some(ack) if ack.unconfirmed => {
                    polls = 0;
                    false
                }
                ack => ack.is_some(),
            }
        });
    }
}
