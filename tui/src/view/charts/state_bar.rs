//! The states of an agent over a window, a cell a stretch of time.

use heartline_operator::message::{AgentChart, StateTimes, TimelineCell};
use ratatui::layout::Rect;

use crate::state::CellMode;
use crate::text::{age, availability, span};
use crate::theme::ScreenGlyphs;
use crate::view::frame::ScreenFrame;
use crate::view::state_cell::{self, RowKind};

/// Draws the newest cells for which there is room.
pub(super) fn draw(frame: &mut ScreenFrame<'_>, area: Rect, chart: &AgentChart) {
    let glyphs = frame.state.glyphs;
    let Some(mut out) = frame.line(area, 0) else { return };
    let room = usize::from(out.gap(1).remaining().saturating_sub(1));
    // The newest is at the end, where now is.
    out.gap(u16::try_from(room.saturating_sub(chart.cells.len())).unwrap_or(0));
    for times in chart.cells.iter().skip(chart.cells.len().saturating_sub(room)) {
        let cell = Some(TimelineCell::of_times(times));
        let (role, glyph) = state_cell::glyph(cell, CellMode::Worst, RowKind::Agent, glyphs);
        out.put(role, glyph);
    }
}

/// Formats availability, outages, their mean time to recovery, and what was not observed.
pub(super) fn totals(chart: &AgentChart) -> String {
    let mut times = StateTimes::default();
    chart.cells.iter().for_each(|cell| times.add_all(cell));
    if times.known_ms() == 0 {
        return "nothing is known of this time".to_owned();
    }
    let up = times.availability().map_or_else(
        || "not expected to run".to_owned(),
        |share| format!("up {}", availability(share, times.observed().unwrap_or(1.0))),
    );
    let outages = chart.outages;
    let open = outages.count.saturating_sub(outages.ended);
    let mut parts = vec![up, format!("outages {}", outages.count)];
    if open > 0 {
        parts.push("one goes on".to_owned());
    }
    parts.extend(outages.mttr_ms().map(|ms| format!("MTTR {}", span(ms))));
    if times.unobserved >= 1_000 {
        parts.push(format!("not observed {}", age(times.unobserved)));
    }
    parts.join("  ")
}

/// Names the characters of the bar.
pub(super) fn legend(glyphs: &ScreenGlyphs) -> String {
    let ScreenGlyphs { bars, killed, gap, short, .. } = glyphs;
    let (healthy, degraded, unreachable) = (bars[0], bars[4], bars[7]);
    format!(
        "{healthy} healthy  {degraded} degraded  {unreachable} unreachable  {killed} killed  \
         - stopped  ? unknown  {gap} not observed  {short} short outage"
    )
}

#[cfg(test)]
mod tests {
    use heartline_operator::message::OutageFigures;

    use super::*;

    fn chart(times: StateTimes, outages: OutageFigures) -> AgentChart {
        AgentChart { cells: vec![times], outages, ..AgentChart::default() }
    }

    #[test]
    fn what_was_not_observed_is_neither_up_nor_down_and_is_said() {
        let times = StateTimes { healthy: 999_000, degraded: 1_000, ..StateTimes::default() };
        let one = OutageFigures { count: 1, began: 1, ended: 1, repair_ms: 1_000 };
        assert_eq!(totals(&chart(times, one)), "up 99.90 %  outages 1  MTTR 1s");
        let gap = StateTimes { unobserved: 13_000, ..times };
        let open = OutageFigures { count: 2, began: 2, ended: 1, repair_ms: 250_000 };
        let expected = "up 99.90 %  outages 2  one goes on  MTTR 4m10s  not observed 13s";
        assert_eq!(totals(&chart(gap, open)), expected);
        let half = StateTimes { unobserved: 1_000_000, ..times };
        let said = totals(&chart(half, OutageFigures::default()));
        assert_eq!(said, "up 99.90 % of 50.0 % observed  outages 0  not observed 16m40s");
        let killed = StateTimes { killed: 5_000, ..StateTimes::default() };
        let said = totals(&chart(killed, OutageFigures::default()));
        assert_eq!(said, "not expected to run  outages 0");
        let unknown = totals(&chart(StateTimes::default(), OutageFigures::default()));
        assert_eq!(unknown, "nothing is known of this time");
    }

    #[test]
    fn a_second_of_outage_in_a_week_is_not_100() {
        assert_eq!(
            [1.0, 0.999_999, 0.0].map(|up| availability(up, 1.0)),
            ["100 %", "99.99 %", "0.00 %"]
        );
    }
}
