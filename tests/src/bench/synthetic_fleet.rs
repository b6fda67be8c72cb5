//! Many agents in one thread: each is a name, a key and a session.

use heartline_protocol::bucket::{self, PackedHistogram};
use heartline_protocol::limits::{CHALLENGE_LEN, INTERVAL_DEFAULT_MS, TAG_LEN};
use heartline_protocol::wire::UntrustedText;
use heartline_protocol::{
    AgentKey, Beat, DatagramWriter, DesiredState, Direction, Header, IdentityView, KeyEpoch,
    MessageType, ScopeKey, SegmentView,
};
use heartline_vocabulary::Phase;

/// Length of every beat but an agent's first, in bytes.
pub(super) const BEAT_LEN: usize = 200;
/// Distinct latencies in a segment.
pub(super) const LATENCIES: usize = 20;
pub(super) const INTERVAL_MS: u32 = INTERVAL_DEFAULT_MS;
/// The key of a fleet whose agents share one.
pub(super) const SHARED_KEY: [u8; 32] = [0x0e; 32];

/// The part of a beat beside the vitals.
#[derive(Clone, Copy)]
pub(super) enum BeatPayload {
    /// The agent's identity, in its first beat.
    Identity,
    /// The segment of work with this number.
    Segment(u64),
}

/// The fields in which the beats of an agent differ.
#[derive(Clone, Copy)]
pub(super) struct BeatFields {
    /// Number in its session, from 1.
    pub(super) sequence: u64,
    /// The newest challenge that the agent received, or zeros.
    pub(super) challenge: [u8; CHALLENGE_LEN],
    /// The desired state that the agent has applied.
    pub(super) applied: DesiredState,
    pub(super) payload: BeatPayload,
}

/// Agents that send beats of one kind in a fixed random order.
pub(super) struct SyntheticFleet {
    keys: Vec<[u8; 32]>,
    /// The order in which the agents beat: random, as after an hour of jitter.
    order: Vec<u32>,
    epoch: KeyEpoch,
    interval_ms: u32,
    histogram: Vec<u8>,
}

impl SyntheticFleet {
    /// Creates agents with the keys of a fleet-wide token.
    pub(super) fn new(agents: u32, epoch: KeyEpoch, token: &ScopeKey) -> Self {
        let key = |agent| token.agent_key_bytes(Direction::Up, &name(agent));
        Self::with_keys((0..agents).map(key).collect(), epoch)
    }

    /// Creates agents that all sign with [`SHARED_KEY`].
    pub(super) fn with_shared_key(agents: u32) -> Self {
        Self::with_keys(vec![SHARED_KEY; agents as usize], KeyEpoch(1))
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

    /// Returns the same agents with another interval.
    pub(super) fn with_interval(self, interval_ms: u32) -> Self {
        Self { interval_ms, ..self }
    }

    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    /// Returns the agent that sends the `nth` beat.
    pub(super) fn agent(&self, nth: usize) -> u32 {
        self.order[nth % self.order.len()]
    }

    pub(super) fn write_beat(&self, agent: u32, fields: BeatFields, out: &mut Vec<u8>) {
        let name = name(agent);
        let header = Header {
            kind: MessageType::Beat,
            epoch: self.epoch,
            scope_len: 0,
            agent: &name,
            session: session(agent),
            sequence: fields.sequence,
            challenge: fields.challenge,
        };
        let host = format!("machine-{}", agent % 997);
        let mut beat = Beat {
            interval_ms: self.interval_ms,
            uptime_ms: 3_600_000 + u64::from(agent),
            phase: Phase::Running,
            in_flight: u32::from(!fields.applied.killed),
            applied: fields.applied,
            oldest_in_flight_ms: Some(1_200),
            progress_age_ms: Some(800),
            ..Beat::default()
        };
        match fields.payload {
            BeatPayload::Identity => beat.identity = Some(Box::new(identity(&host, agent))),
            BeatPayload::Segment(number) => beat.segment = Some(self.segment(number)),
        }
        let mut sealer = DatagramWriter::new(out, &header);
        let start = sealer.body().len();
        beat.write(sealer.body());
        if matches!(fields.payload, BeatPayload::Segment(_)) {
            // The length of the step makes all beats equally long, as long as there is no command.
            let missing = BEAT_LEN.saturating_sub(TAG_LEN + sealer.body().len());
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

pub(super) fn name(agent: u32) -> String {
    format!("{PREFIX}{agent:0NUMBER_LEN$}")
}

/// Returns a pattern that finds the first `count` agents, a power of ten.
pub(super) fn pattern_of_first(count: u32) -> String {
    let zeros = NUMBER_LEN - count.ilog10() as usize;
    format!("{PREFIX}{:0<zeros$}*", "")
}

/// Returns the number of the agent with this name.
pub(super) fn parse_name(name: &str) -> Option<u32> {
    name.strip_prefix(PREFIX)?.parse().ok()
}

const PREFIX: &str = "agent-";
/// Digits of an agent's number in its name.
const NUMBER_LEN: usize = 7;

/// Returns an agent's only session.
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
