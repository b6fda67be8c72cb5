//! A supervisor as the collector of the emitters of its process: engines speak to it.

use std::time::Duration;

use heartline_engine::{
    AgentKeys, BeatVitals, ConnectionState, Engine, EngineConfig, InMemoryMetrics, LocalCollector,
    MonoNanos, SegmentBuilder,
};
use heartline_protocol::{
    AgentName, BudgetLeft, BudgetUnit, KeyEpoch, MasterKey, Phase, Token, TokenScope,
};

const INTERVAL: Duration = Duration::from_millis(1_000);

fn keys(agent: &AgentName) -> AgentKeys {
    let key = MasterKey::new([7; 32]).scope_key(KeyEpoch(1), "");
    AgentKeys::new(&Token { epoch: KeyEpoch(1), scope: TokenScope::default(), key }, agent).unwrap()
}

fn agent() -> AgentName {
    AgentName::new("mail").unwrap()
}

fn collector() -> LocalCollector {
    LocalCollector::new(agent(), keys(&agent()), &[3; 32])
}

/// An emitter in the process.
struct ChildEmitter {
    engine: Engine,
    metrics: InMemoryMetrics,
}

impl ChildEmitter {
    fn new(session: u64, now: MonoNanos) -> Self {
        let config = EngineConfig {
            interval_ms: INTERVAL.as_millis() as u32,
            ..EngineConfig::new(agent(), keys(&agent()), session)
        };
        Self { engine: Engine::new(config, now), metrics: InMemoryMetrics::default() }
    }

    /// Sends what is due; datagrams and answers are lost and repeated.
    fn turn(&mut self, collector: &mut LocalCollector, now: MonoNanos, rng: &mut fastrand::Rng) {
        let (mut datagram, mut reply) = (Vec::new(), Vec::new());
        while self.engine.poll_transmit(now, &mut self.metrics, &mut datagram) {
            for _ in 0..rng.u32(0..3) {
                let answered = collector.handle_datagram(&datagram, now, &mut reply).unwrap();
                assert!(reply.len() <= datagram.len() || !answered);
                if answered && rng.u32(0..3) > 0 {
                    self.engine.handle_datagram(&reply, now).unwrap();
                }
            }
        }
    }

    /// Sends what is due, over a link without loss.
    fn speak(&mut self, collector: &mut LocalCollector, now: MonoNanos) {
        let (mut datagram, mut reply) = (Vec::new(), Vec::new());
        while self.engine.poll_transmit(now, &mut self.metrics, &mut datagram) {
            if collector.handle_datagram(&datagram, now, &mut reply).unwrap() {
                self.engine.handle_datagram(&reply, now).unwrap();
            }
        }
    }
}

fn drain(collector: &mut LocalCollector) -> (u64, u64) {
    let (mut ok, mut latencies) = (0, 0);
    let mut segment = SegmentBuilder::default();
    while collector.take(&mut segment) {
        ok += segment.ok;
        latencies += segment.latencies().iter().map(|(_, count)| count).sum::<u64>();
        segment = SegmentBuilder::default();
    }
    (ok, latencies)
}

#[test]
fn work_of_several_emitters_is_counted_once_over_a_lossy_link() {
    for seed in 0..50 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let (mut collector, mut now) = (collector(), MonoNanos::new(1_000_000_000));
        let mut emitters: Vec<_> = (1..=3).map(|session| ChildEmitter::new(session, now)).collect();
        let (mut done, mut counted) = (0, 0);
        for step in 0..2_000 {
            now = now.plus(Duration::from_millis(50));
            for emitter in &mut emitters {
                if step < 1_000 && rng.u32(0..4) == 0 {
                    emitter.metrics.open.ok += 1;
                    *emitter.metrics.latency.entry(rng.u16(0..500)).or_default() += 1;
                    done += 1;
                }
                emitter.turn(&mut collector, now, &mut rng);
            }
            if rng.u32(0..50) == 0 {
                let (ok, latencies) = drain(&mut collector);
                assert_eq!(ok, latencies);
                counted += ok;
            }
        }
        counted += drain(&mut collector).0;
        assert_eq!(counted, done, "seed {seed}");
    }
}

#[test]
fn vitals_are_added_up_and_ages_go_on() {
    let (mut collector, start) = (collector(), MonoNanos::new(1_000_000_000));
    let (mut one, mut two) = (ChildEmitter::new(1, start), ChildEmitter::new(2, start));
    let seconds = |count| Some(Duration::from_secs(count));
    one.metrics.vitals = BeatVitals {
        phase: Phase::Running,
        in_flight: 2,
        oldest_in_flight: seconds(9),
        progress_age: seconds(1),
        ..BeatVitals::default()
    };
    two.metrics.vitals = BeatVitals {
        phase: Phase::Waiting,
        in_flight: 1,
        oldest_in_flight: seconds(2),
        progress_age: seconds(5),
        step: Some("approval".to_owned()),
        ..BeatVitals::default()
    };
    assert_eq!(collector.vitals(start), None);
    one.speak(&mut collector, start);
    two.speak(&mut collector, start.plus(Duration::from_millis(1)));
    assert_eq!(one.engine.connection(), ConnectionState::Confirmed);
    let later = start.plus(Duration::from_millis(1_001));
    let vitals = collector.vitals(later).unwrap();
    assert_eq!((vitals.in_flight, vitals.phase), (3, Phase::Waiting));
    assert_eq!(vitals.oldest_in_flight.unwrap().as_secs(), 10);
    assert_eq!(vitals.progress_age.unwrap().as_secs(), 2);
    assert_eq!(vitals.step.as_deref(), Some("approval"));
}

#[test]
fn an_emitter_is_silent_after_three_intervals_until_it_says_goodbye() {
    let (mut collector, start) = (collector(), MonoNanos::new(1_000_000_000));
    let mut emitter = ChildEmitter::new(1, start);
    emitter.metrics.vitals.in_flight = 1;
    emitter.speak(&mut collector, start);
    assert_eq!(collector.silent_for(start.plus(INTERVAL * 3)), None);
    let later = start.plus(INTERVAL * 4);
    assert_eq!(collector.silent_for(later), Some(INTERVAL * 4));
    assert_eq!(collector.vitals(later).unwrap().in_flight, 1);
    emitter.engine.close(later, INTERVAL);
    emitter.speak(&mut collector, later);
    assert_eq!(collector.silent_for(later.plus(INTERVAL * 9)), None);
    assert_eq!(collector.vitals(later), None);
}

#[test]
fn an_emitter_that_is_gone_beside_another_one_counts_no_more() {
    let (mut collector, start) = (collector(), MonoNanos::new(1_000_000_000));
    let (mut gone, mut speaks) = (ChildEmitter::new(1, start), ChildEmitter::new(2, start));
    gone.metrics.vitals.in_flight = 1;
    gone.speak(&mut collector, start);
    let mut now = start;
    while now < start.plus(INTERVAL * 12) {
        speaks.speak(&mut collector, now);
        now = now.plus(INTERVAL / 10);
    }
    assert_eq!(collector.vitals(now).unwrap().in_flight, 0);
    assert_eq!(collector.silent_for(now), None);
}

#[test]
fn others_are_refused_and_what_was_counted_is_known_when_many_come() {
    let (mut collector, now) = (collector(), MonoNanos::new(1_000_000_000));
    let mut first = ChildEmitter::new(1, now);
    first.metrics.open.ok = 5;
    first.speak(&mut collector, now);
    for session in 2..200 {
        ChildEmitter::new(session, now).speak(&mut collector, now);
    }
    first.metrics.open.ok = 3;
    first.speak(&mut collector, now.plus(INTERVAL * 2));
    assert_eq!(drain(&mut collector).0, 8);
    let mut reply = Vec::new();
    assert!(collector.handle_datagram(&[0; 200], now, &mut reply).is_err());
    let other = AgentName::new("mail.1").unwrap();
    let mut engine = Engine::new(EngineConfig::new(other.clone(), keys(&other), 9), now);
    let mut datagram = Vec::new();
    assert!(engine.poll_transmit(now, &mut InMemoryMetrics::default(), &mut datagram));
    assert!(collector.handle_datagram(&datagram, now, &mut reply).is_err());
}

#[test]
fn what_is_left_of_the_budget_is_shared_among_the_emitters_of_the_process() {
    let (mut collector, now) = (collector(), MonoNanos::new(1_000_000_000));
    let mut emitters = [1, 2].map(|session| ChildEmitter::new(session, now));
    let speak = |collector: &mut LocalCollector, emitters: &mut [ChildEmitter; 2]| {
        for emitter in emitters {
            emitter.engine.notify_change(now);
            emitter.speak(collector, now);
        }
    };
    speak(&mut collector, &mut emitters);
    assert_eq!(emitters[0].engine.spending_limit(), None);
    let left = |amount| Some(BudgetLeft { unit: BudgetUnit::Tasks, amount, counts_pending: false });
    collector.set_budget(left(10));
    emitters[0].metrics.open.ok = 3;
    speak(&mut collector, &mut emitters);
    assert_eq!(collector.budget_left(), left(7));
    let limits = emitters.each_ref().map(|it| it.engine.spending_limit().unwrap().total);
    assert_eq!(limits, [3 + 4, 4], "half of 7 for each, rounded up");
    // What was taken is the supervisor's to subtract.
    drain(&mut collector);
    collector.set_budget(left(0));
    speak(&mut collector, &mut emitters);
    let limits = emitters.each_ref().map(|it| it.engine.spending_limit().unwrap().total);
    assert_eq!(limits, [3, 0]);
    collector.set_budget(None);
    speak(&mut collector, &mut emitters);
    assert_eq!(emitters.map(|it| it.engine.spending_limit()), [None, None]);
}
