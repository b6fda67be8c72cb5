//! The budget of judged messages.

use heartline_fleet::{ControlDbRow, HistoryDbRow, Output};
use heartline_vocabulary::Action;

use crate::test_fleet::TestFleet;
use crate::test_message::{TestMessage, beat, goodbye};

/// Sends live messages at 1,000 a second.
fn flood(fleet: &mut TestFleet, for_ms: u64, message: impl Fn(u64) -> TestMessage) {
    for n in 0..for_ms {
        fleet.receive(message(n));
        fleet.advance_ms(1);
    }
}

#[test]
fn beats_beyond_the_budget_prove_life_and_change_nothing() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    flood(&mut fleet, 60_000, |_| beat("a"));
    fleet.discard_outputs();
    let before = fleet.core.counters().over_budget;
    assert!(before > 55_000, "{before}");
    fleet.receive(beat("a").busy(3, 0).interval_ms(1_000).segment(1, 10).applied(9));
    assert_eq!(fleet.core.counters().over_budget, before + 1);
    let agent = fleet.agent("a");
    assert_eq!((agent.in_flight(), agent.interval_ms(), agent.totals().ok), (0, 30_000, 0));
    assert_eq!(agent.segments(), (0, 0), "it stays pending in the emitter, and comes again");
    let rows = fleet.outputs();
    assert!(rows.iter().all(|row| matches!(row, Output::Ack(_))), "{rows:?}");
    fleet.advance_ms(20_000);
    fleet.receive(beat("a").segment(1, 10));
    assert_eq!(fleet.agent("a").totals().ok, 10);
}

#[test]
fn a_flood_makes_no_more_rows_than_the_budget_has_messages() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    // Every beat has another interval, another progress, and work.
    flood(&mut fleet, 60_000, |n| {
        let (interval_ms, age_ms) = if n % 2 == 0 { (30_000, 0) } else { (60_000, 900_000) };
        beat("a").interval_ms(interval_ms).busy(1, age_ms).segment(n + 1, 1)
    });
    let outputs = fleet.outputs();
    let profiles = |it: &&Output| matches!(it, Output::WriteControl(ControlDbRow::Profile { .. }));
    let work = |it: &&Output| matches!(it, Output::WriteHistory(HistoryDbRow::Work(_)));
    // A burst of 10 s, and 60 s at 10 and a little more a second.
    let most = 710;
    assert!((500..most).contains(&outputs.iter().filter(profiles).count()));
    assert!((500..most).contains(&outputs.iter().filter(work).count()));
    let rest = outputs.iter().filter(|it| !profiles(it) && !work(it));
    let rest: Vec<_> = rest.filter(|it| !matches!(it, Output::Ack(_))).collect();
    assert!(rest.len() <= 20, "{rest:?}");
}

#[test]
fn an_interval_that_changes_gives_no_new_budget() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    flood(&mut fleet, 20_000, |n| beat("a").interval_ms(100 + 100 * (n as u32 % 3)));
    let judged = fleet.core.counters().live;
    assert!((600..1_000).contains(&judged), "{judged}");
}

#[test]
fn an_agent_beyond_its_budget_is_flagged_until_a_minute_after() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    flood(&mut fleet, 5_000, |_| beat("a"));
    assert_eq!(fleet.status("a"), "degraded flooding");
    let flooding = |fleet: &TestFleet| {
        let names = fleet.core.flooding_agents(fleet.now).map(|agent| agent.name().to_owned());
        names.collect::<Vec<_>>()
    };
    assert_eq!(flooding(&fleet), ["a"]);
    assert_eq!(fleet.causes(), ["it sends far more beats than its interval allows"]);
    for _ in 0..4 {
        fleet.advance_ms(20_000);
        fleet.receive(beat("a"));
    }
    assert_eq!((fleet.status("a").as_str(), flooding(&fleet)), ("healthy", vec![]));
    assert_eq!(fleet.transitions(), ["64999 degraded flooding → healthy"]);
}

#[test]
fn what_an_emitter_may_send_is_all_judged() {
    // The shortest interval, at its fastest, and 10 more a second: for two processes.
    let mut fleet = TestFleet::new();
    for session in [1, 2] {
        fleet.receive(beat("a").session(session).interval_ms(100));
    }
    for ms in 0..60_000 {
        for session in [1, 2] {
            if ms % 90 == 0 {
                fleet.receive(beat("a").session(session).interval_ms(100));
            }
        }
        if ms % 100 == 50 {
            fleet.receive(beat("a").session(2).interval_ms(100));
        }
        fleet.advance_ms(1);
    }
    assert_eq!(fleet.core.counters().over_budget, 0);
}

#[test]
fn datagrams_that_waited_while_the_collector_was_frozen_accuse_nobody() {
    let mut fleet = TestFleet::with_agent(beat("a").interval_ms(100));
    fleet.skip_ms(120_000);
    for _ in 0..1_200 {
        fleet.receive(beat("a").interval_ms(100));
    }
    assert!(fleet.core.counters().over_budget > 0);
    fleet.advance_ms(50);
    assert_eq!(fleet.status("a"), "healthy");
}

#[test]
fn a_flooding_agent_that_dies_is_noticed_on_time() {
    let mut fleet = TestFleet::with_agent(beat("a").interval_ms(1_000));
    flood(&mut fleet, 20_000, |_| beat("a").interval_ms(1_000));
    fleet.discard_outputs();
    fleet.reset_origin();
    fleet.advance_ms(20_000);
    let expected =
        ["2999 degraded flooding → degraded late", "9999 degraded late → unreachable silent"];
    assert_eq!(fleet.transitions(), expected);
}

#[test]
fn a_kill_reaches_a_flooding_agent_at_once() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    flood(&mut fleet, 20_000, |_| beat("a"));
    fleet.command_durably(Action::Kill, "a");
    assert_eq!((fleet.status("a").as_str(), fleet.pushes().len()), ("killed operator", 1));
    // Its beats say that it has applied the kill; one of them is judged within 0.2 s.
    flood(&mut fleet, 200, |_| beat("a").killed(1));
    let desired = fleet.agent("a").desired().expect("it is killed");
    assert!(desired.obeyed_ms.is_some_and(|ms| ms <= 200), "{desired:?}");
    let acks = fleet.acks();
    assert!(!acks.is_empty() && acks.iter().all(|ack| ack.ack.desired.killed));
}

#[test]
fn a_goodbye_beyond_the_budget_is_to_be_sent_again() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    flood(&mut fleet, 20_000, |_| beat("a"));
    fleet.receive(beat("a"));
    fleet.discard_outputs();
    fleet.receive(goodbye("a"));
    assert_eq!(fleet.status("a"), "degraded flooding");
    assert!(fleet.acks().iter().all(|ack| ack.ack.unconfirmed));
    fleet.advance_ms(1_000);
    fleet.receive(goodbye("a"));
    assert_eq!(fleet.status("a"), "killed shutdown");
}

#[test]
fn other_agents_of_the_fleet_are_judged_and_answered_as_before() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.receive(beat("b"));
    flood(&mut fleet, 10_000, |_| beat("a"));
    fleet.discard_outputs();
    fleet.receive(beat("b").busy(2, 0).segment(1, 5));
    fleet.confirm_work(1);
    assert_eq!((fleet.agent("b").in_flight(), fleet.agent("b").totals().ok), (2, 5));
    let acks = fleet.acks();
    assert_eq!((acks.len(), acks[0].ack.durable_segment), (1, 1));
}
