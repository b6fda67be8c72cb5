//! What the Agent and Transitions screens show and select.

use heartline_operator::Filter;
use heartline_operator::message::{AgentDetail, Event};

use super::agent_charts::AgentCharts;
use super::fleet_list::ListFilter;
use super::model::{FleetModel, is_problem};
use crate::clock::MonoTime;

/// How often the agent of the Agent screen is requested.
const REFRESH_MS: u64 = 2_000;

/// The pane of the Agent screen that has the keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum AgentPane {
    #[default]
    Events,
    Sessions,
    Charts,
    Details,
}

/// The Agent screen: which agent, its lists and charts.
#[derive(Debug, Default)]
pub(crate) struct AgentScreen {
    /// Id of the agent.
    pub id: String,
    pub detail: Option<Box<AgentDetail>>,
    /// The events until an instant of the past, newest first, and that instant.
    pub past_events: Option<(i64, Vec<Event>)>,
    /// Why there is no detail.
    pub failure: Option<String>,
    pub charts: AgentCharts,
    pub focus: AgentPane,
    pub scroll: usize,
    pub is_expanded: bool,
    requested_at: Option<MonoTime>,
}

/// Whether the selection moves to new events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum FollowMode {
    /// The newest event is selected.
    #[default]
    Tail,
    /// The selected event stays selected.
    Paused,
}

/// The list of events. The selection is kept by an event's cursor, never by its row.
#[derive(Debug, Default)]
pub(crate) struct TransitionList {
    /// Cursors of the listed events, oldest first.
    pub rows: Vec<i64>,
    pub selected: Option<i64>,
    /// Row of the selected event.
    pub at: usize,
    /// First row on the screen.
    pub offset: usize,
    pub follow: FollowMode,
    pub filter: ListFilter,
}

impl AgentScreen {
    pub(crate) fn new(id: String) -> Self {
        Self { id, ..Self::default() }
    }

    pub(crate) fn is_refresh_due(&self, now: MonoTime) -> bool {
        self.requested_at.is_none_or(|at| now.since(at) >= REFRESH_MS)
    }

    pub(crate) fn set_requested(&mut self, now: MonoTime) {
        self.requested_at = Some(now);
    }
}

impl AgentPane {
    const ALL: [Self; 4] = [Self::Events, Self::Sessions, Self::Charts, Self::Details];

    pub(crate) fn next(self) -> Self {
        self.moved(1)
    }

    pub(crate) fn previous(self) -> Self {
        self.moved(Self::ALL.len() - 1)
    }

    fn moved(self, by: usize) -> Self {
        let at = Self::ALL.iter().position(|pane| *pane == self).unwrap_or(0);
        Self::ALL[(at + by) % Self::ALL.len()]
    }
}

impl TransitionList {
    /// Rebuilds the rows and finds the selection again.
    pub(crate) fn rebuild(&mut self, model: &FleetModel, now_ms: i64) {
        let matches = |query: &Filter, event: &Event| {
            let entry = event.agent.as_deref().and_then(|id| model.agent(id));
            query.matches_event(event, entry, now_ms)
        };
        let is_listed = |event: &&Event| {
            (!self.filter.problems_only || is_problem(event))
                && self.filter.query.as_ref().is_none_or(|query| matches(query, event))
        };
        self.rows = model.events.iter().filter(is_listed).map(|event| event.cursor).collect();
        let last = self.rows.len().saturating_sub(1);
        self.at = match (self.follow, self.selected) {
            (FollowMode::Paused, Some(cursor)) => {
                self.rows.partition_point(|row| *row < cursor).min(last)
            }
            _ => last,
        };
        self.selected = self.rows.get(self.at).copied();
    }

    /// Selects a row, at most the last one, which new events then move.
    pub(crate) fn select_row(&mut self, at: usize) {
        let last = self.rows.len().saturating_sub(1);
        self.at = at.min(last);
        self.follow = if self.at == last { FollowMode::Tail } else { FollowMode::Paused };
        self.selected = self.rows.get(self.at).copied();
    }

    /// Scrolls until the selection is among `height` rows.
    pub(crate) fn scroll_to_selection(&mut self, height: usize) {
        let height = height.max(1);
        self.offset = self.offset.min(self.rows.len().saturating_sub(height)).min(self.at);
        if self.at >= self.offset + height {
            self.offset = self.at + 1 - height;
        }
    }
}
