//! The areas of the screen: a pure function of the state, used to draw and to scroll.

use heartline_operator::message::HistoryHealth;
use heartline_operator::text::gap_cause_text;
use ratatui::layout::Rect;

use crate::columns::ALL_COLUMNS_WIDTH;
use crate::commands::AppCommand;
use crate::progress::newest_command;
use crate::state::{AppState, ConnectionState, Overlay, Screen};
use crate::text::{TextAlign, age, date_or_time, fit, width, wrap, wrap_at_most};
use crate::theme::{StyleRole, vitals_label};
use crate::why::why;

/// The least size of a whole screen; below it, it is compact.
pub(crate) const MIN_SIZE: (u16, u16) = (60, 15);
/// The least size of a compact screen; below it there is one line of counts.
const MIN_COMPACT_SIZE: (u16, u16) = (30, 4);
/// From this height on there is a detail pane below the list.
const DETAIL_MIN_HEIGHT: u16 = 30;
/// The detail pane stands beside the list where the list has room for all its columns.
const SIDE_DETAIL_MIN_WIDTH: u16 = ALL_COLUMNS_WIDTH + 1 + MIN_DETAIL_WIDTH;
const DETAIL_HEIGHT: u16 = 8;
/// From this height on the detail pane is higher.
const TALL_DETAIL_MIN_HEIGHT: u16 = 36;
const TALL_DETAIL_HEIGHT: u16 = 10;
const MIN_DETAIL_WIDTH: u16 = 40;
const MAX_DETAIL_WIDTH: u16 = 58;
/// The most lines for the error of a filter.
const MAX_ERROR_LINES: u16 = 3;
/// The most banners shown at once, and the most lines of each.
const MAX_BANNERS: usize = 3;
const MAX_BANNER_LINES: usize = 5;
/// The most lines of a status message, and of a command.
const MAX_MESSAGE_LINES: usize = 3;

/// The areas of a screen. Empty ones are not drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ScreenAreas {
    pub header: Rect,
    pub banners: Rect,
    /// The filter line, and the error below it.
    pub filter: Rect,
    pub titles: Rect,
    pub body: Rect,
    pub detail: Rect,
    pub messages: Rect,
    pub hints: Rect,
}

/// How much of a screen there is room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScreenLayout {
    Full,
    /// A short form of each screen, for a split pane.
    Compact,
    /// One line of counts, and no key but those that leave.
    Counts,
}

impl ScreenLayout {
    pub(crate) fn of(size: (u16, u16)) -> Self {
        let has = |least: (u16, u16)| size.0 >= least.0 && size.1 >= least.1;
        match size {
            _ if has(MIN_SIZE) => Self::Full,
            _ if has(MIN_COMPACT_SIZE) => Self::Compact,
            _ => Self::Counts,
        }
    }
}

/// Returns the lines of why the connection is lost, and of the collector's warnings.
pub(crate) fn banners(state: &AppState) -> Vec<String> {
    let columns = usize::from(state.size.0.saturating_sub(3));
    let wrapped = |text: &String| wrap_at_most(text, columns, MAX_BANNER_LINES);
    banner_texts(state).iter().flat_map(wrapped).collect()
}

fn banner_texts(state: &AppState) -> Vec<String> {
    let mut all = Vec::new();
    if let ConnectionState::Lost { why, .. } = &state.connection.state {
        all.push(why.clone());
    }
    if let Some(gap) = state.model().unknown.gap {
        let (from, to) = (gap.from_ms, gap.to_ms);
        let cause = gap_cause_text(gap.cause);
        let text = [from, to].map(|ms| date_or_time(ms, state.live_ms(), &state.zone()));
        all.push(format!(
            "this moment was not observed, from {} to {} ({cause}): the fleet is as it was before",
            text[0], text[1]
        ));
    }
    if state.screen == Screen::Alerts && state.travel.is_past() {
        all.push("incidents, sinks and silences are as of now, not of the moment above".to_owned());
    }
    // Also in the past it is now that something is wrong.
    if let Some(collector) = state.live.collector() {
        if let HistoryHealth::Paused(why) = &collector.history {
            all.push(format!("history is paused: {why}"));
        }
        all.extend(collector.banners.iter().cloned());
    }
    if all.len() > MAX_BANNERS {
        let more = all.len() - MAX_BANNERS + 1;
        all.truncate(MAX_BANNERS - 1);
        all.push(format!("and {more} more: see `heartline doctor`"));
    }
    all
}

/// Returns the lines of the status message.
pub(crate) fn status_lines(state: &AppState) -> Vec<String> {
    let columns = usize::from(state.size.0.saturating_sub(2));
    let message = state.status_message.as_ref();
    message.map_or_else(Vec::new, |it| wrap_at_most(&it.text, columns, MAX_MESSAGE_LINES))
}

/// Returns the lines of the newest command, each with its style.
pub(crate) fn command_lines(state: &AppState) -> Vec<(StyleRole, String)> {
    let columns = usize::from(state.size.0.saturating_sub(2));
    let Some((role, text)) = newest_command(state) else { return Vec::new() };
    let lines = wrap_at_most(&text, columns, MAX_MESSAGE_LINES).into_iter();
    lines.map(|line| (role, line)).collect()
}

/// Returns the number of lines above the hints, for commands, status messages and new failures.
fn message_lines(state: &AppState) -> u16 {
    let announced = u16::from(announcement(state).is_some());
    line_count(&status_lines(state)) + line_count(&command_lines(state)) + announced
}

/// Returns the line that announces the newest failure, with its style; none in the past.
pub(crate) fn announcement(state: &AppState) -> Option<(StyleRole, String)> {
    let (newest, more) = state.attention.newest().filter(|_| !state.travel.is_past())?;
    let entry = state.live.agent(&newest.agent)?;
    let label = vitals_label(&entry.vitals, state.glyphs.glyph_set);
    let now_ms = state.now_ms();
    let lasted = age(u64::try_from(now_ms - newest.at_ms).unwrap_or(0));
    let why = why(entry, state.live.cause_of(entry), now_ms);
    let more = if more == 0 { String::new() } else { format!("  and {more} more") };
    let key = state.keymap.keys(AppCommand::Newest).next();
    let key = key.map(|key| format!("  ({key} shows it)")).unwrap_or_default();
    let text = format!("{} {} {} {lasted} ago", label.glyph, newest.agent, label.word);
    let text = if why.is_empty() { text } else { format!("{text}: {why}") };
    let room = usize::from(state.size.0.saturating_sub(2));
    let kept = room.saturating_sub(width(&more) + width(&key));
    let text = fit(&text, kept.min(width(&text)), TextAlign::Left, state.glyphs.more);
    Some((label.role, text + &more + &key))
}

/// Returns the areas of the current screen.
pub(crate) fn areas(state: &AppState) -> ScreenAreas {
    match ScreenLayout::of(state.size) {
        ScreenLayout::Full => full_areas(state),
        ScreenLayout::Compact => compact_areas(state),
        ScreenLayout::Counts => ScreenAreas::default(),
    }
}

fn full_areas(state: &AppState) -> ScreenAreas {
    let (width, height) = state.size;
    let mut rest = Rect::new(0, 0, width, height);
    let header = split_top(&mut rest, 2);
    let banners = split_top(&mut rest, line_count(&banners(state)));
    let hints = split_bottom(&mut rest, 1);
    let messages = split_bottom(&mut rest, message_lines(state));
    let mut areas = ScreenAreas { header, banners, hints, messages, ..ScreenAreas::default() };
    if !matches!(state.screen, Screen::Agent | Screen::Alerts) {
        areas.filter = split_top(&mut rest, filter_lines(state));
    }
    match state.screen {
        Screen::Fleet => place_fleet(state, rest, &mut areas),
        Screen::Agent | Screen::Timeline | Screen::Alerts => areas.body = rest,
        Screen::Transitions => {
            areas.titles = split_top(&mut rest, 1);
            areas.body = rest;
        }
    }
    areas
}

/// A message takes the place of the hints, and as many rows above them as it needs and leave one to
/// the list. Banners take at most half of the rest.
fn compact_areas(state: &AppState) -> ScreenAreas {
    let (width, height) = state.size;
    let mut rest = Rect::new(0, 0, width, height);
    let header = split_top(&mut rest, 1);
    let wanted = message_lines(state).min(rest.height.saturating_sub(1));
    let messages = split_bottom(&mut rest, wanted);
    let hints = split_bottom(&mut rest, u16::from(wanted == 0));
    let filter = match state.screen {
        Screen::Agent | Screen::Alerts => Rect::default(),
        _ if !has_filter(state) => Rect::default(),
        _ => {
            let most = rest.height / 2;
            split_top(&mut rest, filter_lines(state).min(most))
        }
    };
    let most = rest.height / 2;
    let banners = split_top(&mut rest, line_count(&banners(state)).min(most));
    ScreenAreas { header, banners, filter, body: rest, messages, hints, ..ScreenAreas::default() }
}

/// Returns whether the screen's filter is typed, or leaves something out.
fn has_filter(state: &AppState) -> bool {
    let is_active = match state.screen {
        Screen::Fleet | Screen::Timeline => state.list.filter.is_active(),
        Screen::Transitions => state.transitions.filter.is_active(),
        Screen::Agent | Screen::Alerts => false,
    };
    is_active || matches!(state.overlay, Some(Overlay::Filter(_)))
}

fn line_count<T>(lines: &[T]) -> u16 {
    u16::try_from(lines.len()).unwrap_or(u16::MAX)
}

fn filter_lines(state: &AppState) -> u16 {
    match &state.overlay {
        Some(Overlay::Filter(editor)) => editor.error.as_ref().map_or(1, |error| {
            let message = wrap_error(error.message(), state.size.0).len();
            2 + u16::try_from(message).unwrap_or(1).min(MAX_ERROR_LINES)
        }),
        _ => 1,
    }
}

fn place_fleet(state: &AppState, mut rest: Rect, areas: &mut ScreenAreas) {
    let (width, height) = state.size;
    if state.is_expanded {
        areas.detail = rest;
        return;
    }
    if width >= SIDE_DETAIL_MIN_WIDTH {
        let columns = (width - ALL_COLUMNS_WIDTH - 1).min(MAX_DETAIL_WIDTH);
        areas.detail = split_right(&mut rest, columns);
        rest.width = rest.width.saturating_sub(1);
    } else if height >= DETAIL_MIN_HEIGHT {
        let rows =
            if height >= TALL_DETAIL_MIN_HEIGHT { TALL_DETAIL_HEIGHT } else { DETAIL_HEIGHT };
        areas.detail = split_bottom(&mut rest, rows);
    }
    areas.titles = split_top(&mut rest, 1);
    areas.body = rest;
}

/// Wraps the error of a filter into lines that fit.
pub(crate) fn wrap_error(message: &str, columns: u16) -> Vec<String> {
    wrap(message, usize::from(columns.saturating_sub(2)))
}

/// Splits off the first rows of an area.
pub(crate) fn split_top(area: &mut Rect, rows: u16) -> Rect {
    let rows = rows.min(area.height);
    let top = Rect { height: rows, ..*area };
    area.y += rows;
    area.height -= rows;
    top
}

/// Splits off the last rows of an area.
pub(crate) fn split_bottom(area: &mut Rect, rows: u16) -> Rect {
    let rows = rows.min(area.height);
    area.height -= rows;
    Rect { y: area.y + area.height, height: rows, ..*area }
}

fn split_right(area: &mut Rect, columns: u16) -> Rect {
    let columns = columns.min(area.width);
    area.width -= columns;
    Rect { x: area.x + area.width, width: columns, ..*area }
}
