//! Percentiles, rates, success and cost of a window.

use heartline_operator::message::{AgentEntry, AgentHistory, HistoryStep, LatencyQuantiles};
use heartline_operator::text::money;
use ratatui::layout::Rect;

use super::FIGURE_LINES;
use crate::text::{TextAlign, count, latency, percent, rate, width};
use crate::theme::{ScreenGlyphs, StyleRole};
use crate::view::frame::{RowWriter, ScreenFrame};

const MINUTE_MS: f64 = 60_000.0;
const HOUR_MS: f64 = 3_600_000.0;
/// Less time is not projected to a minute or an hour.
const RATE_MIN_MS: u64 = 60_000;
/// From this width on all percentiles stand on one line.
const ALL_PERCENTILES_WIDTH: u16 = 66;
const LABEL: u16 = 8;
const FIGURE: u16 = 7;

/// A percentile's name, and how it is read.
type Percentile = (&'static str, fn(&LatencyQuantiles) -> u64);

const PERCENTILES: [Percentile; 5] = [
    ("p50", |latency| latency.p50),
    ("p90", |latency| latency.p90),
    ("p95", |latency| latency.p95),
    ("p99", |latency| latency.p99),
    ("max", |latency| latency.max),
];

/// Draws the figures, on two lines or more, as there are; nothing before there is a history.
pub(super) fn draw(
    frame: &mut ScreenFrame<'_>,
    area: Rect,
    entry: &AgentEntry,
    history: Option<&AgentHistory>,
) {
    let Some(history) = history else { return };
    if area.height > FIGURE_LINES {
        draw_column(frame, area, entry, history);
    } else {
        draw_lines(frame, area, entry, history);
    }
}

/// Draws two lines above a plot: what there is room for, the most telling figures first.
fn draw_lines(frame: &mut ScreenFrame<'_>, area: Rect, entry: &AgentEntry, history: &AgentHistory) {
    let (total, glyphs) = (&history.total, frame.state.glyphs);
    if let Some(mut out) = frame.line(area, 0) {
        out.gap(1);
        let is_narrow = area.width < ALL_PERCENTILES_WIDTH;
        for (name, of) in PERCENTILES {
            if !(is_narrow && name == "p90") {
                put_if_fits(&mut out, name, StyleRole::Text, &quantile(total, of));
            }
        }
        put_if_fits(&mut out, "n", StyleRole::Text, &count(tasks(total)));
    }
    if let Some(mut out) = frame.line(area, 1) {
        out.gap(1);
        put_if_fits(&mut out, "ok", StyleRole::Text, &success(total));
        put_if_fits(&mut out, "failed", failed_role(total), &count(total.failed));
        put_if_fits(&mut out, "tasks/m", StyleRole::Text, &task_rate(total));
        put_if_fits(&mut out, "", StyleRole::Text, &format!("{}/h", cost_rate(total)));
        let today = cost_today(entry);
        put_if_fits(&mut out, "today", StyleRole::Text, &today);
        let room = out.remaining().saturating_sub(1);
        out.put(StyleRole::Text, &spark(history, usize::from(room), step_tasks, glyphs));
    }
}

fn cost_today(entry: &AgentEntry) -> String {
    if entry.work.is_known() { money(entry.work.cost_today_nano_usd) } else { "-".to_owned() }
}

fn put_if_fits(out: &mut RowWriter<'_>, label: &str, role: StyleRole, value: &str) {
    if width(label) + 1 + width(value) <= usize::from(out.remaining()) {
        out.put_labelled(label, role, value);
    }
}

/// Draws the figures below each other.
fn draw_column(
    frame: &mut ScreenFrame<'_>,
    area: Rect,
    entry: &AgentEntry,
    history: &AgentHistory,
) {
    let (total, glyphs) = (&history.total, frame.state.glyphs);
    if let Some(mut out) = frame.line(area, 0) {
        out.gap(LABEL);
        for (name, _) in PERCENTILES {
            out.cell(StyleRole::Dim, name, FIGURE, TextAlign::Right);
        }
    }
    if let Some(mut out) = labelled_line(frame, area, 1, "latency") {
        for (_, of) in PERCENTILES {
            out.cell(StyleRole::Text, &quantile(total, of), FIGURE, TextAlign::Right);
        }
    }
    if let Some(mut out) = labelled_line(frame, area, 2, "success") {
        out.cell(StyleRole::Text, &success(total), FIGURE, TextAlign::Right).gap(2);
        out.put_labelled("failed", failed_role(total), &count(total.failed));
    }
    let spark_of = |out: &mut RowWriter<'_>, of: StepFigure| {
        let room = usize::from(out.remaining().saturating_sub(1));
        out.put(StyleRole::Text, &spark(history, room, of, glyphs));
    };
    if let Some(mut out) = labelled_line(frame, area, 3, "tasks/m") {
        out.cell(StyleRole::Text, &task_rate(total), FIGURE, TextAlign::Right).gap(2);
        spark_of(&mut out, step_tasks);
    }
    if let Some(mut out) = labelled_line(frame, area, 4, "$/h") {
        out.cell(StyleRole::Text, &cost_rate(total), FIGURE, TextAlign::Right).gap(2);
        spark_of(&mut out, |step| step.cost_nano_usd);
    }
    if let Some(mut out) = labelled_line(frame, area, 5, "cost") {
        let today = cost_today(entry);
        out.cell(StyleRole::Text, &money(total.cost_nano_usd), FIGURE, TextAlign::Right).gap(2);
        out.put_labelled("today", StyleRole::Text, &today);
    }
    if let Some(mut out) = labelled_line(frame, area, 6, "tokens") {
        let (tokens_in, tokens_out) = (count(total.tokens_in), count(total.tokens_out));
        out.cell(StyleRole::Text, &tokens_in, FIGURE, TextAlign::Right);
        out.put(StyleRole::Dim, " in  ").put(StyleRole::Text, &tokens_out);
        out.put(StyleRole::Dim, " out");
    }
    if let Some(mut out) = labelled_line(frame, area, 7, "beats") {
        out.cell(StyleRole::Text, &count(total.beats), FIGURE, TextAlign::Right).gap(2);
        out.put_labelled("lost", StyleRole::Text, &count(total.lost));
    }
}

/// Returns a line with its label written.
fn labelled_line<'a>(
    frame: &'a mut ScreenFrame<'_>,
    area: Rect,
    row: u16,
    label: &str,
) -> Option<RowWriter<'a>> {
    let mut out = frame.line(area, row)?;
    out.gap(1).cell(StyleRole::Dim, label, LABEL - 1, TextAlign::Left);
    Some(out)
}

fn success(total: &HistoryStep) -> String {
    let success = total.success_rate().map(|share| format!("{} %", percent(Some(share))));
    success.unwrap_or_else(|| "-".to_owned())
}

const fn failed_role(total: &HistoryStep) -> StyleRole {
    if total.failed == 0 { StyleRole::Text } else { StyleRole::Degraded }
}

const fn tasks(step: &HistoryStep) -> u64 {
    step.ok.saturating_add(step.failed)
}

fn step_tasks(step: &HistoryStep) -> u64 {
    tasks(step)
}

fn quantile(total: &HistoryStep, of: fn(&LatencyQuantiles) -> u64) -> String {
    total.latency.as_ref().map_or_else(|| "-".to_owned(), |all| latency(of(all)))
}

/// Returns tasks a minute of the time in which the agent was known.
fn task_rate(total: &HistoryStep) -> String {
    match total.state_ms.known_ms() {
        known @ RATE_MIN_MS.. => rate(tasks(total) as f64 * MINUTE_MS / known as f64),
        _ => "-".to_owned(),
    }
}

/// Returns the cost an hour of the time in which the agent was known.
fn cost_rate(total: &HistoryStep) -> String {
    match total.state_ms.known_ms() {
        known @ RATE_MIN_MS.. => {
            money((total.cost_nano_usd as f64 * HOUR_MS / known as f64).round() as u64)
        }
        _ => "-".to_owned(),
    }
}

/// A figure of a step that adds up.
type StepFigure = fn(&HistoryStep) -> u64;

/// Returns bars of a figure over time, as many as there are columns for: each of one step, or of several.
/// The newest step has one when half of it is over.
fn spark(history: &AgentHistory, columns: usize, of: StepFigure, glyphs: &ScreenGlyphs) -> String {
    let covered_ms = |step: &HistoryStep| {
        let end_ms = step.at_ms.saturating_add(history.step_ms).min(history.to_ms);
        end_ms.saturating_sub(step.at_ms.max(history.from_ms)).max(0)
    };
    let is_shown = |step: &&HistoryStep| covered_ms(step) >= history.step_ms / 2;
    let steps: Vec<&HistoryStep> = history.steps.iter().filter(is_shown).collect();
    if columns == 0 || steps.is_empty() {
        return String::new();
    }
    let joined = steps.len().div_ceil(columns);
    // From the newest on, so that its bar is of whole groups.
    let rates = steps.rchunks(joined).map(|steps| {
        let ms = steps.iter().fold(0_i64, |ms, step| ms.saturating_add(covered_ms(step)));
        let sum = steps.iter().fold(0_u64, |sum, step| sum.saturating_add(of(step)));
        sum as f64 / ms.max(1) as f64
    });
    let rates: Vec<f64> = rates.collect();
    let most = rates.iter().copied().fold(0.0, f64::max);
    let bar = |rate: &f64| {
        let share = if most > 0.0 { rate / most } else { 0.0 };
        // What is not nothing has a bar.
        let height = (share * f64::from(BAR_STEPS)).round() as u32;
        glyphs.bar(height.max(u32::from(*rate > 0.0)), BAR_STEPS)
    };
    rates.iter().rev().map(bar).collect()
}

/// Finer than bars are high.
const BAR_STEPS: u32 = 1_000;
