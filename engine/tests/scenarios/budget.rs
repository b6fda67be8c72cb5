//! What is left of a budget (`SPEC.md`, section 12.1).

use heartline_engine::SpendingLimit;
use heartline_protocol::body::Ack;
use heartline_protocol::{BudgetLeft, BudgetUnit};

use crate::scenario::{A, Scenario};

fn ack(durable_segment: u64, unit: BudgetUnit, amount: u64, counts_pending: bool) -> Ack {
    let budget = Some(BudgetLeft { unit, amount, counts_pending });
    Ack { durable_segment, budget, ..Ack::default() }
}

fn limit(scenario: &Scenario) -> Option<(BudgetUnit, u64)> {
    scenario.engine.spending_limit().map(|SpendingLimit { unit, total }| (unit, total))
}

#[test]
fn it_counts_from_the_durable_segment_or_the_one_after_it() {
    let mut scenario = Scenario::live();
    scenario.metrics.open.ok = 5;
    scenario.wait();
    scenario.send();
    scenario.ack(3, A, ack(0, BudgetUnit::Tasks, 9, false));
    assert_eq!(limit(&scenario), Some((BudgetUnit::Tasks, 9)), "the pending one is not counted");
    scenario.wait();
    scenario.send();
    scenario.ack(4, A, ack(0, BudgetUnit::Tasks, 9, true));
    assert_eq!(limit(&scenario), Some((BudgetUnit::Tasks, 14)));
    assert_eq!(scenario.engine.budget_left().map(|left| left.amount), Some(9));
    (scenario.metrics.open.failed, scenario.metrics.open.cost_nano_usd) = (2, 70);
    scenario.metrics.open.tokens_in = 3;
    scenario.wait();
    scenario.send();
    scenario.ack(5, A, ack(1, BudgetUnit::Tasks, 9, false));
    scenario.wait();
    assert_eq!(scenario.send().segment, Some((2, 0)));
    scenario.ack(6, A, ack(1, BudgetUnit::Cost, 100, false));
    assert_eq!(limit(&scenario), Some((BudgetUnit::Cost, 100)));
    assert_eq!(scenario.engine.budget_left().map(|left| left.amount), Some(30));
    scenario.ack(6, A, ack(2, BudgetUnit::Tokens, 4, false));
    assert_eq!(limit(&scenario), Some((BudgetUnit::Tokens, 7)));
    scenario.ack(6, A, ack(2, BudgetUnit::Tasks, 4, false));
    assert_eq!(limit(&scenario), Some((BudgetUnit::Tasks, 11)));
}

#[test]
fn what_is_late_or_unconfirmed_says_nothing_of_it() {
    let mut scenario = Scenario::live();
    scenario.metrics.open.ok = 5;
    scenario.wait();
    scenario.send();
    scenario.ack(3, A, ack(1, BudgetUnit::Tasks, 9, false));
    scenario.ack(3, A, ack(0, BudgetUnit::Tasks, 0, false));
    scenario.ack(3, A, Ack { unconfirmed: true, ..Ack::default() });
    scenario.ack(2, A, ack(1, BudgetUnit::Tasks, 1, false));
    assert_eq!(limit(&scenario), Some((BudgetUnit::Tasks, 14)));
    scenario.ack(3, A, Ack { durable_segment: 1, ..Ack::default() });
    assert_eq!(limit(&scenario), None);
}

#[test]
fn it_goes_along_to_a_session_of_its_own() {
    let mut scenario = Scenario::live();
    scenario.metrics.open.ok = 5;
    scenario.wait();
    scenario.send();
    scenario.ack(3, A, ack(1, BudgetUnit::Tasks, 2, false));
    scenario.engine.begin_session(0x77c0, scenario.now);
    assert_eq!(limit(&scenario), Some((BudgetUnit::Tasks, 7)));
}
