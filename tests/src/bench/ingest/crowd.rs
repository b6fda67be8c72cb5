//! A crowd of agents in one thread: each is a name, a key and a session, and knows the collector's
//! boot key, so that its first beat is already live.

use heartline_protocol::bucket::{self, Packed};
use heartline_protocol::challenge::{BootKey, step_ms};
use heartline_protocol::limits::INTERVAL_DEFAULT_MS;
use heartline_protocol::wire::Text;
use heartline_protocol::{
    AgentKey, Beat, Direction, Epoch, Header, IdentityView, Kind, MasterKey, Phase, Sealer,
    SegmentView,
};

/// Length of every beat but an agent's first, in bytes.
pub(super) const BEAT_LEN: usize = 200;
/// Different latencies in a segment.
pub(super) const LATENCIES: usize = 20;
/// The interval of every agent, in ms.
pub(super) const INTERVAL_MS: u32 = INTERVAL_DEFAULT_MS;

/// The secrets that agents and collector share.
pub(super) const MASTER: [u8; 32] = [0x4d; 32];
pub(super) const EPOCH: Epoch = Epoch(1);
pub(super) const BOOT: [u8; 32] = [0xb0; 32];
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

/// Which beat of everybody it is.
#[derive(Clone, Copy)]
pub(super) struct Round {
    /// Number in each session, from 1.
    pub(super) sequence: u64,
    /// The time at which each got the challenge that it echoes, in ms since the collector started.
    pub(super) echo_ms: u64,
    pub(super) load: Load,
}

/// All agents.
pub(super) struct Crowd {
    keys: Vec<[u8; 32]>,
    /// The order in which they beat: by chance, as it comes after an hour of jitter.
    order: Vec<u32>,
    boot: BootKey,
    histogram: Vec<u8>,
}

impl Crowd {
    /// Agents with the keys that a collector of that master key expects.
    pub(super) fn new(agents: u32) -> Self {
        let scope_key = MasterKey::new(MASTER).scope_key(EPOCH, "");
        let key = |agent| scope_key.agent_key_bytes(Direction::Up, &name(agent));
        Self::with_keys((0..agents).map(key).collect())
    }

    /// Agents that all sign with the same key.
    pub(super) fn with_one_key(agents: u32) -> Self {
        Self::with_keys(vec![ONE_KEY; agents as usize])
    }

    fn with_keys(keys: Vec<[u8; 32]>) -> Self {
        let mut histogram = Vec::new();
        for pair in 0..LATENCIES {
            bucket::pack(&mut histogram, if pair == 0 { 420 } else { 7 }, 3);
        }
        Self { order: shuffled(keys.len() as u32), keys, boot: BootKey::new(&BOOT), histogram }
    }

    /// How many agents there are.
    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    /// Writes the beat of whoever is the `nth` to beat in a round.
    pub(super) fn beat(&self, nth: usize, round: Round, out: &mut Vec<u8>) {
        let agent = self.order[nth % self.order.len()];
        let (name, session) = (name(agent), u64::from(agent) + 1);
        let step = round.echo_ms / step_ms(INTERVAL_MS);
        let header = Header {
            kind: Kind::Beat,
            epoch: EPOCH,
            scope_len: 0,
            agent: &name,
            session,
            sequence: round.sequence,
            challenge: self.boot.challenge(&name, session, step, step_ms(INTERVAL_MS)),
        };
        let host = format!("machine-{}", agent % 997);
        let mut beat = Beat {
            interval_ms: INTERVAL_MS,
            uptime_ms: 3_600_000 + u64::from(agent),
            phase: Phase::Running,
            in_flight: 1,
            oldest_in_flight_ms: Some(1_200),
            progress_age_ms: Some(800),
            ..Beat::default()
        };
        match round.load {
            Load::Identity => beat.identity = Some(identity(&host, agent)),
            Load::Segment(number) => beat.segment = Some(self.segment(number)),
        }
        let mut sealer = Sealer::new(out, &header);
        let start = sealer.body().len();
        beat.write(sealer.body());
        if matches!(round.load, Load::Segment(_)) {
            // As long a step as makes every beat equally long.
            let missing = BEAT_LEN - heartline_protocol::limits::TAG_LEN - sealer.body().len();
            beat.step = Some(Text::new(&"fetch-invoices-from-the-archive"[..missing]));
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
            latency: Packed::new(&self.histogram).expect("packed by the rules"),
        }
    }
}

fn name(agent: u32) -> String {
    format!("agent-{agent:07}")
}

fn identity(host: &str, agent: u32) -> IdentityView<'_> {
    IdentityView {
        host: Some(Text::new(host)),
        pid: Some(2_000 + agent % 30_000),
        group: Some(Text::new("mail")),
        version: Some(Text::new("1.4.2")),
        framework: Some(Text::new("langgraph")),
        labels: vec![(Text::new("tier"), Text::new("gold")), (Text::new("zone"), Text::new("b"))],
        ..IdentityView::default()
    }
}

/// The numbers below `len` in an order by chance, always the same one (Fisher and Yates, with
/// xorshift64).
fn shuffled(len: u32) -> Vec<u32> {
    let mut order: Vec<u32> = (0..len).collect();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for at in (1..order.len()).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        order.swap(at, (state % (at as u64 + 1)) as usize);
    }
    order
}
