//! What is judged again from history is what was told.

use std::time::Duration;

use fastrand::Rng;
use heartline_fleet::{AlertInput, AlertRules, Escalation, OutgoingNotice, StormRule};
use heartline_vocabulary::IncidentId;

use crate::world::{TestAgent, World, chat_rules, route};

const AGENTS: [&str; 24] = [
    "db", "m1.1", "m1.2", "m1.3", "m1.4", "m2.1", "m2.2", "m2.3", "m2.4", "m3.1", "m3.2", "w.1",
    "w.2", "w.3", "w.4", "w.5", "x.1", "x.2", "x.3", "x.4", "x.5", "x.6", "x.7", "x.8",
];

/// Several routes, with everything that they can have.
fn rules(rng: &mut Rng) -> AlertRules {
    let mut pages = route("m*", &["pager"]);
    pages.hold = Duration::from_secs(rng.u64(0..3) * 60);
    pages.escalation =
        Some(Escalation { after: Duration::from_secs(900), sinks: vec!["lead".into()] });
    pages.is_last = rng.bool();
    let mut chat = route("*", &["chat"]);
    chat.repeat = rng.bool().then(|| Duration::from_secs(3_600));
    let storm = StormRule { after: rng.u32(2..12), ..StormRule::default() };
    AlertRules { routes: vec![pages, chat], storm, ..AlertRules::default() }
}

fn fleet(rules: AlertRules, rng: &mut Rng) -> World {
    let mut world = World::with(rules);
    for name in AGENTS {
        let agent = TestAgent::every_s([1, 5, 30, 60][rng.usize(0..4)]);
        let host = name.split_once('.').map(|(host, _)| host).filter(|it| it.starts_with('m'));
        let agent = host.map_or(agent.clone(), |host| agent.clone().host(host));
        let agent = if name.starts_with('x') { agent.group("scrape") } else { agent };
        world.add(&[name], &if name.starts_with('w') { agent.depends(&["db"]) } else { agent });
    }
    world
}

/// Whether the work of agents comes to a stand.
#[derive(Clone, Copy, PartialEq)]
enum Stalls {
    Never,
    Now,
}

/// Lets something befall the fleet, or somebody do something about it.
fn happen(world: &mut World, session: u64, stalls: Stalls, rng: &mut Rng) {
    let one = AGENTS[rng.usize(0..AGENTS.len())];
    let some: Vec<&str> = match rng.u32(0..4) {
        0 => {
            AGENTS.into_iter().filter(|it| it.starts_with(["m1", "m2"][rng.usize(0..2)])).collect()
        }
        1 => AGENTS.into_iter().filter(|it| it.starts_with('x')).collect(),
        2 => vec!["db", "w.1", "w.2"],
        _ => vec![one],
    };
    match rng.u32(0..12) {
        0..4 => world.lose(&some),
        4..7 => world.heal(&some),
        7 if stalls == Stalls::Now => world.stall(&[one]),
        8 => world.stop(one),
        9 => world.start(one, session),
        10 => world.silence(["m1*", "x*", "*"][rng.usize(0..3)], rng.u64(60..1_200)),
        _ if world.fleet.incidents().next().is_some() => world.acknowledge(),
        _ => {}
    }
    // Never at the very moment of a deadline: which is first is not recorded.
    world.run_ms(rng.u64(1_000..900_000) | 1);
}

/// A notice without its number, and without when it was told.
fn told(notice: &OutgoingNotice) -> String {
    let incident = &notice.incident.incident;
    let mut sinks = notice.sinks.clone();
    sinks.sort();
    format!(
        "{} {} {} {:?}: {} of {} in trouble, since {}, {} listed → {}",
        notice.kind.name(),
        incident.scope.kind.name(),
        incident.scope.name,
        incident.worst,
        incident.in_trouble,
        notice.incident.total,
        incident.opened.nanos() / 1_000_000,
        notice.listed.len(),
        sinks.join(", ")
    )
}

/// Returns what was told, by incident in an order that does not depend on when each was noticed, with the time in
/// seconds.
fn by_incident(notices: &[OutgoingNotice]) -> Vec<Vec<(i64, String)>> {
    let mut incidents: Vec<(IncidentId, Vec<(i64, String)>)> = Vec::new();
    for notice in notices {
        let line = (notice.at.nanos() / 1_000_000_000, told(notice));
        match incidents.iter_mut().find(|(id, _)| *id == notice.id.incident) {
            Some((_, lines)) => lines.push(line),
            None => incidents.push((notice.id.incident, vec![line])),
        }
    }
    let mut incidents: Vec<_> = incidents.into_iter().map(|(_, lines)| lines).collect();
    incidents.sort_by_key(|lines| lines.iter().map(|(_, line)| line.clone()).collect::<Vec<_>>());
    incidents
}

/// Lets things happen to a fleet; returns what it was told, and what a replay of its history tells.
fn tell_twice(seed: u64, stalls: Stalls) -> [Vec<Vec<(i64, String)>>; 2] {
    let mut rng = Rng::with_seed(seed);
    let rules = rules(&mut rng);
    let mut world = fleet(rules.clone(), &mut rng);
    for n in 0..40 {
        happen(&mut world, n + 2, stalls, &mut rng);
    }
    [by_incident(&world.raw_notices()), by_incident(&world.replay(rules))]
}

fn lines(incident: &[(i64, String)]) -> Vec<&str> {
    incident.iter().map(|(_, line)| line.as_str()).collect()
}

#[test]
fn a_history_under_the_same_rules_tells_the_same() {
    let mut told = 0;
    for seed in 0..60 {
        let [live, replayed] = tell_twice(seed, Stalls::Never);
        for (live, replayed) in live.iter().zip(&replayed) {
            assert_eq!(lines(replayed), lines(live), "seed {seed}");
            for ((live_s, line), (replayed_s, _)) in live.iter().zip(replayed) {
                assert!(live_s.abs_diff(*replayed_s) <= 2, "seed {seed}: {line} at {replayed_s}");
            }
        }
        assert_eq!(live.len(), replayed.len(), "seed {seed}");
        told += live.len();
    }
    assert!(told > 300, "only {told} incidents: there is little to compare");
}

/// Of a stall is recorded when its limit passed, and not when the next beat told of it.
#[test]
fn stalls_make_a_replay_differ_in_few_incidents() {
    let (mut told, mut others) = (0, 0);
    for seed in 0..40 {
        let [live, replayed] = tell_twice(seed, Stalls::Now);
        told += live.len();
        others += live
            .iter()
            .filter(|incident| !replayed.iter().any(|it| lines(it) == lines(incident)))
            .count();
    }
    assert!(others * 200 <= told, "{others} of {told} incidents differ");
}

#[test]
fn other_rules_tell_something_else() {
    let mut world = World::new();
    world.add(&AGENTS, &TestAgent::every_s(10));
    world.lose(&["x.1"]);
    world.run_s(300);
    world.heal(&["x.1"]);
    world.run_s(300);
    let kinds = |rules: AlertRules| {
        let notices = world.replay(rules);
        notices.iter().map(|it| it.kind.name()).collect::<Vec<_>>()
    };
    assert_eq!(kinds(chat_rules()), ["opened", "resolved"]);
    let others = AlertRules { routes: vec![route("m*", &["chat"])], ..AlertRules::default() };
    assert!(kinds(others).is_empty());
    let mut patient = chat_rules();
    patient.routes[0].hold = Duration::from_secs(600);
    assert!(kinds(patient).is_empty());
}

#[test]
fn sinks_that_took_nothing_are_told_of_again() {
    let mut world = World::with(AlertRules {
        routes: vec![route("*", &["chat", "hook"])],
        sinks: [("hook".into(), Default::default()), ("chat".into(), Default::default())].into(),
        ..AlertRules::default()
    });
    let why = Some("HTTP 404".into());
    world.alert(AlertInput::SinkHealth { sink: "hook".into(), why });
    world.run_s(10);
    let live = by_incident(&world.raw_notices());
    let rules = world.fleet.alert_rules().clone();
    assert_eq!(by_incident(&world.replay(rules)), live);
    assert!(live[0][0].1.starts_with("opened sink hook"), "{live:?}");
}
