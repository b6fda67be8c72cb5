//! An engine, a collector's answers written by hand, and time as a number.

use std::time::Duration;

use heartline_protocol::body::{Ack, Push};
use heartline_protocol::{
    AgentName, Body, Datagram, DatagramWriter, Direction, Header, KeyEpoch, MasterKey, MessageType,
    Phase, ScopeKey, Token, TokenScope,
};

use super::super::*;

pub(super) const AGENT: &str = "order-processor";
pub(super) const SESSION: u64 = 0x5be1;
pub(super) const A: [u8; 16] = [0xa; 16];
pub(super) const B: [u8; 16] = [0xb; 16];

/// What a message said, in words that a test can compare.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Said {
    pub(super) goodbye: bool,
    pub(super) sequence: u64,
    pub(super) challenge: [u8; 16],
    pub(super) segment: Option<(u64, u64)>,
    pub(super) identity: bool,
    pub(super) generation: u64,
    pub(super) stopping: bool,
}

pub(super) struct Scene {
    pub(super) engine: Engine,
    pub(super) work: Tally,
    pub(super) now: Moment,
    key: ScopeKey,
    pub(super) len: usize,
}

pub(super) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn config(remembered: Desired) -> (EngineConfig, ScopeKey) {
    let agent = AgentName::new(AGENT).unwrap();
    let key = MasterKey::new([7; 32]).scope_key(KeyEpoch(1), "");
    let token = Token { epoch: KeyEpoch(1), scope: TokenScope::default(), key: key.clone() };
    let keys = Keys::new(&token, &agent).unwrap();
    let identity = Identity { host: Some("machine-3".into()), ..Identity::default() };
    (EngineConfig { remembered, identity, ..EngineConfig::new(agent, keys, SESSION) }, key)
}

impl Scene {
    pub(super) fn new() -> Self {
        Self::remembering(Desired::default())
    }

    pub(super) fn remembering(remembered: Desired) -> Self {
        let (config, key) = config(remembered);
        let now = Moment::from_nanos(5_000_000_000);
        Self { engine: Engine::new(config, now), work: Tally::default(), now, key, len: 0 }
    }

    /// A session that is live, calm, and has sent its first two beats.
    pub(super) fn live() -> Self {
        let mut scene = Self::new();
        scene.say();
        scene.ack(1, A, Ack { unconfirmed: true, ..Ack::default() });
        scene.say();
        scene.ack(2, A, Ack::default());
        scene
    }

    /// What is sent now; it fails when nothing is due.
    pub(super) fn say(&mut self) -> Said {
        self.poll().expect("a message is due")
    }

    pub(super) fn poll(&mut self) -> Option<Said> {
        let mut out = Vec::new();
        if !self.engine.poll_transmit(self.now, &mut self.work, &mut out) {
            return None;
        }
        self.len = out.len();
        let up = self.key.agent_key(Direction::Up, AGENT);
        let message = Datagram::parse(&out).unwrap().verify(&up).unwrap();
        let mut said = Said {
            sequence: message.header.sequence,
            challenge: message.header.challenge,
            ..Said::default()
        };
        match message.decode().unwrap() {
            Body::Beat(beat) => {
                said.segment = beat.segment.map(|segment| (segment.number, segment.ok));
                said.identity = beat.identity.is_some_and(|id| id.host.unwrap().is("machine-3"));
                said.generation = beat.applied_generation;
                said.stopping = beat.phase == Phase::Stopping;
            }
            Body::Goodbye(goodbye) => {
                said.goodbye = true;
                said.segment = goodbye.segment.map(|segment| (segment.number, segment.ok));
            }
            other => panic!("an emitter said {other:?}"),
        }
        Some(said)
    }

    /// Lets time pass until something is due, and gives back how long that was, in ms.
    pub(super) fn wait(&mut self) -> u64 {
        let due = self.engine.poll_timeout().expect("not closed");
        let waited = due.since(self.now);
        self.now = self.now.max(due);
        u64::try_from(waited.as_millis()).unwrap()
    }

    pub(super) fn pass(&mut self, time: Duration) {
        self.now = self.now.plus(time);
    }

    pub(super) fn ack(&mut self, sequence: u64, challenge: [u8; 16], ack: Ack) -> Heard {
        let bytes = self.seal(MessageType::Ack, SESSION, sequence, challenge, |out| ack.write(out));
        self.engine.handle_datagram(&bytes, self.now).unwrap()
    }

    pub(super) fn push(&mut self, generation: u64, killed: bool) -> Heard {
        let push = Push { generation, killed };
        let bytes = self.seal(MessageType::Push, SESSION, 1, [0; 16], |out| push.write(out));
        self.engine.handle_datagram(&bytes, self.now).unwrap()
    }

    pub(super) fn seal(
        &self,
        kind: MessageType,
        session: u64,
        sequence: u64,
        challenge: [u8; 16],
        body: impl FnOnce(&mut Vec<u8>),
    ) -> Vec<u8> {
        let header = Header {
            kind,
            epoch: KeyEpoch(1),
            scope_len: 0,
            agent: AGENT,
            session,
            sequence,
            challenge,
        };
        let mut bytes = Vec::new();
        let mut sealer = DatagramWriter::new(&mut bytes, &header);
        body(sealer.body());
        sealer.seal(&self.key.agent_key(Direction::Down, AGENT)).unwrap();
        bytes
    }
}
