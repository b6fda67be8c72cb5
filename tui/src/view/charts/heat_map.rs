//! Shares of tasks by latency over time: a column a step, and a row a band.

use std::time::Duration;

use heartline_operator::message::{AgentChart, AgentHistory};
use heartline_operator::text::format_duration;
use ratatui::layout::Rect;

use super::bands::fit_bands;
use super::time_axis::{self, TimeColumns, UNFINISHED};
use super::{LABELS, LEGEND_MIN_HEIGHT, band_rows};
use crate::text::{GlyphSet, TextAlign};
use crate::theme::{ScreenGlyphs, StyleRole};
use crate::view::frame::ScreenFrame;

/// The largest share, in percent, that each shade stands for but the last.
const SHADES_PERCENT: [u64; 3] = [10, 30, 70];

pub(super) fn draw(
    frame: &mut ScreenFrame<'_>,
    area: Rect,
    history: &AgentHistory,
    chart: &AgentChart,
) {
    let glyphs = frame.state.glyphs;
    let rows = band_rows(area.height);
    let bands = fit_bands(&chart.band_edges_us, &chart.step_bands, rows.into());
    let columns = TimeColumns::of(history, area);
    // The slowest are on top.
    for (row, band) in (0..area.height).zip((0..bands.labels.len()).rev()) {
        let Some(mut out) = frame.line(area, row) else { return };
        out.cell(StyleRole::Dim, &bands.labels[band], LABELS - 1, TextAlign::Right);
        out.put(StyleRole::Border, glyphs.border.vertical_left);
        for counts in bands.counts.iter().skip(columns.first) {
            let cell = shade(counts, band, glyphs).repeat(columns.columns);
            out.put(StyleRole::Text, &cell);
        }
    }
    let below = u16::try_from(bands.labels.len()).unwrap_or(u16::MAX).min(area.height);
    time_axis::draw(frame, area, below, history, &columns);
    if area.height < LEGEND_MIN_HEIGHT {
        return;
    }
    if let Some(mut out) = frame.line(area, below + 1) {
        let step = format_duration(Duration::from_millis(history.step_ms.unsigned_abs()));
        let [a, b, c, d] = shades(glyphs);
        let at_most = glyphs.glyph_set.pick("≤", "<=");
        let text = format!(
            "% of a step's tasks: {a} {at_most}10 {b} {at_most}30 {c} {at_most}70 {d} >70  step {step}  {UNFINISHED} not over"
        );
        out.gap(1).put(StyleRole::Dim, &text);
    }
}

/// Returns the shade of a band's share of all tasks of a step; blank for none.
fn shade(counts: &[u64], band: usize, glyphs: &ScreenGlyphs) -> &'static str {
    let (all, count) = (counts.iter().sum::<u64>(), counts.get(band).copied().unwrap_or(0));
    if count == 0 {
        return " ";
    }
    let is_above =
        |percent: &&u64| u128::from(count) * 100 > u128::from(all) * u128::from(**percent);
    shades(glyphs)[SHADES_PERCENT.iter().filter(is_above).count()]
}

/// Returns the shades, the lightest first.
fn shades(glyphs: &ScreenGlyphs) -> [&'static str; 4] {
    match glyphs.glyph_set {
        GlyphSet::Unicode => ["░", "▒", "▓", "█"],
        GlyphSet::Ascii => [".", ":", "+", "#"],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shade_is_the_share_of_the_step_and_no_task_is_blank() {
        let glyphs = ScreenGlyphs::for_set(GlyphSet::Ascii);
        let of = |count, rest| shade(&[count, rest], 0, glyphs);
        assert_eq!([of(0, 5), of(1, 1_000_000), of(10, 90), of(11, 89)], [" ", ".", ".", ":"]);
        assert_eq!([of(30, 70), of(31, 69), of(70, 30), of(71, 29)], [":", "+", "+", "#"]);
        assert_eq!(of(u64::MAX / 2, 0), "#");
        assert_eq!(shade(&[], 3, glyphs), " ");
    }
}
