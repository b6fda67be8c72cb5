//! Budgets: what is told, what acks say is left, and what is done when nothing is.

use heartline_fleet::{
    BudgetEffect, BudgetRule, BudgetScope, BudgetSetup, BudgetWindow, CommandRecord, Input,
    ReachedLevels, RestoredAgent, SpendingBase, WriteTicket,
};
use heartline_protocol::{BudgetLeft, BudgetUnit};
use heartline_vocabulary::{
    Action, AgentRowId, AtLimit, BudgetPeriod, BudgetResume, Reason, WorkTotals,
};

use crate::test_fleet::{START, TestFleet, restored_agent};
use crate::test_message::{beat, goodbye};

pub(crate) const USD: u64 = 1_000_000_000;

pub(crate) fn rule() -> BudgetRule {
    BudgetRule {
        name: "daily".into(),
        scope: BudgetScope::Each { pattern: "*".into() },
        unit: BudgetUnit::Cost,
        limit: 100 * USD,
        period: BudgetPeriod::Day,
        at_limit: AtLimit::Kill,
        resume: BudgetResume::NextWindow,
    }
}

pub(crate) fn fleet_rule() -> BudgetRule {
    BudgetRule { scope: BudgetScope::Fleet, ..rule() }
}

pub(crate) fn window(begins_ms: u64) -> BudgetWindow {
    let begins = START.plus_millis(begins_ms);
    BudgetWindow { begins, from_ms: begins_ms.cast_signed(), to_ms: 0, ends: "midnight".into() }
}

pub(crate) fn setup(rules: impl IntoIterator<Item = BudgetRule>) -> BudgetSetup {
    BudgetSetup {
        budgets: rules.into_iter().map(|rule| (rule, window(0))).collect(),
        bases: Vec::new(),
        reached: ReachedLevels::Told,
    }
}

pub(crate) fn fleet(rules: impl IntoIterator<Item = BudgetRule>) -> TestFleet {
    TestFleet::with_budgets(setup(rules), Vec::new())
}

/// Takes what each ack says is left, in the order of the acks.
pub(crate) fn left(fleet: &mut TestFleet) -> Vec<Option<u64>> {
    fleet.acks().iter().map(|ack| ack.ack.budget.map(|budget| budget.amount)).collect()
}

/// Lets the agent spend, and the disk store it at once.
pub(crate) fn spend(fleet: &mut TestFleet, agent: &'static str, number: u64, usd: u64) {
    fleet.receive(beat(agent).spends(number, usd * USD));
    fleet.confirm_work(u64::MAX);
}

#[test]
fn each_level_is_told_once_and_at_100_percent_the_agent_is_killed() {
    let mut fleet = fleet([rule()]);
    fleet.receive(beat("a").step("fetch"));
    for (number, usd) in [(1, 74), (2, 1), (3, 1), (4, 20)] {
        fleet.receive(beat("a").step("fetch").spends(number, usd * USD));
    }
    let events = fleet.budget_events();
    let told: Vec<_> = events.iter().map(|it| (it.percent, it.spent / USD)).collect();
    assert_eq!(told, [(75, 75), (90, 96)]);
    assert_eq!(
        events[0].to_string(),
        "$75.00 of $100.00 a day (75 %); step \"fetch\"; kills at 100 %"
    );
    fleet.receive(beat("a").step("fetch").spends(5, 4 * USD));
    let event = fleet.outputs_so_far().iter().find_map(|output| match output {
        heartline_fleet::Output::Budget(event) => Some(event.to_string()),
        _ => None,
    });
    let expected = "$100.00 of $100.00 a day (100 %); step \"fetch\"; resumes at midnight";
    assert_eq!(event.as_deref(), Some(expected));
    fleet.confirm_commands();
    let desired = fleet.agent("a").desired().unwrap();
    assert_eq!((desired.cause, &*desired.by), (Reason::Policy, "policy: daily"));
    assert_eq!(&*desired.reason, expected);
    fleet.discard_outputs();
    fleet.receive(beat("a").spends(6, 50 * USD));
    assert_eq!((fleet.commands(), fleet.status("a")), (vec![], "killed policy".to_owned()));
}

#[test]
fn a_jump_over_all_levels_is_told_once() {
    let mut fleet = fleet([BudgetRule { at_limit: AtLimit::Warn, ..rule() }]);
    spend(&mut fleet, "a", 1, 250);
    let events = fleet.budget_events();
    assert_eq!(events.len(), 1);
    assert_eq!((events[0].percent, &events[0].effect), (100, &BudgetEffect::Told));
    assert_eq!(events[0].to_string(), "$250.00 of $100.00 a day (250 %)");
    spend(&mut fleet, "a", 2, 250);
    assert_eq!((fleet.budget_events().len(), fleet.commands().len()), (0, 0));
}

#[test]
fn acks_say_what_is_left_of_the_tightest_budget_that_kills() {
    let tasks = BudgetRule { unit: BudgetUnit::Tasks, limit: 4, ..rule() };
    let warns = BudgetRule { at_limit: AtLimit::Warn, limit: 1, ..rule() };
    let other = BudgetRule { scope: BudgetScope::Each { pattern: "b*".into() }, ..rule() };
    let mut fleet = fleet([warns, other, rule(), tasks]);
    fleet.receive(beat("a"));
    fleet.receive(beat("a").unconfirmed());
    let acks: Vec<_> = fleet.acks().iter().map(|ack| ack.ack.budget).collect();
    let all = BudgetLeft { unit: BudgetUnit::Cost, amount: 100 * USD, counts_pending: false };
    assert_eq!(acks, [Some(all), None], "an unconfirmed one says nothing");
    fleet.receive(beat("a").spends(1, 10 * USD));
    fleet.advance_ms(400);
    let three = BudgetLeft { unit: BudgetUnit::Tasks, amount: 3, counts_pending: true };
    assert_eq!(fleet.acks()[0].ack.budget, Some(three), "it is applied, and not durable");
    fleet.confirm_work(1);
    fleet.receive(beat("a").spends(2, 80 * USD));
    fleet.confirm_work(2);
    let ten = BudgetLeft { unit: BudgetUnit::Cost, amount: 10 * USD, counts_pending: false };
    assert_eq!(fleet.acks().last().unwrap().ack.budget, Some(ten));
}

#[test]
fn work_that_was_known_before_is_taken_back() {
    let mut fleet = fleet([rule(), fleet_rule()]);
    fleet.receive(beat("a").spends(1, 40 * USD));
    fleet.receive(beat("a").spends(2, 10 * USD));
    let known = vec![WriteTicket(1)];
    fleet.handle(Input::HistoryCommitted { ticket: WriteTicket(2), known });
    let spent: Vec<_> = fleet.core.budgets().iter().map(|budget| budget.spent / USD).collect();
    assert_eq!(spent, [10, 10]);
}

#[test]
fn the_next_window_begins_at_nothing_and_resumes_whom_only_the_budget_has_killed() {
    let mut fleet = fleet([rule()]);
    for agent in ["a", "b", "c"] {
        fleet.receive(beat(agent));
        fleet.receive(beat(agent).spends(1, 100 * USD));
    }
    fleet.confirm_commands();
    fleet.command_durably(Action::Kill, "b");
    fleet.command_durably(Action::Resume, "c");
    fleet.advance_ms(1_000);
    fleet.discard_outputs();
    fleet.handle(Input::BudgetWindow { budget: 0, window: window(1_000) });
    assert_eq!(fleet.commands(), ["resume a by policy: daily"]);
    assert_eq!(fleet.core.budgets()[0].spent, 0);
    fleet.handle(Input::BudgetWindow { budget: 0, window: window(2_000) });
    assert_eq!(fleet.commands(), [""; 0], "once a window, and this kill was undone");
}

#[test]
fn without_automatic_resume_an_operator_resumes() {
    let mut fleet = fleet([BudgetRule { resume: BudgetResume::Never, ..rule() }]);
    spend(&mut fleet, "a", 1, 100);
    fleet.confirm_commands();
    fleet.advance_ms(1_000);
    fleet.discard_outputs();
    fleet.handle(Input::BudgetWindow { budget: 0, window: window(1_000) });
    assert_eq!(fleet.commands(), [""; 0]);
    assert_eq!(fleet.status("a"), "killed policy");
}

#[test]
fn an_operator_who_resumes_lifts_the_budget_until_the_next_window() {
    let mut fleet = fleet([rule()]);
    fleet.receive(beat("a"));
    fleet.discard_outputs();
    spend(&mut fleet, "a", 1, 100);
    assert_eq!(left(&mut fleet).last(), Some(&Some(0)), "nothing is left before the kill");
    fleet.handle(Input::ControlCommitted { ticket: WriteTicket(1) });
    fleet.command_durably(Action::Resume, "a");
    fleet.discard_outputs();
    spend(&mut fleet, "a", 2, 30);
    assert_eq!(left(&mut fleet).last(), Some(&None));
    fleet.handle(Input::BudgetWindow { budget: 0, window: window(1_000) });
    spend(&mut fleet, "a", 3, 30);
    assert_eq!(left(&mut fleet).last(), Some(&Some(70 * USD)));
}

#[test]
fn a_kill_that_could_not_be_stored_is_given_again_and_told_once() {
    let mut fleet = fleet([rule()]);
    spend(&mut fleet, "a", 1, 100);
    assert_eq!(fleet.budget_events().len(), 1);
    fleet.handle(Input::Abandoned { ticket: WriteTicket(1), why: "disk full".into() });
    fleet.discard_outputs();
    spend(&mut fleet, "a", 2, 1);
    let outputs = fleet.outputs_so_far().len();
    assert!(outputs > 0);
    assert_eq!(fleet.commands(), ["kill a by policy: daily"]);
}

pub(crate) fn spent_before(name: &str, id: i64, usd: u64) -> RestoredAgent {
    let totals = WorkTotals { cost_nano_usd: 1_000 * USD + usd * USD, ..WorkTotals::default() };
    RestoredAgent { id: AgentRowId(id), totals, ..restored_agent(name) }
}

pub(crate) fn base(id: i64) -> SpendingBase {
    SpendingBase { budget: 0, id: AgentRowId(id), total: 1_000 * USD }
}

#[test]
fn a_restart_goes_on_with_what_was_spent_before_and_tells_no_level_again() {
    let agents = vec![spent_before("a", 7, 80), spent_before("b", 8, 100)];
    let setup = BudgetSetup { bases: vec![base(7), base(8)], ..setup([rule()]) };
    let mut fleet = TestFleet::with_budgets(setup, agents);
    let events: Vec<_> = fleet
        .outputs_so_far()
        .iter()
        .filter_map(|output| match output {
            heartline_fleet::Output::Budget(event) => Some((event.agent, event.percent)),
            _ => None,
        })
        .collect();
    assert_eq!(events, [(Some(AgentRowId(8)), 100)], "its kill did not become durable");
    assert_eq!(fleet.commands(), ["kill b by policy: daily"]);
    fleet.receive(beat("a").session(2).spends(1, 9 * USD));
    assert_eq!(fleet.budget_events().len(), 0);
    fleet.receive(beat("a").session(2).spends(2, USD));
    assert_eq!(fleet.budget_events()[0].percent, 90);
}

pub(crate) fn killed_by_policy(mut agent: RestoredAgent, at_ms: u64) -> RestoredAgent {
    agent.desired = Some(Box::new(CommandRecord {
        generation: 3,
        killed: true,
        cause: Reason::Policy,
        by: "policy: daily".into(),
        reason: "spent".into(),
        at: START.minus_millis(at_ms),
        delivered_ms: None,
        obeyed_ms: None,
        last_segment: u64::MAX,
        disobeyed: false,
        lifts: None,
    }));
    agent
}

#[test]
fn a_window_that_began_while_no_collector_ran_resumes_too() {
    let agents = vec![
        killed_by_policy(spent_before("before", 7, 0), 2_000),
        killed_by_policy(spent_before("since", 8, 100), 500),
    ];
    let mut setup = BudgetSetup { bases: vec![base(8)], ..setup([rule()]) };
    setup.budgets[0].1.begins = START.minus_millis(1_000);
    let mut fleet = TestFleet::with_budgets(setup, agents);
    assert_eq!(fleet.commands(), ["resume before by policy: daily"]);
}

#[test]
fn a_shared_budget_kills_those_who_explain_the_excess_and_lets_the_others_be() {
    let mut fleet = fleet([fleet_rule()]);
    let agents = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
    for agent in agents {
        spend(&mut fleet, agent, 1, 4);
    }
    spend(&mut fleet, "c", 2, 35);
    spend(&mut fleet, "d", 2, 20);
    fleet.discard_outputs();
    spend(&mut fleet, "e", 2, 10);
    let events: Vec<_> = fleet
        .outputs_so_far()
        .iter()
        .filter_map(|output| match output {
            heartline_fleet::Output::Budget(event) => Some(event.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(
        events,
        ["$105.00 of $100.00 a day (105 %); most by c ($39.00), d ($24.00), e ($14.00), \
          a ($4.00), b ($4.00); kills c; resumes at midnight"]
    );
    fleet.confirm_commands();
    fleet.discard_outputs();
    // What the killed one spent explains the excess for now.
    spend(&mut fleet, "d", 3, 30);
    fleet.receive(beat("a"));
    assert_eq!(left(&mut fleet), [Some(0), None], "d has more than an equal share, a has not");
    spend(&mut fleet, "d", 4, 10);
    assert_eq!(fleet.commands(), ["kill d by policy: daily"]);
    assert_eq!(fleet.status("a"), "healthy");
}

#[test]
fn a_shared_budget_kills_at_most_a_fifth_in_a_window_and_the_next_window_begins_anew() {
    let mut fleet = fleet([BudgetRule { limit: USD, ..fleet_rule() }]);
    let agents: Vec<&'static str> = (0..20).map(|n| &*format!("agent-{n:02}").leak()).collect();
    for agent in &agents {
        fleet.receive(beat(agent));
    }
    fleet.discard_outputs();
    for agent in &agents {
        fleet.receive(beat(agent).spends(1, 40 * USD));
        fleet.confirm_work(u64::MAX);
    }
    assert_eq!(fleet.commands().len(), 4, "the others are for an operator");
    fleet.handle(Input::ControlCommitted { ticket: WriteTicket(u64::MAX) });
    fleet.advance_ms(5_000);
    fleet.receive(beat("agent-19").spends(2, USD));
    assert_eq!(fleet.commands(), [""; 0]);
    fleet.discard_outputs();
    fleet.handle(Input::BudgetWindow { budget: 0, window: window(5_000) });
    fleet.discard_outputs();
    fleet.receive(beat("agent-19").spends(3, 2 * USD));
    assert_eq!(fleet.commands(), ["kill agent-19 by policy: daily"]);
}

#[test]
fn a_kill_that_is_on_its_way_explains_the_excess_too() {
    let mut fleet = fleet([fleet_rule()]);
    for agent in ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"] {
        spend(&mut fleet, agent, 1, 4);
    }
    spend(&mut fleet, "a", 2, 30);
    fleet.discard_outputs();
    spend(&mut fleet, "b", 2, 40);
    assert_eq!(fleet.commands(), ["kill b by policy: daily"]);
    fleet.discard_outputs();
    // It is not durable yet, and nobody else is killed in its place.
    spend(&mut fleet, "c", 2, 1);
    spend(&mut fleet, "d", 2, 1);
    assert_eq!(fleet.commands(), [""; 0]);
}

/// Together no more is told than there is, whoever hears of it when.
#[test]
fn what_members_of_a_shared_budget_are_told_never_adds_up_to_more_than_is_left() {
    for seed in 0..200 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut fleet = fleet([BudgetRule { resume: BudgetResume::Never, ..fleet_rule() }]);
        let names = ["a", "b", "c", "d", "e"];
        // What each may still spend, as it was told; and its next segment.
        let (mut may, mut number) = ([0u64; 5], [0u64; 5]);
        let mut spent = 0;
        for _ in 0..300 {
            let at = rng.usize(..names.len());
            let amount = if may[at] > 0 { rng.u64(..=may[at].min(5 * USD)) } else { 0 };
            if amount > 0 {
                number[at] += 1;
                fleet.receive(beat(names[at]).spends(number[at], amount));
                fleet.confirm_work(u64::MAX);
            } else {
                fleet.receive(beat(names[at]));
            }
            (spent, may[at]) = (spent + amount, may[at] - amount);
            assert!(spent <= 100 * USD, "seed {seed}");
            if let Some(told) = left(&mut fleet).last().copied().flatten() {
                may[at] = told;
            }
            let told: u64 = may.iter().sum();
            assert!(told <= 100 * USD - spent, "seed {seed}: {told} of {}", 100 * USD - spent);
            fleet.advance_ms(30_000);
        }
        assert!(spent > 90 * USD, "seed {seed}: {spent} was not out of reach");
    }
}

#[test]
fn an_emitter_that_has_ended_gives_back_what_it_was_told() {
    let mut fleet = fleet([fleet_rule()]);
    for agent in ["a", "b"] {
        fleet.receive(beat(agent));
        fleet.receive(beat(agent));
    }
    fleet.receive(goodbye("a"));
    fleet.discard_outputs();
    spend(&mut fleet, "b", 1, 50);
    let told = left(&mut fleet)[0].unwrap() / USD;
    assert_eq!(told, 37, "three quarters of 50, and nobody holds the rest");
    fleet.receive(beat("b"));
    assert_eq!(left(&mut fleet)[0].unwrap() / USD, 37);
}

#[test]
fn what_an_agent_spends_counts_for_the_group_that_it_is_of() {
    let of = |name: &str| BudgetScope::Group { name: name.into() };
    let rules =
        ["red", "blue"].map(|name| BudgetRule { name: name.into(), scope: of(name), ..rule() });
    let mut fleet = fleet(rules);
    fleet.receive(beat("a").group("red"));
    spend(&mut fleet, "a", 1, 30);
    fleet.receive(beat("a").group("blue"));
    spend(&mut fleet, "a", 2, 20);
    let spent: Vec<_> =
        fleet.core.budgets().iter().map(|it| (it.spent / USD, it.members)).collect();
    assert_eq!(spent, [(30, 0), (20, 1)]);
    assert_eq!(fleet.core.unmatched_budgets().collect::<Vec<_>>(), ["red"]);
}

#[test]
fn a_budget_that_stays_as_it_was_keeps_its_sums_and_a_new_limit_is_told() {
    let other = BudgetRule { name: "other".into(), limit: 1_000 * USD, ..rule() };
    let mut fleet = fleet([rule(), other.clone()]);
    spend(&mut fleet, "a", 1, 80);
    fleet.discard_outputs();
    let base = SpendingBase { budget: 0, id: fleet.agent("a").id(), total: 0 };
    let lower = BudgetRule { limit: 90 * USD, ..other };
    let setup =
        BudgetSetup { bases: vec![base], reached: ReachedLevels::Untold, ..setup([lower, rule()]) };
    fleet.handle(Input::Budgets(Box::new(setup)));
    let told: Vec<_> =
        fleet.budget_events().iter().map(|it| (it.budget.to_string(), it.percent)).collect();
    assert_eq!(told, [("other".to_owned(), 75)]);
    let spent: Vec<_> = fleet.core.budgets().iter().map(|it| it.spent / USD).collect();
    assert_eq!(spent, [80, 80]);
}

#[test]
fn who_is_forgotten_leaves_what_it_spent_and_takes_nothing_along() {
    let mut fleet = fleet([fleet_rule()]);
    spend(&mut fleet, "a", 1, 30);
    spend(&mut fleet, "b", 1, 10);
    let request = heartline_fleet::ForgetRequest {
        request_id: 1,
        agents: vec!["a".to_owned()],
        by: "root@desk".into(),
    };
    fleet.handle(Input::Forget(request));
    let budgets = fleet.core.budgets();
    assert_eq!((budgets[0].spent / USD, budgets[0].members), (40, 1));
}

#[test]
fn an_id_that_was_never_live_is_no_member() {
    let mut fleet = fleet([fleet_rule()]);
    fleet.receive(beat("made-up").unconfirmed());
    assert_eq!(fleet.core.budgets()[0].members, 0);
}
