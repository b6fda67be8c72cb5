//! What must hold of the commands that budgets give: whom they kill, and whom they resume.

use std::time::Duration;

use heartline_fleet::{CommandRecord, CommandRow, MonoTime, Output, WriteTicket};
use heartline_vocabulary::{AtLimit, BudgetResume, Reason};

use super::budget_watch::BudgetWatch;
use super::disk::DurableCommand;
use super::violation::{CheckResult, ensure};

/// The newest durable command of an agent.
#[derive(Clone, Debug)]
pub(super) struct ExpectedCommand {
    pub(super) killed: bool,
    /// The budget that gave it.
    policy: Option<usize>,
    /// That was in the window in force.
    is_of_now: bool,
}

/// A command on its way to the disk.
#[derive(Clone, Debug)]
pub(super) struct PendingCommand {
    ids: Vec<i64>,
    /// The budget that gave it, and the number of its window.
    policy: Option<(usize, u32)>,
}

/// How soon after a window has begun its agents are resumed, and again after the disk has refused that.
const RESUMED_WITHIN: (Duration, u32) = (Duration::from_millis(1_500), 3);
/// Of so many members a shared budget kills one in a window.
const MEMBERS_FOR_ONE: usize = 5;

impl BudgetWatch {
    fn policy(&self, cause: Reason, by: &str) -> Option<usize> {
        let name = by.strip_prefix("policy: ").filter(|_| cause == Reason::Policy)?;
        self.spending.budgets.iter().position(|it| &*it.rule.name == name)
    }

    /// Takes in the newest command of an agent from before the collector started.
    pub(super) fn restore_command(&mut self, id: i64, desired: &CommandRecord) {
        let policy = self.policy(desired.cause, &desired.by);
        let is_of_now =
            policy.is_some_and(|budget| desired.at >= self.spending.budgets[budget].window.begins);
        let command = ExpectedCommand { killed: desired.killed, policy, is_of_now };
        self.commands.insert(id, command);
        for (budget, it) in self.spending.budgets.iter().enumerate() {
            // Resumed by an operator although the limit is reached: it was killed, and they have seen it.
            let is_resumed = desired.cause == Reason::Operator
                && !desired.killed
                && desired.at >= it.window.begins
                && it.own(id) > 0
                && it.sum_of(id) >= it.rule.limit;
            if is_resumed || (policy == Some(budget) && is_of_now && desired.killed) {
                self.acted.insert((budget, id));
            }
        }
    }

    /// Takes in a command that was given, and checks it where a policy has.
    pub(super) fn on_command(&mut self, row: &CommandRow, outputs: &[Output]) -> CheckResult {
        let policy = self.policy(row.cause, &row.by);
        ensure!(
            policy.is_some() || row.cause == Reason::Operator,
            "{} is no budget, and has given a command",
            row.by
        );
        let changed = row.targets.iter().filter(|it| it.target.changed);
        let ids: Vec<i64> = changed.map(|it| it.id.0).collect();
        if let Some(budget) = policy {
            ensure!(ids.len() == row.targets.len(), "a command that changes nothing: {row:?}");
            match row.action.kills() {
                true => self.check_kill(budget, &ids, outputs)?,
                false => self.check_resume(budget, &ids)?,
            }
        }
        let policy = policy.map(|budget| (budget, self.spending.budgets[budget].number));
        self.pending.insert(row.ticket.0, PendingCommand { ids, policy });
        Ok(())
    }

    /// Checks a kill: the limit is reached, it hits those that have spent most, and not too many.
    fn check_kill(&self, budget: usize, ids: &[i64], outputs: &[Output]) -> CheckResult {
        let it = &self.spending.budgets[budget];
        let is_own = |id: &i64| {
            self.commands.get(id).is_some_and(|it| it.killed && it.policy == Some(budget))
        };
        // It was not obeyed, or the disk had forgotten it: given again above what the agent reports.
        if ids.iter().all(is_own) {
            return Ok(());
        }
        ensure!(it.rule.at_limit == AtLimit::Kill, "{} does not kill", it.rule.name);
        for id in ids {
            ensure!(self.may_be_killed(budget, *id), "{} kills {id}", it.rule.name);
            let sum = it.sum_of(*id);
            ensure!(sum >= it.rule.limit, "{} kills {id} at {sum}", it.rule.name);
        }
        let is_told = outputs.iter().any(|output| match output {
            Output::Budget(event) => event.budget == it.rule.name,
            _ => false,
        });
        if !it.is_shared() {
            ensure!(ids.len() == 1, "{} kills {ids:?} together", it.rule.name);
            return Ok(());
        }
        ensure!(is_told, "{} kills {ids:?} without a word", it.rule.name);
        let before = self.killed_by(budget);
        let most = (it.members.len() / MEMBERS_FOR_ONE).max(1);
        ensure!(
            before.len() + ids.len() <= most,
            "{} kills {ids:?} after {before:?}, of {} members",
            it.rule.name,
            it.members.len()
        );
        let least = ids.iter().map(|id| it.own(*id)).min().unwrap_or(0);
        for (id, spent) in it.members.iter().filter(|it| !ids.contains(it.0)) {
            let is_spared = !self.may_be_killed(budget, *id);
            ensure!(is_spared || spent.own <= least, "{} spares {id} for {ids:?}", it.rule.name);
        }
        let of_killed: u64 = ids.iter().chain(&before).map(|id| it.own(*id)).sum();
        let excess = it.spent + 1 - it.rule.limit;
        ensure!(
            of_killed - least < excess,
            "{} kills {ids:?} after {before:?}, who have spent {of_killed} of {excess} too many",
            it.rule.name
        );
        Ok(())
    }

    /// Checks a resume: the kill is the budget's own, and of a window before.
    fn check_resume(&self, budget: usize, ids: &[i64]) -> CheckResult {
        let rule = &self.spending.budgets[budget].rule;
        ensure!(rule.resume == BudgetResume::NextWindow, "{} resumes {ids:?}", rule.name);
        for id in ids {
            let is_its_own = self.commands.get(id).is_some_and(|it| it.is_to_be_resumed_by(budget));
            ensure!(is_its_own, "{} resumes {id}: {:?}", rule.name, self.commands.get(id));
            ensure!(!self.is_commanded(*id), "{} resumes {id}, which has a command", rule.name);
        }
        Ok(())
    }

    /// Returns whom a budget has killed in the window in force, or is about to.
    fn killed_by(&self, budget: usize) -> Vec<i64> {
        let number = self.spending.budgets[budget].number;
        let acted = self.acted.iter().filter(|it| it.0 == budget).map(|it| it.1);
        let pending = self.pending.values().filter(|it| it.policy == Some((budget, number)));
        acted.chain(pending.flat_map(|it| it.ids.iter().copied())).collect()
    }

    fn is_commanded(&self, id: i64) -> bool {
        self.pending.values().any(|it| it.ids.contains(&id))
    }

    /// Returns whether a budget may kill an agent: it runs, no command is on its way, and nobody has resumed it since
    /// the budget has killed it.
    fn may_be_killed(&self, budget: usize, id: i64) -> bool {
        let is_killed = self.commands.get(&id).is_some_and(|it| it.killed);
        let is_member = self.spending.budgets[budget].members.contains_key(&id);
        is_member && !is_killed && !self.is_commanded(id) && !self.acted.contains(&(budget, id))
    }

    /// Checks that an agent which has just spent something is killed where its limit is reached.
    pub(super) fn check_killed(&self, id: i64, _: MonoTime) -> CheckResult {
        for (budget, it) in self.spending.budgets.iter().enumerate() {
            let is_used_up = it.rule.at_limit == AtLimit::Kill && it.sum_of(id) >= it.rule.limit;
            if !is_used_up || !it.members.contains_key(&id) {
                continue;
            }
            if !it.is_shared() {
                ensure!(!self.may_be_killed(budget, id), "{} spares {id}", it.rule.name);
            }
        }
        Ok(())
    }

    pub(super) fn on_commands_durable(&mut self, commands: &[DurableCommand]) {
        for command in commands.iter().filter(|it| it.changed) {
            let (id, pending) = (command.id.0, self.pending.get(&command.ticket.0));
            let policy = pending.and_then(|it| it.policy);
            let is_of_now = policy
                .is_some_and(|(budget, number)| self.spending.budgets[budget].number == number);
            let policy = policy.map(|it| it.0);
            if let Some(budget) = policy.filter(|_| command.killed && is_of_now) {
                self.acted.insert((budget, id));
            }
            self.commands.insert(id, ExpectedCommand { killed: command.killed, policy, is_of_now });
            self.end_leases(id);
        }
        let last = commands.iter().map(|it| it.ticket.0).max().unwrap_or(0);
        self.pending.retain(|ticket, _| *ticket > last);
    }

    pub(super) fn on_abandoned(&mut self, ticket: WriteTicket) {
        let pending = self.pending.remove(&ticket.0);
        for id in pending.into_iter().flat_map(|it| it.ids) {
            self.to_resume.remove(&id);
        }
    }

    /// Begins the window of a budget: what it has given was in one before.
    pub(super) fn outdate_commands(&mut self, budget: usize) {
        let of_budget = self.commands.values_mut().filter(|it| it.policy == Some(budget));
        of_budget.for_each(|it| it.is_of_now = false);
    }

    /// Checks, at each tick, that whom a window before has killed is resumed.
    pub(super) fn check_resumed(&mut self, now: MonoTime) -> CheckResult {
        let is_due = |id: i64, it: &ExpectedCommand| {
            let budget = it.policy.filter(|&budget| it.is_to_be_resumed_by(budget));
            let rule = budget.map(|budget| &self.spending.budgets[budget].rule);
            let resumes = rule.is_some_and(|it| it.resume == BudgetResume::NextWindow);
            resumes && !self.is_commanded(id)
        };
        let due: Vec<i64> =
            self.commands.iter().filter(|it| is_due(*it.0, it.1)).map(|it| *it.0).collect();
        self.to_resume.retain(|id, _| due.contains(id));
        for id in due {
            let (since, ticks) = self.to_resume.entry(id).or_insert((now, 0));
            *ticks += 1;
            let is_late = now.since(*since) > RESUMED_WITHIN.0 && *ticks > RESUMED_WITHIN.1;
            ensure!(!is_late, "{id} is not resumed although a window has begun");
        }
        Ok(())
    }
}

impl ExpectedCommand {
    fn is_to_be_resumed_by(&self, budget: usize) -> bool {
        self.killed && self.policy == Some(budget) && !self.is_of_now
    }
}
