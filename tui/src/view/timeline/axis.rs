//! The axis above the cells, with labels at round times.

use jiff::tz::TimeZone;

use super::super::frame::ScreenFrame;
use super::super::time_ticks::{DAY_MS, civil, local_ms, tick_ms};
use crate::text::TextAlign;
use crate::theme::StyleRole;
use crate::timeline_layout::TimelineAreas;

/// Columns that the date of the first cell takes, with its year.
const DATE_COLUMNS: u16 = 13;
/// Columns between the begins of two labels, at least.
const LABEL_COLUMNS: i64 = 12;

pub(super) fn draw(frame: &mut ScreenFrame<'_>, areas: &TimelineAreas) {
    let state = frame.state;
    let (timeline, zone) = (&state.timeline, state.zone());
    let pattern = if areas.name_columns < DATE_COLUMNS { "%m-%d" } else { "%F" };
    let date = civil(local_ms(timeline.left_ms, &zone), pattern);
    let labels = labels(timeline.left_ms, timeline.cell_ms(), areas.cells, &zone);
    let Some(mut out) = frame.line(areas.axis, 0) else { return };
    let columns = areas.name_columns.saturating_sub(1);
    out.cell(StyleRole::Dim, &format!("  {date}"), columns, TextAlign::Left).gap(1);
    let line = state.glyphs.border.horizontal_top.repeat(usize::from(areas.cells));
    out.put(StyleRole::Border, &line);
    let column = |at_ms: i64| {
        let column = u16::try_from(timeline.column_of(at_ms)).ok()?;
        (column < areas.cells).then_some(column)
    };
    let (a, b) = timeline.marks;
    let marks = [(a, "A"), (b, "B")].into_iter().filter_map(|(at_ms, name)| Some((at_ms?, name)));
    let steps = timeline.clock_steps.iter().map(|step| (step.at_ms, state.glyphs.clock_step));
    let signs = steps.chain(marks).filter_map(|(at_ms, sign)| Some((column(at_ms)?, sign)));
    let signs: Vec<(u16, &str)> = signs.collect();
    // A label with a sign in it could not be read.
    let is_free = |(begin, text): &&(u16, String)| {
        let columns = *begin..*begin + text.len() as u16;
        !signs.iter().any(|(column, _)| columns.contains(column))
    };
    let labels = labels.iter().filter(is_free);
    let labels = labels.map(|(column, text)| (*column, StyleRole::Text, text.as_str()));
    let signs = signs.iter().map(|(column, sign)| (*column, StyleRole::Key, *sign));
    for (column, role, text) in labels.chain(signs) {
        if let Some(mut out) = frame.line(areas.axis, 0) {
            out.gap(areas.name_columns + column).put(role, text);
        }
    }
}

/// Returns the columns and texts of labels.
fn labels(left_ms: i64, cell_ms: i64, cells: u16, zone: &TimeZone) -> Vec<(u16, String)> {
    let step_ms = tick_ms(|step_ms| step_ms >= cell_ms * LABEL_COLUMNS);
    let (mut labels, mut year) = (Vec::new(), None);
    for column in 0..cells {
        let begin_ms = local_ms(left_ms + i64::from(column) * cell_ms, zone);
        let round_ms = (begin_ms + cell_ms - 1).div_euclid(step_ms) * step_ms;
        if round_ms < begin_ms {
            continue;
        }
        let of_year = civil(round_ms, "%Y");
        let is_date = round_ms.rem_euclid(DAY_MS) == 0;
        let text = match is_date {
            true if year.as_ref().is_some_and(|year| *year != of_year) => civil(round_ms, "%F"),
            true => civil(round_ms, "%m-%d"),
            false if step_ms < 60_000 => civil(round_ms, "%T"),
            false => civil(round_ms, "%H:%M"),
        };
        year = Some(of_year);
        if usize::from(cells - column) > text.len() {
            labels.push((column, text));
        }
    }
    labels
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE_MS: i64 = 60_000;
    const HOUR_MS: i64 = 60 * MINUTE_MS;

    /// 14:30 on the first of April 2026.
    const AT_MS: i64 = 1_775_053_800_000;

    fn texts(left_ms: i64, cell_ms: i64, zone: &TimeZone) -> Vec<(u16, String)> {
        labels(left_ms, cell_ms, 60, zone)
    }

    #[test]
    fn labels_stand_at_round_times_with_room_between_them() {
        for cell_ms in crate::state::CELLS_MS {
            let left_ms = AT_MS.div_euclid(cell_ms) * cell_ms;
            let labels = texts(left_ms, cell_ms, &TimeZone::UTC);
            assert!(!labels.is_empty(), "{cell_ms}");
            let apart = labels.windows(2).all(|pair| pair[1].0 - pair[0].0 > 10);
            assert!(apart, "{cell_ms}: {labels:?}");
        }
        let hour = texts(AT_MS, MINUTE_MS, &TimeZone::UTC);
        let expected = [(0, "14:30"), (15, "14:45"), (30, "15:00"), (45, "15:15")];
        assert!(hour.iter().map(|(at, text)| (*at, &**text)).eq(expected), "{hour:?}");
    }

    #[test]
    fn a_new_day_and_a_new_year_are_said() {
        let evening = texts(AT_MS + 9 * HOUR_MS, MINUTE_MS, &TimeZone::UTC);
        assert!(evening.contains(&(30, "04-02".to_owned())), "{evening:?}");
        let year = texts(1_798_675_200_000 - 12 * DAY_MS, DAY_MS, &TimeZone::UTC);
        assert!(year.iter().any(|(_, text)| text.starts_with("2027-")), "{year:?}");
    }

    #[test]
    fn labels_are_round_in_the_zone_that_is_shown() {
        let india = TimeZone::fixed(jiff::tz::Offset::from_seconds(19_800).unwrap());
        let labels = texts(AT_MS, HOUR_MS, &india);
        let is_round = |text: &str| text == "00:00" || text.ends_with(":00") || text.contains('-');
        assert!(labels.iter().all(|(_, text)| is_round(text)), "{labels:?}");
    }
}
