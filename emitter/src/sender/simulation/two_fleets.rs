//! Two fleets on one host, each with an agent of the same name: a kill of one stops its own agent alone.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use fastrand::Rng;
use heartline_engine::{Engine, MonoNanos};
use heartline_protocol::{AgentName, ControlId, DesiredState};

use super::{CALM_STEPS, FAULTY_STEPS, STEP, Site, config, token};
use crate::kill::KillHooks;
use crate::kill_memory::KillMemory;
use crate::shared::SharedState;
use crate::token::FleetTag;

/// Fewer than elsewhere: every change is written to a real disk.
const SEEDS: u64 = 40;

/// The agent of one fleet, and what its operators have ordered.
struct FleetOfHost {
    site: Site,
    tag: FleetTag,
    /// By control id and generation: whether it was a kill.
    orders: BTreeMap<(ControlId, u64), bool>,
}

impl FleetOfHost {
    fn new(fleet: u8, rng: &mut Rng) -> Self {
        let shared = Arc::new(SharedState::new("mail", None, KillHooks::default()));
        let site = Site::new(fleet, u64::from(fleet), shared, rng);
        let tag = FleetTag(token(&site.collector.key).checksum());
        Self { site, tag, orders: BTreeMap::new() }
    }

    /// Lets operators order something, or the process end and start again.
    fn inject_fault(&mut self, memory: &KillMemory, now: MonoNanos, rng: &mut Rng) {
        match rng.u32(0..200) {
            0 => self.order(rng.bool()),
            1 => self.restart(memory, now, rng),
            // A database that was lost: its collector begins again, under another control id.
            2 if rng.u32(0..10) == 0 => {
                let control = ControlId::new(rng.u64(1..));
                self.site.collector.desired = DesiredState { control, ..DesiredState::default() };
            }
            _ => self.site.inject_fault(rng),
        }
    }

    fn order(&mut self, killed: bool) {
        let desired = &mut self.site.collector.desired;
        (desired.generation, desired.killed) = (desired.generation + 1, killed);
        self.orders.insert((desired.control.unwrap(), desired.generation), killed);
    }

    fn restart(&mut self, memory: &KillMemory, now: MonoNanos, rng: &mut Rng) {
        let (applied, problems) = memory.read(Some(self.tag));
        assert_eq!(problems, []);
        assert_eq!(
            applied.is_killed(),
            self.site.engine.applied().is_killed(),
            "it was not stored"
        );
        self.site.engine = Engine::new(config(&self.site.collector.key, applied, rng), now);
    }

    fn step(&mut self, memory: &KillMemory, now: MonoNanos, rng: &mut Rng) {
        if self.site.deliver(now, rng) {
            memory.write(self.tag, self.site.engine.applied()).unwrap();
        }
        self.site.transmit(now, rng);
    }

    /// Checks that its agent has applied nothing but orders of this fleet.
    fn check(&self, seed: u64) {
        for state in self.site.engine.applied().as_slice().iter().filter(|it| it.generation > 0) {
            let order = self.orders.get(&(state.control.unwrap(), state.generation));
            assert_eq!(order, Some(&state.killed), "seed {seed}: {state:?} was not ordered here");
        }
    }
}

fn memory(dir: &Path) -> KillMemory {
    KillMemory::new(dir, &AgentName::new("mail").unwrap())
}

#[test]
fn a_kill_stops_the_agent_of_its_own_fleet_alone_whatever_is_restarted() {
    for seed in 0..SEEDS {
        let dir = tempfile::tempdir().unwrap();
        let (mut rng, memory) = (Rng::with_seed(seed), memory(dir.path()));
        let mut fleets = [7, 9].map(|fleet| FleetOfHost::new(fleet, &mut rng));
        let mut now = MonoNanos::default();
        for _ in 0..FAULTY_STEPS {
            now = now.plus(STEP);
            for fleet in &mut fleets {
                fleet.inject_fault(&memory, now, &mut rng);
                fleet.step(&memory, now, &mut rng);
                fleet.check(seed);
            }
        }
        for fleet in &mut fleets {
            // What a lost database had ordered is lifted by the next resume.
            fleet.order(fleet.site.collector.desired.killed);
            (fleet.site.is_up, fleet.site.is_cut_off) = (true, false);
        }
        for _ in 0..CALM_STEPS {
            now = now.plus(STEP);
            fleets.iter_mut().for_each(|fleet| fleet.step(&memory, now, &mut rng));
        }
        for fleet in &mut fleets {
            let desired = fleet.site.collector.desired;
            let applied = fleet.site.engine.applied();
            assert_eq!(applied.of(desired.control), desired, "seed {seed}");
            let is_blocked = applied.blocked_by(desired.control).is_some();
            assert_eq!(applied.is_killed(), desired.killed || is_blocked, "seed {seed}");
            fleet.restart(&memory, now, &mut rng);
            assert_eq!(fleet.site.engine.applied().of(desired.control), desired, "seed {seed}");
        }
    }
}
