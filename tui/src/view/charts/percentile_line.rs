//! Quantiles of the latency over time: a column a step, and rows on a logarithmic scale.

use heartline_operator::message::{AgentHistory, LatencyQuantiles};
use ratatui::layout::Rect;

use super::time_axis::{self, TimeColumns, UNFINISHED};
use super::{LABELS, LEGEND_MIN_HEIGHT, band_rows};
use crate::text::{GlyphSet, TextAlign, latency};
use crate::theme::{ScreenGlyphs, StyleRole};
use crate::view::frame::ScreenFrame;

/// Rows on a logarithmic scale, the top one of which is 0.
struct LatencyScale {
    lowest_us: u64,
    highest_us: u64,
    rows: u16,
}

pub(super) fn draw(frame: &mut ScreenFrame<'_>, area: Rect, history: &AgentHistory) {
    let glyphs = frame.state.glyphs;
    let columns = TimeColumns::of(history, area);
    let drawn = &history.steps[columns.first.min(history.steps.len())..];
    let Some(scale) = LatencyScale::of(
        drawn.iter().filter_map(|step| step.latency.as_ref()),
        band_rows(area.height),
    ) else {
        return;
    };
    for row in 0..scale.rows {
        let Some(mut out) = frame.line(area, row) else { return };
        // A label at both ends, and in the middle where there is room.
        let is_labelled =
            row == 0 || row + 1 == scale.rows || (scale.rows > 4 && row == scale.rows / 2);
        let label = if is_labelled { latency(scale.middle_us(row)) } else { String::new() };
        out.cell(StyleRole::Dim, &label, LABELS - 1, TextAlign::Right);
        out.put(StyleRole::Border, glyphs.border.vertical_left);
        for step in drawn {
            let latency = step.latency.as_ref();
            let cell = latency.map_or(" ", |latency| cell(&scale, latency, row, glyphs));
            out.put(StyleRole::Text, &cell.repeat(columns.columns));
        }
    }
    time_axis::draw(frame, area, scale.rows, history, &columns);
    if area.height < LEGEND_MIN_HEIGHT {
        return;
    }
    if let Some(mut out) = frame.line(area, scale.rows + 1) {
        let [p50, p90, p95, p99] = marks(glyphs);
        let text = format!("{p50} p50  {p90} p90  {p95} p95  {p99} p99   {UNFINISHED} not over");
        out.gap(LABELS).put(StyleRole::Dim, &text);
    }
}

/// Returns what a step has in a row: of several quantiles the one that says most.
fn cell(
    scale: &LatencyScale,
    latency: &LatencyQuantiles,
    row: u16,
    glyphs: &ScreenGlyphs,
) -> &'static str {
    let [p50, p90, p95, p99] = marks(glyphs);
    let all = [(latency.p99, p99), (latency.p50, p50), (latency.p95, p95), (latency.p90, p90)];
    all.into_iter().find(|(us, _)| scale.row(*us) == row).map_or(" ", |(_, mark)| mark)
}

/// Returns the marks of p50, p90, p95 and p99.
fn marks(glyphs: &ScreenGlyphs) -> [&'static str; 4] {
    match glyphs.glyph_set {
        GlyphSet::Unicode => ["•", "+", "x", "▲"],
        GlyphSet::Ascii => ["o", "+", "x", "^"],
    }
}

impl LatencyScale {
    /// Returns the scale on which the median and p99 of all steps are; `None` without any, or a row.
    fn of<'a>(all: impl Iterator<Item = &'a LatencyQuantiles> + Clone, rows: u16) -> Option<Self> {
        let lowest_us = all.clone().map(|latency| latency.p50).min()?.max(1);
        let highest_us = all.map(|latency| latency.p99).max()?.max(lowest_us);
        (rows > 0).then_some(Self { lowest_us, highest_us, rows })
    }

    fn row(&self, us: u64) -> u16 {
        let last = f64::from(self.rows - 1);
        let all = (self.highest_us as f64 / self.lowest_us as f64).ln();
        let above = (us.max(1) as f64 / self.lowest_us as f64).ln();
        let height = if all > 0.0 { above / all * last } else { last / 2.0 };
        (last - height.clamp(0.0, last)).round() as u16
    }

    /// Returns the latency in the middle of a row.
    fn middle_us(&self, row: u16) -> u64 {
        if self.rows == 1 {
            return self.lowest_us;
        }
        let share = 1.0 - f64::from(row) / f64::from(self.rows - 1);
        let ratio = self.highest_us as f64 / self.lowest_us as f64;
        (self.lowest_us as f64 * ratio.powf(share)).round() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quantiles(p50: u64, p99: u64) -> LatencyQuantiles {
        LatencyQuantiles { p50, p90: p50, p95: p50, p99, max: p99 }
    }

    #[test]
    fn the_scale_ends_at_the_fastest_median_and_the_slowest_p99() {
        let all = [quantiles(1_000, 50_000), quantiles(2_000, 1_000_000)];
        let scale = LatencyScale::of(all.iter(), 7).unwrap();
        assert_eq!([scale.row(1_000), scale.row(1_000_000), scale.row(31_623)], [6, 0, 3]);
        assert_eq!([scale.row(0), scale.row(u64::MAX)], [6, 0], "what is beyond is at an end");
        assert_eq!(
            [scale.middle_us(6), scale.middle_us(3), scale.middle_us(0)],
            [1_000, 31_623, 1_000_000]
        );
    }

    #[test]
    fn equal_latencies_are_in_the_middle_and_none_have_no_scale() {
        let all = [quantiles(0, 0)];
        let scale = LatencyScale::of(all.iter(), 5).unwrap();
        assert_eq!((scale.row(0), scale.row(1)), (2, 2));
        assert!(LatencyScale::of(all.iter(), 0).is_none());
        assert!(LatencyScale::of([].iter(), 5).is_none());
    }
}
