//! The areas of the Timeline screen, from the area that it has.

use ratatui::layout::Rect;

use crate::layout::{split_bottom, split_top};

/// Columns of the availability behind the cells.
pub(crate) const AVAILABILITY_COLUMNS: u16 = 7;
/// From this height on there are outages below the rows, an axis above them, and what the cursor is on.
const OUTAGES_MIN_HEIGHT: u16 = 12;
const AXIS_MIN_HEIGHT: u16 = 4;
const CURSOR_MIN_HEIGHT: u16 = 7;
/// The most outages that are listed at once.
const MAX_OUTAGES: u16 = 12;

/// The areas of the Timeline screen. Empty ones are not drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TimelineAreas {
    pub axis: Rect,
    pub rows: Rect,
    /// The row of the collector itself.
    pub collector: Rect,
    /// What the cursor is on.
    pub cursor: Rect,
    pub outage_titles: Rect,
    pub outages: Rect,
    /// Columns in front of the cells.
    pub name_columns: u16,
    /// Number of cells.
    pub cells: u16,
}

impl TimelineAreas {
    pub(crate) fn of(area: Rect) -> Self {
        let mut rest = area;
        let name_columns = match area.width {
            0..60 => 12,
            60..100 => 19,
            100..160 => 25,
            _ => 34,
        };
        let mut areas = Self { name_columns, ..Self::default() };
        areas.cells = area.width.saturating_sub(name_columns + AVAILABILITY_COLUMNS);
        if area.height >= OUTAGES_MIN_HEIGHT {
            areas.outages = split_bottom(&mut rest, (area.height / 4).clamp(2, MAX_OUTAGES));
            areas.outage_titles = split_bottom(&mut rest, 1);
        }
        if area.height >= CURSOR_MIN_HEIGHT {
            areas.cursor = split_bottom(&mut rest, 1);
        }
        if area.height >= AXIS_MIN_HEIGHT {
            areas.axis = split_top(&mut rest, 1);
            areas.collector = split_bottom(&mut rest, 1);
        }
        areas.rows = rest;
        areas
    }
}
