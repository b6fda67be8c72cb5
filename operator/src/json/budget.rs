//! `heartline budgets --json`, and the budgets of `agent --json`.

use serde_json::{Value, json};

use super::{SCHEMA, joined, rounded};
use crate::message::{AgentBudget, BudgetStatus, BudgetTarget, BudgetTerms};
use crate::text::timestamp;

/// Returns the document of `budgets --json`, at the collector's time `now_ms`.
pub fn budgets(budgets: &[BudgetStatus], now_ms: i64) -> Value {
    let budgets: Vec<_> = budgets.iter().map(budget_object).collect();
    json!({ "schema": SCHEMA, "at": timestamp(now_ms), "budgets": budgets })
}

fn budget_object(budget: &BudgetStatus) -> Value {
    let top = budget.top.iter().map(|(agent, used)| json!({ "agent": agent, "used": used }));
    joined([
        terms_object(&budget.terms),
        json!({
            "used": budget.used,
            "share": share(budget.used, &budget.terms),
            "agents": budget.agents,
            "top": top.collect::<Vec<_>>(),
        }),
    ])
}

pub(super) fn agent_budget_object(budget: &AgentBudget) -> Value {
    joined([
        terms_object(&budget.terms),
        json!({
            "own": budget.own,
            "used": budget.used,
            "share": share(budget.used, &budget.terms),
            "lifted": budget.is_lifted,
        }),
    ])
}

/// The amounts of cost are nano-dollars.
fn terms_object(terms: &BudgetTerms) -> Value {
    let (scope, of) = match &terms.scope {
        BudgetTarget::Each(pattern) => ("each", Some(pattern)),
        BudgetTarget::Group(name) => ("group", Some(name)),
        BudgetTarget::Fleet => ("fleet", None),
    };
    json!({
        "budget": terms.name,
        "scope": scope,
        "of": of,
        "unit": terms.unit,
        "limit": terms.limit,
        "per": terms.period,
        "from": timestamp(terms.from_ms),
        "to": timestamp(terms.to_ms),
        "at_limit": terms.at_limit,
        "resume": terms.resume,
    })
}

fn share(used: u64, terms: &BudgetTerms) -> f64 {
    rounded(used as f64 / terms.limit.max(1) as f64)
}
