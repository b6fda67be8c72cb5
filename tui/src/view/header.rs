//! The two lines at the top: the fleet in counts, the connection, and what the collector lost.

use heartline_operator::message::CollectorStatus;
use heartline_vocabulary::{DatagramLoss, StateCounts};
use ratatui::layout::Rect;

use super::frame::{RowWriter, ScreenFrame};
use super::zone_name;
use crate::state::{AppState, ConnectionState, DisplayTimeZone, FleetMoney, Screen};
use crate::text::{age, cost, count, date_or_time, rate, time_of_day, width};
use crate::theme::{StyleRole, state_label};

/// From this width on the operator, the host and more words are shown.
const WIDE: u16 = 108;
/// What costs less is not shown.
const CENT_NANO_USD: u64 = 10_000_000;
/// Columns of the names of all screens.
const ALL_NAMES: usize = 57;
/// Columns of the longest name of a screen between the keys of the others.
const ONE_NAME: usize = 29;

pub(super) fn draw(frame: &mut ScreenFrame<'_>, area: Rect) {
    draw_fleet_line(frame, area);
    draw_screens_line(frame, area);
}

fn draw_fleet_line(frame: &mut ScreenFrame<'_>, area: Rect) {
    let state = frame.state;
    let separator = format!(" {} ", state.glyphs.separator);
    let Some(mut out) = frame.line(area, 0) else { return };
    let (role, label) = connection_label(state);
    let trip = state.connection.round_trip_ms.map(|ms| format!("{ms}ms{separator}"));
    let access = if state.connection.is_read_only() { "READ-ONLY" } else { "" };
    out.put_right(&[
        (StyleRole::Dim, trip.as_deref().unwrap_or_default()),
        (StyleRole::Warning, access),
        (StyleRole::Text, if access.is_empty() { "" } else { " " }),
        (role, &label),
        (StyleRole::Text, " "),
        (StyleRole::Strong, &collector_time(state)),
        (StyleRole::Text, " "),
    ]);
    out.gap(1).put(StyleRole::Title, "HEARTLINE").gap(1);
    if area.width >= WIDE {
        let host = state.model().collector().map_or("", |collector| collector.host.as_str());
        let who = state.connection.operator.as_deref().unwrap_or("not connected");
        let who = if who.contains('@') { who.to_owned() } else { format!("{who}@{host}") };
        out.put(StyleRole::Text, &who).put(StyleRole::Border, &separator);
    }
    write_counts(state, &mut out, area.width >= WIDE);
    write_money(state, &mut out);
}

/// Writes what the fleet costs, if it costs anything and there is room for all of it.
fn write_money(state: &AppState, out: &mut RowWriter<'_>) {
    let FleetMoney { today, hour, .. } = state.list.money;
    if today.max(hour) < CENT_NANO_USD {
        return;
    }
    let long = format!("${} today  ${}/h", cost(today), cost(hour));
    let short = format!("${}/h", cost(hour));
    let room = usize::from(out.remaining());
    if let Some(text) = [long, short].into_iter().find(|it| width(it) + 2 <= room) {
        out.gap(2).put(StyleRole::Text, &text);
    }
}

/// Writes the number of agents in every state, also 0.
fn write_counts(state: &AppState, out: &mut RowWriter<'_>, wide: bool) {
    let summary = state.model().fleet.summary();
    out.put(StyleRole::Strong, &count(summary.total.into()));
    out.put(
        StyleRole::Text,
        match (wide, summary.total) {
            (false, _) => "",
            (true, 1) => " agent",
            (true, _) => " agents",
        },
    );
    for counted in StateCounts::COUNTED {
        let n = summary.of(counted);
        let status = state_label(counted.state, counted.reason, state.glyphs.glyph_set);
        let role = if n == 0 { StyleRole::Dim } else { status.role };
        out.gap(if wide { 2 } else { 1 });
        out.put(role, &format!("{} {}", status.glyph, count(n.into())));
    }
}

fn draw_screens_line(frame: &mut ScreenFrame<'_>, area: Rect) {
    let state = frame.state;
    let Some(mut out) = frame.line(area, 1) else { return };
    out.gap(1);
    let wide = area.width >= WIDE;
    let losses = losses(state);
    let needed = losses.iter().map(|(text, _)| width(text) + 1).sum::<usize>();
    // The losses are never truncated: the names of other screens give way.
    let room = usize::from(area.width).saturating_sub(needed);
    for (screen, key, name) in [
        (Screen::Fleet, "1", "1 Fleet"),
        (Screen::Agent, "2", "2 Agent"),
        (Screen::Transitions, "3", "3 Transitions"),
        (Screen::Timeline, "4", "4 Timeline"),
        (Screen::Alerts, "5", "5 Alerts"),
    ] {
        if screen == state.screen {
            out.put(StyleRole::Title, &format!("[{}]", if room < ONE_NAME { key } else { name }));
        } else {
            out.put(StyleRole::Dim, &format!(" {} ", if room < ALL_NAMES { key } else { name }));
        }
    }
    out.gap(if wide { 3 } else { 1 });
    for (text, role) in losses {
        out.put(role, &text).gap(if wide { 2 } else { 1 });
    }
    if !matches!(state.screen, Screen::Fleet | Screen::Transitions) && state.list.filter.is_active()
    {
        let text = state.list.filter.text();
        let shown = if text.is_empty() { "only problems" } else { text };
        out.put(StyleRole::Warning, &format!("/ {shown}")).gap(1);
    }
    if let (true, Some(collector)) = (wide, state.model().collector())
        && !state.model().unknown.counters
    {
        let beats = rate(f64::from(collector.beats_per_second));
        out.put(StyleRole::Dim, &format!("{beats} beats/s"));
    }
}

/// Returns how many incidents nobody has acknowledged, if there are any.
fn incidents(collector: &CollectorStatus) -> Option<(String, StyleRole)> {
    match collector.alerts.unacknowledged {
        0 => None,
        1 => Some(("1 incident".to_owned(), StyleRole::Alert)),
        n => Some((format!("{} incidents", count(n.into())), StyleRole::Alert)),
    }
}

/// Returns how many silences and windows of maintenance last, if there are any.
fn silences(collector: &CollectorStatus) -> Option<(String, StyleRole)> {
    match collector.alerts.silences {
        0 => None,
        1 => Some(("1 silence".to_owned(), StyleRole::Degraded)),
        n => Some((format!("{} silences", count(n.into())), StyleRole::Degraded)),
    }
}

/// Returns what the collector dropped, refused or did not observe, highlighted when not 0.
fn losses(state: &AppState) -> Vec<(String, StyleRole)> {
    let Some(collector) = state.model().collector() else { return Vec::new() };
    if state.model().unknown.counters {
        // What was counted at that instant is not known, and what is counted now is not shown.
        return vec![("drop - badsig - replay - kernel - gaps -".to_owned(), StyleRole::Dim)];
    }
    let lost = |loss| collector.datagrams.lost(loss);
    let all = [
        ("drop", lost(DatagramLoss::Dropped)),
        ("badsig", lost(DatagramLoss::BadSignature)),
        ("replay", lost(DatagramLoss::Replayed)),
        ("kernel", lost(DatagramLoss::Kernel)),
        ("gaps", u64::from(collector.gaps)),
    ];
    let role = |n| if n == 0 { StyleRole::Dim } else { StyleRole::Alert };
    let losses = all.map(|(label, n)| (format!("{label} {}", count(n)), role(n)));
    incidents(collector).into_iter().chain(silences(collector)).chain(losses).collect()
}

pub(super) fn connection_label(state: &AppState) -> (StyleRole, String) {
    let lost = match &state.connection.state {
        ConnectionState::Live => {
            state.connection.silent_ms(state.now).map(|ms| format!("SILENT {}", age(ms)))
        }
        ConnectionState::Connecting { .. } => Some("CONNECTING".to_owned()),
        ConnectionState::Lost { since, .. } => {
            Some(format!("LOST {}", age(state.now.since(*since))))
        }
    };
    match (state.travel.is_past(), lost) {
        (false, None) if state.connection.is_file => (StyleRole::Warning, "FILE".to_owned()),
        (false, None) => (StyleRole::Healthy, "LIVE".to_owned()),
        (false, Some(lost)) => (StyleRole::Alert, lost),
        (true, None) => (StyleRole::Warning, "HISTORY".to_owned()),
        (true, Some(lost)) => (StyleRole::Alert, format!("HISTORY, {lost}")),
    }
}

/// Formats the collector's time; in the past the instant of the fleet that is shown, with its date.
fn collector_time(state: &AppState) -> String {
    if state.model().collector().is_none() {
        return "--:--:--".to_owned();
    }
    let now_ms = state.now_ms();
    let live_ms = state.live_ms();
    let date = date_or_time(now_ms, live_ms, &state.zone());
    let time = match date.split_once(' ') {
        Some((date, _)) if state.travel.is_past() => {
            format!("{date} {}", time_of_day(now_ms, &state.zone()))
        }
        _ => time_of_day(now_ms, &state.zone()),
    };
    match state.zone {
        DisplayTimeZone::Utc => format!("{time}Z"),
        DisplayTimeZone::Local => format!("{time} {}", zone_name(state, now_ms)),
    }
}
