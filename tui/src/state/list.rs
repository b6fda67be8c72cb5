//! The fleet list: which rows it has, in which order, and where the cursor stands.
//!
//! The rows are built at most four times a second, never while drawing. Cursor, marks and folds are
//! kept by name: a row moves, and they follow it.

use std::collections::{BTreeSet, HashMap};

use heartline_operator::Filter;
use heartline_operator::FleetMirror;
use heartline_operator::message::AgentEntry;
use heartline_vocabulary::AgentRowId;
use heartline_vocabulary::{State, StateCounts};

use super::columns::Column;

/// What rows are gathered under.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Grouping {
    #[default]
    Host,
    Group,
    State,
    None,
}

/// One row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Row {
    /// The header of the group with this number.
    Group(usize),
    /// An agent, by its row id, and the number of its group.
    Agent { id: AgentRowId, group: usize },
}

/// A group and what is in it. Counts are over all its agents that the filter shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct GroupInfo {
    pub name: String,
    pub counts: StateCounts,
    pub cost_today_nano_usd: u64,
    pub oldest_beat_ms: Option<i64>,
    pub folded: bool,
}

/// How far the list is behind the fleet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Behind {
    /// Not at all.
    #[default]
    Nothing,
    /// What the groups add up to has changed.
    Sums,
    /// Rows have come, gone or moved.
    Rows,
}

/// What the cursor is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cursor {
    Agent(String),
    Group(String),
}

/// Which agents are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Shown {
    #[default]
    All,
    /// Healthy ones are left out.
    BadOnly,
}

/// The list and all that an operator has set in it.
#[derive(Debug)]
pub(crate) struct FleetList {
    pub rows: Vec<Row>,
    pub groups: Vec<GroupInfo>,
    /// Agents that the filter shows, in open and folded groups.
    pub matched: usize,
    pub cursor: Option<Cursor>,
    /// Row of the cursor, as of the last build or motion.
    pub at: usize,
    /// First row on the screen.
    pub offset: usize,
    pub sort: Column,
    pub inverted: bool,
    pub grouping: Grouping,
    pub folded: BTreeSet<String>,
    pub marks: BTreeSet<String>,
    /// Where the last mark was set, for a range.
    pub last_mark: Option<String>,
    pub hidden: BTreeSet<Column>,
    pub shown: Shown,
    pub filter: Option<Filter>,
    pub filter_text: String,
    pub behind: Behind,
}

impl Default for FleetList {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            groups: Vec::new(),
            matched: 0,
            cursor: None,
            at: 0,
            offset: 0,
            sort: Column::State,
            inverted: false,
            grouping: Grouping::default(),
            folded: BTreeSet::new(),
            marks: BTreeSet::new(),
            last_mark: None,
            hidden: BTreeSet::new(),
            shown: Shown::default(),
            filter: None,
            filter_text: String::new(),
            behind: Behind::Rows,
        }
    }
}

impl Grouping {
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

    /// The group that an agent is in.
    pub(crate) fn of(self, entry: &AgentEntry) -> &str {
        let named = |name: &Option<std::sync::Arc<str>>| name.is_some();
        match self {
            Self::Host if named(&entry.identity.shared.host) => {
                entry.identity.shared.host.as_deref().unwrap_or_default()
            }
            Self::Host => "(no host)",
            Self::Group if named(&entry.identity.shared.group) => {
                entry.identity.shared.group.as_deref().unwrap_or_default()
            }
            Self::Group => "(no group)",
            Self::State => entry.vitals.state.name(),
            Self::None => "",
        }
    }
}

impl GroupInfo {
    fn add(&mut self, entry: &AgentEntry) {
        self.counts.total += 1;
        let count = match entry.vitals.state {
            State::Healthy => &mut self.counts.healthy,
            State::Degraded => &mut self.counts.degraded,
            State::Unreachable => &mut self.counts.unreachable,
            State::Killed => &mut self.counts.killed,
            State::Unknown => &mut self.counts.unknown,
        };
        *count += 1;
        self.cost_today_nano_usd =
            self.cost_today_nano_usd.saturating_add(entry.work.cost_today_nano_usd);
        self.oldest_beat_ms = match (self.oldest_beat_ms, entry.vitals.last_beat_ms) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }
}

impl FleetList {
    /// Whether an agent is shown under the filter.
    pub(crate) fn shows(&self, entry: &AgentEntry, now_ms: i64) -> bool {
        let wanted = self.shown == Shown::All || entry.vitals.state != State::Healthy;
        wanted && self.filter.as_ref().is_none_or(|filter| filter.matches(entry, now_ms))
    }

    /// Builds the rows anew, and finds the cursor again.
    pub(crate) fn rebuild(&mut self, fleet: &FleetMirror, now_ms: i64) {
        let mut agents: Vec<&AgentEntry> =
            fleet.entries().filter(|entry| self.shows(entry, now_ms)).collect();
        self.sort_agents(&mut agents);
        self.matched = agents.len();
        let groups = self.gather(&agents);
        self.lay_out(groups);
        self.behind = Behind::Nothing;
        self.find_cursor(fleet);
    }

    /// Adds up the groups anew; cheaper than a new order.
    pub(crate) fn sum_up(&mut self, fleet: &FleetMirror, now_ms: i64) {
        self.behind = Behind::Nothing;
        let mut groups = std::mem::take(&mut self.groups);
        for group in &mut groups {
            let (name, folded) = (std::mem::take(&mut group.name), group.folded);
            *group = GroupInfo { name, folded, ..GroupInfo::default() };
        }
        let names = groups.iter().map(|group| group.name.clone());
        let numbers: HashMap<String, usize> = names.zip(0..).collect();
        for entry in fleet.entries().filter(|entry| self.shows(entry, now_ms)) {
            if let Some(&number) = numbers.get(self.grouping.of(entry)) {
                groups[number].add(entry);
            }
        }
        self.groups = groups;
    }

    fn sort_agents(&self, agents: &mut [&AgentEntry]) {
        match self.sort {
            Column::Agent => agents.sort_unstable_by(|a, b| a.agent.cmp(&b.agent)),
            Column::Host => agents.sort_unstable_by(|a, b| {
                (&a.identity.shared.host, &a.agent).cmp(&(&b.identity.shared.host, &b.agent))
            }),
            column => agents.sort_unstable_by(|a, b| {
                column.rank(a).cmp(&column.rank(b)).then_with(|| a.agent.cmp(&b.agent))
            }),
        }
        if self.inverted {
            agents.reverse();
        }
    }

    /// Groups in the order in which they are shown: by their first row's, or by name.
    fn gather(&self, agents: &[&AgentEntry]) -> Vec<(GroupInfo, Vec<AgentRowId>)> {
        let mut numbers = HashMap::new();
        let mut groups: Vec<(GroupInfo, Vec<AgentRowId>)> = Vec::new();
        for entry in agents {
            let name = self.grouping.of(entry);
            let number = *numbers.entry(name).or_insert_with(|| {
                let folded = self.folded.contains(name);
                let info = GroupInfo { name: name.to_owned(), folded, ..GroupInfo::default() };
                groups.push((info, Vec::new()));
                groups.len() - 1
            });
            groups[number].0.add(entry);
            groups[number].1.push(entry.id);
        }
        if self.sort == Column::State && !self.inverted {
            // By how bad its worst agent is; among equals a steady order is worth more than age.
            let worst = |group: &GroupInfo| std::cmp::Reverse(worst_severity(&group.counts));
            groups.sort_by(|(a, _), (b, _)| (worst(a), &a.name).cmp(&(worst(b), &b.name)));
        }
        groups
    }

    fn lay_out(&mut self, groups: Vec<(GroupInfo, Vec<AgentRowId>)>) {
        self.rows.clear();
        self.groups.clear();
        for (number, (info, ids)) in groups.into_iter().enumerate() {
            if self.grouping != Grouping::None {
                self.rows.push(Row::Group(number));
            }
            if !info.folded || self.grouping == Grouping::None {
                self.rows.extend(ids.into_iter().map(|id| Row::Agent { id, group: number }));
            }
            self.groups.push(info);
        }
    }

    /// Puts `at` on the cursor's row. If that is gone, the cursor takes what is now in its place.
    fn find_cursor(&mut self, fleet: &FleetMirror) {
        let found = match &self.cursor {
            Some(Cursor::Agent(id)) => fleet.by_name(id).and_then(|agent| self.row_of(agent.id)),
            Some(Cursor::Group(name)) => self.rows.iter().position(
                |row| matches!(row, Row::Group(number) if self.groups[*number].name == *name),
            ),
            None => self.rows.iter().position(|row| matches!(row, Row::Agent { .. })),
        };
        match found {
            Some(at) if self.cursor.is_some() => self.at = at,
            _ => self.go_to(found.unwrap_or(self.at), fleet),
        }
    }

    pub(crate) fn row_of(&self, id: AgentRowId) -> Option<usize> {
        self.rows.iter().position(|row| matches!(row, Row::Agent { id: it, .. } if *it == id))
    }

    /// Moves the cursor to a row, or to the last one.
    pub(crate) fn go_to(&mut self, at: usize, fleet: &FleetMirror) {
        self.at = at.min(self.rows.len().saturating_sub(1));
        self.cursor = match self.rows.get(self.at) {
            Some(Row::Group(number)) => Some(Cursor::Group(self.groups[*number].name.clone())),
            Some(Row::Agent { id, .. }) => {
                fleet.get(*id).map(|entry| Cursor::Agent(entry.agent.clone()))
            }
            None => None,
        };
    }

    /// The group whose header is pinned above the rows: that of the first one, once its header has
    /// scrolled away. It takes the place of the row at `offset`.
    pub(crate) fn pinned(&self) -> Option<usize> {
        match self.rows.get(self.offset) {
            Some(Row::Agent { group, .. }) if self.grouping != Grouping::None => Some(*group),
            _ => None,
        }
    }

    /// Scrolls until the cursor is among `height` rows, and not under the pinned header.
    pub(crate) fn scroll(&mut self, height: usize) {
        let last_offset = self.rows.len().saturating_sub(height);
        self.offset = self.offset.min(last_offset).min(self.at);
        if self.at >= self.offset + height.max(1) {
            self.offset = self.at + 1 - height.max(1);
        }
        if self.pinned().is_some() && self.offset == self.at && self.offset > 0 {
            self.offset -= 1;
        }
    }

    /// The group that the cursor's row is in.
    pub(crate) fn group_here(&self) -> Option<&GroupInfo> {
        match self.rows.get(self.at)? {
            Row::Group(number) | Row::Agent { group: number, .. } => self.groups.get(*number),
        }
    }

    /// The agent under the cursor.
    pub(crate) fn selected(&self) -> Option<&str> {
        match &self.cursor {
            Some(Cursor::Agent(id)) => Some(id),
            _ => None,
        }
    }
}

fn worst_severity(counts: &StateCounts) -> u8 {
    let present = State::ALL.into_iter().filter(|state| counts.of(*state) > 0);
    present.map(State::severity).max().unwrap_or(0)
}
