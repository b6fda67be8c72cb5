//! The help: every command of a screen with its keys, and the meaning of the glyphs. Nothing in it is
//! cut off: what does not fit beside something goes below it.

use heartline_vocabulary::{Reason, State};
use ratatui::layout::Rect;

use super::footer::key_label;
use super::frame::ScreenFrame;
use super::{centred, room_for_overlay};
use crate::commands::{AppCommand, CommandSpec, REGISTRY};
use crate::state::AppState;
use crate::text::{TextAlign, fit, width, wrap};
use crate::theme::{StateLabel, StyleRole, state_label};

const HELP_WIDTH: u16 = 118;
/// From this width on commands stand in two columns.
const TWO_COLUMNS_MIN_WIDTH: u16 = 112;
/// Columns of the border, and of a blank on each side.
const FRAME_COLUMNS: u16 = 4;
/// Columns of the keys, and a blank behind them.
const TEXT_INDENT: usize = 12;
/// With less room behind that, texts stand below the keys, unless these are short.
const MIN_TEXT_COLUMNS: usize = 20;
const INDENT_BELOW_KEYS: usize = 2;
/// From this height on the last line is kept for the glyphs, and for whether there is more.
const LAST_LINE_MIN_HEIGHT: u16 = 6;

/// The pieces of a line, each with its style.
type HelpLine = Vec<(StyleRole, String)>;

/// The lines of the help, and how much of them is shown.
struct HelpLayout {
    area: Rect,
    columns: Vec<Vec<HelpLine>>,
    /// The number of lines of the longest column.
    rows: usize,
    /// Rows of them that are shown.
    height: usize,
    /// The meaning of the glyphs, where it fits the last line; elsewhere it stands below the commands.
    legend: Option<HelpLine>,
    has_last_line: bool,
}

impl HelpLayout {
    fn new(state: &AppState) -> Self {
        let columns = if state.size.0 >= TWO_COLUMNS_MIN_WIDTH { 2 } else { 1 };
        let inner_width = HELP_WIDTH.min(state.size.0).saturating_sub(FRAME_COLUMNS);
        let most = room_for_overlay(state).saturating_sub(2);
        let commands = command_lines(state, usize::from(column_width(inner_width, columns)));
        let mut columns = split_into_columns(commands, usize::from(columns));

        let has_room_below = most >= LAST_LINE_MIN_HEIGHT;
        let beside_more = usize::from(inner_width).saturating_sub(width(&more_hint(state)) + 1);
        let legend = match legend_lines(state, beside_more).as_slice() {
            [only] if has_room_below => Some(only.clone()),
            _ => None,
        };
        if let (None, Some(last)) = (&legend, columns.last_mut()) {
            last.push(HelpLine::new());
            last.extend(legend_lines(state, inner_width.into()));
        }
        let rows = columns.iter().map(Vec::len).max().unwrap_or(0);
        let is_too_long = rows > usize::from(most);
        let has_last_line = legend.is_some() || (has_room_below && is_too_long);
        let wanted = u16::try_from(rows).unwrap_or(u16::MAX);
        let inner_height = wanted.saturating_add(u16::from(has_last_line)).min(most);
        let height = usize::from(inner_height - u16::from(has_last_line));
        let area = centred(state, HELP_WIDTH, inner_height + 2);
        Self { area, columns, rows, height, legend, has_last_line }
    }
}

/// Returns how far the help can be scrolled.
pub(crate) fn max_help_scroll(state: &AppState) -> usize {
    let layout = HelpLayout::new(state);
    layout.rows.saturating_sub(layout.height)
}

/// Draws every command of this screen with its keys.
pub(super) fn draw(frame: &mut ScreenFrame<'_>, scroll: usize) {
    let state = frame.state;
    let layout = HelpLayout::new(state);
    let mut inner = frame.draw_box(layout.area, &title(state, layout.area.width));
    inner.x += 1;
    inner.width = inner.width.saturating_sub(2);
    let scroll = scroll.min(layout.rows.saturating_sub(layout.height));
    let columns = u16::try_from(layout.columns.len()).unwrap_or(1).max(1);
    for (column, lines) in (0..).zip(&layout.columns) {
        let x = inner.x + inner.width / columns * column;
        let area = Rect { x, width: column_width(inner.width, columns), ..inner };
        for (row, line) in (0..).zip(lines.iter().skip(scroll).take(layout.height)) {
            draw_line(frame, area, row, line);
        }
    }
    if !layout.has_last_line {
        return;
    }
    let last = inner.height.saturating_sub(1);
    draw_line(frame, inner, last, layout.legend.as_deref().unwrap_or_default());
    if scroll + layout.height < layout.rows
        && let Some(mut out) = frame.line(inner, last)
    {
        out.put_right(&[(StyleRole::Dim, &more_hint(state))]);
    }
}

fn draw_line(frame: &mut ScreenFrame<'_>, area: Rect, row: u16, line: &[(StyleRole, String)]) {
    let Some(mut out) = frame.line(area, row) else { return };
    for (role, text) in line {
        out.put(*role, text);
    }
}

/// Returns the width of each column; a blank stands between two.
fn column_width(all: u16, columns: u16) -> u16 {
    if columns == 1 { all } else { (all / columns).saturating_sub(1) }
}

fn title(state: &AppState, box_width: u16) -> String {
    let screen = state.screen_context().title();
    let title = format!("Keys on the {screen} screen");
    // A blank, the line of the border, and a corner on both sides.
    if width(&title) + 6 <= box_width.into() { title } else { format!("Keys on {screen}") }
}

fn more_hint(state: &AppState) -> String {
    format!("{}: more", key_label(state, AppCommand::Down))
}

/// Returns the lines of each command that this screen offers.
fn command_lines(state: &AppState, columns: usize) -> Vec<Vec<HelpLine>> {
    let context = state.screen_context();
    let is_offered =
        |spec: &&CommandSpec| spec.contexts.contains(&context) && state.offers(spec.command);
    let is_wide = columns >= TEXT_INDENT + MIN_TEXT_COLUMNS;
    let indent = if is_wide { TEXT_INDENT } else { INDENT_BELOW_KEYS };
    let lines = |spec: &CommandSpec| {
        let keys: Vec<String> = state.keymap.keys(spec.command).map(ToString::to_string).collect();
        let keys = keys.join(" ");
        let mut texts = wrap(spec.help, columns.saturating_sub(indent)).into_iter();
        let mut lines: Vec<HelpLine> = Vec::new();
        if width(&keys) < indent {
            let first = texts.next().unwrap_or_default();
            let keys = fit(&keys, indent, TextAlign::Left, "");
            lines.push(vec![(StyleRole::Key, keys), (StyleRole::Text, first)]);
        } else {
            let above = wrap(&keys, columns).into_iter();
            lines.extend(above.map(|line| vec![(StyleRole::Key, line)]));
        }
        lines.extend(texts.map(|text| vec![(StyleRole::Text, " ".repeat(indent) + &text)]));
        lines
    };
    REGISTRY.iter().filter(is_offered).map(lines).collect()
}

/// Returns the lines of each column, so that the first ones are not shorter than the last. Those of
/// one command stay together.
fn split_into_columns(commands: Vec<Vec<HelpLine>>, columns: usize) -> Vec<Vec<HelpLine>> {
    let rows = commands.iter().map(Vec::len).sum::<usize>().div_ceil(columns);
    let mut split: Vec<Vec<HelpLine>> = vec![Vec::new()];
    for lines in commands {
        if split.last().is_some_and(|column| column.len() >= rows) {
            split.push(Vec::new());
        }
        split.last_mut().expect("there is always a column").extend(lines);
    }
    split
}

/// Returns the meaning of the glyphs, in as many lines as that takes.
fn legend_lines(state: &AppState, columns: usize) -> Vec<HelpLine> {
    let stopped = (State::Killed, Some(Reason::Shutdown), "stopped");
    let plain = State::ALL.map(|each| (each, None, each.name()));
    let mut lines: Vec<HelpLine> = Vec::new();
    let mut used = 0;
    for (each, reason, word) in plain.into_iter().chain([stopped]) {
        let StateLabel { glyph, role, .. } = state_label(each, reason, state.glyphs.glyph_set);
        let piece = format!("{glyph} {word}");
        match lines.last_mut() {
            Some(line) if used + 2 + width(&piece) <= columns => {
                used += 2 + width(&piece);
                line.push((role, format!("  {piece}")));
            }
            _ => {
                used = width(&piece);
                lines.push(vec![(role, piece)]);
            }
        }
    }
    lines
}
