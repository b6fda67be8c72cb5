//! What must hold of budgets, whatever happens: sums, levels, and what acks say is left.

use std::collections::{BTreeMap, BTreeSet};

use heartline_fleet::{
    Agent, BudgetEffect, BudgetEvent, BudgetSetup, ControlDbRow, Fleet, HistoryDbRow, MonoTime,
    OutgoingAck, Output, RestoredAgent,
};
use heartline_vocabulary::{AtLimit, Reason, SessionEnd};

use super::budget_commands::{ExpectedCommand, PendingCommand};
use super::disk::{SimDisk, StoredWork};
use super::expected_spending::{ExpectedBudget, ExpectedSpending};
use super::violation::{CheckResult, ensure};

/// A budget, and the agent, where it is for each by itself.
type Spender = (usize, Option<i64>);

/// Watches one start of the collector.
#[derive(Debug, Default)]
pub(super) struct BudgetWatch {
    pub(super) spending: ExpectedSpending,
    /// The level that was told last in the window in force.
    told: BTreeMap<Spender, u8>,
    /// Budgets and agents that they have killed in the window in force, and not those before.
    pub(super) acted: BTreeSet<(usize, i64)>,
    /// The newest durable command of each agent.
    pub(super) commands: BTreeMap<i64, ExpectedCommand>,
    /// Commands on their way to the disk, by ticket.
    pub(super) pending: BTreeMap<u64, PendingCommand>,
    /// Agents that a policy is to resume, since when, and the number of ticks since then.
    pub(super) to_resume: BTreeMap<i64, (MonoTime, u32)>,
    /// What each member was told that it may spend of a shared budget, and has not spent.
    leases: BTreeMap<(usize, i64), u64>,
    /// Sums may have changed since they were checked.
    pub(super) has_changed: bool,
}

impl BudgetWatch {
    /// Takes in what a new start of the collector goes on with.
    pub(super) fn on_collector_start(
        &mut self,
        setup: &BudgetSetup,
        restored: &[RestoredAgent],
        disk: &SimDisk,
    ) {
        *self = Self { has_changed: true, ..Self::default() };
        let budgets = setup.budgets.iter().cloned();
        self.spending.budgets =
            budgets.map(|(rule, window)| ExpectedBudget::new(rule, window)).collect();
        for budget in 0..setup.budgets.len() {
            self.restore_budget(budget, restored, disk);
        }
        for agent in restored {
            if let Some(desired) = &agent.desired {
                self.restore_command(agent.id.0, desired);
            }
        }
    }

    fn restore_budget(&mut self, budget: usize, restored: &[RestoredAgent], disk: &SimDisk) {
        for agent in restored {
            let it = &self.spending.budgets[budget];
            if it.has(&agent.agent, agent.identity.as_ref()) {
                let since = disk.history.work_since(agent.id.0, it.window.from_ms);
                let own = it.rule.unit.of(&since);
                self.spending.budgets[budget].spent += own;
                self.spending.join(budget, agent.id.0, own);
            }
        }
        let it = &self.spending.budgets[budget];
        let members = it.members.keys().map(|&id| Some(id));
        let spenders: Vec<_> = if it.is_shared() { vec![None] } else { members.collect() };
        for agent in spenders {
            let reached = it.level_of(agent.map_or(it.spent, |id| it.own(id)));
            // What is reached without a word was told before by another sum, as that of a group that had other
            // members.
            let told = disk.history.told(&it.rule.name, agent, &it.window.ends);
            let assumed = if it.rule.at_limit == AtLimit::Kill { reached.min(90) } else { reached };
            self.told.insert((budget, agent), told.max(assumed).min(reached));
        }
    }

    /// Begins a window.
    pub(super) fn begin_window(&mut self, budget: usize, window: heartline_fleet::BudgetWindow) {
        self.spending.begin_window(budget, window);
        self.told.retain(|spender, _| spender.0 != budget);
        self.leases.retain(|lease, _| lease.0 != budget);
        self.acted.retain(|acted| acted.0 != budget);
        self.outdate_commands(budget);
        self.has_changed = true;
    }

    pub(super) fn on_stored(&mut self, stored: &StoredWork) {
        let known: Vec<u64> = stored.known.iter().map(|it| it.0).collect();
        self.has_changed |= !known.is_empty();
        self.spending.on_stored(stored.ticket.0, &known);
    }

    /// Checks the outputs of an input.
    pub(super) fn check_outputs(
        &mut self,
        outputs: &[Output],
        fleet: &Fleet,
        now: MonoTime,
    ) -> CheckResult {
        if self.spending.budgets.is_empty() {
            return Ok(());
        }
        self.spending.take_members(fleet, false);
        let mut workers = Vec::new();
        for output in outputs {
            if let Output::WriteHistory(HistoryDbRow::Work(row)) = output {
                self.spending.add(row);
                workers.push(row.id.0);
                self.spend_leases(row);
                self.has_changed = true;
            }
        }
        self.spending.take_members(fleet, true);
        let budgets = &self.spending.budgets;
        self.leases.retain(|(budget, id), _| budgets[*budget].members.contains_key(id));
        // What a forgotten one has done is not held against its successor.
        self.acted.retain(|(_, id)| fleet.agents().any(|(_, agent)| agent.id().0 == *id));
        for output in outputs {
            match output {
                Output::WriteHistory(HistoryDbRow::SessionEnded { id, end, .. })
                    if *end != SessionEnd::Superseded =>
                {
                    self.end_leases(id.0);
                }
                Output::WriteControl(ControlDbRow::Command(row)) => {
                    self.on_command(row, outputs)?;
                }
                Output::Budget(event) => self.on_event(event)?,
                Output::Ack(ack) if !self.has_changed || !workers.is_empty() => {
                    if let Some(agent) = fleet.agent(ack.index) {
                        self.check_ack(ack, agent)?;
                    }
                }
                _ => {}
            }
        }
        if std::mem::take(&mut self.has_changed) {
            self.spending.check(fleet)?;
            self.check_told()?;
        }
        workers.into_iter().try_for_each(|id| self.check_killed(id, now))
    }

    /// Checks an event: a level is told when it is reached, and once a window.
    fn on_event(&mut self, event: &BudgetEvent) -> CheckResult {
        let budget = self.budget(&event.budget)?;
        let it = &self.spending.budgets[budget];
        let spender = (budget, event.agent.map(|id| id.0));
        let spent = spender.1.map_or(it.spent, |id| it.own(id));
        ensure!(spender.1.is_none() == it.is_shared(), "{event}: told of the wrong one");
        ensure!(event.spent == spent, "{event}: told with {}, not {spent}", event.spent);
        ensure!(event.percent == it.level_of(spent), "{event}: told as {} %", event.percent);
        let told = self.told.insert(spender, event.percent).unwrap_or(0);
        let kills = matches!(event.effect, BudgetEffect::Kills { .. });
        ensure!(
            event.percent > told || (kills && told == 100 && event.percent == 100),
            "{event}: {} % of {spender:?} are told after {told} %",
            event.percent
        );
        Ok(())
    }

    /// Checks that what is reached was told.
    fn check_told(&self) -> CheckResult {
        for (budget, it) in self.spending.budgets.iter().enumerate() {
            let members = it.members.keys().map(|&id| Some(id));
            let spenders: Vec<_> = if it.is_shared() { vec![None] } else { members.collect() };
            for agent in spenders {
                let reached = it.level_of(agent.map_or(it.spent, |id| it.own(id)));
                let told = self.told.get(&(budget, agent)).copied().unwrap_or(0);
                // That it kills at the end of its limit is checked for itself.
                let reached =
                    if it.rule.at_limit == AtLimit::Kill { reached.min(90) } else { reached };
                ensure!(reached <= told, "{reached} % of {budget} by {agent:?}, told are {told} %");
            }
        }
        Ok(())
    }

    fn spend_leases(&mut self, row: &heartline_fleet::WorkRow) {
        for (budget, it) in self.spending.budgets.iter().enumerate() {
            if let Some(lease) = self.leases.get_mut(&(budget, row.id.0)) {
                *lease = lease.saturating_sub(it.rule.unit.of(&row.work));
            }
        }
    }

    /// Checks what an ack says that is left.
    fn check_ack(&mut self, ack: &OutgoingAck, agent: &Agent) -> CheckResult {
        let id = agent.id().0;
        let told = ack.ack.budget;
        // An emitter knows of one budget, the one that it was told of last.
        if !ack.ack.unconfirmed {
            self.end_leases(id);
        }
        let is_killed = self.commands.get(&id).is_some_and(|it| it.killed);
        ensure!(told.is_none() || !is_killed, "{} is killed and told {told:?}", agent.name());
        let (budgets, acted) = (&self.spending.budgets, &self.acted);
        let kills = |&(at, it): &(usize, &ExpectedBudget)| {
            let is_member = it.members.contains_key(&id) && !acted.contains(&(at, id));
            it.rule.at_limit == AtLimit::Kill && is_member
        };
        let mut of_each = budgets.iter().enumerate().filter(kills).filter(|it| !it.1.is_shared());
        let mut shared: Vec<_> =
            budgets.iter().enumerate().filter(kills).filter(|it| it.1.is_shared()).collect();
        let Some(told) = told else {
            let has_ended = matches!(
                agent.status().reason,
                Some(Reason::Shutdown | Reason::Crashed | Reason::Operator | Reason::Policy)
            );
            let says_nothing = ack.ack.unconfirmed || is_killed || has_ended;
            let unsaid = of_each.next().map(|it| it.0);
            ensure!(unsaid.is_none() || says_nothing, "{} is not told {unsaid:?}", agent.name());
            return Ok(());
        };
        let left = |it: &ExpectedBudget| it.rule.limit.saturating_sub(it.sum_of(id));
        let mut of_unit = of_each.filter(|it| it.1.rule.unit == told.unit).map(|it| left(it.1));
        let least = of_unit.clone().min();
        ensure!(
            least.is_none_or(|least| told.amount <= least),
            "{} is told {told:?}, and {least:?} are left",
            agent.name()
        );
        shared.retain(|it| it.1.rule.unit == told.unit);
        let is_of_each = of_unit.any(|left| left == told.amount);
        let is_shared = shared.iter().any(|it| told.amount <= left(it.1));
        ensure!(is_of_each || is_shared, "{} is told {told:?}: of what?", agent.name());
        if let ([(budget, it)], None) = (&shared[..], least) {
            self.leases.insert((*budget, id), told.amount);
            let others = self.leases.iter().filter(|lease| lease.0.0 == *budget);
            let leased: u64 = others.map(|lease| lease.1).sum();
            ensure!(
                told.amount == 0 || leased <= left(it),
                "{} are told of {} when {} are left",
                leased,
                it.rule.name,
                left(it)
            );
        }
        Ok(())
    }

    /// Gives back what an agent was told that it may spend.
    pub(super) fn end_leases(&mut self, id: i64) {
        self.leases.retain(|lease, _| lease.1 != id);
    }

    pub(super) fn budget(&self, name: &str) -> CheckResult<usize> {
        let at = self.spending.budgets.iter().position(|it| &*it.rule.name == name);
        ensure!(at.is_some(), "there is no budget {name}");
        Ok(at.unwrap_or_default())
    }
}
