//! The outages in the window, below the rows.

use heartline_operator::message::Outage;

use super::super::frame::{RowWriter, ScreenFrame};
use super::super::list_time;
use crate::state::{AppState, TimelineFocus};
use crate::text::{TextAlign, age, count, width};
use crate::theme::{ScreenGlyphs, StyleRole, state_label};
use crate::timeline_layout::TimelineAreas;

/// From this width on the end and who acknowledged it are shown.
const WIDE: u16 = 100;

pub(super) fn draw(frame: &mut ScreenFrame<'_>, areas: &TimelineAreas) {
    let state = frame.state;
    draw_titles(frame, areas);
    let table = &state.timeline.outages;
    for (line, (at, outage)) in
        (0..areas.outages.height).zip(table.rows.iter().enumerate().skip(table.offset))
    {
        let is_wide = areas.outages.width >= WIDE;
        if let Some(mut out) = frame.line(areas.outages, line) {
            write_outage(state, outage, is_wide, &mut out);
        }
        if at == table.at && state.timeline.focus == TimelineFocus::Outages {
            frame.select_rows(areas.outages, line, 1);
        }
    }
}

fn draw_titles(frame: &mut ScreenFrame<'_>, areas: &TimelineAreas) {
    let state = frame.state;
    let table = &state.timeline.outages;
    let more = if table.has_more { "+" } else { "" };
    let number = count(table.rows.len() as u64);
    let plural = if table.rows.len() == 1 { "" } else { "s" };
    let focus = if state.timeline.focus == TimelineFocus::Outages { "> " } else { "  " };
    let recovered: Vec<u64> = table
        .rows
        .iter()
        .filter_map(|outage| outage.end_ms.map(|end_ms| outage.lasted_ms(end_ms)))
        .collect();
    let mean = match recovered.len() as u64 {
        0 => String::new(),
        ended => {
            format!(", MTTR {}", age(recovered.iter().sum::<u64>() / ended))
        }
    };
    let title = match &table.window {
        Some(_) => format!("{focus}{number}{more} outage{plural} in view{mean}"),
        None => format!("{focus}outages: loading"),
    };
    let legend = legend(state.glyphs);
    let fits = width(&title) + width(&legend) + 4 <= usize::from(areas.outage_titles.width);
    let Some(mut out) = frame.line(areas.outage_titles, 0) else { return };
    if fits {
        out.put_right(&[(StyleRole::Dim, &legend), (StyleRole::Dim, " ")]);
    }
    out.put(StyleRole::Title, &title);
}

/// Returns what the characters of cells mean.
fn legend(glyphs: &ScreenGlyphs) -> String {
    let bars = glyphs.bars;
    format!(
        "{} up {} stalled {} degraded {} unreachable {} short {} killed - stopped {} not observed",
        bars[0], bars[2], bars[4], bars[7], glyphs.short, glyphs.killed, glyphs.gap
    )
}

fn write_outage(state: &AppState, outage: &Outage, is_wide: bool, out: &mut RowWriter<'_>) {
    // As all that is in the window: the cursor is on one moment of it.
    let (now_ms, end_ms) = (state.live_ms(), outage.end_ms);
    let label = state_label(outage.worst.state, outage.worst.reason, state.glyphs.glyph_set);
    let lasted = age(outage.lasted_ms(now_ms));
    let end = end_ms.map_or_else(|| "open".to_owned(), |end_ms| list_time(state, end_ms));
    let missed = match outage.missed_beats {
        0 => String::new(),
        missed => format!("{} missed", count(missed)),
    };
    out.gap(1)
        .cell(StyleRole::Dim, &format!("#{}", outage.id), 8, TextAlign::Left)
        .cell(StyleRole::Strong, &outage.agent, if is_wide { 24 } else { 17 }, TextAlign::Left)
        .gap(1)
        .cell(label.role, &format!("{} {}", label.glyph, label.word), 10, TextAlign::Left)
        .gap(1)
        .cell(StyleRole::Text, &list_time(state, outage.start_ms), 9, TextAlign::Left)
        .gap(1);
    if is_wide {
        out.cell(StyleRole::Text, &end, 9, TextAlign::Left).gap(1);
    }
    let role = if end_ms.is_none() { label.role } else { StyleRole::Text };
    out.cell(role, &lasted, 6, TextAlign::Right)
        .gap(2)
        .put(StyleRole::Dim, &missed)
        .gap(u16::from(!missed.is_empty()) * 2);
    for note in &outage.notes {
        let what = if note.acknowledges { "ack " } else { "" };
        let words = if note.words.is_empty() { "" } else { ": " };
        let text = format!("{what}{}{words}{}", note.by, note.words);
        out.put(StyleRole::Key, &text).gap(2);
    }
    let cause = outage.cause.as_deref().unwrap_or("cause not known any more");
    out.put(StyleRole::Text, cause);
    if let Some(step) = &outage.step {
        out.gap(2).put(StyleRole::Dim, &format!("step {step}"));
    }
}
