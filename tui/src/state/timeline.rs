//! The Timeline screen: which stretch of time at which zoom, marks, and the outages in view.

use std::collections::BTreeSet;

use heartline_operator::message::{ClockStep, LatencyQuantiles, Outage, TimelineCell};

use super::timeline_tiles::TimelineTiles;

const SECOND_MS: i64 = 1_000;
const MINUTE_MS: i64 = 60 * SECOND_MS;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;
/// The lengths of a cell.
pub(crate) const CELLS_MS: [i64; 11] = [
    SECOND_MS,
    5 * SECOND_MS,
    15 * SECOND_MS,
    MINUTE_MS,
    5 * MINUTE_MS,
    15 * MINUTE_MS,
    HOUR_MS,
    6 * HOUR_MS,
    DAY_MS,
    3 * DAY_MS,
    7 * DAY_MS,
];
/// The zoom at the start.
const FIRST_ZOOM: usize = 3;

/// What the cells of the timeline show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum CellMode {
    /// The worst state.
    #[default]
    Worst,
    /// How much of the cell was bad.
    Share,
}

/// The list of the Timeline screen that the keys move.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum TimelineFocus {
    #[default]
    Rows,
    Outages,
}

/// The Timeline screen.
#[derive(Debug)]
pub(crate) struct TimelineScreen {
    zoom: usize,
    /// Begin of the first cell, as of the last change of the window.
    pub left_ms: i64,
    pub style: CellMode,
    pub focus: TimelineFocus,
    pub tiles: TimelineTiles,
    pub outages: OutageTable,
    /// Only rows with an outage in the window.
    pub is_only_outages: bool,
    /// The marks A and B.
    pub marks: (Option<i64>, Option<i64>),
    pub span: Option<SpanSummary>,
    /// Where the collector's wall clock was set.
    pub clock_steps: Vec<ClockStep>,
    /// Why the newest cells are not there.
    pub failure: Option<String>,
}

/// The outages in the window, the newest first.
#[derive(Debug, Default)]
pub(crate) struct OutageTable {
    pub rows: Vec<Outage>,
    /// There are more.
    pub has_more: bool,
    /// What they are those of.
    pub window: Option<OutageWindow>,
    /// They may have changed since.
    pub is_stale: bool,
    /// Number of the selected outage.
    pub selected: Option<i64>,
    /// Row of the selected outage.
    pub at: usize,
    /// First row on the screen.
    pub offset: usize,
}

/// The outages that are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OutageWindow {
    pub from_ms: i64,
    pub to_ms: i64,
    pub filter: String,
}

/// What happened between the marks to one row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SpanSummary {
    pub from_ms: i64,
    pub to_ms: i64,
    /// Agent or group.
    pub name: String,
    pub cell: TimelineCell,
    /// Tasks that succeeded and failed, and their latency; `None` where they were not asked for.
    pub work: Option<(u64, u64, Option<LatencyQuantiles>)>,
    /// Number of outages; `None` where it is not known yet.
    pub outages: Option<usize>,
}

impl Default for TimelineScreen {
    fn default() -> Self {
        Self {
            zoom: FIRST_ZOOM,
            left_ms: 0,
            style: CellMode::default(),
            focus: TimelineFocus::default(),
            tiles: TimelineTiles::default(),
            outages: OutageTable::default(),
            is_only_outages: false,
            marks: (None, None),
            span: None,
            clock_steps: Vec::new(),
            failure: None,
        }
    }
}

impl TimelineScreen {
    /// Returns the length of a cell.
    pub(crate) fn cell_ms(&self) -> i64 {
        CELLS_MS[self.zoom]
    }

    /// Returns the begin of the cell in which a moment is.
    pub(crate) fn cell_of(&self, at_ms: i64) -> i64 {
        at_ms.div_euclid(self.cell_ms()) * self.cell_ms()
    }

    /// Returns the column of a moment, which may be outside of the window.
    pub(crate) fn column_of(&self, at_ms: i64) -> i64 {
        (at_ms - self.left_ms).div_euclid(self.cell_ms())
    }

    /// Zooms by a step, and keeps a moment in its column.
    pub(crate) fn zoom_about(&mut self, at_ms: i64, step: isize) {
        let column = self.column_of(at_ms);
        self.zoom = self.zoom.saturating_add_signed(step).min(CELLS_MS.len() - 1);
        self.left_ms = self.cell_of(at_ms) - column * self.cell_ms();
    }

    /// Sets the smallest zoom at which a stretch of time fits into `columns`, and shows it in the middle.
    pub(crate) fn fit(&mut self, from_ms: i64, to_ms: i64, columns: i64) {
        let fits = |cell_ms: &&i64| (to_ms - from_ms) / **cell_ms + 2 <= columns;
        let cell_ms = CELLS_MS.iter().find(fits).unwrap_or(&CELLS_MS[CELLS_MS.len() - 1]);
        self.zoom = CELLS_MS.iter().position(|it| it == cell_ms).unwrap_or(0);
        let spare = columns - (to_ms - from_ms) / self.cell_ms() - 1;
        self.left_ms = self.cell_of(from_ms) - spare.max(0) / 2 * self.cell_ms();
    }

    /// Moves the window as little as is needed to have a moment in it.
    pub(crate) fn scroll_to(&mut self, at_ms: i64, columns: i64) {
        // After a zoom, or at first, the begin may be in the middle of a cell.
        self.left_ms = self.cell_of(self.left_ms);
        let column = self.column_of(at_ms);
        let moved = column.min(0) + (column - columns.max(1) + 1).max(0);
        self.left_ms += moved * self.cell_ms();
    }

    /// Shows a moment in the middle of the window.
    pub(crate) fn centre(&mut self, at_ms: i64, columns: i64) {
        self.left_ms = self.cell_of(at_ms) - columns / 2 * self.cell_ms();
    }
}

impl OutageTable {
    /// Shows other outages, and finds the selected one again.
    pub(crate) fn set(&mut self, rows: Vec<Outage>, has_more: bool, window: OutageWindow) {
        self.rows = rows;
        (self.has_more, self.window, self.is_stale) = (has_more, Some(window), false);
        let found = self.rows.iter().position(|row| Some(row.id) == self.selected);
        self.select_row(found.unwrap_or(self.at));
    }

    pub(crate) fn select_row(&mut self, at: usize) {
        self.at = at.min(self.rows.len().saturating_sub(1));
        self.selected = self.rows.get(self.at).map(|row| row.id);
    }

    pub(crate) fn selected(&self) -> Option<&Outage> {
        self.rows.get(self.at)
    }

    /// Scrolls until the selection is among `height` rows.
    pub(crate) fn scroll_to_selection(&mut self, height: usize) {
        let height = height.max(1);
        self.offset = self.offset.min(self.rows.len().saturating_sub(height)).min(self.at);
        if self.at >= self.offset + height {
            self.offset = self.at + 1 - height;
        }
    }

    /// Returns the agents that had an outage.
    pub(crate) fn agents(&self) -> BTreeSet<String> {
        self.rows.iter().map(|row| row.agent.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zooming_keeps_a_moment_in_its_column() {
        let mut timeline = TimelineScreen { left_ms: 1_775_053_800_000, ..Default::default() };
        let at_ms = timeline.left_ms + 37 * MINUTE_MS + 21_345;
        for step in [-1, -1, -1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1] {
            timeline.zoom_about(at_ms, step);
            assert_eq!(timeline.column_of(at_ms), 37);
            assert_eq!(timeline.left_ms % timeline.cell_ms(), 0);
        }
        assert_eq!(timeline.cell_ms(), 3 * DAY_MS);
    }

    #[test]
    fn what_is_fitted_is_all_in_the_window() {
        let mut timeline = TimelineScreen::default();
        let mut rng = fastrand::Rng::with_seed(5);
        for _ in 0..2_000 {
            let (columns, length_ms) = (rng.i64(20..200), rng.i64(1..80 * DAY_MS));
            let from_ms = 1_775_053_800_000 + rng.i64(0..DAY_MS);
            timeline.fit(from_ms, from_ms + length_ms, columns);
            assert!(timeline.column_of(from_ms) >= 0);
            assert!(timeline.column_of(from_ms + length_ms) < columns, "{columns} {length_ms}");
        }
    }

    #[test]
    fn the_window_moves_no_more_than_it_must() {
        let mut timeline = TimelineScreen::default();
        timeline.scroll_to(100 * MINUTE_MS, 60);
        assert_eq!((timeline.left_ms, timeline.column_of(100 * MINUTE_MS)), (41 * MINUTE_MS, 59));
        timeline.scroll_to(70 * MINUTE_MS, 60);
        assert_eq!(timeline.left_ms, 41 * MINUTE_MS);
        timeline.scroll_to(30 * MINUTE_MS, 60);
        assert_eq!(timeline.left_ms, 30 * MINUTE_MS);
    }
}
