//! The line that tells what the cursor is on, or what was between the marks.

use heartline_operator::message::{Outage, OutageNote, TimelineCell};
use heartline_operator::text::clock_step_text;
use heartline_vocabulary::AgentStatus;

use super::super::frame::ScreenFrame;
use super::super::zoned_time;
use super::share_up;
use crate::state::{AppState, FleetRow, SpanSummary, TimelineFocus};
use crate::text::{age, availability, latency};
use crate::theme::{StyleRole, state_label, vitals_label};
use crate::timeline_layout::TimelineAreas;

pub(super) fn draw(frame: &mut ScreenFrame<'_>, areas: &TimelineAreas) {
    let state = frame.state;
    let (role, text) = match (&state.timeline.failure, &state.timeline.span) {
        (Some(why), _) => (StyleRole::Alert, why.clone()),
        (None, Some(span)) => (StyleRole::Strong, span_text(state, span)),
        (None, None) => match state.timeline.outages.selected() {
            Some(outage) if state.timeline.focus == TimelineFocus::Outages => {
                (StyleRole::Strong, outage_text(outage))
            }
            _ => (StyleRole::Text, cell_text(state)),
        },
    };
    if let Some(mut out) = frame.line(areas.cursor, 0) {
        out.gap(1).put(role, &text);
    }
}

/// Tells what was written on an outage, which its row may have no room for, and its cause.
fn outage_text(outage: &Outage) -> String {
    let note = |note: &OutageNote| match (note.acknowledges, note.words.as_str()) {
        (true, "") => format!("acknowledged by {}; ", note.by),
        (true, words) => format!("acknowledged by {}: {words}; ", note.by),
        (false, words) => format!("{}: {words}; ", note.by),
    };
    let notes: String = outage.notes.iter().rev().map(note).collect();
    let cause = outage.cause.as_deref().unwrap_or("cause not known any more");
    let step = outage.step.as_ref().map_or_else(String::new, |step| format!(", step {step}"));
    format!("#{} {notes}{cause}{step}", outage.id)
}

/// Tells what the selected row was in the cell of the cursor.
fn cell_text(state: &AppState) -> String {
    let timeline = &state.timeline;
    let at_ms = state.cursor_ms();
    let mark = match timeline.marks.0 {
        Some(from_ms) => format!("A {} {} ", zoned_time(state, from_ms), state.glyphs.arrow),
        None => String::new(),
    };
    let time = format!("{mark}{}", zoned_time(state, at_ms));
    let Some(row) = state.list.rows.get(state.list.at).copied() else { return time };
    let name = match row {
        FleetRow::Group(group) => &state.list.groups[group].name,
        FleetRow::Agent { id, .. } => match state.listed_agent(id) {
            Some(entry) => &entry.agent,
            None => return time,
        },
    };
    let key = state.list.timeline_row(row);
    let begin_ms = timeline.cell_of(at_ms);
    let cell = timeline.tiles.cells(key, timeline.cell_ms(), begin_ms, 1, state.live_ms())[0];
    let now = match row {
        // The newest cell may just have begun.
        FleetRow::Agent { id, .. } if !state.travel.is_past() => state.live.fleet.get(id),
        _ => None,
    };
    let what = match (cell, now) {
        (None, _) => "loading".to_owned(),
        (Some(cell), Some(entry)) if cell == TimelineCell::default() => {
            vitals_label(&entry.vitals, state.glyphs.glyph_set).word.to_owned()
        }
        (Some(cell), _) => parts(state, &cell).join(", "),
    };
    let cell_ms = begin_ms..begin_ms + timeline.cell_ms();
    let step = timeline.clock_steps.iter().find(|step| cell_ms.contains(&step.at_ms));
    let step = step.map_or_else(String::new, |step| format!("; {}", clock_step_text(step.by_ms)));
    format!("{time}  {name}: {what}{step}")
}

/// Returns the times of a cell in words.
fn parts(state: &AppState, cell: &TimelineCell) -> Vec<String> {
    let word = |status: AgentStatus| {
        let label = state_label(status.state, status.reason, state.glyphs.glyph_set);
        match cell.worst_agents {
            0 | 1 => label.word.to_owned(),
            agents => format!("{agents} {}", label.word),
        }
    };
    let mut parts: Vec<String> = cell.worst.map(word).into_iter().collect();
    let times = [
        ("out", cell.bad_ms),
        ("healthy", cell.up_ms),
        ("killed, stopped or unknown", cell.other_ms),
        ("not observed", cell.unobserved_ms),
    ];
    let several = times.iter().filter(|(_, ms)| *ms > 0).count() > 1 || cell.worst.is_none();
    let times = times.iter().filter(|(_, ms)| *ms > 0 && several);
    parts.extend(times.map(|(what, ms)| format!("{what} {}", age(*ms))));
    if parts.is_empty() {
        parts.push("not known here then".to_owned());
    }
    parts
}

/// Tells what was between the marks.
fn span_text(state: &AppState, span: &SpanSummary) -> String {
    let (from, to) = (zoned_time(state, span.from_ms), zoned_time(state, span.to_ms));
    let length_ms = (span.to_ms - span.from_ms).unsigned_abs();
    let arrow = state.glyphs.arrow;
    let mut text = format!("A {from} {arrow} B {to} ({}) {}: ", age(length_ms), span.name);
    let cell = &span.cell;
    text += &share_up(cell).map_or_else(
        || "never up or out".to_owned(),
        |share| {
            let observed_ms = cell.observed_ms();
            let observed = observed_ms as f64 / (observed_ms + cell.unobserved_ms) as f64;
            format!("up {}, out {}", availability(share, observed), age(cell.bad_ms))
        },
    );
    if let Some(outages) = span.outages {
        text += &format!(", {outages} outage{}", if outages == 1 { "" } else { "s" });
    }
    if let Some((ok, failed, quantiles)) = &span.work {
        text += &match quantiles {
            None => ", no tasks".to_owned(),
            Some(it) => format!(
                ", {ok} ok {failed} failed p50 {} p95 {} p99 {}",
                latency(it.p50),
                latency(it.p95),
                latency(it.p99)
            ),
        };
    }
    text
}
