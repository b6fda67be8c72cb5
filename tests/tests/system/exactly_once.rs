//! Work is counted exactly once, whatever the network and the collector go through.

use std::thread::sleep;
use std::time::Duration;

use fastrand::Rng;
use heartline_tests::harness::{
    NetworkConditions, TestEnvironment, UdpProxy, WorkerAgent, rollup_totals, task_count,
    wait_until,
};

const SEED: u64 = 20_261_121;
const WORKERS: usize = 4;
const CRASHES: u64 = 6;

#[test]
fn work_counts_once_across_packet_loss_and_crashes_of_the_collector() {
    println!("seed {SEED}");
    let mut rng = Rng::with_seed(SEED);
    let env = TestEnvironment::new();
    let mut collector = env.start_collector();
    let proxy = UdpProxy::start(collector.address(), rng.u64(..));
    proxy.set_conditions(NetworkConditions::LOSSY);
    let name = |n: usize| format!("worker-{n}");
    let mut workers: Vec<WorkerAgent> =
        (0..WORKERS).map(|n| env.start_worker(&name(n), proxy.address(), rng.u64(..))).collect();
    let operator = env.operator();
    for _ in 0..CRASHES {
        // Without stored work, a crash has nothing to lose.
        let before = operator.fleet().iter().map(|entry| entry.vitals.total.ok).sum::<u64>();
        wait_until("work goes on", || {
            operator.fleet().iter().map(|entry| entry.vitals.total.ok).sum::<u64>() > before
        });
        sleep(Duration::from_millis(rng.u64(0..=600)));
        collector.kill_9();
        sleep(Duration::from_millis(rng.u64(0..=300)));
        collector = env.start_collector();
        proxy.set_collector(collector.address());
    }
    proxy.set_conditions(NetworkConditions::RELIABLE);
    for (n, worker) in workers.iter_mut().enumerate() {
        let done = worker.finish();
        assert!(done.ok > 100 && done.failed > 10, "it worked all the time: {done:?}");
        let stored = || rollup_totals(&env.data_dir(), &name(n));
        wait_until("the last of its work is stored", || task_count(&stored()) >= task_count(&done));
        assert_eq!(stored(), done, "{}: minutes", name(n));
        let shown = operator.agent(&name(n)).map(|entry| entry.vitals.total);
        assert_eq!(shown, Some(done), "{}: totals", name(n));
    }
    let before: Vec<_> =
        operator.fleet().into_iter().map(|it| (it.agent, it.vitals.total)).collect();
    assert_eq!(collector.terminate().code(), Some(0));
    let _collector = env.start_collector();
    let after: Vec<_> =
        operator.fleet().into_iter().map(|it| (it.agent, it.vitals.total)).collect();
    assert_eq!(after, before, "a restart changes nothing");
}
