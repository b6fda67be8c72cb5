//! A client that does not read delays nothing.

use std::fs;
use std::time::Duration;

use heartline_operator::client::{Client, ClientOptions, Endpoint};
use heartline_operator::{FleetMirror, SubscriptionUpdate};
use heartline_protocol::Beat;
use heartline_protocol::wire::UntrustedText;
use heartline_tests::harness::{ScriptedAgent, TestEnvironment, WAIT_TIMEOUT, wait_until};
use tokio::time::{Instant, timeout};

const AGENTS: usize = 250;
/// Time without reading: enough to fill the socket, and then the 32 updates, four a second, that
/// the collector keeps for a slow client.
const UNREAD_FOR: Duration = Duration::from_secs(12);
/// Shortest time between two beats of one agent.
const ROUND_INTERVAL: Duration = Duration::from_millis(120);

#[test]
fn a_client_that_does_not_read_delays_no_other_and_takes_no_memory() {
    let env = TestEnvironment::new();
    let mut collector = env.start_collector();
    let mut agents: Vec<ScriptedAgent> = (0..AGENTS)
        .map(|n| {
            let name = format!("busy-{n:03}");
            ScriptedAgent::new(collector.address(), env.token(), &name, n as u64)
        })
        .collect();
    for agent in &mut agents {
        agent.beat_until_live(&ScriptedAgent::minimal_beat());
    }
    // Its runtime runs only inside `block_on`: it reads nothing in between.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let endpoint = Endpoint::Unix(env.directories());
    let options = ClientOptions::default();
    let slow = runtime.block_on(Client::connect(&endpoint, &options)).unwrap();
    let mut subscription = runtime.block_on(slow.subscribe(Vec::new(), 4)).unwrap();
    runtime.block_on(subscription.next()).unwrap();

    let operator = env.operator();
    let memory_before = resident_kib(collector.process().pid());
    let (begun, mut round, mut slowest) = (Instant::now(), 0, Duration::ZERO);
    while begun.elapsed() < UNREAD_FOR {
        if begun.elapsed() < ROUND_INTERVAL * round {
            // Faster, they would be beyond what is judged of one agent.
            let asked = Instant::now();
            operator.fleet();
            slowest = slowest.max(asked.elapsed());
            continue;
        }
        round += 1;
        let step = format!("step {round}: {}", "x".repeat(40));
        for agent in &mut agents {
            let step = Some(UntrustedText::new(&step));
            agent.beat(&Beat { step, ..ScriptedAgent::minimal_beat() });
        }
        let asked = Instant::now();
        let shown = operator.fleet();
        slowest = slowest.max(asked.elapsed());
        assert_eq!(shown.len(), AGENTS);
        wait_until("the newest is judged and shown", || {
            operator.fleet().iter().all(|it| it.vitals.step.as_deref() == Some(&*step))
        });
    }
    let grown_kib = resident_kib(collector.process().pid()).saturating_sub(memory_before);
    assert!(round >= 10, "only {round} rounds: the fleet was delayed");
    assert!(slowest < Duration::from_secs(3), "another operator waited {slowest:?}");
    assert!(grown_kib < 32 << 10, "unread updates took {grown_kib} KiB");

    // When it reads again, it is told to resynchronize, and receives the whole fleet.
    let (mut mirror, mut has_resynced) = (FleetMirror::default(), false);
    let caught_up = async {
        while !has_resynced || mirror.len() < AGENTS {
            let update = subscription.next().await.expect("it did not read for less than 30 s");
            has_resynced |= matches!(update, SubscriptionUpdate::Resync);
            mirror.apply(update, Duration::ZERO);
        }
    };
    let caught_up = runtime.block_on(async { timeout(WAIT_TIMEOUT, caught_up).await });
    caught_up.expect("it resynchronizes");
}

fn resident_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_ascii_whitespace().nth(1).unwrap().parse().unwrap()
}
