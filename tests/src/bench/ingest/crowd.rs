//! A crowd of agents in one thread: each is a name, a key and a session.

use heartline_protocol::bucket::{self, PackedHistogram};
use heartline_protocol::limits::{CHALLENGE_LEN, INTERVAL_DEFAULT_MS, TAG_LEN};
use heartline_protocol::wire::UntrustedText;
use heartline_protocol::{
    AgentKey, Beat, DatagramWriter, Direction, Header, IdentityView, KeyEpoch, MessageType,
    ScopeKey, SegmentView,
};
use heartline_vocabulary::Phase;

/// Length of every beat but an agent's first, in bytes.
pub(super) const BEAT_LEN: usize = 200;
/// Different latencies in a segment.
pub(super) const LATENCIES: usize = 20;
/// The interval of agents that choose none, in ms.
pub(super) const INTERVAL_MS: u32 = INTERVAL_DEFAULT_MS;
/// The one key of a crowd that shares it.
pub(super) const ONE_KEY: [u8; 32] = [0x0e; 32];

/// What a beat carries beside the vitals.
#[derive(Clone, Copy)]
pub(super) enum Load {
    /// The agent's identity: its first beat.
    Identity,
    /// A segment of work of that number.
    Segment(u64),
}

/// What an agent says in one beat.
#[derive(Clone, Copy)]
pub(super) struct Said {
    /// Number in its session, from 1.
    pub(super) sequence: u64,
    /// The newest challenge that it has received, or zeros.
    pub(super) challenge: [u8; CHALLENGE_LEN],
    pub(super) load: Load,
}

/// All agents.
pub(super) struct Crowd {
    keys: Vec<[u8; 32]>,
    /// The order in which they beat: random, as it is after an hour of jitter.
    order: Vec<u32>,
    epoch: KeyEpoch,
    interval_ms: u32,
    histogram: Vec<u8>,
}

impl Crowd {
    /// Agents with the keys of a fleet-wide token.
    pub(super) fn new(agents: u32, epoch: KeyEpoch, token: &ScopeKey) -> Self {
        let key = |agent| token.agent_key_bytes(Direction::Up, &name(agent));
        Self::with_keys((0..agents).map(key).collect(), epoch)
    }

    /// Agents that all sign with the same key.
    pub(super) fn with_one_key(agents: u32) -> Self {
        Self::with_keys(vec![ONE_KEY; agents as usize], KeyEpoch(1))
    }

    fn with_keys(keys: Vec<[u8; 32]>, epoch: KeyEpoch) -> Self {
        let mut histogram = Vec::new();
        for pair in 0..LATENCIES {
            bucket::pack(&mut histogram, if pair == 0 { 420 } else { 7 }, 3);
        }
        let mut order: Vec<u32> = (0..keys.len() as u32).collect();
        fastrand::Rng::with_seed(1).shuffle(&mut order);
        Self { order, keys, epoch, interval_ms: INTERVAL_MS, histogram }
    }

    /// The same agents with another interval, in ms.
    pub(super) fn every(self, interval_ms: u32) -> Self {
        Self { interval_ms, ..self }
    }

    /// How many agents there are.
    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    /// Whose beat the `nth` is.
    pub(super) fn agent(&self, nth: usize) -> u32 {
        self.order[nth % self.order.len()]
    }

    /// Writes a beat.
    pub(super) fn write(&self, agent: u32, said: Said, out: &mut Vec<u8>) {
        let name = name(agent);
        let header = Header {
            kind: MessageType::Beat,
            epoch: self.epoch,
            scope_len: 0,
            agent: &name,
            session: session(agent),
            sequence: said.sequence,
            challenge: said.challenge,
        };
        let host = format!("machine-{}", agent % 997);
        let mut beat = Beat {
            interval_ms: self.interval_ms,
            uptime_ms: 3_600_000 + u64::from(agent),
            phase: Phase::Running,
            in_flight: 1,
            oldest_in_flight_ms: Some(1_200),
            progress_age_ms: Some(800),
            ..Beat::default()
        };
        match said.load {
            Load::Identity => beat.identity = Some(Box::new(identity(&host, agent))),
            Load::Segment(number) => beat.segment = Some(self.segment(number)),
        }
        let mut sealer = DatagramWriter::new(out, &header);
        let start = sealer.body().len();
        beat.write(sealer.body());
        if matches!(said.load, Load::Segment(_)) {
            // As long a step as makes every beat equally long.
            let missing = BEAT_LEN - TAG_LEN - sealer.body().len();
            beat.step = Some(UntrustedText::new(&"fetch-invoices-from-the-archive"[..missing]));
            sealer.body().truncate(start);
            beat.write(sealer.body());
        }
        let key = AgentKey::new(&self.keys[agent as usize]);
        sealer.seal(&key).expect("a beat is far below the limit");
    }

    fn segment(&self, number: u64) -> SegmentView<'_> {
        SegmentView {
            number,
            ok: 52,
            failed: 2,
            cost_nano_usd: 31_000_000,
            tokens_in: 4_100,
            tokens_out: 950,
            latency: PackedHistogram::new(&self.histogram).expect("packed by the rules"),
        }
    }
}

/// An agent's id.
pub(super) fn name(agent: u32) -> String {
    format!("{PREFIX}{agent:07}")
}

/// Whose id that is.
pub(super) fn number(name: &str) -> Option<u32> {
    name.strip_prefix(PREFIX)?.parse().ok()
}

const PREFIX: &str = "agent-";

/// An agent's only session.
pub(super) fn session(agent: u32) -> u64 {
    u64::from(agent) + 1
}

fn identity(host: &str, agent: u32) -> IdentityView<'_> {
    IdentityView {
        host: Some(UntrustedText::new(host)),
        pid: Some(2_000 + agent % 30_000),
        group: Some(UntrustedText::new("mail")),
        version: Some(UntrustedText::new("1.4.2")),
        framework: Some(UntrustedText::new("langgraph")),
        labels: vec![
            (UntrustedText::new("tier"), UntrustedText::new("gold")),
            (UntrustedText::new("zone"), UntrustedText::new("b")),
        ],
        ..IdentityView::default()
    }
}
