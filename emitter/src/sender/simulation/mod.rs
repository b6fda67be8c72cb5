//! Seeded simulations of an emitter with models of collectors: each has a network and crashes of its own.

mod two_collectors;
mod two_fleets;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use heartline_engine::{AgentKeys, AppliedStates, Engine, EngineConfig, MonoNanos};
use heartline_protocol::{
    Ack, AgentName, Body, BudgetLeft, BudgetUnit, ControlId, Datagram, DatagramWriter,
    DesiredState, Direction, Header, KeyEpoch, MasterKey, MessageType, ScopeKey, SegmentView,
    Token, TokenScope,
};

use super::metrics::SharedMetrics;
use crate::shared::SharedState;

const SEEDS: u64 = 300;
const INTERVAL: Duration = Duration::from_millis(1_000);
const STEP: Duration = Duration::from_millis(20);
/// Steps with faults, and most steps until all is counted after them.
const FAULTY_STEPS: u32 = 2_000;
const CALM_STEPS: u32 = 2_000;

/// Sums of work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sums {
    tasks: u64,
    cost_nano_usd: u64,
    latencies: u64,
}

/// A collector of one agent, whose memory a crash takes and whose disk it does not.
struct ModelCollector {
    desired: DesiredState,
    challenge: [u8; 16],
    /// The last segment counted, and the sums with it: on disk, and in memory.
    durable: (u64, Sums),
    counted: (u64, Sums),
    /// Tasks that the agent may do in all.
    budget: u64,
    key: ScopeKey,
}

impl ModelCollector {
    fn crash(&mut self, rng: &mut Rng) {
        self.counted = self.durable;
        self.challenge = rng.u128(..).to_be_bytes();
    }

    fn commit(&mut self) {
        self.durable = self.counted;
    }

    fn answer(&mut self, bytes: &[u8]) -> Vec<u8> {
        let datagram = Datagram::parse(bytes).unwrap();
        let claimed = *datagram.claimed();
        let agent = AgentName::new(claimed.agent).unwrap();
        let message = datagram.verify(&self.key.agent_key(Direction::Up, &agent)).unwrap();
        let is_live = claimed.challenge == self.challenge;
        let segment = match message.decode().unwrap() {
            Body::Beat(beat) => beat.segment,
            Body::Goodbye(goodbye) => goodbye.segment,
            other => panic!("an emitter sends no {other:?}"),
        };
        if let Some(segment) = segment.filter(|it| is_live && it.number > self.counted.0) {
            self.count(&segment);
        }
        let ack = Ack {
            durable_segment: self.durable.0,
            desired: self.desired,
            unconfirmed: !is_live,
            budget: Some(BudgetLeft {
                unit: BudgetUnit::Tasks,
                amount: self.budget.saturating_sub(self.counted.1.tasks),
                counts_pending: self.counted.0 > self.durable.0,
            }),
            ..Ack::default()
        };
        let (kind, challenge) = (MessageType::Ack, self.challenge);
        let mut out = Vec::new();
        let mut writer = DatagramWriter::new(&mut out, &Header { kind, challenge, ..claimed });
        ack.write(writer.body());
        writer.seal(&self.key.agent_key(Direction::Down, &agent)).unwrap();
        out
    }

    fn count(&mut self, segment: &SegmentView<'_>) {
        let (number, sums) = &mut self.counted;
        *number = segment.number;
        sums.tasks += segment.ok + segment.failed;
        sums.cost_nano_usd += segment.cost_nano_usd;
        sums.latencies += segment.latency.pairs().map(|(_, count)| count).sum::<u64>();
    }
}

/// A collector, the link to it, and the network between them.
struct Site {
    engine: Engine,
    metrics: SharedMetrics,
    collector: ModelCollector,
    is_up: bool,
    is_cut_off: bool,
    /// Datagrams under way, by arrival and number.
    in_flight: BTreeMap<(MonoNanos, u64), (Direction, Vec<u8>)>,
    sent: u64,
}

impl Site {
    /// Returns a site of the fleet whose master key begins with `fleet`, and its collector's control id.
    fn new(fleet: u8, control: u64, shared: Arc<SharedState>, rng: &mut Rng) -> Self {
        let key = MasterKey::new([fleet; 32]).scope_key(KeyEpoch(1), "");
        let desired = DesiredState { control: ControlId::new(control), ..DesiredState::default() };
        Self {
            engine: Engine::new(config(&key, AppliedStates::default(), rng), MonoNanos::default()),
            metrics: SharedMetrics::new(shared),
            collector: ModelCollector {
                desired,
                challenge: rng.u128(..).to_be_bytes(),
                durable: Default::default(),
                counted: Default::default(),
                budget: u64::from(u32::MAX),
                key,
            },
            is_up: true,
            is_cut_off: false,
            in_flight: BTreeMap::new(),
            sent: 0,
        }
    }

    fn send(&mut self, direction: Direction, bytes: &[u8], now: MonoNanos, rng: &mut Rng) {
        let copies = if self.is_cut_off { 0 } else { [0, 1, 1, 1, 2][rng.usize(0..5)] };
        for _ in 0..copies {
            self.sent += 1;
            let at = now.plus(Duration::from_millis(rng.u64(1..300)));
            self.in_flight.insert((at, self.sent), (direction, bytes.to_vec()));
        }
    }

    /// Delivers what has arrived; returns whether the applied states changed.
    fn deliver(&mut self, now: MonoNanos, rng: &mut Rng) -> bool {
        let mut has_changed = false;
        while let Some(first) = self.in_flight.first_entry().filter(|first| first.key().0 <= now) {
            match first.remove() {
                (Direction::Down, bytes) => {
                    has_changed |= self.engine.handle_datagram(&bytes, now).unwrap();
                }
                (Direction::Up, bytes) if self.is_up => {
                    let ack = self.collector.answer(&bytes);
                    self.send(Direction::Down, &ack, now, rng);
                }
                (Direction::Up, _) => {}
            }
        }
        has_changed
    }

    fn transmit(&mut self, now: MonoNanos, rng: &mut Rng) {
        let mut datagram = Vec::new();
        while self.engine.poll_transmit(now, &mut self.metrics, &mut datagram) {
            self.send(Direction::Up, &datagram, now, rng);
        }
    }

    /// Lets something go wrong, or right again.
    fn inject_fault(&mut self, rng: &mut Rng) {
        match rng.u32(0..100) {
            0 => {
                self.collector.crash(rng);
                self.is_up = false;
            }
            1..=3 => self.is_up = true,
            4 => self.is_cut_off = true,
            5..=7 => self.is_cut_off = false,
            8..=30 => self.collector.commit(),
            _ => {}
        }
    }
}

fn token(key: &ScopeKey) -> Token {
    Token { epoch: KeyEpoch(1), scope: TokenScope::default(), key: key.clone() }
}

fn config(key: &ScopeKey, applied: AppliedStates, rng: &mut Rng) -> EngineConfig {
    let agent = AgentName::new("mail").unwrap();
    let keys = AgentKeys::new(&token(key), &agent).unwrap();
    let interval_ms = INTERVAL.as_millis() as u32;
    EngineConfig { interval_ms, applied, ..EngineConfig::new(agent, keys, rng.u64(..)) }
}
