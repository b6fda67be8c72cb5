//! Incidents of budgets: one has reached a level of its limit.
//!
//! 1. A budget for each agent has an incident for each agent that reaches a level, a shared budget has one.
//! 2. Every level is told at once, and those by which agents are killed are critical. Only these are repeated until
//!    somebody acknowledges.
//! 3. It takes the routes for budgets of its agents; it is silenced where all of them are.
//! 4. It is over when the budget is below its first level again, as in the next window; when it is not set any more;
//!    when its agent is forgotten; and when an operator has resumed the agent that it killed, who knows of it.

use std::collections::BTreeSet;

use heartline_vocabulary::{AgentStatus, IncidentId, NoticeKind, Reason, ScopeKind, Severity};

use super::cause_interval::CauseInterval;
use super::engine::AlertEngine;
use super::incident::Incident;
use super::routing::is_silenced;
use super::rules::Silence;
use super::scope::Scope;
use super::{AlertEvent, World};
use crate::agent_table::AgentIndex;
use crate::budget_event::{BudgetEffect, BudgetEvent};
use crate::spending::BudgetState;
use crate::time::MonoTime;

/// Between the names of a budget and its agent.
const OF: &str = " of ";

impl AlertEvent {
    /// Returns whether incidents of budgets may be over after it.
    pub(super) fn can_end_budget_incidents(&self) -> bool {
        match self {
            Self::Transition { from, .. } => from.reason == Some(Reason::Policy),
            Self::Forgotten { .. } | Self::BudgetsBegun => true,
            Self::BudgetReached { .. } | Self::Regrouped => false,
        }
    }
}

impl AlertEngine {
    /// Takes in that a budget has reached a level.
    pub(super) fn on_budget(
        &mut self,
        event: &BudgetEvent,
        index: Option<AgentIndex>,
        world: &World<'_>,
        now: MonoTime,
    ) {
        let Some(scope) = scope_of(event, index, world) else { return };
        let open = self.by_scope.get(&scope).and_then(|ids| ids.first().copied());
        let is_for_nobody = || self.budget_routes(&scope, &[], world).is_empty();
        if open.is_none() && !self.rules.routes.is_empty() && is_for_nobody() {
            return;
        }
        let id = open.unwrap_or_else(|| {
            let status = AgentStatus::killed(Reason::Policy);
            let interval = CauseInterval::moment(event.at);
            let id = self.take_id();
            let mut incident = Incident::new(id, scope, interval, (event.at, status));
            incident.severity = Severity::Warning;
            self.insert(incident, now);
            id
        });
        let Some(incident) = self.incidents.get_mut(&id) else { return };
        incident.remark = Some(event.to_string().into());
        if matches!(event.effect, BudgetEffect::Kills { .. }) {
            incident.severity = Severity::Critical;
        }
        incident.news = open.map(|_| NoticeKind::Updated);
        incident.is_dirty = true;
        self.route_budget(id, world);
        self.look_at(id, now);
    }

    /// Finds the routes that an incident of a budget takes.
    pub(super) fn route_budget(&mut self, id: IncidentId, world: &World<'_>) {
        let Some(scope) = self.incidents.get(&id).map(|incident| incident.scope.clone()) else {
            return;
        };
        let routes = self.budget_routes(&scope, &self.silences, world);
        if let Some(incident) = self.incidents.get_mut(&id) {
            incident.routes = routes;
        }
    }

    /// Returns the routes for the agents of a budget that are not silenced.
    fn budget_routes(
        &self,
        scope: &Scope,
        silences: &[Silence],
        world: &World<'_>,
    ) -> BTreeSet<usize> {
        let mut routes = BTreeSet::new();
        for index in agents_of(scope, world) {
            // Nothing more can be found.
            if routes.len() == self.rules.routes.len() {
                break;
            }
            if let Some(agent) = world.agents.get(index)
                && !is_silenced(silences, agent, agent.status)
            {
                let (name, identity) = (agent.name(), agent.identity());
                routes.extend(self.rules.budget_routes_of(name, identity, agent.status));
            }
        }
        routes
    }

    /// Returns whether all agents of a budget are silenced.
    pub(super) fn is_budget_silenced(&self, scope: &Scope, world: &World<'_>) -> bool {
        let mut agents = agents_of(scope, world).peekable();
        agents.peek().is_some()
            && agents.all(|index| {
                let agent = world.agents.get(index);
                agent.is_some_and(|it| is_silenced(&self.silences, it, it.status))
            })
    }

    /// Ends the incidents of budgets that are below their first level.
    pub(super) fn end_budget_incidents(&mut self, world: &World<'_>, now: MonoTime) {
        let of_budgets = self.incidents.values().filter(|it| it.scope.kind == ScopeKind::Budget);
        let over: Vec<(IncidentId, &str)> = of_budgets
            .filter_map(|incident| Some((incident.id, why_over(&incident.scope, world)?)))
            .collect();
        for (id, why) in over {
            let Some(incident) = self.incidents.get_mut(&id) else { continue };
            incident.remark = Some(why.into());
            incident.ended = Some(now);
            incident.is_dirty = true;
            self.look_at(id, now);
        }
    }
}

fn scope_of(event: &BudgetEvent, index: Option<AgentIndex>, world: &World<'_>) -> Option<Scope> {
    let name = match index {
        Some(index) => format!("{}{OF}{}", event.budget, world.agents.get(index)?.name()),
        None => event.budget.to_string(),
    };
    Some(Scope { kind: ScopeKind::Budget, name: name.into() })
}

/// Returns the name of a budget and, of one for each agent, that of the agent.
fn names(scope: &Scope) -> (&str, Option<&str>) {
    match scope.name.split_once(OF) {
        Some((budget, agent)) => (budget, Some(agent)),
        None => (&scope.name, None),
    }
}

fn find<'a>(scope: &Scope, world: &World<'a>) -> Option<&'a BudgetState> {
    let (name, agent) = names(scope);
    let mut budgets = world.context.spending.budgets.iter();
    budgets.find(|it| *it.rule.name == *name && it.rule.is_shared() == agent.is_none())
}

fn agents_of<'a>(scope: &Scope, world: &World<'a>) -> impl Iterator<Item = AgentIndex> + use<'a> {
    let (budget, world) = (find(scope, world), *world);
    let one = names(scope).1.map(|agent| world.agents.find(agent));
    let candidates = one.is_none().then(|| world.agents.indices());
    let is_member = move |index: &AgentIndex| {
        let agent = world.agents.get(*index);
        budget.zip(agent).is_some_and(|(it, agent)| it.rule.matches(agent))
    };
    one.flatten().into_iter().chain(candidates.into_iter().flatten()).filter(is_member)
}

/// Returns why the incident of a budget is over; `None`: it goes on.
fn why_over(scope: &Scope, world: &World<'_>) -> Option<&'static str> {
    let Some(budget) = find(scope, world) else { return Some("the budget is not set any more") };
    let anew = "less than its first level is used: a window has begun, or the limit was raised";
    let Some(agent) = names(scope).1 else {
        return (budget.level_of(budget.spent) == 0).then_some(anew);
    };
    let Some(index) = world.agents.find(agent) else { return Some("the agent was forgotten") };
    let agent = world.agents.get(index)?;
    let spending = &world.context.spending;
    let account = spending.accounts(index).iter().find(|it| {
        spending.budgets.get(usize::from(it.budget)).is_some_and(|it| std::ptr::eq(it, budget))
    });
    let Some(account) = account else { return Some("the agent is not one of the budget any more") };
    if account.is_lifted(agent.is_killed()) {
        return Some("the agent was resumed, and the budget lets it be until its next window");
    }
    (budget.level_of(account.spent(budget, &agent.totals)) == 0).then_some(anew)
}
