//! The table of incidents: those that go on, then those that are over, each the newest first.

use heartline_operator::message::{DeliveryReport, Incident, IncidentReport, NoticeReport};
use heartline_operator::text::{incident_scope, newest_deliveries};
use heartline_vocabulary::{DeliveryState, ScopeKind, Severity, State};
use ratatui::layout::Rect;

use super::super::frame::{RowWriter, ScreenFrame};
use super::super::{list_time, zone_name};
use crate::incident_lines::delivery_glyph;
use crate::state::{AlertMark, AppState};
use crate::text::{TextAlign, age_since, count, wrap};
use crate::theme::{StateLabel, StyleRole, state_label};

/// From this width on the severity and how long it lasts have columns.
const WIDE: u16 = 100;
/// From this width on it is said who was told.
const TOLD_MIN_WIDTH: u16 = 76;
/// Below this width there are only the state, the number, what it is about, and how long it lasts.
const NARROW: u16 = 60;
/// Columns of the state, the number, the begin, how long it lasts, and the members, each with a blank.
const STATE: u16 = 11;
const ID: u16 = 7;
const SINCE: u16 = 10;
const LASTS: u16 = 7;
const MEMBERS: u16 = 7;
const SEVERITY: u16 = 9;
const MARGIN: u16 = 2;
/// The least columns of who takes care of it.
const TAKEN: u16 = 9;

/// Widths of the columns that are not the same everywhere; of those that are not drawn 0.
struct Columns {
    what: u16,
    severity: u16,
    since: u16,
    lasts: u16,
    members: u16,
    told: u16,
}

impl Columns {
    fn of(width: u16) -> Self {
        let rest = |used: u16| width.saturating_sub(MARGIN + STATE + ID + used);
        match width {
            ..NARROW => {
                Self { what: rest(LASTS), severity: 0, since: 0, lasts: LASTS, members: 0, told: 0 }
            }
            NARROW..TOLD_MIN_WIDTH => {
                let what = rest(SINCE + MEMBERS + TAKEN);
                Self { what, severity: 0, since: SINCE, lasts: 0, members: MEMBERS, told: 0 }
            }
            TOLD_MIN_WIDTH..WIDE => {
                let (told, members) = (15, MEMBERS);
                let what = rest(SINCE + members + told + TAKEN);
                Self { what, severity: 0, since: SINCE, lasts: 0, members, told }
            }
            WIDE.. => {
                let (severity, lasts, members) = (SEVERITY, LASTS, MEMBERS);
                let rest = rest(severity + SINCE + lasts + members + TAKEN + 5);
                let what = rest * 2 / 5;
                Self { what, severity, since: SINCE, lasts, members, told: rest - what }
            }
        }
    }

    /// Writes a row, with what is in each of its columns.
    fn write(&self, out: &mut RowWriter<'_>, cells: &[(StyleRole, String); 9]) {
        let [state, id, severity, what, since, lasts, members, told, acknowledged] = cells;
        let mut cell = |(role, text): &(StyleRole, String), columns: u16, align| {
            if columns > 0 {
                out.cell(*role, text, columns - 1, align).gap(1);
            }
        };
        let (left, right) = (TextAlign::Left, TextAlign::Right);
        cell(state, STATE, left);
        cell(id, ID, left);
        cell(severity, self.severity, left);
        cell(what, self.what, left);
        cell(since, self.since, left);
        cell(lasts, self.lasts, right);
        cell(members, self.members, right);
        cell(told, self.told, left);
        if self.members > 0 {
            out.put(acknowledged.0, &acknowledged.1);
        }
    }
}

pub(super) fn draw(frame: &mut ScreenFrame<'_>, titles: Rect, area: Rect) {
    let state = frame.state;
    let columns = Columns::of(area.width);
    if let Some(mut out) = frame.line(titles, 0) {
        let since = match state.zone() == jiff::tz::TimeZone::UTC {
            true => "SINCE".to_owned(),
            false => format!("SINCE {}", zone_name(state, state.now_ms())),
        };
        let names = ["STATE", "ID", "SEVERITY", "WHAT", &since, "FOR", "IN IT", "TOLD", "ACK BY"];
        columns.write(out.gap(2), &names.map(|name| (StyleRole::Dim, name.to_owned())));
    }
    let incidents = &state.alerts.report.incidents;
    if incidents.is_empty() {
        return draw_placeholder(frame, area);
    }
    let rows = incidents.iter().enumerate().skip(state.alerts.offset);
    for (line, (at, report)) in (0..area.height).zip(rows) {
        let is_selected = at == state.alerts.at;
        if let Some(mut out) = frame.line(area, line) {
            out.put(StyleRole::Key, if is_selected { ">" } else { " " });
            let (role, mark) = mark(state, &report.incident);
            out.put(role, mark);
            columns.write(&mut out, &cells(state, report, area.width));
        }
        if is_selected {
            frame.select_rows(area, line, 1);
        }
    }
}

/// Returns whether somebody takes care of an incident that goes on.
fn mark(state: &AppState, incident: &Incident) -> (StyleRole, &'static str) {
    match (&incident.acknowledged, incident.ended_ms) {
        (_, Some(_)) => (StyleRole::Dim, " "),
        (None, None) => state.glyphs.alert_mark(AlertMark::Open),
        (Some(_), None) => state.glyphs.alert_mark(AlertMark::Acknowledged),
    }
}

fn cells(state: &AppState, report: &IncidentReport, width: u16) -> [(StyleRole, String); 9] {
    let incident = &report.incident;
    let is_over = incident.ended_ms.is_some();
    let text = if is_over { StyleRole::Dim } else { StyleRole::Text };
    let or_dim = |role| if is_over { StyleRole::Dim } else { role };
    let label = label(state, incident);
    let until_ms = incident.ended_ms.unwrap_or_else(|| state.live_ms());
    let lasts = age_since(Some(incident.opened_ms), until_ms);
    let word = match (incident.merged_into, is_over) {
        (Some(into), _) => format!("in {into}"),
        (None, true) => format!("over {}", largest_unit(&lasts)),
        (None, false) => format!("{} {}", label.glyph, label.word),
    };
    let counts = &incident.counts;
    let members = match incident.scope.kind {
        ScopeKind::Sink | ScopeKind::Budget => "-".to_owned(),
        _ => format!("{}/{}", count(counts.in_trouble.into()), count(counts.total.into())),
    };
    let (told_role, told) = told(state, &report.notices, width);
    let acknowledged = match &incident.acknowledged {
        Some(ack) => (or_dim(StyleRole::Healthy), ack.by.clone()),
        None if is_over => (StyleRole::Dim, "-".to_owned()),
        None => (StyleRole::Unreachable, "nobody".to_owned()),
    };
    [
        (or_dim(label.role), word),
        (text, incident.id.to_string()),
        (text, incident.severity.name().to_owned()),
        (or_dim(StyleRole::Strong), incident_scope(&incident.scope)),
        (text, list_time(state, incident.opened_ms)),
        (text, lasts),
        (text, members),
        (or_dim(told_role), told),
        acknowledged,
    ]
}

/// Returns the label of the worst that a member was, or what else it is about.
fn label(state: &AppState, incident: &Incident) -> StateLabel {
    let of =
        |word, status| StateLabel { word, ..state_label(status, None, state.glyphs.glyph_set) };
    match (incident.scope.kind, incident.severity) {
        (ScopeKind::Sink, _) => of("SINK", State::Unreachable),
        (ScopeKind::Budget, Severity::Critical) => of("BUDGET", State::Killed),
        (ScopeKind::Budget, Severity::Warning) => of("BUDGET", State::Degraded),
        (ScopeKind::Replicas, _) => of("TOO FEW", State::Unreachable),
        (ScopeKind::Expected, _) => of("NEVER", State::Unknown),
        _ => state_label(incident.worst.state, incident.worst.reason, state.glyphs.glyph_set),
    }
}

/// Returns the begin of an age: `14m` of `14m05s`.
fn largest_unit(age: &str) -> &str {
    let end = age.find(|c: char| c.is_ascii_alphabetic()).map_or(age.len(), |at| at + 1);
    &age[..end]
}

/// Returns who was told, and first of all who was to be told and was not; where there is room, with when.
fn told(state: &AppState, notices: &[NoticeReport], width: u16) -> (StyleRole, String) {
    let is_told =
        |it: &&DeliveryReport| matches!(it.state, DeliveryState::Delivered | DeliveryState::Merged);
    let (told, missing): (Vec<&DeliveryReport>, Vec<&DeliveryReport>) =
        newest_deliveries(notices).into_iter().partition(is_told);
    let text = |it: &DeliveryReport| match (width < WIDE, is_told(&it)) {
        (true, true) => it.sink.clone(),
        (true, false) => format!("{}{}", delivery_glyph(it.state).0, it.sink),
        (false, true) => format!("{} {}", it.sink, list_time(state, it.at_ms)),
        (false, false) => format!("{} {}", it.sink, it.state.name()),
    };
    let all: Vec<String> = missing.iter().chain(&told).map(|it| text(it)).collect();
    match (all.is_empty(), missing.is_empty()) {
        (true, _) => (StyleRole::Dim, "nobody".to_owned()),
        (false, true) => (StyleRole::Text, all.join(", ")),
        (false, false) => (StyleRole::Degraded, all.join(", ")),
    }
}

/// Draws why no incident is listed.
fn draw_placeholder(frame: &mut ScreenFrame<'_>, area: Rect) {
    let state = frame.state;
    let text = if state.connection.is_file {
        "An incident file has no alerts: it tells what happened, not who was told."
    } else if let Some(why) = &state.alerts.failure {
        why
    } else if !state.alerts.is_known {
        "Loading incidents."
    } else {
        "No incident goes on, and none was in the last 24 hours."
    };
    let lines = wrap(text, usize::from(area.width.saturating_sub(3)));
    for (row, line) in (u16::from(area.height > 2)..).zip(lines) {
        if let Some(mut out) = frame.line(area, row) {
            out.gap(2).put(StyleRole::Text, &line);
        }
    }
}
