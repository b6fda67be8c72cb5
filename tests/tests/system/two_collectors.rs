//! Agents that report to two collectors which know nothing of each other.

use std::thread::sleep;
use std::time::Duration;

use fastrand::Rng;
use heartline::Builder;
use heartline_tests::harness::{
    CollectorProcess, NetworkConditions, TestEnvironment, TestOperator, UdpProxy, WorkerAgent,
    rollup_totals, task_count, wait_until,
};
use heartline_vocabulary::{Action, Reason, State};

const SEED: u64 = 20_261_126;
const WORKERS: usize = 3;
const ROUNDS: usize = 5;

/// Two collectors with one master key, each behind a network of its own.
struct TwoCollectors {
    sites: [Site; 2],
}

struct Site {
    env: TestEnvironment,
    collector: CollectorProcess,
    proxy: UdpProxy,
    operator: TestOperator,
}

impl TwoCollectors {
    fn start(rng: &mut Rng) -> Self {
        let first = Site::start(TestEnvironment::new(), rng.u64(..));
        let env = TestEnvironment::new();
        std::fs::create_dir_all(env.data_dir()).unwrap();
        for key in ["master.key", "local.token"] {
            std::fs::copy(first.env.data_dir().join(key), env.data_dir().join(key)).unwrap();
        }
        Self { sites: [first, Site::start(env, rng.u64(..))] }
    }

    /// Returns an emitter that reports to both.
    fn emitter(&self, name: &str) -> Builder {
        let [first, second] = [0, 1].map(|n| self.sites[n].proxy.address());
        let emitter = self.sites[0].env.emitter(name, first, 100);
        emitter.collector(format!("{first},{second}"))
    }
}

impl Site {
    fn start(env: TestEnvironment, seed: u64) -> Self {
        let collector = env.start_collector();
        let proxy = UdpProxy::start(collector.address(), seed);
        let operator = env.operator();
        Self { env, collector, proxy, operator }
    }

    fn crash_and_restart(&mut self) {
        self.collector.kill_9();
        self.collector = self.env.start_collector();
        self.proxy.set_collector(self.collector.address());
    }

    fn is(&self, name: &str, state: State) -> bool {
        self.operator.agent(name).is_some_and(|it| it.vitals.state == state)
    }
}

#[test]
fn each_counts_all_work_once_while_one_crashes_and_the_other_is_cut_off() {
    println!("seed {SEED}");
    let mut rng = Rng::with_seed(SEED);
    let mut both = TwoCollectors::start(&mut rng);
    both.sites.iter().for_each(|site| site.proxy.set_conditions(NetworkConditions::LOSSY));
    let name = |n: usize| format!("worker-{n}");
    let mut workers: Vec<WorkerAgent> = (0..WORKERS)
        .map(|n| WorkerAgent::start(both.emitter(&name(n)).start(), Rng::with_seed(rng.u64(..))))
        .collect();
    let counted =
        |site: &Site| site.operator.fleet().iter().map(|entry| entry.vitals.total.ok).sum::<u64>();
    for round in 0..ROUNDS {
        // Each is the one that crashes, and the one that is cut off, in turn.
        let [first, second] = &mut both.sites;
        let (crashes, cut_off) = if round % 2 == 0 { (first, second) } else { (second, first) };
        let before = [counted(crashes), counted(cut_off)];
        wait_until("both count", || counted(crashes) > before[0] && counted(cut_off) > before[1]);
        cut_off.proxy.set_conditions(NetworkConditions::DISCONNECTED);
        sleep(Duration::from_millis(rng.u64(0..=300)));
        let before = counted(crashes);
        wait_until("the other one counts meanwhile", || counted(crashes) > before);
        crashes.crash_and_restart();
        cut_off.proxy.set_conditions(NetworkConditions::LOSSY);
    }
    both.sites.iter().for_each(|site| site.proxy.set_conditions(NetworkConditions::RELIABLE));
    for (n, worker) in workers.iter_mut().enumerate() {
        let done = worker.finish();
        assert!(done.ok > 100 && done.failed > 10, "it worked all the time: {done:?}");
        for (at, site) in both.sites.iter().enumerate() {
            let stored = || rollup_totals(&site.env.data_dir(), &name(n));
            wait_until("all is stored", || task_count(&stored()) >= task_count(&done));
            assert_eq!(stored(), done, "{} at collector {at}: minutes", name(n));
            let shown = site.operator.agent(&name(n)).map(|entry| entry.vitals.total);
            assert_eq!(shown, Some(done), "{} at collector {at}: totals", name(n));
        }
    }
}

#[test]
fn the_agent_runs_while_neither_has_killed_it_and_says_goodbye_to_both() {
    let mut both = TwoCollectors::start(&mut Rng::with_seed(SEED));
    let hb = both.emitter("obedient").start();
    let are = |both: &TwoCollectors, state| both.sites.iter().all(|it| it.is("obedient", state));
    wait_until("both see it", || are(&both, State::Healthy));
    let command = |both: &TwoCollectors, at: usize, action, id| {
        both.sites[at].operator.command(action, &["obedient"], id);
    };
    let is_blocked_at = |both: &TwoCollectors, at: usize| {
        let entry = both.sites[at].operator.agent("obedient");
        entry.is_some_and(|it| it.vitals.reason == Some(Reason::Blocked))
    };
    command(&both, 0, Action::Kill, 1);
    wait_until("it is killed", || hb.killed());
    wait_until("the other one sees why it does not work", || is_blocked_at(&both, 1));
    command(&both, 1, Action::Kill, 1);
    wait_until("it is killed twice", || both.sites[1].is("obedient", State::Killed));
    command(&both, 0, Action::Resume, 2);
    wait_until("the other kill holds", || is_blocked_at(&both, 0) && hb.killed());
    // A kill lasts, whatever its collector goes through.
    both.sites[1].crash_and_restart();
    wait_until("it answers again", || hb.status().is_healthy());
    wait_until("the kill holds", || is_blocked_at(&both, 0) && hb.killed());
    command(&both, 1, Action::Resume, 2);
    wait_until("it runs", || !hb.killed());
    wait_until("both see it", || are(&both, State::Healthy));
    drop(hb);
    for site in &both.sites {
        let entry = site.operator.agent("obedient").unwrap();
        assert_eq!(entry.vitals.reason, Some(Reason::Shutdown));
    }
}
