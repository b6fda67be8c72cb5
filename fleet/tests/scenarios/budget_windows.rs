//! Budgets where something comes between: a disk that refuses, a window that begins, a start of the collector.

use heartline_fleet::{
    BudgetEffect, BudgetRule, BudgetScope, BudgetSetup, CommandRecord, ControlDbRow, Input, Output,
    RestoredAgent, SpendingBase, WriteTicket,
};
use heartline_vocabulary::{Action, BudgetResume, Reason, SharedIdentity};

use crate::spending::{
    USD, base, fleet, fleet_rule, killed_by_policy, left, rule, setup, spend, spent_before, window,
};
use crate::test_fleet::{START, TestFleet};
use crate::test_message::beat;

fn abandon(fleet: &mut TestFleet, ticket: u64) {
    fleet.handle(Input::Abandoned { ticket: WriteTicket(ticket), why: "disk full".into() });
    fleet.discard_outputs();
}

#[test]
fn a_resume_that_could_not_be_stored_is_given_again() {
    let mut fleet = fleet([rule()]);
    spend(&mut fleet, "a", 1, 100);
    fleet.confirm_commands();
    fleet.advance_ms(1_000);
    fleet.handle(Input::BudgetWindow { budget: 0, window: window(1_000) });
    abandon(&mut fleet, 2);
    fleet.advance_ms(2_000);
    assert_eq!(fleet.commands(), ["resume a by policy: daily"], "once, as it is on its way");
}

#[test]
fn a_resume_follows_where_the_kill_of_an_operator_was_not_stored() {
    let mut fleet = fleet([rule()]);
    spend(&mut fleet, "a", 1, 100);
    fleet.confirm_commands();
    fleet.advance_ms(1_000);
    fleet.command(Action::Kill, "a");
    fleet.discard_outputs();
    fleet.handle(Input::BudgetWindow { budget: 0, window: window(1_000) });
    assert_eq!(fleet.commands(), [""; 0], "the operator decides");
    abandon(&mut fleet, 2);
    fleet.advance_ms(2_000);
    assert_eq!(fleet.commands(), ["resume a by policy: daily"]);
}

#[test]
fn a_kill_that_is_stored_after_its_window_is_undone_at_once() {
    let mut fleet = fleet([rule()]);
    spend(&mut fleet, "a", 1, 100);
    fleet.advance_ms(1_000);
    fleet.handle(Input::BudgetWindow { budget: 0, window: window(1_000) });
    fleet.discard_outputs();
    fleet.handle(Input::ControlCommitted { ticket: WriteTicket(1) });
    fleet.advance_ms(500);
    assert_eq!(fleet.commands(), ["resume a by policy: daily"]);
}

fn grouped(mut agent: RestoredAgent, group: &str) -> RestoredAgent {
    let identity = SharedIdentity { group: Some(group.into()), ..SharedIdentity::default() };
    agent.identity = Some(identity.into());
    agent
}

#[test]
fn who_has_left_the_group_of_a_budget_is_resumed_after_a_start_too() {
    let rule = BudgetRule { scope: BudgetScope::Group { name: "mail".into() }, ..rule() };
    let agents = vec![grouped(killed_by_policy(spent_before("a", 7, 0), 2_000), "other")];
    let mut setup = setup([rule]);
    setup.budgets[0].1.begins = START.minus_millis(1_000);
    let mut fleet = TestFleet::with_budgets(setup, agents);
    assert_eq!(fleet.commands(), ["resume a by policy: daily"]);
}

#[test]
fn a_start_does_not_tell_again_that_a_shared_budget_is_used_up() {
    let agents = vec![killed_by_policy(spent_before("a", 7, 100), 0), spent_before("b", 8, 50)];
    let setup = BudgetSetup { bases: vec![base(7), base(8)], ..setup([fleet_rule()]) };
    let mut fleet = TestFleet::with_budgets(setup, agents);
    assert_eq!(fleet.budget_events(), []);
}

#[test]
fn a_start_tells_the_end_of_a_budget_again_only_with_the_kill_that_it_gives() {
    let hour = BudgetRule { name: "hourly".into(), ..rule() };
    let bases = vec![base(7), SpendingBase { budget: 1, ..base(7) }];
    let setup = BudgetSetup { bases, ..setup([rule(), hour]) };
    let mut fleet = TestFleet::with_budgets(setup, vec![spent_before("a", 7, 100)]);
    let told = |output: &Output| match output {
        Output::Budget(event) => Some(event.budget.to_string()),
        _ => None,
    };
    let told: Vec<_> = fleet.outputs_so_far().iter().filter_map(told).collect();
    assert_eq!(told, ["hourly"]);
    assert_eq!(fleet.commands(), ["kill a by policy: hourly"]);
}

#[test]
fn a_start_kills_for_a_shared_budget_what_the_collector_before_could_not() {
    let agents = vec![spent_before("a", 7, 100), spent_before("b", 8, 50)];
    let setup = BudgetSetup { bases: vec![base(7), base(8)], ..setup([fleet_rule()]) };
    let mut fleet = TestFleet::with_budgets(setup, agents);
    let kills = |output: &&Output| matches!(output, Output::Budget(it) if matches!(it.effect, BudgetEffect::Kills { .. }));
    assert_eq!(fleet.outputs_so_far().iter().filter(kills).count(), 1);
    assert_eq!(fleet.commands(), ["kill a by policy: daily"]);
}

#[test]
fn an_operator_who_has_resumed_lifts_a_shared_budget_also_after_a_start() {
    let mut resumed = killed_by_policy(spent_before("a", 7, 60), 0);
    let kill = resumed.desired.take().unwrap();
    let resume =
        CommandRecord { killed: false, cause: Reason::Operator, by: "root@desk".into(), ..*kill };
    resumed.desired = Some(Box::new(resume));
    let setup = BudgetSetup { bases: vec![base(7), base(8)], ..setup([fleet_rule()]) };
    let mut fleet = TestFleet::with_budgets(setup, vec![resumed, spent_before("b", 8, 50)]);
    assert_eq!(fleet.commands(), [""; 0], "what it has spent explains the excess");
    fleet.receive(beat("a").session(2).spends(1, USD));
    assert_eq!(fleet.commands(), [""; 0]);
}

#[test]
fn what_a_killed_agent_still_ends_kills_nobody_else() {
    let mut fleet = fleet([fleet_rule()]);
    for agent in ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"] {
        spend(&mut fleet, agent, 1, 4);
    }
    spend(&mut fleet, "a", 2, 61);
    fleet.confirm_commands();
    fleet.discard_outputs();
    // Tasks in flight end: 80 are too many by now, and all by the one that is killed.
    spend(&mut fleet, "a", 3, 79);
    spend(&mut fleet, "b", 2, 0);
    assert_eq!(fleet.commands(), [""; 0]);
}

#[test]
fn work_of_a_window_before_that_was_known_takes_nothing_from_the_one_in_force() {
    let mut fleet = fleet([rule(), fleet_rule()]);
    fleet.receive(beat("a").spends(1, 40 * USD));
    for budget in 0..2 {
        fleet.handle(Input::BudgetWindow { budget, window: window(1_000) });
    }
    fleet.receive(beat("a").spends(2, 10 * USD));
    fleet.handle(Input::HistoryCommitted { ticket: WriteTicket(2), known: vec![WriteTicket(1)] });
    let spent: Vec<_> = fleet.core.budgets().iter().map(|budget| budget.spent / USD).collect();
    assert_eq!(spent, [10, 10]);
}

#[test]
fn of_two_budgets_of_one_unit_the_one_is_told_of_which_less_is_left() {
    let day = BudgetRule { resume: BudgetResume::Never, ..rule() };
    let hour = BudgetRule { name: "hourly".into(), limit: 10 * USD, ..rule() };
    let mut fleet = fleet([day, hour]);
    spend(&mut fleet, "a", 1, 60);
    fleet.discard_outputs();
    fleet.handle(Input::Abandoned { ticket: WriteTicket(1), why: "disk full".into() });
    fleet.handle(Input::BudgetWindow { budget: 1, window: window(1_000) });
    spend(&mut fleet, "a", 2, 4);
    // 36 of 100, and 6 of 10.
    assert_eq!(left(&mut fleet).last(), Some(&Some(6 * USD)));
}

/// A copy of the database was restored that lacks a kill, and a window begins before the agent is heard.
#[test]
fn a_kill_is_adopted_of_the_generation_at_which_a_policy_has_resumed() {
    let agents = vec![killed_by_policy(spent_before("a", 7, 0), 2_000)];
    let mut setup = setup([rule()]);
    setup.budgets[0].1.begins = START.minus_millis(1_000);
    let mut fleet = TestFleet::with_budgets(setup, agents);
    fleet.confirm_commands();
    let requests = |fleet: &mut TestFleet| -> Vec<(u64, u64)> {
        let row = |output| match output {
            Output::WriteControl(ControlDbRow::Command(row)) => Some(row),
            _ => None,
        };
        let rows = fleet.outputs().into_iter().filter_map(row);
        rows.map(|row| (row.request_id, row.targets[0].target.generation)).collect()
    };
    let resumed = requests(&mut fleet);
    fleet.receive(beat("a").session(2).killed(4));
    let adopted = requests(&mut fleet);
    assert_eq!((resumed[0].1, adopted[0].1), (4, 4));
    assert_ne!(resumed[0].0, adopted[0].0, "the database would refuse it as a repetition");
}
