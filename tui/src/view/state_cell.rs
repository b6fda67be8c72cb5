//! How a cell of states over time is drawn: two facts in one character, the worst state and how much of the
//! cell was bad.

use heartline_operator::message::TimelineCell;
use heartline_vocabulary::{AgentStatus, Reason, State};

use crate::state::CellMode;
use crate::theme::{ScreenGlyphs, StyleRole, state_label};

/// A bad part below one in so many of the observed time is marked as short.
const SHORT_SHARE: u64 = 20;
const DIGITS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

/// What a row stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowKind {
    Agent,
    Group,
    /// Of which every gap is shown, however short.
    Collector,
}

/// Returns the character of a cell, which is `None` until it has come, and its style.
pub(super) fn glyph(
    cell: Option<TimelineCell>,
    style: CellMode,
    kind: RowKind,
    glyphs: &ScreenGlyphs,
) -> (StyleRole, &'static str) {
    let Some(cell) = cell else { return (StyleRole::Dim, glyphs.pending) };
    let Some(worst) = cell.worst else {
        let is_blank = cell.unobserved_ms == 0;
        return (StyleRole::Dim, if is_blank { " " } else { glyphs.gap });
    };
    let role = state_label(worst.state, worst.reason, glyphs.glyph_set).role;
    if kind == RowKind::Collector {
        return match cell.unobserved_ms {
            0 => (role, glyphs.bars[0]),
            _ => (StyleRole::Degraded, glyphs.gap),
        };
    }
    let observed_ms = cell.observed_ms();
    let is_short = |ms: u64| ms < observed_ms.div_ceil(SHORT_SHARE);
    if cell.bad_ms == 0 {
        // A moment in which nothing was known of an agent, as at a start of the collector, hides nothing.
        return match worst.state {
            State::Unknown if is_short(cell.other_ms) => (StyleRole::Healthy, glyphs.bars[0]),
            _ => (role, calm_glyph(worst, glyphs)),
        };
    }
    match (style, kind) {
        (CellMode::Share, _) => (role, share_bar(cell.bad_ms, observed_ms, glyphs)),
        (CellMode::Worst, RowKind::Group) => {
            (role, DIGITS.get(cell.worst_agents as usize).copied().unwrap_or("+"))
        }
        (CellMode::Worst, _) if is_short(cell.bad_ms) => (role, glyphs.short),
        (CellMode::Worst, _) => (role, bad_glyph(worst, glyphs)),
    }
}

/// Returns the character of a state that is no outage.
fn calm_glyph(status: AgentStatus, glyphs: &ScreenGlyphs) -> &'static str {
    match (status.state, status.reason) {
        (State::Killed, Some(Reason::Shutdown)) => "-",
        (State::Killed, _) => glyphs.killed,
        (State::Unknown, _) => "?",
        _ => glyphs.bars[0],
    }
}

/// Returns the bar of an outage: the higher, the worse.
fn bad_glyph(status: AgentStatus, glyphs: &ScreenGlyphs) -> &'static str {
    match (status.state, status.reason) {
        (State::Unreachable, _) => glyphs.bars[7],
        (_, Some(Reason::Stalled)) => glyphs.bars[2],
        _ => glyphs.bars[4],
    }
}

/// Returns a bar as high as the square root of the share of bad time: so that a short outage is still seen.
fn share_bar(bad_ms: u64, observed_ms: u64, glyphs: &ScreenGlyphs) -> &'static str {
    let share = bad_ms as f64 / observed_ms.max(1) as f64;
    // A float to an integer saturates: it is 0 to 8.
    let height = (share.sqrt() * 8.0).ceil() as usize;
    glyphs.bars[height.clamp(1, 8) - 1]
}

#[cfg(test)]
mod tests {
    use heartline_operator::message::StateTimes;

    use super::*;
    use crate::text::GlyphSet;

    fn drawn(cell: TimelineCell, style: CellMode, kind: RowKind) -> &'static str {
        glyph(Some(cell), style, kind, ScreenGlyphs::for_set(GlyphSet::Unicode)).1
    }

    fn cell(worst: AgentStatus, bad_ms: u64, up_ms: u64) -> TimelineCell {
        TimelineCell {
            worst: Some(worst),
            worst_agents: 3,
            up_ms,
            bad_ms,
            ..TimelineCell::default()
        }
    }

    #[test]
    fn a_cell_tells_its_worst_state_and_whether_it_was_short() {
        let silent = AgentStatus::unreachable(Reason::Silent);
        let stalled = AgentStatus::degraded(Reason::Stalled);
        let late = AgentStatus::degraded(Reason::Late);
        for (worst, bad_ms, expected) in [
            (silent, 50, "█"),
            (silent, 49, "▖"),
            (late, 1_000, "▅"),
            (stalled, 1_000, "▃"),
            (late, 1, "▖"),
        ] {
            let one = cell(worst, bad_ms, 1_000 - bad_ms);
            assert_eq!(drawn(one, CellMode::Worst, RowKind::Agent), expected, "{worst:?} {bad_ms}");
        }
        assert_eq!(drawn(cell(silent, 1, 999), CellMode::Worst, RowKind::Group), "3");
    }

    #[test]
    fn what_is_no_outage_has_its_own_glyph() {
        let killed = AgentStatus::killed(Reason::Operator);
        for (status, expected) in [
            (AgentStatus::HEALTHY, "▁"),
            (killed, "×"),
            (AgentStatus::STOPPED, "-"),
            (AgentStatus::UNKNOWN, "?"),
        ] {
            let one = TimelineCell { other_ms: 9, ..cell(status, 0, 0) };
            assert_eq!(drawn(one, CellMode::Worst, RowKind::Agent), expected);
        }
        assert_eq!(drawn(TimelineCell::default(), CellMode::Worst, RowKind::Agent), " ");
        let gap = TimelineCell { unobserved_ms: 1, ..TimelineCell::default() };
        assert_eq!(drawn(gap, CellMode::Worst, RowKind::Agent), "·");
        let partly = TimelineCell { unobserved_ms: 1, ..cell(AgentStatus::HEALTHY, 0, 999) };
        assert_eq!(drawn(partly, CellMode::Worst, RowKind::Agent), "▁");
        assert_eq!(drawn(partly, CellMode::Worst, RowKind::Collector), "·");
    }

    #[test]
    fn the_times_in_all_states_of_a_cell_show_the_worst() {
        let none = StateTimes::default();
        let up = StateTimes { healthy: 1_000, ..none };
        let shown = |times: StateTimes| {
            drawn(TimelineCell::of_times(&times), CellMode::Worst, RowKind::Agent)
        };
        assert_eq!([shown(none), shown(up)], [" ", "▁"]);
        assert_eq!(shown(StateTimes { unobserved: 999, healthy: 1, ..none }), "▁");
        assert_eq!(shown(StateTimes { unobserved: 1_000, ..none }), "·");
        assert_eq!(shown(StateTimes { degraded: 50, ..up }), "▖", "less than a twentieth");
        assert_eq!(shown(StateTimes { degraded: 53, ..up }), "▅");
        assert_eq!(shown(StateTimes { degraded: 53, unreachable: 1, ..up }), "█");
        assert_eq!(shown(StateTimes { unreachable: 1, ..up }), "▖");
        assert_eq!(shown(StateTimes { killed: 900, degraded: 100, ..none }), "▅");
        assert_eq!(shown(StateTimes { killed: 1, ..up }), "×");
        assert_eq!(shown(StateTimes { stopped: 1, unknown: 5, ..none }), "-");
        assert_eq!(
            [shown(StateTimes { unknown: 5, ..none }), shown(StateTimes { unknown: 5, ..up })],
            ["?", "▁"]
        );
    }

    #[test]
    fn the_share_of_bad_time_grows_by_its_square_root() {
        let silent = AgentStatus::unreachable(Reason::Silent);
        for (bad_ms, expected) in [(1, "▁"), (100, "▃"), (250, "▄"), (600, "▇"), (1_000, "█")]
        {
            let one = cell(silent, bad_ms, 1_000 - bad_ms);
            assert_eq!(drawn(one, CellMode::Share, RowKind::Agent), expected, "{bad_ms}");
        }
    }
}
