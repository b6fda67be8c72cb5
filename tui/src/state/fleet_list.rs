//! The fleet list: its rows, their order, and the cursor.
//!
//! The rows are built at most four times a second, never while drawing. Cursor, marks and folds are
//! kept by name, so that they follow a row that moves.

use std::collections::{BTreeSet, HashMap};

use heartline_operator::message::AgentEntry;
use heartline_operator::text::natural_order;
use heartline_operator::{Filter, FleetMirror};
use heartline_vocabulary::{AgentRowId, State, StateCounts};

use super::confirm_dialog::host_of;
use super::fleet_money::FleetMoney;
use super::timeline_tiles::TimelineRowKey;
use crate::columns::FleetColumn;
use crate::text::width;

/// By what the rows are grouped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum GroupBy {
    #[default]
    Host,
    Group,
    State,
    None,
}

/// Who decides on order and groups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ListOrder {
    /// The operator.
    #[default]
    Chosen,
    /// A compact screen: worst first, without groups.
    WorstFirst,
}

/// A row of the fleet list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FleetRow {
    /// The header of the group with this index.
    Group(usize),
    /// An agent, by its row id, and the index of its group.
    Agent { id: AgentRowId, group: usize },
}

/// A group, with sums over its agents that the filter shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct GroupSummary {
    pub name: String,
    pub counts: StateCounts,
    pub cost_today_nano_usd: u64,
    pub oldest_beat_ms: Option<i64>,
    /// The one of its agents that is worst off, the newest of several.
    pub worst: Option<WorstAgent>,
    pub is_folded: bool,
    /// Its agents that the filter shows, and a number that differs for other ones.
    pub agents: Vec<AgentRowId>,
    pub fingerprint: u64,
}

/// The agent of a group that is worst off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct WorstAgent {
    severity: u8,
    since_ms: i64,
    pub id: AgentRowId,
}

/// How much of the list no longer matches the fleet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ListStaleness {
    Fresh,
    /// The sums of the groups have changed.
    Totals,
    /// Rows have come, gone or moved.
    #[default]
    Rows,
    /// Row ids may stand for other agents: no frame may mix old and new ones.
    Ids,
}

/// The agent or group of a row, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SelectedRow {
    Agent(String),
    Group(String),
}

/// What a list leaves out.
#[derive(Clone, Debug, Default)]
pub(crate) struct ListFilter {
    pub query: Option<Filter>,
    /// Leaves out healthy agents, and events that are no problem.
    pub problems_only: bool,
}

/// The list, and everything that an operator has set in it.
#[derive(Debug, Default)]
pub(crate) struct FleetList {
    pub rows: Vec<FleetRow>,
    pub groups: Vec<GroupSummary>,
    /// Number of agents that the filter shows, in open and folded groups.
    pub matched: usize,
    /// Number of agents that it was built of.
    pub built_of: usize,
    pub cursor: Option<SelectedRow>,
    /// Row of the cursor, as of the last build or motion.
    pub at: usize,
    /// First row on the screen.
    pub offset: usize,
    pub sort: FleetColumn,
    pub is_inverted: bool,
    /// The groups that the operator has chosen; [`Self::group_by`] says what is shown.
    pub chosen_groups: GroupBy,
    pub order: ListOrder,
    pub folded: BTreeSet<String>,
    pub marks: BTreeSet<String>,
    /// The agent marked last, where a range begins.
    pub last_mark: Option<String>,
    pub hidden: BTreeSet<FleetColumn>,
    pub filter: ListFilter,
    /// Columns of the longest name that is listed.
    pub longest_name: u16,
    pub money: FleetMoney,
    /// Only these agents, as the timeline asks for.
    pub only: Option<BTreeSet<String>>,
    pub staleness: ListStaleness,
}

impl ListFilter {
    /// Returns the query as it was typed; empty for none.
    pub(crate) fn text(&self) -> &str {
        self.query.as_ref().map_or("", Filter::as_str)
    }

    /// Returns whether anything is left out.
    pub(crate) fn is_active(&self) -> bool {
        self.query.is_some() || self.problems_only
    }
}

impl GroupBy {
    pub(crate) fn next(self) -> Self {
        match self {
            Self::Host => Self::Group,
            Self::Group => Self::State,
            Self::State => Self::None,
            Self::None => Self::Host,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Group => "group",
            Self::State => "state",
            Self::None => "none",
        }
    }

    /// Returns the name of the group that an agent is in.
    pub(crate) fn group_of(self, entry: &AgentEntry) -> &str {
        match self {
            Self::Host => host_of(entry).unwrap_or("(no host)"),
            Self::Group => entry.identity.shared.group.as_deref().unwrap_or("(no group)"),
            Self::State => entry.vitals.state.name(),
            Self::None => "",
        }
    }
}

impl GroupSummary {
    fn add(&mut self, entry: &AgentEntry) {
        self.agents.push(entry.id);
        // Their order, which changes with their states, does not matter.
        self.fingerprint = self.fingerprint.wrapping_add(mix(entry.id.0.cast_unsigned()));
        self.counts.add(entry.vitals.status());
        if entry.vitals.state.is_trouble() {
            let (severity, since_ms) = (entry.vitals.state.severity(), entry.vitals.since_ms);
            self.worst = self.worst.max(Some(WorstAgent { severity, since_ms, id: entry.id }));
        }
        self.cost_today_nano_usd =
            self.cost_today_nano_usd.saturating_add(entry.work.cost_today_nano_usd);
        self.oldest_beat_ms = match (self.oldest_beat_ms, entry.vitals.last_beat_ms) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }
}

impl FleetList {
    /// Returns by what the rows are grouped.
    pub(crate) fn group_by(&self) -> GroupBy {
        match self.order {
            ListOrder::Chosen => self.chosen_groups,
            ListOrder::WorstFirst => GroupBy::None,
        }
    }

    /// Returns whether the filter shows an agent.
    pub(crate) fn shows(&self, entry: &AgentEntry, now_ms: i64) -> bool {
        let ListFilter { query, problems_only } = &self.filter;
        self.only.as_ref().is_none_or(|only| only.contains(&entry.agent))
            && (!problems_only || entry.vitals.state != State::Healthy)
            && query.as_ref().is_none_or(|query| query.matches(entry, now_ms))
    }

    /// Rebuilds the rows, and finds the cursor again.
    pub(crate) fn rebuild(&mut self, fleet: &FleetMirror, now_ms: i64) {
        let mut agents: Vec<&AgentEntry> =
            fleet.entries().filter(|entry| self.shows(entry, now_ms)).collect();
        self.sort_agents(&mut agents);
        let longest = agents.iter().map(|entry| width(&entry.agent)).max().unwrap_or(0);
        self.longest_name = u16::try_from(longest).unwrap_or(u16::MAX);
        self.money = FleetMoney::of(fleet);
        (self.matched, self.built_of) = (agents.len(), fleet.len());
        let groups = self.group_agents(&agents);
        self.set_rows(groups);
        self.staleness = ListStaleness::Fresh;
        if fleet.is_whole() {
            // Who was forgotten is not marked any more.
            self.marks.retain(|id| fleet.by_name(id).is_some());
        }
        self.find_cursor(fleet);
    }

    /// Recomputes the sums of the groups, which costs less than [`Self::rebuild`].
    pub(crate) fn update_totals(&mut self, fleet: &FleetMirror, now_ms: i64) {
        self.staleness = ListStaleness::Fresh;
        self.money = FleetMoney::of(fleet);
        let mut groups = std::mem::take(&mut self.groups);
        for group in &mut groups {
            let (name, is_folded) = (std::mem::take(&mut group.name), group.is_folded);
            *group = GroupSummary { name, is_folded, ..GroupSummary::default() };
        }
        let names = groups.iter().map(|group| group.name.clone());
        let indices: HashMap<String, usize> = names.zip(0..).collect();
        for entry in fleet.entries().filter(|entry| self.shows(entry, now_ms)) {
            if let Some(&index) = indices.get(self.group_by().group_of(entry)) {
                groups[index].add(entry);
            }
        }
        self.groups = groups;
    }

    fn sort_agents(&self, agents: &mut [&AgentEntry]) {
        let by_name = |a: &AgentEntry, b: &AgentEntry| natural_order(&a.agent, &b.agent);
        let (sort, is_inverted) = match self.order {
            ListOrder::Chosen => (self.sort, self.is_inverted),
            ListOrder::WorstFirst => (FleetColumn::State, false),
        };
        match sort {
            FleetColumn::Agent => agents.sort_unstable_by(|a, b| by_name(a, b)),
            FleetColumn::Host => agents.sort_unstable_by(|a, b| {
                let hosts = match (host_of(a), host_of(b)) {
                    (Some(a), Some(b)) => natural_order(a, b),
                    (a, b) => a.cmp(&b),
                };
                hosts.then_with(|| by_name(a, b))
            }),
            column => agents.sort_unstable_by(|a, b| {
                column.sort_key(a).cmp(&column.sort_key(b)).then_with(|| by_name(a, b))
            }),
        }
        if is_inverted {
            agents.reverse();
        }
    }

    /// Groups sorted agents, in the order in which the groups are shown.
    fn group_agents(&self, agents: &[&AgentEntry]) -> Vec<(GroupSummary, Vec<AgentRowId>)> {
        let mut indices = HashMap::new();
        let mut groups: Vec<(GroupSummary, Vec<AgentRowId>)> = Vec::new();
        for entry in agents {
            let name = self.group_by().group_of(entry);
            let index = *indices.entry(name).or_insert_with(|| {
                let is_folded = self.folded.contains(name);
                let group =
                    GroupSummary { name: name.to_owned(), is_folded, ..GroupSummary::default() };
                groups.push((group, Vec::new()));
                groups.len() - 1
            });
            groups[index].0.add(entry);
            groups[index].1.push(entry.id);
        }
        if self.sort == FleetColumn::State && !self.is_inverted {
            // By the worst agent, then by name: a stable order matters more than ages.
            let worst = |group: &GroupSummary| std::cmp::Reverse(worst_severity(&group.counts));
            groups.sort_by(|(a, _), (b, _)| {
                worst(a).cmp(&worst(b)).then_with(|| natural_order(&a.name, &b.name))
            });
        }
        groups
    }

    fn set_rows(&mut self, groups: Vec<(GroupSummary, Vec<AgentRowId>)>) {
        self.rows.clear();
        self.groups.clear();
        for (index, (group, ids)) in groups.into_iter().enumerate() {
            if self.group_by() != GroupBy::None {
                self.rows.push(FleetRow::Group(index));
            }
            if !group.is_folded || self.group_by() == GroupBy::None {
                self.rows.extend(ids.into_iter().map(|id| FleetRow::Agent { id, group: index }));
            }
            self.groups.push(group);
        }
    }

    /// Sets `at` to the cursor's row. If that is gone, the cursor moves to what is now in its place.
    fn find_cursor(&mut self, fleet: &FleetMirror) {
        let found = match &self.cursor {
            Some(SelectedRow::Agent(id)) => {
                fleet.by_name(id).and_then(|agent| self.row_of(agent.id))
            }
            Some(SelectedRow::Group(name)) => self.rows.iter().position(
                |row| matches!(row, FleetRow::Group(index) if self.groups[*index].name == *name),
            ),
            None => self.rows.iter().position(|row| matches!(row, FleetRow::Agent { .. })),
        };
        match found {
            Some(at) if self.cursor.is_some() => self.at = at,
            _ => self.select_row(found.unwrap_or(self.at), fleet),
        }
    }

    /// Returns the row of the timeline that a row of the list stands for.
    pub(crate) fn timeline_row(&self, row: FleetRow) -> TimelineRowKey {
        match row {
            FleetRow::Group(group) => TimelineRowKey::Group(self.groups[group].fingerprint),
            FleetRow::Agent { id, .. } => TimelineRowKey::Agent(id),
        }
    }

    pub(crate) fn row_of(&self, id: AgentRowId) -> Option<usize> {
        self.rows.iter().position(|row| matches!(row, FleetRow::Agent { id: it, .. } if *it == id))
    }

    /// Moves the cursor to a row, or to the last one.
    pub(crate) fn select_row(&mut self, at: usize, fleet: &FleetMirror) {
        self.at = at.min(self.rows.len().saturating_sub(1));
        self.cursor = match self.rows.get(self.at) {
            Some(FleetRow::Group(index)) => {
                Some(SelectedRow::Group(self.groups[*index].name.clone()))
            }
            Some(FleetRow::Agent { id, .. }) => {
                fleet.get(*id).map(|entry| SelectedRow::Agent(entry.agent.clone()))
            }
            None => None,
        };
    }

    /// Returns the group whose header is pinned in place of the row at `offset`: that of this row,
    /// once its header has scrolled away.
    pub(crate) fn pinned_group(&self) -> Option<usize> {
        match self.rows.get(self.offset) {
            Some(FleetRow::Agent { group, .. }) if self.group_by() != GroupBy::None => Some(*group),
            _ => None,
        }
    }

    /// Scrolls until the cursor is among `height` rows, and not under the pinned header.
    pub(crate) fn scroll_to_cursor(&mut self, height: usize) {
        let last_offset = self.rows.len().saturating_sub(height);
        self.offset = self.offset.min(last_offset).min(self.at);
        if self.at >= self.offset + height.max(1) {
            self.offset = self.at + 1 - height.max(1);
        }
        if self.pinned_group().is_some() && self.offset == self.at && self.offset > 0 {
            self.offset -= 1;
        }
    }

    /// Returns the group of the cursor's row.
    pub(crate) fn current_group(&self) -> Option<&GroupSummary> {
        match self.rows.get(self.at)? {
            FleetRow::Group(index) | FleetRow::Agent { group: index, .. } => {
                self.groups.get(*index)
            }
        }
    }

    /// Returns the agent under the cursor.
    pub(crate) fn selected_agent(&self) -> Option<&str> {
        match &self.cursor {
            Some(SelectedRow::Agent(id)) => Some(id),
            _ => None,
        }
    }
}

/// Scatters a number over all bits (the finalizer of `MurmurHash3`).
const fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let number = (number ^ (number >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    number ^ (number >> 33)
}

fn worst_severity(counts: &StateCounts) -> u8 {
    counts.present().map(|(status, _)| status.state.severity()).max().unwrap_or(0)
}
