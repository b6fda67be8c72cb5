//! Whoever has the key of one agent harms that agent alone.

use std::time::Duration;

use heartline_protocol::Beat;
use heartline_vocabulary::{Action, Reason, State};
use tokio::time::Instant;

use heartline_tests::harness::{RawUdpClient, ScriptedAgent, TestEnvironment, wait_until};

/// A beat of an agent with work, which made progress just now or never.
fn busy_beat(interval_ms: u32, uptime_ms: u64) -> Beat<'static> {
    Beat { interval_ms, uptime_ms, in_flight: 1, ..Beat::default() }
}

#[test]
fn a_stolen_key_floods_its_own_agent_and_delays_no_kill_of_others() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let operator = env.operator();
    let _worker = env.start_agent("worker", collector.address(), 150);
    let mut thief = ScriptedAgent::new(collector.address(), env.token(), "stolen", 1);
    thief.beat_until_live(&busy_beat(1_000, 1));
    wait_until("the worker is healthy", || {
        operator.agent("worker").is_some_and(|it| it.vitals.state == State::Healthy)
    });
    // Each beat has another interval, and is stalled or not.
    let mut sent = 0_u32;
    wait_until("most of the flood is beyond the budget", || {
        for _ in 0..100 {
            let uptime_ms = if sent.is_multiple_of(2) { 1 } else { 900_000 };
            thief.beat(&busy_beat(1_000 + sent % 2, uptime_ms));
            sent += 1;
        }
        while thief.receive().is_some() {}
        operator.collector().datagrams.over_budget > 10_000
    });
    let status = operator.collector();
    let names_it = |banner: &String| banner.starts_with("stolen sends far more beats");
    assert!(status.banners.iter().any(names_it), "{:?}", status.banners);
    let thief = operator.agent("stolen").expect("it is known").vitals;
    assert_eq!(thief.state, State::Degraded, "{thief:?}");

    operator.command(Action::Kill, &["worker"], 1);
    wait_until("the kill of another agent is obeyed", || {
        let command = operator.agent("worker").and_then(|it| it.vitals.command);
        command.is_some_and(|command| command.obeyed_ms.is_some())
    });
    let events = operator.events_until_kill_of("stolen", 2);
    let of_thief = events.iter().filter(|event| event.agent.as_deref() == Some("stolen")).count();
    assert!(of_thief < 50, "{of_thief} events");
}

#[test]
fn the_newest_start_of_a_crash_loop_is_live_and_can_be_killed() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let operator = env.operator();
    let mut newest = None;
    // More starts than the collector remembers, within the life of their challenges.
    for seed in 0..80 {
        let mut agent = ScriptedAgent::new(collector.address(), env.token(), "loop", seed);
        agent.beat_until_live(&ScriptedAgent::minimal_beat());
        newest = Some(agent);
    }
    let newest = newest.expect("there were some");
    let vitals = operator.agent("loop").expect("it is known").vitals;
    assert_eq!((vitals.starts, vitals.session), (80, newest.session));
    assert_eq!(vitals.reason, Some(Reason::CrashLooping));

    operator.command(Action::Kill, &["loop"], 1);
    let mut next = ScriptedAgent::new(collector.address(), env.token(), "loop", 99);
    let mut sent_at = None::<Instant>;
    wait_until("the next start is told of the kill", || {
        // Eighty starts have used up answers: it repeats its beat each second, as emitters do.
        if sent_at.is_none_or(|at| at.elapsed() > Duration::from_secs(1)) {
            next.beat(&ScriptedAgent::minimal_beat());
            sent_at = Some(Instant::now());
        }
        next.receive().is_some_and(|ack| ack.desired.killed)
    });
}

#[test]
fn recordings_in_rotation_keep_no_agent_from_starting() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let address = collector.address();
    let recorded: Vec<Vec<u8>> = (0..2_000)
        .map(|n| {
            let mut old = ScriptedAgent::new(address, env.token(), "agent", 1_000 + n % 8);
            old.sequence = n / 8;
            old.seal(|out| ScriptedAgent::minimal_beat().write(out))
        })
        .collect();
    let attacker = RawUdpClient::new(address);
    let mut recordings = recorded.iter().cycle();
    let mut replay = || {
        for _ in 0..50 {
            attacker.send(recordings.next().expect("it goes on for ever"));
            while attacker.receive().is_some() {}
        }
    };
    wait_until("the recordings use up what strangers get", || {
        replay();
        env.operator().collector().datagrams.answers_withheld > 1_000
    });
    // Three beats of a new start: without the recordings it would need two.
    let mut agent = ScriptedAgent::new(address, env.token(), "agent", 1);
    agent.beat(&ScriptedAgent::minimal_beat());
    wait_until("a new start is challenged", || {
        replay();
        agent.receive().is_some()
    });
    agent.beat(&ScriptedAgent::minimal_beat());
    wait_until("it is live", || {
        replay();
        agent.receive().is_some_and(|ack| !ack.unconfirmed)
    });
}
