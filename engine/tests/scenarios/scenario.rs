//! An engine, a collector's answers written by hand, and time as a number.

use std::collections::BTreeMap;
use std::time::Duration;

use heartline_engine::{
    AgentKeys, AppliedStates, Engine, EngineConfig, IdentityConfig, InMemoryMetrics, MonoNanos,
};
use heartline_protocol::body::{Ack, Push};
use heartline_protocol::{
    AgentName, Body, ControlId, Datagram, DatagramWriter, DesiredState, Direction, Header,
    KeyEpoch, MasterKey, MessageType, Phase, ScopeKey, Token, TokenScope,
};

pub(super) const AGENT: &str = "order-processor";
pub(super) const SESSION: u64 = 0x5be1;
pub(super) const A: [u8; 16] = [0xa; 16];
pub(super) const B: [u8; 16] = [0xb; 16];

/// What a message sent, in words that a test can compare.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct SentMessage {
    pub(super) goodbye: bool,
    /// The last lines of an exit report.
    pub(super) exit: Option<Vec<String>>,
    pub(super) sequence: u64,
    pub(super) challenge: [u8; 16],
    pub(super) segment: Option<(u64, u64)>,
    pub(super) identity: bool,
    pub(super) applied: DesiredState,
    pub(super) blocked_by: Option<ControlId>,
    pub(super) stopping: bool,
}

pub(super) struct Scenario {
    pub(super) engine: Engine,
    pub(super) metrics: InMemoryMetrics,
    pub(super) now: MonoNanos,
    key: ScopeKey,
    pub(super) len: usize,
}

pub(super) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Returns a state that this collector's operators want.
pub(super) fn state(generation: u64, killed: bool) -> DesiredState {
    DesiredState { control: ControlId::new(0xc0), generation, killed }
}

fn config(applied: AppliedStates) -> (EngineConfig, ScopeKey) {
    let agent = AgentName::new(AGENT).unwrap();
    let key = MasterKey::new([7; 32]).scope_key(KeyEpoch(1), "");
    let token = Token { epoch: KeyEpoch(1), scope: TokenScope::default(), key: key.clone() };
    let keys = AgentKeys::new(&token, &agent).unwrap();
    let identity = IdentityConfig { host: Some("machine-3".into()), ..IdentityConfig::default() };
    (EngineConfig { applied, identity, ..EngineConfig::new(agent, keys, SESSION) }, key)
}

impl Scenario {
    pub(super) fn new() -> Self {
        Self::restoring([])
    }

    pub(super) fn restoring(states: impl IntoIterator<Item = DesiredState>) -> Self {
        Self::with_config(config(AppliedStates::restored(states)))
    }

    /// A session whose identity has these labels.
    pub(super) fn with_labels(labels: BTreeMap<String, String>) -> Self {
        let (mut config, key) = config(AppliedStates::default());
        config.identity.labels = labels;
        Self::with_config((config, key))
    }

    fn with_config((config, key): (EngineConfig, ScopeKey)) -> Self {
        let now = MonoNanos::new(5_000_000_000);
        Self {
            engine: Engine::new(config, now),
            metrics: InMemoryMetrics::default(),
            now,
            key,
            len: 0,
        }
    }

    /// A session that is live, retries nothing, and has sent its first two beats.
    pub(super) fn live() -> Self {
        let mut scenario = Self::new();
        scenario.send();
        scenario.ack(1, A, Ack { unconfirmed: true, ..Ack::default() });
        scenario.send();
        scenario.ack(2, A, Ack::default());
        scenario
    }

    /// Returns the message sent now; panics when none is due.
    pub(super) fn send(&mut self) -> SentMessage {
        self.poll().expect("a message is due")
    }

    pub(super) fn poll(&mut self) -> Option<SentMessage> {
        let mut out = Vec::new();
        if !self.engine.poll_transmit(self.now, &mut self.metrics, &mut out) {
            return None;
        }
        self.len = out.len();
        let up = self.key.agent_key(Direction::Up, AGENT);
        let message = Datagram::parse(&out).unwrap().verify(&up).unwrap();
        let mut sent = SentMessage {
            sequence: message.header.sequence,
            challenge: message.header.challenge,
            ..SentMessage::default()
        };
        match message.decode().unwrap() {
            Body::Beat(beat) => {
                sent.segment = beat.segment.map(|segment| (segment.number, segment.ok));
                sent.identity = beat.identity.is_some_and(|id| id.host.unwrap().is("machine-3"));
                sent.applied = beat.applied;
                sent.blocked_by = beat.blocked_by;
                sent.stopping = beat.phase == Phase::Stopping;
            }
            Body::Goodbye(goodbye) => {
                sent.goodbye = true;
                sent.segment = goodbye.segment.map(|segment| (segment.number, segment.ok));
            }
            Body::ExitReport(report) => {
                sent.exit = Some(report.last_lines.iter().map(|line| line.scrubbed()).collect());
                sent.segment = report.segment.map(|segment| (segment.number, segment.ok));
            }
            other => panic!("an emitter sent {other:?}"),
        }
        Some(sent)
    }

    /// Advances time until something is due; returns by how many ms.
    pub(super) fn wait(&mut self) -> u64 {
        let due = self.engine.poll_timeout().expect("not closed");
        let waited = due.since(self.now);
        self.now = self.now.max(due);
        u64::try_from(waited.as_millis()).unwrap()
    }

    pub(super) fn advance(&mut self, time: Duration) {
        self.now = self.now.plus(time);
    }

    /// Receives an ack, with this collector's control id if it names none; returns whether the
    /// applied states changed.
    pub(super) fn ack(&mut self, sequence: u64, challenge: [u8; 16], mut ack: Ack) -> bool {
        ack.desired.control = ack.desired.control.or(state(0, false).control);
        let bytes = self.seal(MessageType::Ack, SESSION, sequence, challenge, |out| ack.write(out));
        self.engine.handle_datagram(&bytes, self.now).unwrap()
    }

    pub(super) fn push(&mut self, generation: u64, killed: bool) -> bool {
        let push = Push { desired: state(generation, killed), lifts: None };
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
