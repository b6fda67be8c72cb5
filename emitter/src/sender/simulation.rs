//! A seeded simulation of an emitter with two collectors, each with a network and crashes of its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use heartline_engine::{AgentKeys, Engine, EngineConfig, MonoNanos};
use heartline_protocol::{
    Ack, AgentName, Body, ControlId, Datagram, DatagramWriter, DesiredState, Direction, Header,
    KeyEpoch, MasterKey, MessageType, ScopeKey, SegmentView, Token, TokenScope,
};

use super::metrics::SharedMetrics;
use crate::kill::KillHooks;
use crate::report::Report;
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
    control: Option<ControlId>,
    challenge: [u8; 16],
    /// The last segment counted, and the sums with it: on disk, and in memory.
    durable: (u64, Sums),
    counted: (u64, Sums),
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
            desired: DesiredState { control: self.control, ..DesiredState::default() },
            unconfirmed: !is_live,
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
    fn send(&mut self, direction: Direction, bytes: &[u8], now: MonoNanos, rng: &mut Rng) {
        let copies = if self.is_cut_off { 0 } else { [0, 1, 1, 1, 2][rng.usize(0..5)] };
        for _ in 0..copies {
            self.sent += 1;
            let at = now.plus(Duration::from_millis(rng.u64(1..300)));
            self.in_flight.insert((at, self.sent), (direction, bytes.to_vec()));
        }
    }

    fn deliver(&mut self, now: MonoNanos, rng: &mut Rng) {
        while let Some(first) = self.in_flight.first_entry().filter(|first| first.key().0 <= now) {
            match first.remove() {
                (Direction::Down, bytes) => {
                    self.engine.handle_datagram(&bytes, now).unwrap();
                }
                (Direction::Up, bytes) if self.is_up => {
                    let ack = self.collector.answer(&bytes);
                    self.send(Direction::Down, &ack, now, rng);
                }
                (Direction::Up, _) => {}
            }
        }
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

fn sites(shared: &Arc<SharedState>, rng: &mut Rng) -> [Site; 2] {
    [7, 9].map(|control| {
        let agent = AgentName::new("mail").unwrap();
        let key = MasterKey::new([7; 32]).scope_key(KeyEpoch(1), "");
        let (scope, epoch) = (TokenScope::default(), KeyEpoch(1));
        let keys = AgentKeys::new(&Token { epoch, scope, key: key.clone() }, &agent).unwrap();
        let interval_ms = INTERVAL.as_millis() as u32;
        let config = EngineConfig { interval_ms, ..EngineConfig::new(agent, keys, rng.u64(..)) };
        Site {
            engine: Engine::new(config, MonoNanos::default()),
            metrics: SharedMetrics::new(Arc::clone(shared)),
            collector: ModelCollector {
                control: ControlId::new(control),
                challenge: rng.u128(..).to_be_bytes(),
                durable: Default::default(),
                counted: Default::default(),
                key,
            },
            is_up: true,
            is_cut_off: false,
            in_flight: BTreeMap::new(),
            sent: 0,
        }
    })
}

fn work(shared: &SharedState, done: &mut Sums, rng: &mut Rng) {
    for _ in 0..rng.u32(0..4) {
        let (cost, latency) = (rng.u64(0..5_000_000), Duration::from_micros(rng.u64(..1 << 34)));
        let report = if rng.bool() { Report::ok() } else { Report::failed() };
        shared.counters.report(report.cost_nano_usd(cost).latency(latency));
        done.tasks += 1;
        done.cost_nano_usd += cost;
        done.latencies += 1;
    }
}

#[test]
fn each_collector_counts_all_work_once_whatever_it_and_the_other_go_through() {
    for seed in 0..SEEDS {
        let mut rng = Rng::with_seed(seed);
        let shared = Arc::new(SharedState::new("mail", None, KillHooks::default()));
        let mut sites = sites(&shared, &mut rng);
        let (mut now, mut done) = (MonoNanos::default(), Sums::default());
        let mut step = |sites: &mut [Site; 2], rng: &mut Rng| {
            now = now.plus(STEP);
            for site in sites {
                site.deliver(now, rng);
                site.transmit(now, rng);
            }
            now
        };
        for _ in 0..FAULTY_STEPS {
            work(&shared, &mut done, &mut rng);
            sites.iter_mut().for_each(|site| site.inject_fault(&mut rng));
            step(&mut sites, &mut rng);
            for site in &sites {
                let (_, durable) = site.collector.durable;
                assert!(durable.tasks <= done.tasks, "seed {seed}: {durable:?} of {done:?}");
            }
        }
        for _ in 0..CALM_STEPS {
            for site in &mut sites {
                (site.is_up, site.is_cut_off) = (true, false);
                site.collector.commit();
            }
            step(&mut sites, &mut rng);
        }
        for site in &sites {
            assert_eq!(site.collector.durable.1, done, "seed {seed}");
            assert_eq!(site.engine.pending_segment(), None, "seed {seed}");
        }
    }
}
