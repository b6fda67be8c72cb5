//! Groups of which so many agents must run.

use std::time::Duration;

use heartline_fleet::{AlertInput, AlertRules, ReplicaRule, Shortage};
use heartline_vocabulary::{ScopeKind, State};

use crate::world::{TestAgent, World, chat_rules};

const MAIL: [&str; 12] = [
    "mail.01", "mail.02", "mail.03", "mail.04", "mail.05", "mail.06", "mail.07", "mail.08",
    "mail.09", "mail.10", "mail.11", "mail.12",
];
const OTHERS: [&str; 20] = [
    "o.01", "o.02", "o.03", "o.04", "o.05", "o.06", "o.07", "o.08", "o.09", "o.10", "o.11", "o.12",
    "o.13", "o.14", "o.15", "o.16", "o.17", "o.18", "o.19", "o.20",
];

fn replica() -> TestAgent {
    TestAgent::every_s(10).group("mail")
}

fn rules(alert_below: u32) -> AlertRules {
    let rule = ReplicaRule { expect: 12, alert_below, hold: Duration::from_secs(60) };
    AlertRules { groups: [("mail".into(), rule)].into(), ..chat_rules() }
}

/// A fleet of twelve replicas, of which ten must run, and of twenty others.
fn fleet() -> World {
    fleet_with(rules(10))
}

fn fleet_with(rules: AlertRules) -> World {
    let mut world = World::with(rules);
    world.add(&OTHERS, &TestAgent::every_s(10));
    world.add(&MAIL, &replica());
    world
}

#[test]
fn single_replicas_page_nobody_and_are_in_the_incident_when_too_few_run() {
    let mut world = fleet();
    for agent in &MAIL[..2] {
        world.lose(&[agent]);
        world.run_s(600);
    }
    assert_eq!(world.notices(), Vec::<String>::new());
    assert_eq!(world.fleet.incidents().count(), 0);
    world.lose(&["mail.03"]);
    world.run_s(600);
    let incident = world.fleet.incidents().next().unwrap();
    assert_eq!((incident.members.len(), incident.in_trouble), (3, 3), "all three are in it");
    world.heal(&["mail.03"]);
    world.run_s(600);
    let expected = [
        "1372 opened mail: 9 of 12 run, below 10, 3 lost → chat",
        "1882 resolved mail: 10 of 12 run, below 10, 2 lost → chat",
    ];
    assert_eq!(world.notices(), expected);
    assert_eq!(world.fleet.incidents().count(), 0, "the others are held back again");
    let incident = world.incidents.values().next().unwrap();
    let lasted = incident.ended.unwrap().since(incident.opened).as_secs();
    assert_eq!(lasted, 509, "until enough ran, and not until that was told");
}

#[test]
fn what_is_short_within_the_hold_is_no_incident() {
    let mut world = fleet();
    world.lose(&MAIL[..3]);
    world.run_s(140);
    world.heal(&MAIL[..1]);
    world.run_s(600);
    assert_eq!(world.notices(), Vec::<String>::new());
}

#[test]
fn a_replica_that_comes_and_goes_pages_nobody() {
    let mut world = fleet();
    for _ in 0..20 {
        world.lose(&["mail.05"]);
        world.run_s(150);
        world.heal(&["mail.05"]);
        world.run_s(150);
    }
    assert_eq!(world.notices(), Vec::<String>::new());
    world.lose(&MAIL[..3]);
    world.run_s(400);
    let notices = world.notices();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(
        notices[0].contains("opened mail: 9 of 12 run"),
        "the group does not flap: {notices:?}"
    );
}

#[test]
fn a_group_that_comes_and_goes_is_told_as_flapping_and_when_it_is_at_rest() {
    let mut world = fleet();
    world.lose(&MAIL[..2]);
    for _ in 0..10 {
        world.lose(&["mail.05"]);
        world.run_s(200);
        world.heal(&["mail.05"]);
        world.run_s(100);
    }
    world.run_s(3 * 3_600);
    let notices = world.notices();
    let kinds: Vec<&str> = notices.iter().filter_map(|notice| notice.split(' ').nth(1)).collect();
    assert_eq!(
        kinds,
        ["opened", "resolved", "opened", "resolved", "flapping", "resolved"],
        "{notices:#?}"
    );
}

#[test]
fn who_was_stopped_or_killed_does_not_run_and_is_counted_apart() {
    let mut world = fleet();
    world.stop("mail.01");
    world.kill("mail.02");
    world.lose(&["mail.03"]);
    world.run_s(300);
    let expected = ["172 opened mail: 9 of 12 run, below 10, 1 lost, 1 killed, 1 stopped → chat"];
    assert_eq!(world.notices(), expected);
}

#[test]
fn replicas_with_new_names_count_and_those_of_long_ago_are_not_in_it() {
    let mut world = fleet();
    world.lose(&MAIL[..4]);
    world.run_s(120);
    // Their successors.
    world.add(&["mail.x1", "mail.x2", "mail.x3", "mail.x4"], &replica());
    world.run_s(600);
    assert_eq!(world.notices(), Vec::<String>::new());
    world.lose(&["mail.x1", "mail.x2", "mail.12"]);
    world.run_s(300);
    let notices = world.raw_notices();
    assert_eq!(notices.len(), 1);
    let members: Vec<&str> = notices[0].incident.members.iter().map(|it| &*it.agent).collect();
    assert_eq!(members.len(), 3, "{members:?}");
    assert!(members.contains(&"mail.x1") && members.contains(&"mail.12"), "{members:?}");
    assert_eq!(notices[0].incident.gone.lost, 3);
}

#[test]
fn a_lost_host_is_told_with_the_replicas_on_it() {
    let mut world = World::with(rules(10));
    world.add(&OTHERS, &TestAgent::every_s(10));
    world.add(&MAIL[2..], &replica());
    world.add(&MAIL[..2], &replica().host("m3"));
    world.add(&["db.1", "db.2", "db.3"], &TestAgent::every_s(10).host("m3"));
    world.lose(&["mail.01", "mail.02", "db.1", "db.2", "db.3"]);
    world.run_s(600);
    let notices = world.notices();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(notices[0].contains("opened host m3: unreachable silent, 5 of 5"), "{notices:?}");
    // Two more, and the group is short as well: that is another thing to know.
    world.lose(&["mail.03", "mail.04"]);
    world.run_s(600);
    let notices = world.notices();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(notices[0].contains("opened mail: 8 of 12 run, below 10, 4 lost"), "{notices:?}");
}

#[test]
fn most_of_the_fleet_at_once_accuses_no_group() {
    let mut world = fleet();
    world.lose(&MAIL);
    world.lose(&OTHERS[..10]);
    world.run_s(600);
    let notices = world.notices();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(notices[0].contains("opened collector: unreachable silent, 22 of 22"), "{notices:?}");
    // The others come back, and the group does not.
    world.heal(&OTHERS[..10]);
    world.kill("mail.01");
    world.run_s(600);
    let notices = world.notices();
    let is_doubt = |notice: &String| notice.contains("updated collector");
    assert!(notices.iter().all(is_doubt), "the doubt goes on: {notices:?}");
    world.heal(&MAIL[1..6]);
    world.stop("mail.07");
    MAIL[7..].iter().for_each(|agent| world.kill(agent));
    world.run_s(600);
    let notices = world.notices();
    let told: Vec<&str> =
        notices.iter().filter_map(|it| it.split_once(' ')).map(|it| it.1).collect();
    let opened = "opened mail: 5 of 12 run, below 10, 6 killed, 1 stopped → chat";
    assert_eq!(
        told[told.len() - 2..],
        ["resolved collector: unreachable silent, 0 of 22 → chat", opened]
    );
}

#[test]
fn most_of_the_fleet_is_a_doubt_also_where_all_of_it_are_replicas_of_several_groups() {
    let rule = ReplicaRule { expect: 4, alert_below: 4, hold: Duration::from_secs(60) };
    let groups = ["a", "b", "c"].map(|name| (name.into(), rule)).into();
    let mut world = World::with(AlertRules { groups, ..chat_rules() });
    for (agents, group) in MAIL.chunks(4).zip(["a", "b", "c"]) {
        world.add(agents, &TestAgent::every_s(10).group(group));
    }
    world.run_s(600);
    world.lose(&MAIL[..8]);
    world.run_s(600);
    let notices = world.notices();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(notices[0].contains("opened collector: unreachable silent, 8 of 8"), "{notices:?}");
}

#[test]
fn nothing_is_told_after_a_start_before_agents_had_time_to_beat() {
    let mut world = fleet();
    world.restart(rules(10), 60);
    world.run_s(600);
    assert_eq!(world.notices(), Vec::<String>::new());
    // Three of them died while it was down: each has its own limit to be heard.
    world.lose(&MAIL[..3]);
    world.restart(rules(10), 60);
    world.run_s(90);
    assert_eq!(world.notices(), Vec::<String>::new());
    world.run_s(300);
    let notices = world.notices();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(notices[0].contains("opened mail: 9 of 12 run, below 10, 3 lost"), "{notices:?}");
}

#[test]
fn a_group_of_which_nobody_ever_came_is_an_incident_after_some_minutes() {
    let mut world = World::with(rules(10));
    world.run_s(350);
    assert_eq!(world.notices(), Vec::<String>::new());
    world.run_s(100);
    assert_eq!(world.notices(), ["360 opened mail: 0 of 12 run, below 10 → chat"]);
    world.add(&MAIL, &replica());
    world.run_s(100);
    assert_eq!(world.fleet.incidents().count(), 0);
}

#[test]
fn an_incident_goes_on_over_a_restart_and_its_end_is_told_once() {
    let mut world = fleet();
    world.lose(&MAIL[..3]);
    world.run_s(300);
    assert_eq!(world.notices().len(), 1);
    world.restart(rules(10), 60);
    world.run_s(900);
    assert_eq!(world.notices(), Vec::<String>::new());
    world.heal(&MAIL[..3]);
    world.run_s(100);
    let notices = world.notices();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(notices[0].contains("resolved mail: 12 of 12 run"), "{notices:?}");
}

#[test]
fn another_number_at_a_reload_ends_an_incident_or_begins_one() {
    let mut world = fleet();
    world.lose(&MAIL[..3]);
    world.run_s(300);
    assert_eq!(world.notices().len(), 1);
    world.alert(AlertInput::Rules(rules(8)));
    world.run_s(100);
    let notices = world.notices();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(notices[0].contains("resolved mail: 9 of 12 run, below 8"), "{notices:?}");
    world.alert(AlertInput::Rules(rules(12)));
    world.run_s(100);
    let notices = world.notices();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(notices[0].contains("opened mail: 9 of 12 run, below 12"), "{notices:?}");
}

#[test]
fn without_its_rule_a_group_is_judged_as_any_other() {
    let mut world = fleet();
    world.lose(&["mail.01"]);
    world.run_s(300);
    world.lose(&["mail.05", "mail.08"]);
    world.run_s(300);
    assert_eq!(world.notices().len(), 1);
    world.alert(AlertInput::Rules(chat_rules()));
    world.run_s(5);
    let notices = world.raw_notices();
    let ended = notices.iter().find(|it| it.incident.incident.scope.kind == ScopeKind::Replicas);
    assert!(ended.unwrap().incident.incident.remark.is_some());
    let singles: Vec<&str> = notices
        .iter()
        .filter(|it| it.incident.incident.scope.kind == ScopeKind::Agent)
        .map(|it| &*it.incident.incident.scope.name)
        .collect();
    assert_eq!(singles, ["mail.01", "mail.05", "mail.08"]);
}

#[test]
fn without_its_rule_after_a_restart_a_group_is_judged_as_any_other() {
    let mut world = fleet();
    for agent in &MAIL[..3] {
        world.lose(&[agent]);
        world.run_s(120);
    }
    world.run_s(300);
    assert_eq!(world.notices().len(), 1);
    world.restart(chat_rules(), 60);
    world.run_s(300);
    let notices = world.notices();
    assert!(notices[0].contains("resolved mail: 9 of 12 run"), "{notices:?}");
    assert!(
        notices.len() > 1 && notices[1..].iter().all(|it| it.contains("opened")),
        "{notices:?}"
    );
    assert!(world.fleet.incidents().all(|it| it.scope.kind != ScopeKind::Replicas));
    assert_eq!(world.fleet.incidents().map(|it| it.in_trouble).sum::<u32>(), 3);
}

#[test]
fn a_silence_of_the_group_or_of_those_that_are_gone_keeps_it_quiet() {
    for glob in ["mail.*", "mail.01"] {
        let mut world = fleet();
        world.silence(glob, 3_600);
        world.lose(&MAIL[..3]);
        world.run_s(600);
        assert_eq!(world.notices(), Vec::<String>::new(), "{glob}");
        assert_eq!(world.fleet.incidents().count(), 1, "it is true all the same");
        world.run_s(3_600);
        assert_eq!(world.notices().len(), 1, "{glob}: it is told when the silence ends");
    }
    // Of the three that are gone, one is silenced, and two are too many.
    let mut world = fleet_with(rules(11));
    world.silence("mail.01", 3_600);
    world.lose(&MAIL[..3]);
    world.run_s(600);
    assert_eq!(world.notices().len(), 1);
}

#[test]
fn a_replica_that_hangs_does_not_run() {
    let mut world = fleet();
    world.stall(&MAIL[..3]);
    world.run_s(1_000);
    let notices = world.notices();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(notices[0].contains("9 of 12 run, below 10, 3 lost"), "{notices:?}");
}

#[test]
fn it_is_told_again_when_twice_as_many_are_gone() {
    let mut world = fleet();
    world.lose(&MAIL[..3]);
    world.run_s(200);
    world.lose(&MAIL[3..6]);
    world.run_s(150);
    let notices = world.notices();
    assert_eq!(notices.len(), 2, "{notices:?}");
    assert!(notices[1].contains("updated mail: 6 of 12 run"), "{notices:?}");
    let incident = world.fleet.incidents().next().unwrap();
    assert!(matches!(incident.shortage, Some(Shortage::Replicas(it)) if it.running == 6));
    assert_eq!(incident.members.len(), 6);
}

#[test]
fn whoever_leaves_the_group_is_judged_as_any_other() {
    let mut world = fleet();
    world.stall(&["mail.01"]);
    world.run_s(600);
    assert_eq!(world.notices(), Vec::<String>::new());
    world.regroup("mail.01", "canary");
    world.run_s(60);
    let notices = world.notices();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(notices[0].contains("opened agent mail.01: degraded stalled"), "{notices:?}");
    assert_eq!(world.fleet.state_counts().degraded, 1);
    let agents = world.fleet.agents().filter(|(_, it)| it.status().state == State::Healthy);
    assert_eq!(agents.count(), 31);
}
