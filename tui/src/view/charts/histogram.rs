//! Tasks of a whole window by latency.

use heartline_operator::message::AgentChart;
use ratatui::layout::Rect;

use super::LABELS;
use super::bands::fit_bands;
use crate::text::{GlyphSet, TextAlign, count, percent};
use crate::theme::{ScreenGlyphs, StyleRole};
use crate::view::frame::ScreenFrame;

/// Columns of the share and of the count behind a bar.
const NUMBERS: u16 = 16;

pub(super) fn draw(frame: &mut ScreenFrame<'_>, area: Rect, chart: &AgentChart) {
    let glyphs = frame.state.glyphs;
    let counts = [&chart.total_bands];
    let bands = fit_bands(&chart.band_edges_us, counts, area.height.into());
    let Some(counts) = bands.counts.first() else { return };
    let (all, most) = (counts.iter().sum::<u64>(), counts.iter().copied().max().unwrap_or(0));
    let room = area.width.saturating_sub(LABELS + NUMBERS);
    for (row, (label, &tasks)) in (0..area.height).zip(bands.labels.iter().zip(counts)) {
        let Some(mut out) = frame.line(area, row) else { return };
        out.cell(StyleRole::Dim, label, LABELS - 1, TextAlign::Right);
        out.put(StyleRole::Border, glyphs.border.vertical_left);
        out.cell(StyleRole::Text, &bar(tasks, most, room, glyphs), room, TextAlign::Left);
        let share = format!("{} %", percent(Some(tasks as f64 / all.max(1) as f64)));
        out.cell(StyleRole::Text, &share, 8, TextAlign::Right);
        out.cell(StyleRole::Dim, &count(tasks), 7, TextAlign::Right);
    }
}

/// Returns a bar of up to `columns`, to an eighth of one; no task has none, and few have a thin one.
pub(in crate::view) fn bar(tasks: u64, most: u64, columns: u16, glyphs: &ScreenGlyphs) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    if tasks == 0 {
        return String::new();
    }
    let eighths = u128::from(tasks) * u128::from(columns) * 8 / u128::from(most.max(1));
    let eighths = usize::try_from(eighths).unwrap_or(usize::MAX).max(1);
    let (whole, rest) = (eighths / 8, eighths % 8);
    match glyphs.glyph_set {
        GlyphSet::Unicode => format!("{}{}", "█".repeat(whole), EIGHTHS[rest]),
        GlyphSet::Ascii if whole == 0 => "|".to_owned(),
        GlyphSet::Ascii => "#".repeat(whole),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_shows_and_the_most_fill_the_room() {
        let unicode = ScreenGlyphs::for_set(GlyphSet::Unicode);
        let ascii = ScreenGlyphs::for_set(GlyphSet::Ascii);
        assert_eq!([bar(0, 9, 4, unicode), bar(1, 10_000, 4, unicode)], ["", "▏"]);
        assert_eq!([bar(9, 9, 4, unicode), bar(3, 8, 4, unicode)], ["████", "█▌"]);
        assert_eq!(
            [bar(0, 9, 4, ascii), bar(1, 100, 4, ascii), bar(9, 9, 4, ascii)],
            ["", "|", "####"]
        );
        assert_eq!(bar(u64::MAX, u64::MAX, 4, ascii), "####");
    }
}
