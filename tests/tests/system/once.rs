//! Work is counted exactly once, whatever the network and the collector go through.

use std::thread::sleep;
use std::time::Duration;

use fastrand::Rng;
use heartline_tests::world::{Deeds, Proxy, Weather, Worker, World, rolled_up, wait_until};

const SEED: u64 = 20_261_121;
const WORKERS: usize = 4;
const CRASHES: u64 = 6;

#[test]
fn totals_survive_a_bad_network_and_a_crashing_collector() {
    println!("seed {SEED}");
    let mut rng = Rng::with_seed(SEED);
    let world = World::new();
    let mut collector = world.start_collector();
    let proxy = Proxy::start(collector.address(), rng.u64(..));
    proxy.set_weather(Weather::STORM);
    let name = |n: usize| format!("worker-{n}");
    let mut workers: Vec<Worker> =
        (0..WORKERS).map(|n| world.start_worker(&name(n), proxy.address(), rng.u64(..))).collect();
    let operator = world.operator();
    for _ in 0..CRASHES {
        // Some work must have been stored, or a crash has nothing to lose.
        let before = operator.fleet().iter().map(|entry| entry.total.ok).sum::<u64>();
        wait_until("work goes on", || {
            operator.fleet().iter().map(|entry| entry.total.ok).sum::<u64>() > before
        });
        sleep(Duration::from_millis(rng.u64(0..=600)));
        collector.kill_9();
        sleep(Duration::from_millis(rng.u64(0..=300)));
        collector = world.start_collector();
        proxy.set_collector(collector.address());
    }
    proxy.set_weather(Weather::FINE);
    for (n, worker) in workers.iter_mut().enumerate() {
        let deeds = worker.finish();
        assert!(deeds.0.ok > 100 && deeds.0.failed > 10, "it worked all the time: {deeds:?}");
        let stored = || rolled_up(&world.data_dir(), &name(n));
        wait_until("the last of its work is stored", || stored().tasks() >= deeds.tasks());
        assert_eq!(stored(), deeds, "{}: minutes", name(n));
        let shown = operator.agent(&name(n)).map(|entry| Deeds(entry.total));
        assert_eq!(shown, Some(deeds), "{}: totals", name(n));
    }
    let before: Vec<_> = operator.fleet().into_iter().map(|it| (it.agent, it.total)).collect();
    assert_eq!(collector.terminate().code(), Some(0));
    let _collector = world.start_collector();
    let after: Vec<_> = operator.fleet().into_iter().map(|it| (it.agent, it.total)).collect();
    assert_eq!(after, before, "a restart changes nothing");
}
