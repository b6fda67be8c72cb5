//! An emitter with two collectors: each counts all work once.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use heartline_engine::MonoNanos;

use super::{CALM_STEPS, FAULTY_STEPS, SEEDS, STEP, Site, Sums};
use crate::kill::KillHooks;
use crate::report::Report;
use crate::shared::SharedState;

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
        let mut sites = [7, 9].map(|control| Site::new(7, control, Arc::clone(&shared), &mut rng));
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
                // Whatever was counted, under way or taken back: the budget is used up at one sum.
                let limit = site.engine.spending_limit().map(|limit| limit.total);
                let budget = site.collector.budget;
                assert!(limit.is_none_or(|it| it == budget), "seed {seed}: {limit:?} of {budget}");
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
