//! The charts of an agent, and the figures beside them.

mod bands;
mod figures;
mod heat_map;
pub(super) mod histogram;
mod percentile_line;
mod state_bar;
mod time_axis;

use heartline_operator::message::{
    AgentChart, AgentChartQuery, AgentEntry, AgentHistory, BANDS_MAX,
};
use ratatui::layout::Rect;

use super::footer::key_label;
use super::frame::ScreenFrame;
use super::zoned_time;
use crate::commands::AppCommand;
use crate::layout::{split_bottom, split_top};
use crate::state::{AgentPane, AgentScreen, AppState, ChartKind, ChartWindow};
use crate::text::wrap;
use crate::theme::StyleRole;

/// Columns of the labels beside a plot, with the line behind them.
const LABELS: u16 = 10;
/// From this height on a plot has a legend.
const LEGEND_MIN_HEIGHT: u16 = 8;
/// Columns of the box of figures, where it stands beside the chart.
const FIGURES_WIDTH: u16 = 46;
/// Lines of the figures above a plot.
const FIGURE_LINES: u16 = 2;
/// Lines of the box of states.
const STATES_HEIGHT: u16 = 3;
/// From this width on there is a box each for figures, chart and states.
pub(super) const WIDE: u16 = 118;
/// The least lines of the plot of a compact screen that leave one for the states.
const COMPACT_PLOT_MIN: u16 = 4;

/// How the parts are framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChartFraming {
    /// A box or three, as there is room.
    Boxes,
    /// None, for a compact screen.
    Bare,
}

/// The areas of the charts. Empty ones are not drawn.
#[derive(Clone, Copy, Debug)]
pub(super) struct ChartParts {
    area: Rect,
    framing: ChartFraming,
    title: Rect,
    figures: Rect,
    plot: Rect,
    states: Rect,
}

impl ChartParts {
    pub(super) fn place(area: Rect, framing: ChartFraming) -> Self {
        let empty = Rect::default();
        let mut parts =
            Self { area, framing, title: empty, figures: empty, plot: empty, states: empty };
        match framing {
            ChartFraming::Bare => {
                let mut rest = area;
                parts.title = split_top(&mut rest, 1);
                parts.figures = split_top(&mut rest, FIGURE_LINES);
                let states = u16::from(rest.height > COMPACT_PLOT_MIN);
                parts.states = split_bottom(&mut rest, states);
                parts.plot = rest;
            }
            ChartFraming::Boxes if area.width >= WIDE => {
                let [figures, plot, states] = wide_boxes(area);
                (parts.figures, parts.plot, parts.states) =
                    (inside(figures), inside(plot), inside(states));
            }
            ChartFraming::Boxes => {
                let mut rest = inside(area);
                parts.figures = split_top(&mut rest, FIGURE_LINES);
                parts.states = split_bottom(&mut rest, 1);
                parts.plot = rest;
            }
        }
        parts
    }

    /// Returns how many steps, bands, and cells of states there is room for.
    pub(super) fn room(&self) -> AgentChartQuery {
        AgentChartQuery {
            steps: self.plot.width.saturating_sub(LABELS).max(2).into(),
            bands: u32::from(band_rows(self.plot.height)).clamp(1, BANDS_MAX),
            cells: self.states.width.saturating_sub(2).max(2).into(),
        }
    }
}

/// Returns the rows of a plot of so many lines that are above its axis, and its legend where there is room.
fn band_rows(height: u16) -> u16 {
    height.saturating_sub(if height >= LEGEND_MIN_HEIGHT { 2 } else { 1 })
}

/// Splits an area into the boxes of figures, chart, and states.
fn wide_boxes(area: Rect) -> [Rect; 3] {
    let mut rest = area;
    let states = split_bottom(&mut rest, STATES_HEIGHT);
    let figures = Rect { width: FIGURES_WIDTH, ..rest };
    let plot =
        Rect { x: rest.x + FIGURES_WIDTH + 1, width: rest.width - FIGURES_WIDTH - 1, ..rest };
    [figures, plot, states]
}

/// Returns the area inside a box.
fn inside(area: Rect) -> Rect {
    Rect {
        x: area.x + 1,
        y: area.y + 1,
        width: area.width.saturating_sub(2),
        height: area.height.saturating_sub(2),
    }
}

/// Draws the charts of the agent that is open.
pub(super) fn draw(
    frame: &mut ScreenFrame<'_>,
    screen: &AgentScreen,
    entry: &AgentEntry,
    parts: &ChartParts,
) {
    let state = frame.state;
    let answer = screen.charts.answer(&screen.id, state.now_ms(), state.shown_time());
    let answer =
        answer.filter(|_| screen.charts.failure().is_none() || !state.connection.is_live());
    draw_frames(frame, screen, parts, answer.map(|(_, chart)| chart));
    let worked = answer.filter(|(_, chart)| chart.work_kept_from_ms.is_none());
    figures::draw(frame, parts.figures, entry, worked.map(|(history, _)| history));
    if let Some((_, chart)) = answer {
        state_bar::draw(frame, parts.states, chart);
    }
    match plottable(state, screen, answer) {
        Err(why) => draw_message(frame, parts.plot, &why),
        Ok((history, chart)) => match screen.charts.kind {
            ChartKind::HeatMap => heat_map::draw(frame, parts.plot, history, chart),
            ChartKind::Histogram => histogram::draw(frame, parts.plot, chart),
            ChartKind::Percentiles => percentile_line::draw(frame, parts.plot, history),
        },
    }
}

/// Returns what can be plotted, or why nothing can.
fn plottable<'a>(
    state: &AppState,
    screen: &AgentScreen,
    answer: Option<(&'a AgentHistory, &'a AgentChart)>,
) -> Result<(&'a AgentHistory, &'a AgentChart), String> {
    let words = screen.charts.window.words();
    let Some((history, chart)) = answer else {
        return Err(match screen.charts.failure() {
            Some(why) => format!("no history: {why}"),
            None if !state.connection.is_live() => "no history: not connected".to_owned(),
            None => format!("loading the last {words}"),
        });
    };
    if let Some(kept_ms) = chart.work_kept_from_ms {
        let (from, key) = (zoned_time(state, kept_ms), key_label(state, AppCommand::Window));
        return Err(format!(
            "work of so short a time is kept from {from} on: {key} charts a longer one"
        ));
    }
    match (history.total.ok + history.total.failed, chart.total_bands.is_empty()) {
        (0, _) => Err(format!("no tasks in the last {words}")),
        (_, true) => Err(format!("no task was timed in the last {words}")),
        (_, false) => Ok((history, chart)),
    }
}

fn draw_message(frame: &mut ScreenFrame<'_>, area: Rect, text: &str) {
    let lines = wrap(text, usize::from(area.width.saturating_sub(4)));
    let used = u16::try_from(lines.len()).unwrap_or(u16::MAX);
    let first = area.height.saturating_sub(used) / 2;
    for (row, line) in (first..).zip(lines) {
        if let Some(mut out) = frame.line(area, row) {
            out.gap(2).put(StyleRole::Text, &line);
        }
    }
}

/// Draws the boxes, with the window, the kind of chart, and the totals of the states in their borders.
fn draw_frames(
    frame: &mut ScreenFrame<'_>,
    screen: &AgentScreen,
    parts: &ChartParts,
    chart: Option<&AgentChart>,
) {
    let (window, kind) = (screen.charts.window, screen.charts.kind.title());
    let mark = if screen.focus == AgentPane::Charts { "> " } else { "" };
    let totals = chart.map(state_bar::totals).unwrap_or_default();
    match parts.framing {
        ChartFraming::Bare => {
            if let Some(mut out) = frame.line(parts.title, 0) {
                out.gap(1).put(StyleRole::Title, window.label());
                out.gap(1).put(StyleRole::Title, kind).gap(2).put(StyleRole::Text, &totals);
            }
        }
        ChartFraming::Boxes if parts.area.width >= WIDE => {
            let [figures, plot, states] = wide_boxes(parts.area);
            frame.draw_box(figures, &format!("{mark}work  {}", window_choice(window)));
            frame.draw_box(plot, &format!("{kind}, {}", window.label()));
            frame.draw_box(states, &joined(&format!("states, {}", window.label()), &totals));
            write_border(frame, states, StyleRole::Dim, &state_bar::legend(frame.state.glyphs));
        }
        ChartFraming::Boxes => {
            frame.draw_box(parts.area, &format!("{mark}{}  {kind}", window_choice(window)));
            write_border(frame, parts.area, StyleRole::Title, &totals);
        }
    }
}

fn joined(first: &str, rest: &str) -> String {
    if rest.is_empty() { first.to_owned() } else { format!("{first}   {rest}") }
}

/// Formats all windows, with the chosen one in brackets.
fn window_choice(chosen: ChartWindow) -> String {
    let one = |window: ChartWindow| {
        let label = window.label();
        if window == chosen { format!("[{label}]") } else { label.to_owned() }
    };
    ChartWindow::ALL.map(one).join(" ")
}

/// Writes on the lower border of a box.
fn write_border(frame: &mut ScreenFrame<'_>, area: Rect, role: StyleRole, text: &str) {
    if area.width < 5 || area.height == 0 || text.is_empty() {
        return;
    }
    let line = Rect { x: area.x + 2, width: area.width - 4, ..area };
    if let Some(mut out) = frame.line(line, area.height - 1) {
        out.put(role, &format!(" {text} "));
    }
}
