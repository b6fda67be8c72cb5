//! What agents have spent of their budgets: exact sums of the windows in force.
//!
//! 1. An agent's own sum is the difference of its totals to what they were when the window began. So a
//!    segment counts as often as in the totals: once, and not at all where it was known before.
//! 2. A window that has begun shows in its number: an account that has another one is as of before, and
//!    begins anew from the totals that it finds, which nothing has changed in between.
//! 3. The sum of a shared budget is kept beside its members, and stays when one leaves.

use std::collections::BTreeMap;

use heartline_vocabulary::{AgentRowId, AtLimit, WorkTotals};

use crate::agent_table::AgentIndex;
use crate::budget_rule::{BudgetRule, BudgetWindow};
use crate::context::AgentMut;
use crate::output::WriteTicket;
use crate::time::MonoTime;

/// The levels that are told, in percent of the limit.
const LEVELS: [u8; 3] = [75, 90, FULL];
/// The level at which a budget is used up.
pub(crate) const FULL: u8 = 100;

/// All budgets, and those whose level has risen and is to be judged.
#[derive(Debug, Default)]
pub(crate) struct SpendingTable {
    pub(crate) budgets: Vec<BudgetState>,
    /// The accounts of each agent, by its index: one for each budget that it is a member of. Without any
    /// budget there is nothing here.
    accounts: Vec<Vec<SpendingAccount>>,
    /// Budgets with the agent that spent last.
    pub(crate) risen: Vec<(u16, AgentIndex)>,
    /// When to resume again whom windows before have killed, as that could not be done.
    pub(crate) resume_at: Option<MonoTime>,
}

/// One budget, with what its members have spent together.
#[derive(Debug)]
pub(crate) struct BudgetState {
    pub(crate) rule: BudgetRule,
    pub(crate) window: BudgetWindow,
    /// Counts windows.
    pub(crate) window_number: u32,
    /// Commands that were given before are of a window before.
    pub(crate) in_force_since: MonoTime,
    /// Of a shared budget: the sum of its members.
    pub(crate) spent: u64,
    /// Of a shared budget: the level that was told last, in percent.
    pub(crate) level: u8,
    /// Of a shared budget: what those that it has killed in this window have spent.
    pub(crate) explained: u64,
    /// Of a shared budget: what its members were told that they may spend, and have not.
    pub(crate) leased: u64,
    pub(crate) members: u32,
    /// Agents that it has killed in this window.
    pub(crate) killed: BTreeMap<AgentRowId, AgentIndex>,
    /// Agents that it has killed in a window before, until they are resumed.
    pub(crate) to_resume: BTreeMap<AgentRowId, AgentIndex>,
    /// Of a shared budget: when to look for somebody to kill again at the earliest, as there was nobody.
    pub(crate) look_again_at: MonoTime,
}

/// What one agent has spent of one budget.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SpendingAccount {
    pub(crate) budget: u16,
    /// The level that was told last, in percent, where the budget is for each agent.
    pub(crate) level: u8,
    /// The budget has killed the agent in this window. If it runs, an operator has resumed it: then this
    /// budget lets it be until the next window.
    pub(crate) has_acted: bool,
    /// The window that the account is of.
    window: u32,
    /// The agent's total when the window began.
    base: u64,
    /// The last row of work that `base` holds.
    after: WriteTicket,
    /// The agent's total up to which it was told that it may spend of a shared budget.
    pub(crate) lease: u64,
}

impl SpendingTable {
    pub(crate) fn new(budgets: Vec<BudgetState>) -> Self {
        Self { budgets, ..Self::default() }
    }

    /// Returns the accounts of an agent.
    pub(crate) fn accounts(&self, agent: AgentIndex) -> &[SpendingAccount] {
        self.accounts.get(agent.get()).map_or(&[], Vec::as_slice)
    }

    /// Calls `visit` with each account of an agent, and its budget.
    pub(crate) fn for_each_account(
        &mut self,
        agent: AgentIndex,
        mut visit: impl FnMut(&mut SpendingAccount, &mut BudgetState),
    ) {
        let Self { budgets, accounts, .. } = self;
        for account in accounts.get_mut(agent.get()).into_iter().flatten() {
            visit(account, &mut budgets[usize::from(account.budget)]);
        }
    }

    /// Replaces the accounts of an agent; returns those that it had.
    pub(crate) fn set_accounts(
        &mut self,
        agent: AgentIndex,
        accounts: Vec<SpendingAccount>,
    ) -> Vec<SpendingAccount> {
        if accounts.is_empty() && self.accounts.len() <= agent.get() {
            return Vec::new();
        }
        if self.accounts.len() <= agent.get() {
            self.accounts.resize_with(agent.get() + 1, Vec::new);
        }
        std::mem::replace(&mut self.accounts[agent.get()], accounts)
    }
}

impl BudgetState {
    pub(crate) fn new(rule: BudgetRule, window: BudgetWindow) -> Self {
        Self {
            in_force_since: window.begins,
            rule,
            window,
            window_number: 0,
            spent: 0,
            level: 0,
            explained: 0,
            leased: 0,
            members: 0,
            killed: BTreeMap::new(),
            to_resume: BTreeMap::new(),
            look_again_at: MonoTime::NEVER_YET,
        }
    }

    /// Begins a window.
    pub(crate) fn begin_window(&mut self, window: BudgetWindow, now: MonoTime) {
        (self.window, self.in_force_since) = (window, now);
        self.to_resume.append(&mut self.killed);
        self.window_number = self.window_number.wrapping_add(1);
        (self.spent, self.level, self.explained, self.leased) = (0, 0, 0, 0);
        self.look_again_at = MonoTime::NEVER_YET;
    }

    pub(crate) fn kills(&self) -> bool {
        self.rule.at_limit == AtLimit::Kill
    }

    /// Returns the highest level that a sum has reached.
    pub(crate) fn level_of(&self, spent: u64) -> u8 {
        let reached = |level: &u8| {
            u128::from(spent) * 100 >= u128::from(self.rule.limit) * u128::from(*level)
        };
        LEVELS.into_iter().rev().find(reached).unwrap_or(0)
    }

    /// Returns by how much its limit is exceeded that the killed have not spent.
    pub(crate) fn unexplained(&self) -> u64 {
        (self.spent + 1).saturating_sub(self.rule.limit).saturating_sub(self.explained)
    }
}

impl SpendingAccount {
    /// Opens an account whose window began with this total, which holds the rows up to `after`.
    pub(crate) fn new(budget: u16, state: &BudgetState, base: u64, after: WriteTicket) -> Self {
        let window = state.window_number;
        Self { budget, level: 0, has_acted: false, window, base, after, lease: 0 }
    }

    /// Returns the account of a budget that stands at another place now.
    pub(crate) fn renumbered(self, budget: u16) -> Self {
        Self { budget, ..self }
    }

    /// Begins the window in force, if the account is of one before; `total` is the agent's, to which
    /// nothing was added in the new one, and holds the rows up to `last`.
    pub(crate) fn roll(&mut self, state: &BudgetState, total: u64, last: WriteTicket) {
        if self.window != state.window_number {
            *self = Self::new(self.budget, state, total, last);
        }
    }

    /// Returns what was spent in the window in force.
    pub(crate) fn spent(&self, state: &BudgetState, totals: &WorkTotals) -> u64 {
        let is_of_now = self.window == state.window_number;
        if is_of_now { state.rule.unit.of(totals).saturating_sub(self.base) } else { 0 }
    }

    /// Adds what was spent; `totals` hold it already. Returns whether the budget is to be judged.
    fn spend(
        &mut self,
        state: &mut BudgetState,
        totals: &WorkTotals,
        (added, ticket): (&WorkTotals, WriteTicket),
    ) -> bool {
        let unit = state.rule.unit;
        let amount = unit.of(added);
        let before = unit.of(totals).saturating_sub(amount);
        self.roll(state, before, WriteTicket(ticket.0.saturating_sub(1)));
        if amount == 0 {
            return false;
        }
        if !state.rule.is_shared() {
            let own = self.spent(state, totals);
            return state.level_of(own) > self.level || own >= state.rule.limit;
        }
        let paid = self.outstanding(before).min(amount);
        state.leased = state.leased.saturating_sub(paid);
        state.spent = state.spent.saturating_add(amount);
        if self.has_acted {
            state.explained = state.explained.saturating_add(amount);
        }
        state.level_of(state.spent) > state.level || state.unexplained() > 0
    }

    /// Returns what may be spent of what was told.
    pub(crate) fn outstanding(&self, total: u64) -> u64 {
        self.lease.saturating_sub(total)
    }

    /// Returns whether an operator has resumed the agent after the budget had killed it.
    pub(crate) fn is_lifted(&self, is_killed: bool) -> bool {
        self.has_acted && !is_killed
    }
}

impl AgentMut<'_> {
    /// Adds what the agent has spent, by this row, after its totals have grown by it.
    pub(crate) fn spend(&mut self, added: &WorkTotals, ticket: WriteTicket) {
        let (index, totals) = (self.index, &self.agent.totals);
        let mut risen = Vec::new();
        self.context.spending.for_each_account(index, |account, state| {
            if account.spend(state, totals, (added, ticket)) {
                risen.push((account.budget, index));
            }
        });
        self.context.spending.risen.append(&mut risen);
    }

    /// Takes back a row that turned out to be counted before, after the totals have shrunk by it. One of a window
    /// before takes nothing from the one in force.
    pub(crate) fn unspend(&mut self, known: &WorkTotals, ticket: WriteTicket) {
        self.context.spending.for_each_account(self.index, |account, state| {
            if account.window != state.window_number {
                return;
            }
            let amount = state.rule.unit.of(known);
            account.lease = account.lease.saturating_sub(amount);
            if ticket <= account.after {
                account.base = account.base.saturating_sub(amount);
                return;
            }
            state.spent = state.spent.saturating_sub(amount);
            if account.has_acted {
                state.explained = state.explained.saturating_sub(amount);
            }
        });
    }

    /// Opens accounts with the budgets that the agent has become a member of, and closes the others.
    pub(crate) fn update_accounts(&mut self) {
        let last = self.context.uncommitted_work.last_ticket();
        let table = &mut self.context.spending;
        if table.budgets.is_empty() {
            return;
        }
        let old = table.set_accounts(self.index, Vec::new());
        let agent = &*self.agent;
        let mut accounts = Vec::new();
        for (budget, state) in (0..).zip(&mut table.budgets) {
            let total = state.rule.unit.of(&agent.totals);
            let open = old.iter().find(|account| account.budget == budget);
            match (open, state.rule.matches(agent)) {
                (Some(account), true) => accounts.push(*account),
                (None, true) => {
                    state.members += 1;
                    accounts.push(SpendingAccount::new(budget, state, total, last));
                }
                (Some(account), false) => state.close(account, total),
                (None, false) => {}
            }
        }
        table.set_accounts(self.index, accounts);
    }

    /// Closes all accounts of an agent that is forgotten.
    pub(crate) fn close_accounts(&mut self) {
        let (id, totals) = (self.agent.id, &self.agent.totals);
        self.context.spending.for_each_account(self.index, |account, state| {
            state.close(account, state.rule.unit.of(totals));
            state.killed.remove(&id);
            state.to_resume.remove(&id);
        });
        self.context.spending.set_accounts(self.index, Vec::new());
    }

    /// Gives back what the agent was told that it may spend: its emitter has ended.
    pub(crate) fn end_leases(&mut self) {
        let totals = &self.agent.totals;
        self.context.spending.for_each_account(self.index, |account, state| {
            state.end_lease(account, state.rule.unit.of(totals));
            account.lease = 0;
        });
    }
}

impl BudgetState {
    /// Removes a member. What it has spent stays spent.
    pub(crate) fn close(&mut self, account: &SpendingAccount, total: u64) {
        self.members = self.members.saturating_sub(1);
        self.end_lease(account, total);
    }

    fn end_lease(&mut self, account: &SpendingAccount, total: u64) {
        if account.window == self.window_number {
            self.leased = self.leased.saturating_sub(account.outstanding(total));
        }
    }
}
