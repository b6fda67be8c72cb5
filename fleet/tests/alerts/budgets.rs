//! Budgets that reach a level are told, each level once, and are over with their window.

use heartline_fleet::{AlertInput, AlertRules, BudgetRule, BudgetScope};
use heartline_vocabulary::{AtLimit, BudgetPeriod, BudgetResume, BudgetUnit, Severity, State};

use crate::world::{TestAgent, World, chat_rules, only, route};

/// 100 tasks an hour, by which agents are killed.
fn rule(scope: BudgetScope) -> BudgetRule {
    BudgetRule {
        name: "tasks".into(),
        scope,
        unit: BudgetUnit::Tasks,
        limit: 100,
        period: BudgetPeriod::Hour,
        at_limit: AtLimit::Kill,
        resume: BudgetResume::Never,
    }
}

fn each() -> BudgetRule {
    rule(BudgetScope::Each { pattern: "*".into() })
}

fn world(rules: AlertRules, budget: BudgetRule) -> World {
    let mut world = World::with(rules);
    world.add(&["a", "b"], &TestAgent::every_s(10).group("g"));
    world.budgets(&[budget]);
    world
}

/// Takes kind, scope, severity and remark of the notices.
fn told(world: &mut World) -> Vec<String> {
    let text = |notice: heartline_fleet::OutgoingNotice| {
        let incident = notice.incident.incident;
        let (kind, scope, severity) =
            (notice.kind.name(), incident.scope.name, incident.severity.name());
        format!("{kind} {scope}, {severity}: {}", incident.remark.unwrap_or_default())
    };
    world.raw_notices().into_iter().map(text).collect()
}

#[test]
fn each_level_is_told_once_and_a_kill_is_critical() {
    let mut world = world(chat_rules(), each());
    for tasks in [70, 5, 1, 14, 10, 5] {
        world.spend("a", tasks);
        world.run_s(400);
    }
    assert_eq!(
        told(&mut world),
        [
            "opened tasks of a, warning: 75 tasks of 100 tasks an hour (75 %); kills at 100 %",
            "updated tasks of a, warning: 90 tasks of 100 tasks an hour (90 %); kills at 100 %",
            "updated tasks of a, critical: 100 tasks of 100 tasks an hour (100 %); an operator has to resume it",
        ]
    );
    let incident = world.fleet.incidents().next().unwrap();
    assert_eq!((incident.severity, incident.members.len()), (Severity::Critical, 0));
}

#[test]
fn it_is_over_with_the_window_and_the_words_of_trouble_are_not_repeated() {
    let mut world = world(chat_rules(), each());
    world.spend("a", 80);
    world.run_s(60);
    told(&mut world);
    world.next_window();
    world.run_s(60);
    let told = told(&mut world);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("resolved tasks of a") && !told[0].contains("80"), "{told:?}");
    // The next window has an incident of its own.
    world.spend("a", 80);
    world.run_s(60);
    assert!(world.notices()[0].contains("opened budget tasks of a"));
}

#[test]
fn an_operator_who_resumes_the_agent_ends_it() {
    let mut world = world(chat_rules(), each());
    world.spend("a", 100);
    world.run_s(60);
    world.notices();
    world.resume("a");
    world.run_s(60);
    let told = told(&mut world);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("the agent was resumed"), "{told:?}");
}

#[test]
fn a_shared_budget_is_one_incident_however_many_share_it() {
    let mut world = world(chat_rules(), rule(BudgetScope::Group { name: "g".into() }));
    world.spend("a", 60);
    world.spend("b", 20);
    world.run_s(60);
    assert_eq!(
        told(&mut world),
        [
            "opened tasks, warning: 80 tasks of 100 tasks an hour (80 %); most by a (60 tasks), b (20 tasks); kills at 100 %"
        ]
    );
    world.spend("b", 20);
    world.run_s(60);
    let told = told(&mut world);
    assert!(told[0].starts_with("updated tasks, critical") && told[0].contains("kills a"));
}

#[test]
fn it_goes_where_routes_for_budgets_of_its_agents_lead() {
    let of_budgets = heartline_fleet::AlertRoute {
        states: heartline_fleet::StateSet { budgets: true, ..only(&[], &[]) },
        ..route("a", &["costs"])
    };
    let others = heartline_fleet::AlertRoute {
        states: only(&[State::Unreachable], &[]),
        ..route("*", &["chat"])
    };
    let rules = AlertRules { routes: vec![others, of_budgets], ..AlertRules::default() };
    let mut world = world(rules, each());
    world.spend("a", 80);
    world.spend("b", 80);
    world.run_s(60);
    let notices = world.notices();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(notices[0].contains("budget tasks of a") && notices[0].ends_with("→ costs"));
    assert_eq!(world.fleet.incidents().count(), 1, "what is for nobody is no incident");
}

#[test]
fn a_silence_holds_it_back_until_it_ends() {
    let mut world = world(chat_rules(), each());
    world.silence("a", 600);
    world.spend("a", 80);
    world.run_s(300);
    assert!(world.notices().is_empty());
    world.run_s(400);
    assert!(world.notices()[0].contains("opened budget tasks of a"));
}

#[test]
fn only_a_kill_is_repeated_until_somebody_acknowledges() {
    let repeated = heartline_fleet::AlertRoute {
        repeat: Some(std::time::Duration::from_secs(600)),
        ..route("*", &["chat"])
    };
    let rules = AlertRules { routes: vec![repeated], ..AlertRules::default() };
    let mut world = world(rules, each());
    world.spend("a", 80);
    world.run_s(3_000);
    assert_eq!(world.notices().len(), 1);
    world.spend("a", 20);
    world.run_s(1_300);
    let kinds = world.notices().len();
    assert_eq!(kinds, 3, "the kill, and two reminders");
    world.acknowledge();
    world.run_s(3_000);
    assert!(world.notices().is_empty());
}

#[test]
fn a_budget_that_is_set_no_more_is_over() {
    let mut world = world(chat_rules(), each());
    world.spend("a", 80);
    world.run_s(60);
    world.notices();
    world.budgets(&[]);
    world.run_s(60);
    assert!(told(&mut world)[0].contains("not set any more"));
    assert_eq!(world.fleet.incidents().count(), 0);
}

#[test]
fn after_a_restart_it_goes_on_where_its_budget_does_and_is_over_where_that_is_gone() {
    let mut world = world(chat_rules(), each());
    world.spend("a", 80);
    world.run_s(60);
    world.notices();
    // The collector that starts knows no budget: it is told that this is over.
    world.restart(chat_rules(), 60);
    world.run_s(60);
    assert!(told(&mut world)[0].starts_with("resolved tasks of a"));
}

#[test]
fn an_acknowledged_kill_stays_quiet_through_other_rules() {
    let mut world = world(chat_rules(), each());
    world.spend("a", 100);
    world.run_s(60);
    world.acknowledge();
    world.notices();
    world.alert(AlertInput::Rules(chat_rules()));
    world.silence("nobody", 60);
    world.run_s(300);
    assert!(world.notices().is_empty());
    assert_eq!(world.fleet.incidents().count(), 1);
}
