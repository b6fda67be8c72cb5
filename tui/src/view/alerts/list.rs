//! The table of incidents: those that go on, then those that are over, each the newest first.

use heartline_operator::message::{DeliveryReport, Incident, IncidentReport, NoticeReport};
use heartline_operator::text::{incident_scope, newest_deliveries};
use heartline_vocabulary::{DeliveryState, ScopeKind, State};
use ratatui::layout::Rect;

use super::super::frame::{RowWriter, ScreenFrame};
use super::super::{list_time, zone_name};
use crate::state::{AlertMark, AppState};
use crate::text::{TextAlign, age_since, count, wrap};
use crate::theme::{StateLabel, StyleRole, state_label};

/// From this width on the severity and how long it lasts have columns.
const WIDE: u16 = 100;
/// Below this width there are only the state, the number and what it is about.
const NARROW: u16 = 60;

/// Widths of the columns; of those that are not drawn 0.
struct Columns {
    what: u16,
    severity: u16,
    lasts: u16,
    told: u16,
}

impl Columns {
    fn of(width: u16) -> Self {
        match width {
            ..NARROW => Self { what: width.saturating_sub(28), severity: 0, lasts: 6, told: 0 },
            NARROW..WIDE => Self { what: width - 61, severity: 0, lasts: 0, told: 14 },
            WIDE.. => {
                let rest = width - 79;
                Self { what: rest / 2, severity: 9, lasts: 6, told: 14 + rest - rest / 2 }
            }
        }
    }

    /// Writes a row, with what is in each of its columns.
    fn write(&self, out: &mut RowWriter<'_>, cells: &[(StyleRole, String); 9]) {
        let [state, id, severity, what, since, lasts, members, told, acknowledged] = cells;
        let mut cell = |(role, text): &(StyleRole, String), columns: u16, align| {
            if columns > 0 {
                out.cell(*role, text, columns, align).gap(1);
            }
        };
        let (left, right) = (TextAlign::Left, TextAlign::Right);
        cell(state, 10, left);
        cell(id, 7, left);
        cell(severity, self.severity, left);
        cell(what, self.what, left);
        if self.told > 0 {
            cell(since, 9, left);
        }
        cell(lasts, self.lasts, right);
        if self.told > 0 {
            cell(members, 6, right);
            cell(told, self.told, left);
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
        let names =
            ["STATE", "ID", "SEVERITY", "WHAT", &since, "FOR", "IN IT", "TOLD", "TAKEN CARE OF BY"];
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
            columns.write(&mut out, &cells(state, report));
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

fn cells(state: &AppState, report: &IncidentReport) -> [(StyleRole, String); 9] {
    let incident = &report.incident;
    let is_over = incident.ended_ms.is_some();
    let text = if is_over { StyleRole::Dim } else { StyleRole::Text };
    let or_dim = |role| if is_over { StyleRole::Dim } else { role };
    let label = label(state, incident);
    let until_ms = incident.ended_ms.unwrap_or_else(|| state.live_ms());
    let lasts = age_since(Some(incident.opened_ms), until_ms);
    let word = match is_over {
        true => format!("over {lasts}"),
        false => format!("{} {}", label.glyph, label.word),
    };
    let counts = &incident.counts;
    let members = match incident.scope.kind {
        ScopeKind::Sink => "-".to_owned(),
        _ => format!("{}/{}", count(counts.in_trouble.into()), count(counts.total.into())),
    };
    let (told_role, told) = told(state, &report.notices);
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

/// Returns the label of the worst that a member was; of a sink, that it takes nothing.
fn label(state: &AppState, incident: &Incident) -> StateLabel {
    match incident.scope.kind {
        ScopeKind::Sink => StateLabel {
            word: "SINK",
            ..state_label(State::Unreachable, None, state.glyphs.glyph_set)
        },
        _ => state_label(incident.worst.state, incident.worst.reason, state.glyphs.glyph_set),
    }
}

/// Returns who was told and when, and first of all who was to be told and was not.
fn told(state: &AppState, notices: &[NoticeReport]) -> (StyleRole, String) {
    let deliveries = newest_deliveries(notices);
    let is_told =
        |it: DeliveryState| matches!(it, DeliveryState::Delivered | DeliveryState::Merged);
    let (told, missing): (Vec<&DeliveryReport>, Vec<&DeliveryReport>) =
        deliveries.into_iter().partition(|it| is_told(it.state));
    let missing_text = missing.iter().map(|it| format!("{} {}", it.sink, it.state.name()));
    let told_text = told.iter().map(|it| format!("{} {}", it.sink, list_time(state, it.at_ms)));
    let all: Vec<String> = missing_text.chain(told_text).collect();
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
