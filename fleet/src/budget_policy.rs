//! Policies that act: what follows when a budget is used up, and when its next window begins.
//!
//! Decision rules, in the order of the code:
//! 1. each level is told once a window, the highest that was reached;
//! 2. at 100 % a budget that kills gives a command as an operator would, durable and audited; not to
//!    agents that are killed, or about to be, nor to those that an operator has resumed since it killed
//!    them in this window;
//! 3. a budget for each agent kills that agent;
//! 4. a shared budget kills those that have spent most, until what they have spent, and those whose kill is on
//!    its way, explains by how much the limit is exceeded; and at most a fifth of its members in a window, one
//!    at least: numbers come from agents, and one of them must not bring its neighbours down;
//! 5. when a window begins, those whose kill is still the budget's own are resumed, if it says so; again where the disk
//!    has refused that, and as soon as it is stored where a kill was given before and stored after.

use std::collections::BTreeMap;
use std::time::Duration;

use heartline_vocabulary::{Action, AgentRowId, BudgetResume, Reason};

use crate::agent::Agent;
use crate::agent_table::AgentIndex;
use crate::alert::AlertEvent;
use crate::budget_event::{BudgetEffect, BudgetEvent, NAMED_MAX};
use crate::budget_rule::{BUDGETS_MAX, BudgetSetup, BudgetWindow, ReachedLevels};
use crate::command::CommandRecord;
use crate::context::AgentMut;
use crate::fleet::Fleet;
use crate::input::CommandRequest;
use crate::output::{CommandRow, Output, WriteTicket};
use crate::reported_state::policy_request_id;
use crate::spending::{BudgetState, FULL, SpendingAccount, SpendingTable};
use crate::time::MonoTime;

/// Inverse of the largest share of a shared budget's members that is killed in a window.
const KILLED_SHARE: u32 = 5;

/// The level of a budget whose end was told perhaps, by a collector that may have ended before it could kill.
const TOLD_UNKILLED: u8 = FULL - 1;

/// Every agent is looked at for somebody to kill: where there was nobody, not for each message again.
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl Fleet {
    /// Replaces all budgets. One that stays as it was keeps its sums.
    pub(crate) fn on_budgets(&mut self, setup: BudgetSetup, now: MonoTime) {
        let BudgetSetup { budgets, bases, reached } = setup;
        let budgets = budgets.into_iter().take(BUDGETS_MAX);
        let budgets = budgets.map(|(rule, window)| BudgetState::new(rule, window)).collect();
        let table = SpendingTable::new(budgets);
        let mut before = std::mem::replace(&mut self.context.spending, table);
        let old = &mut before.budgets;
        let mut kept: BTreeMap<u16, u16> = BTreeMap::new();
        for (budget, state) in (0..).zip(&mut self.context.spending.budgets) {
            let is_same = |it: &BudgetState| {
                it.rule == state.rule && it.window.from_ms == state.window.from_ms
            };
            if let Some(at) = old.iter().position(is_same) {
                let place = BudgetState::new(state.rule.clone(), state.window.clone());
                *state = std::mem::replace(&mut old[at], place);
                // Members are counted anew below.
                state.members = 0;
                kept.insert(budget, u16::try_from(at).unwrap_or(u16::MAX));
            }
        }
        let bases: BTreeMap<(u16, AgentRowId), u64> =
            bases.iter().map(|base| ((base.budget, base.id), base.total)).collect();
        self.for_each_agent(|mut agent| {
            agent.set_accounts(before.accounts(agent.index), &kept, &bases, reached);
        });
        self.for_each_agent(|mut agent| agent.lift_shared(&kept));
        for (budget, state) in (0..).zip(&mut self.context.spending.budgets) {
            let level = state.level_of(state.spent);
            if reached == ReachedLevels::Told && state.rule.is_shared() {
                state.level = level;
            }
            // Whatever has risen is judged: a shared one through any agent. So is what may have been told by a
            // collector that ended before it could kill.
            let may_kill = state.kills() && level == FULL && state.unexplained() > 0;
            if state.rule.is_shared() && (level > state.level || may_kill) {
                self.context.spending.risen.push((budget, AgentIndex(0)));
            }
        }
        self.context.alert_events.push(AlertEvent::BudgetsBegun);
        self.judge_budgets(now);
        for budget in 0..self.context.spending.budgets.len() {
            self.resume_killed(budget, now);
        }
    }

    /// Begins the next window of a budget.
    pub(crate) fn on_budget_window(&mut self, budget: u16, window: BudgetWindow, now: MonoTime) {
        let at = usize::from(budget);
        if let Some(state) = self.context.spending.budgets.get_mut(at) {
            state.begin_window(window, now);
            self.context.alert_events.push(AlertEvent::BudgetsBegun);
            self.resume_killed(at, now);
        }
    }

    /// Judges the budgets whose level has risen.
    pub(crate) fn judge_budgets(&mut self, now: MonoTime) {
        while let Some((budget, index)) = self.context.spending.risen.pop() {
            let Some(state) = self.context.spending.budgets.get(usize::from(budget)) else {
                continue;
            };
            if state.rule.is_shared() {
                self.judge_shared(budget, now);
            } else {
                self.judge_each(budget, index, now);
            }
        }
    }

    fn judge_each(&mut self, budget: u16, index: AgentIndex, now: MonoTime) {
        let Some(agent) = self.agents.get(index) else { return };
        let (is_killable, is_killed) = (agent.is_killable(), agent.is_killed());
        let (mut spent, mut level, mut has_risen, mut kills) = (0, 0, false, false);
        self.context.spending.for_each_account(index, |account, state| {
            if account.budget == budget {
                spent = account.spent(state, &agent.totals);
                level = state.level_of(spent);
                let may_kill = is_killable && !account.is_lifted(is_killed);
                kills = state.kills() && level == FULL && may_kill;
                // What the collector before may have told is told again only with the kill that it could not give.
                let is_told = account.level == TOLD_UNKILLED && !kills;
                has_risen = level > account.level && !is_told;
                if has_risen {
                    account.level = level;
                }
            }
        });
        if !has_risen && !kills {
            return;
        }
        let state = &self.context.spending.budgets[usize::from(budget)];
        let agents = if kills { vec![agent.name.clone()] } else { Vec::new() };
        let event = BudgetEvent {
            agent: Some(agent.id),
            step: agent.step.clone(),
            ..event_of(state, level, spent, agents, now)
        };
        self.tell((budget, Some(index)), event, has_risen, now);
    }

    fn judge_shared(&mut self, budget: u16, now: MonoTime) {
        let state = &self.context.spending.budgets[usize::from(budget)];
        let (spent, level) = (state.spent, state.level_of(state.spent));
        let has_risen = level > state.level;
        let kills = state.kills() && level == FULL && state.unexplained() > 0;
        if !has_risen && (!kills || now < state.look_again_at) {
            return;
        }
        let mut top = self.spenders(budget);
        let state = &mut self.context.spending.budgets[usize::from(budget)];
        state.level = state.level.max(level);
        let agents = if kills { state.to_kill(&top) } else { Vec::new() };
        if kills && agents.is_empty() {
            state.look_again_at = now + LOOK_EVERY;
        }
        if !has_risen && agents.is_empty() {
            return;
        }
        top.truncate(NAMED_MAX);
        let event = BudgetEvent {
            top: top.into_iter().map(|it| (it.agent, it.spent)).collect(),
            ..event_of(state, level, spent, agents, now)
        };
        self.tell((budget, None), event, has_risen, now);
    }

    /// Tells an event, and kills the agents that it names.
    fn tell(
        &mut self,
        (budget, index): (u16, Option<AgentIndex>),
        event: BudgetEvent,
        has_risen: bool,
        now: MonoTime,
    ) {
        if let BudgetEffect::Kills { agents, .. } = &event.effect {
            let (names, reason) = (agents.clone(), event.to_string());
            self.give_command(budget, Action::Kill, &names, &reason, now);
        }
        // A kill that could not be stored is given again, and told once.
        if has_risen || event.agent.is_none() {
            let told = AlertEvent::BudgetReached { event: Box::new(event.clone()), index };
            self.context.alert_events.push(told);
            self.context.outputs.push_back(Output::Budget(Box::new(event)));
        }
    }

    /// Resumes the agents that a window before the one in force has killed, and nobody else since. They are kept
    /// until that is stored.
    fn resume_killed(&mut self, budget: usize, now: MonoTime) {
        let Some(state) = self.context.spending.budgets.get_mut(budget) else { return };
        let by = state.rule.by();
        let resumes = state.rule.resume == BudgetResume::NextWindow;
        let mut to_resume = std::mem::take(&mut state.to_resume);
        let mut names = Vec::new();
        to_resume.retain(|id, index| {
            let agent = self.agents.get(*index).filter(|agent| agent.id == *id);
            let is_its_own =
                |agent: &&Agent| agent.desired.as_ref().is_some_and(|kill| kill.is_kill_by(&by));
            let Some(agent) = agent.filter(|agent| resumes && is_its_own(agent)) else {
                return false;
            };
            // Whoever gives a command decides; if it is not stored, this is looked at again.
            if !agent.is_commanded() {
                names.push(agent.name.clone());
            }
            true
        });
        self.context.spending.budgets[budget].to_resume = to_resume;
        if !names.is_empty() {
            let budget = u16::try_from(budget).unwrap_or(u16::MAX);
            let reason = "the next window of the budget has begun";
            self.give_command(budget, Action::Resume, &names, reason, now);
        }
    }

    /// Has agents resumed again, as a command was not stored.
    pub(crate) fn resume_killed_again(&mut self, now: MonoTime) {
        self.context.spending.resume_at = Some(now + LOOK_EVERY);
    }

    /// Resumes whom windows before have killed, if that is due.
    pub(crate) fn resume_overdue(&mut self, now: MonoTime) {
        if self.context.spending.resume_at.take_if(|at| *at <= now).is_none() {
            return;
        }
        for budget in 0..self.context.spending.budgets.len() {
            self.resume_killed(budget, now);
        }
    }

    fn give_command(
        &mut self,
        budget: u16,
        action: Action,
        agents: &[Box<str>],
        reason: &str,
        now: MonoTime,
    ) {
        let first = agents.first().and_then(|agent| self.agents.find(agent));
        let Some(first) = first.and_then(|index| self.agents.get(index)) else { return };
        let rule = &self.context.spending.budgets[usize::from(budget)].rule;
        let request = CommandRequest {
            request_id: policy_request_id(self.context.control, first.id.0, first.generation + 1),
            action,
            cause: Reason::Policy,
            agents: agents.iter().map(ToString::to_string).collect(),
            reason: reason.into(),
            by: rule.by(),
            expect: u32::try_from(agents.len()).ok(),
        };
        self.on_command(request, now);
    }

    /// Returns the members of a budget that have spent anything of it, most first.
    pub(crate) fn spenders(&self, budget: u16) -> Vec<Spender> {
        let Some(state) = self.context.spending.budgets.get(usize::from(budget)) else {
            return Vec::new();
        };
        let spender = |(index, agent): (AgentIndex, &Agent)| {
            let accounts = self.context.spending.accounts(index);
            let account = accounts.iter().find(|it| it.budget == budget)?;
            let spent = account.spent(state, &agent.totals);
            let is_killable = agent.is_killable() && !account.is_lifted(agent.is_killed());
            let is_commanded = agent.is_commanded();
            let spender =
                || Spender { agent: agent.name.clone(), spent, is_killable, is_commanded };
            (spent > 0).then(spender)
        };
        let mut spenders: Vec<Spender> = self.agents().filter_map(spender).collect();
        spenders.sort_by(|a, b| b.spent.cmp(&a.spent).then_with(|| a.agent.cmp(&b.agent)));
        spenders
    }
}

/// A member of a budget that has spent something of it.
#[derive(Clone, Debug)]
pub(crate) struct Spender {
    pub(crate) agent: Box<str>,
    pub(crate) spent: u64,
    is_killable: bool,
    /// A command is on its way.
    is_commanded: bool,
}

impl BudgetState {
    /// Returns whom a shared budget that is used up kills, of those that have spent most of it.
    fn to_kill(&self, top: &[Spender]) -> Vec<Box<str>> {
        let commanded = || top.iter().filter(|it| it.is_commanded);
        let so_far = self.killed.len() + commanded().count();
        let most = usize::try_from((self.members / KILLED_SHARE).max(1)).unwrap_or(usize::MAX);
        let mut explained: u64 = commanded().map(|it| it.spent).sum();
        let killable = top.iter().filter(|it| it.is_killable).take(most.saturating_sub(so_far));
        let needed = killable.take_while(|spender| {
            let is_needed = explained < self.unexplained();
            explained = explained.saturating_add(spender.spent);
            is_needed
        });
        needed.map(|it| it.agent.clone()).collect()
    }
}

impl Agent {
    /// Returns whether a kill would change anything: it is not killed, and no command is on its way.
    fn is_killable(&self) -> bool {
        !self.is_killed() && !self.is_commanded()
    }

    fn is_commanded(&self) -> bool {
        self.generation > self.durable_generation()
    }
}

impl AgentMut<'_> {
    /// Opens the accounts of budgets that were set, with what was spent before.
    fn set_accounts(
        &mut self,
        old: &[SpendingAccount],
        kept: &BTreeMap<u16, u16>,
        bases: &BTreeMap<(u16, AgentRowId), u64>,
        reached: ReachedLevels,
    ) {
        let agent = &*self.agent;
        let last = self.context.uncommitted_work.last_ticket();
        let table = &mut self.context.spending;
        let mut accounts = Vec::new();
        for (budget, state) in (0..).zip(&mut table.budgets) {
            let desired = agent.desired.as_deref();
            let kill = desired.filter(|it| it.is_kill_by(&state.rule.by()));
            if let Some(kill) = kill.filter(|_| !kept.contains_key(&budget)) {
                let is_of_now = kill.at >= state.window.begins;
                let of_kill = if is_of_now { &mut state.killed } else { &mut state.to_resume };
                of_kill.insert(agent.id, self.index);
            }
            if !agent.is_stored || !state.rule.matches(agent) {
                continue;
            }
            state.members += 1;
            let was = kept.get(&budget).and_then(|was| old.iter().find(|it| it.budget == *was));
            if let Some(was) = was {
                accounts.push(was.renumbered(budget));
                continue;
            }
            let total = state.rule.unit.of(&agent.totals);
            let base = bases.get(&(budget, agent.id)).copied();
            let after = if base.is_some() { WriteTicket(0) } else { last };
            let base = base.unwrap_or(total).min(total);
            let mut account = SpendingAccount::new(budget, state, base, after);
            let spent = account.spent(state, &agent.totals);
            if !kept.contains_key(&budget) {
                state.spent = state.spent.saturating_add(spent);
            }
            if let Some(kill) = kill {
                account.has_acted = kill.at >= state.window.begins;
                state.explained = state.explained.saturating_add(spent);
            }
            let is_used_up = !state.rule.is_shared() && spent >= state.rule.limit;
            account.has_acted |= is_used_up && is_resumed_since(desired, state.window.begins);
            if !state.rule.is_shared() {
                if reached == ReachedLevels::Told {
                    let is_handled = account.has_acted || agent.is_killed();
                    let level = state.level_of(spent);
                    account.level = if is_handled { level } else { told_level(state, spent) };
                }
                if state.level_of(spent) > account.level {
                    table.risen.push((budget, self.index));
                }
            }
            accounts.push(account);
        }
        table.set_accounts(self.index, accounts);
    }

    /// Lets a shared budget that was used up before the collector started be lifted, as it was, for an agent that an
    /// operator has resumed.
    fn lift_shared(&mut self, kept: &BTreeMap<u16, u16>) {
        let (id, index) = (self.agent.id, self.index);
        let (totals, desired) = (&self.agent.totals, self.agent.desired.as_deref());
        self.context.spending.for_each_account(index, |account, state| {
            let spent = account.spent(state, totals);
            let is_used_up = state.spent >= state.rule.limit && spent > 0;
            let is_new = state.rule.is_shared() && !kept.contains_key(&account.budget);
            if is_new && is_used_up && is_resumed_since(desired, state.window.begins) {
                account.has_acted = true;
                state.explained = state.explained.saturating_add(spent);
                state.killed.insert(id, index);
            }
        });
    }

    /// Records a kill by a budget that has become durable: of the window in force, unless it was given before.
    pub(crate) fn record_budget_kill(&mut self, command: &CommandRow) {
        if command.cause != Reason::Policy || !command.action.kills() {
            return;
        }
        let (id, index, totals) = (self.agent.id, self.index, &self.agent.totals);
        let last = self.context.uncommitted_work.last_ticket();
        let table = &mut self.context.spending;
        table.for_each_account(index, |account, state| {
            if state.rule.by() == command.by && command.at >= state.in_force_since {
                account.roll(state, state.rule.unit.of(totals), last);
                account.has_acted = true;
                let spent = account.spent(state, totals);
                state.explained = state.explained.saturating_add(spent);
            }
        });
        for state in table.budgets.iter_mut().filter(|it| it.rule.by() == command.by) {
            if command.at >= state.in_force_since {
                state.killed.insert(id, index);
                state.to_resume.remove(&id);
            } else {
                state.to_resume.insert(id, index);
                table.resume_at = Some(command.at);
            }
        }
    }
}

/// Returns whether an operator has resumed an agent in the window that began then: they have seen that it was killed.
fn is_resumed_since(desired: Option<&CommandRecord>, begins: MonoTime) -> bool {
    desired.is_some_and(|it| !it.killed && it.at >= begins && it.cause == Reason::Operator)
}

/// Returns the level that the collector before has told. It may have ended before it could kill.
fn told_level(state: &BudgetState, spent: u64) -> u8 {
    let level = state.level_of(spent);
    if state.kills() { level.min(TOLD_UNKILLED) } else { level }
}

fn event_of(
    state: &BudgetState,
    percent: u8,
    spent: u64,
    agents: Vec<Box<str>>,
    at: MonoTime,
) -> BudgetEvent {
    let rule = &state.rule;
    let effect = match (agents.is_empty(), state.kills() && percent < FULL) {
        (false, _) => {
            BudgetEffect::Kills { agents, resumes: rule.resume == BudgetResume::NextWindow }
        }
        (true, true) => BudgetEffect::WillKill,
        (true, false) => BudgetEffect::Told,
    };
    BudgetEvent {
        at,
        budget: rule.name.clone(),
        scope: rule.scope.clone(),
        agent: None,
        unit: rule.unit,
        period: rule.period,
        percent,
        spent,
        limit: rule.limit,
        window_ends: state.window.ends.clone(),
        effect,
        top: Vec::new(),
        step: None,
    }
}
