//! What of the Agent screen stands where.

use heartline_operator::message::{AgentChartQuery, AgentEntry};
use ratatui::layout::Rect;

use super::charts::{ChartFraming, ChartParts, WIDE};
use super::details::{DetailSection, agent_sections, is_urgent, section_lines, without_work};
use crate::layout::{ScreenLayout, split_bottom, split_top};
use crate::state::{AgentPane, AgentScreen, AppState, Screen};

/// The least lines for the lists.
const MIN_LIST_LINES: u16 = 5;
/// The least lines of a screen on which all panes are drawn.
const ALL_PANES_MIN_HEIGHT: u16 = 17;
/// The lines of the charts: two fifths of all, within limits.
const CHART_LINES: (u16, u16) = (10, 20);
/// The least lines of the details; they go before charts of more than so many where they tell of a crash
/// or of an order.
const MIN_DETAIL_LINES: u16 = 4;
const CHART_LINES_BESIDE_URGENT: u16 = 8;

/// The areas of the Agent screen. Empty ones are not drawn.
pub(super) struct AgentAreas {
    pub details: Rect,
    pub charts: Option<ChartParts>,
    pub lists: Rect,
}

impl AgentAreas {
    /// Places the panes:
    ///
    /// 1. an expanded one has all;
    /// 2. from 17 lines on all are drawn: the charts have two fifths, or on a narrow screen 8 lines where
    ///    the details are urgent and long, the lists at least 5 lines, and the details at most what they need;
    /// 3. below that the charts have all while they have the focus, and otherwise are not drawn.
    pub(super) fn place(
        state: &AppState,
        screen: &AgentScreen,
        entry: &AgentEntry,
        area: Rect,
    ) -> Self {
        let none = Rect::default();
        let mut all = Self { details: none, charts: None, lists: none };
        let is_small = area.height < ALL_PANES_MIN_HEIGHT;
        let charts_alone = is_small && screen.focus == AgentPane::Charts;
        if screen.is_expanded || charts_alone {
            match screen.focus {
                AgentPane::Charts => {
                    all.charts = Some(ChartParts::place(area, ChartFraming::Boxes));
                }
                AgentPane::Details => all.details = area,
                AgentPane::Events | AgentPane::Sessions => all.lists = area,
            }
            return all;
        }
        let mut rest = area;
        let mut room = area.height.saturating_sub(MIN_LIST_LINES);
        let mut sections = agent_sections(state, entry, screen.detail.as_deref());
        if !is_small {
            without_work(&mut sections);
        }
        let wanted = section_lines(&sections, area.width.saturating_sub(2)) + 2;
        let mut chart_lines = 0;
        if !is_small {
            chart_lines = (area.height * 2 / 5).clamp(CHART_LINES.0, CHART_LINES.1);
            let is_cut = wanted > room.saturating_sub(chart_lines);
            if is_cut && area.width < WIDE && is_urgent(&sections) {
                chart_lines = CHART_LINES_BESIDE_URGENT;
            }
            chart_lines = chart_lines.min(room.saturating_sub(MIN_DETAIL_LINES));
            room -= chart_lines;
        }
        all.details = split_top(&mut rest, wanted.min(room));
        if chart_lines > 0 {
            let charts = split_top(&mut rest, chart_lines);
            all.charts = Some(ChartParts::place(charts, ChartFraming::Boxes));
        }
        all.lists = rest;
        all
    }

    /// Returns what the details show: without the work of an hour where the charts show it.
    pub(super) fn sections(
        &self,
        state: &AppState,
        screen: &AgentScreen,
        entry: &AgentEntry,
    ) -> Vec<DetailSection> {
        let mut sections = agent_sections(state, entry, screen.detail.as_deref());
        if self.charts.is_some() {
            without_work(&mut sections);
        }
        sections
    }
}

/// Returns the charts of the screen, if they are drawn.
pub(super) fn chart_parts(state: &AppState, area: Rect) -> Option<ChartParts> {
    let (screen, entry) = (state.agent.as_ref()?, state.opened_agent()?);
    if state.screen != Screen::Agent {
        return None;
    }
    match ScreenLayout::of(state.size) {
        ScreenLayout::Full => AgentAreas::place(state, screen, entry, area).charts,
        ScreenLayout::Compact if screen.focus == AgentPane::Charts => {
            let mut rest = area;
            let below = area.height.saturating_sub(1);
            Some(ChartParts::place(split_bottom(&mut rest, below), ChartFraming::Bare))
        }
        ScreenLayout::Compact | ScreenLayout::Counts => None,
    }
}

/// Returns whether the charts are on the screen.
pub(crate) fn are_charts_drawn(state: &AppState, area: Rect) -> bool {
    chart_parts(state, area).is_some()
}

/// Returns what there is room for in the charts; `None` where they are not drawn.
pub(crate) fn chart_room(state: &AppState, area: Rect) -> Option<AgentChartQuery> {
    chart_parts(state, area).map(|parts| parts.room())
}
