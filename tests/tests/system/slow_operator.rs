//! Nobody waits for an operator who does not read.

use std::fs;
use std::time::Duration;

use heartline_operator::client::{Client, ClientOptions, Endpoint};
use heartline_operator::{FleetMirror, SubscriptionUpdate};
use heartline_protocol::Beat;
use heartline_protocol::wire::UntrustedText;
use heartline_tests::world::{PATIENCE, Puppet, World, wait_until};
use tokio::time::{Instant, timeout};

const AGENTS: usize = 250;
/// How long the fleet goes on while the slow one sleeps: enough to fill what the socket holds, and
/// then the 32 pieces of news, four a second, that the collector keeps for those who are behind.
const ASLEEP: Duration = Duration::from_secs(12);

#[test]
fn a_client_that_never_reads_costs_nobody_anything() {
    let world = World::new();
    let mut collector = world.start_collector();
    let mut puppets: Vec<Puppet> = (0..AGENTS)
        .map(|n| {
            let name = format!("busy-{n:03}");
            Puppet::new(collector.address(), world.token(), &name, n as u64)
        })
        .collect();
    for puppet in &mut puppets {
        puppet.go_live(&Puppet::plain_beat());
    }
    // Its runtime runs only while a test waits in it: between these it is asleep.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let endpoint = Endpoint::Unix(world.directories());
    let options = ClientOptions::default();
    let slow = runtime.block_on(Client::connect(&endpoint, &options)).unwrap();
    let mut news = runtime.block_on(slow.subscribe(Vec::new(), 4)).unwrap();
    runtime.block_on(news.next()).unwrap();

    let operator = world.operator();
    let memory_before = resident_kib(collector.process().pid());
    let (begun, mut round, mut slowest) = (Instant::now(), 0, Duration::ZERO);
    while begun.elapsed() < ASLEEP {
        round += 1;
        let step = format!("step {round}: {}", "x".repeat(40));
        for puppet in &mut puppets {
            let step = Some(UntrustedText::new(&step));
            puppet.beat(&Beat { step, ..Puppet::plain_beat() });
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
    assert!(round >= 10, "only {round} rounds: somebody was waited for");
    assert!(slowest < Duration::from_secs(3), "another operator waited {slowest:?}");
    assert!(grown_kib < 32 << 10, "what one client did not read took {grown_kib} KiB");

    // When it reads again it is told that what it has is void, and gets everything anew.
    let (mut mirror, mut was_told) = (FleetMirror::default(), false);
    let caught_up = async {
        while !was_told || mirror.len() < AGENTS {
            let update = news.next().await.expect("it was away for less than 30 s");
            was_told |= matches!(update, SubscriptionUpdate::Resync);
            mirror.apply(update, Duration::ZERO);
        }
    };
    let caught_up = runtime.block_on(async { timeout(PATIENCE, caught_up).await });
    caught_up.expect("it is told that it is behind, and gets everything anew");
}

fn resident_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_ascii_whitespace().nth(1).unwrap().parse().unwrap()
}
