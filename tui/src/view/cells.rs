//! What stands in each column of an agent's row.

use heartline_operator::message::AgentEntry;

use heartline_operator::session_text;
use heartline_vocabulary::{Reason, State as AgentState};

use crate::look::{Glyphs, Role, Status, age_since, cost, latency, percent, rate_if_known, status};
use crate::state::{Column, FleetList};

/// Columns before the first one: the cursor and the mark.
pub(super) const MARGIN: u16 = 2;

/// Letters of a session that tell it from another one at a glance.
const SESSION_LETTERS: usize = 4;

/// The columns that fit a list of this width, from left to right. A column that repeats what the
/// rows are grouped by is left out.
pub(crate) fn columns_shown(list: &FleetList, width: u16) -> Vec<Column> {
    let by_host = list.grouping == crate::state::Grouping::Host;
    let wanted = |column: &Column| {
        let repeated = by_host && *column == Column::Host;
        !repeated && !list.hidden.contains(column) && column.layout().from <= width
    };
    let mut shown: Vec<Column> = Column::ALL.into_iter().filter(wanted).collect();
    // What does not fit after all goes, the widest claims first.
    while needed(&shown) > width && shown.len() > 2 {
        let last = shown.iter().copied().max_by_key(|column| column.layout().from);
        shown.retain(|column| Some(*column) != last);
    }
    shown
}

fn needed(columns: &[Column]) -> u16 {
    MARGIN + columns.iter().map(|column| column.layout().width + 1).sum::<u16>()
}

/// The width of a column in this list: the name takes whatever room is left.
pub(super) fn width_of(column: Column, columns: &[Column], width: u16) -> u16 {
    let own = column.layout().width;
    if column == Column::Agent { own + width.saturating_sub(needed(columns)) } else { own }
}

/// The text and colour of one cell.
pub(super) fn cell(
    column: Column,
    entry: &AgentEntry,
    now_ms: i64,
    glyphs: &'static Glyphs,
) -> (Role, String) {
    let (vitals, work) = (&entry.vitals, &entry.work);
    let by_state = |bad: &[Reason]| {
        let Status { role, .. } = status(vitals, glyphs.charset);
        if vitals.reason.is_some_and(|reason| bad.contains(&reason)) { role } else { Role::Text }
    };
    let quantile = |of: fn(&heartline_operator::message::LatencyQuantiles) -> u64| {
        work.latency.as_ref().map_or_else(|| "-".to_owned(), |all| latency(of(all)))
    };
    match column {
        Column::State => {
            let Status { glyph, label, role } = status(vitals, glyphs.charset);
            (role, format!("{glyph} {label}"))
        }
        Column::Agent => (name_role(vitals.state), entry.agent.clone()),
        Column::Host => {
            (Role::Text, entry.identity.shared.host.as_deref().unwrap_or("-").to_owned())
        }
        Column::Beat => (
            by_state(&[Reason::Late, Reason::Silent, Reason::OneWay, Reason::Crashed]),
            age_since(vitals.last_beat_ms, now_ms),
        ),
        Column::Step => (by_state(&[Reason::Stalled]), age_since(vitals.progress_ms, now_ms)),
        Column::Ok => (Role::Text, percent(work.success_rate())),
        Column::P50 => (Role::Text, quantile(|all| all.p50)),
        Column::P95 => (Role::Text, quantile(|all| all.p95)),
        Column::P99 => (Role::Text, quantile(|all| all.p99)),
        Column::Tasks => (Role::Text, rate_if_known(entry.tasks_per_minute(now_ms))),
        Column::Cost => (Role::Text, cost(work.cost_today_nano_usd)),
        Column::Boot => (by_state(&[Reason::Conflict]), boot(entry)),
        Column::Load => (Role::Text, load(&work.per_minute, glyphs)),
    }
}

fn name_role(state: AgentState) -> Role {
    match state {
        AgentState::Degraded | AgentState::Unreachable => Role::Strong,
        AgentState::Healthy | AgentState::Killed | AgentState::Unknown => Role::Text,
    }
}

/// The session's first letters, and how many starts that makes.
pub(super) fn boot(entry: &AgentEntry) -> String {
    if entry.vitals.session == 0 {
        return "-".to_owned();
    }
    let session = session_text(entry.vitals.session);
    let short = session.get(..SESSION_LETTERS).unwrap_or(&session);
    format!("{short} #{}", entry.vitals.starts)
}

/// Tasks in each of the last minutes, as bars against the agent's own best minute.
pub(super) fn load(per_minute: &[u32], glyphs: &Glyphs) -> String {
    let most = per_minute.iter().copied().max().unwrap_or(0);
    per_minute.iter().map(|&tasks| glyphs.bar(tasks, most)).collect()
}
