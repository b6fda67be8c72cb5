//! The columns of the fleet list: titles, widths, sort orders and cells.

use heartline_operator::message::{AgentEntry, LatencyQuantiles};
use heartline_operator::session_text;
use heartline_vocabulary::{Reason, State};

use crate::state::{FleetList, GroupBy};
use crate::text::{TextAlign, age_since, cost, latency, percent, rate_if_known};
use crate::theme::{ScreenGlyphs, StateLabel, StyleRole, vitals_label};
use crate::why::why;

/// Cells before the first column: the cursor and the mark.
pub(crate) const LEFT_MARGIN: u16 = 2;

/// Width of a list with all columns; a test says so.
pub(crate) const ALL_COLUMNS_WIDTH: u16 = 151;

/// Digits of a session that are shown in a row.
const SESSION_DIGITS: usize = 4;

/// A column of the fleet list, from left to right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FleetColumn {
    #[default]
    State,
    Agent,
    Host,
    Since,
    Beat,
    Step,
    Ok,
    P50,
    P95,
    P99,
    Tasks,
    Cost,
    Boot,
    Load,
    Why,
}

/// What a cell is drawn from, beside its agent.
#[derive(Clone, Copy)]
pub(crate) struct CellContext<'a> {
    pub now_ms: i64,
    pub glyphs: &'static ScreenGlyphs,
    /// What the newest transition said of the cause of the agent's state.
    pub cause: Option<&'a str>,
    /// Cost of a day from which on it stands out.
    pub costly_nano_usd: u64,
}

/// The title and the layout of a column.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ColumnSpec {
    pub title: &'static str,
    pub width: u16,
    pub align: TextAlign,
    /// Width of the list from which on the column is shown.
    pub min_list_width: u16,
    /// A description for the pickers.
    pub help: &'static str,
}

impl FleetColumn {
    pub(crate) const ALL: [Self; 15] = [
        Self::State,
        Self::Agent,
        Self::Host,
        Self::Since,
        Self::Beat,
        Self::Step,
        Self::Ok,
        Self::P50,
        Self::P95,
        Self::P99,
        Self::Tasks,
        Self::Cost,
        Self::Boot,
        Self::Load,
        Self::Why,
    ];

    /// The least width of the name column.
    const MIN_NAME_WIDTH: u16 = 18;
    /// The least width of the causes, which take the room that names leave.
    const MIN_WHY_WIDTH: u16 = 17;

    pub(crate) fn spec(self) -> ColumnSpec {
        use TextAlign::{Left, Right};
        let (title, width, align, min_list_width, help) = match self {
            Self::State => ("STATE", 10, Left, 0, "worst first; trouble by age, rest by name"),
            Self::Agent => ("AGENT", Self::MIN_NAME_WIDTH, Left, 0, "the agent's id"),
            Self::Host => ("HOST", 12, Left, 121, "the host it runs on"),
            Self::Since => ("SINCE", 6, Right, 100, "how long it has been in its state"),
            Self::Beat => ("BEAT", 6, Right, 0, "age of the last live beat: is it alive"),
            Self::Step => ("STEP", 6, Right, 0, "age of the last progress: does it work"),
            Self::Ok => ("OK%", 5, Right, 0, "share of tasks that succeeded, last hour"),
            Self::P50 => ("p50", 6, Right, 128, "median latency, last hour"),
            Self::P95 => ("p95", 6, Right, 0, "95th percentile of latency, last hour"),
            Self::P99 => ("p99", 6, Right, 135, "99th percentile of latency, last hour"),
            Self::Tasks => ("TASK/m", 6, Right, 115, "tasks a minute, over the last five"),
            Self::Cost => ("$ DAY", 7, Right, 108, "cost since midnight UTC"),
            Self::Boot => ("BOOT", 8, Left, 144, "session, and how often it has started"),
            Self::Load => ("15 MIN", 15, Left, 80, "tasks in each of the last 15 minutes"),
            Self::Why => {
                ("WHY", Self::MIN_WHY_WIDTH, Left, 100, "why it is in its state, or its step")
            }
        };
        ColumnSpec { title, width, align, min_list_width, help }
    }

    /// Returns the key to sort by, ascending: the worst, oldest and largest come first. Names are
    /// sorted as text.
    pub(crate) fn sort_key(self, entry: &AgentEntry) -> (i64, i64) {
        let (vitals, work) = (&entry.vitals, &entry.work);
        let large = |n: u64| -i64::try_from(n).unwrap_or(i64::MAX);
        let latency = |of: fn(&LatencyQuantiles) -> u64| {
            (work.latency.as_ref().map_or(1, |latency| large(of(latency))), 0)
        };
        match self {
            // Agents in trouble, the newest first; the age of the others says nothing, so they go by name.
            Self::State => {
                let in_trouble = vitals.state.is_trouble();
                let since_ms = if in_trouble { -vitals.since_ms } else { 0 };
                (-i64::from(vitals.state.severity()), since_ms)
            }
            Self::Agent | Self::Host | Self::Why => (0, 0),
            Self::Since => (-vitals.since_ms, 0),
            Self::Beat => (vitals.last_beat_ms.unwrap_or(i64::MIN), 0),
            Self::Step => (vitals.progress_ms.unwrap_or(i64::MAX), 0),
            Self::Ok => {
                let total = work.ok.saturating_add(work.failed);
                let share = (work.ok.saturating_mul(1_000_000)).checked_div(total);
                (share.map_or(i64::MAX, |share| i64::try_from(share).unwrap_or(i64::MAX)), 0)
            }
            Self::P50 => latency(|l| l.p50),
            Self::P95 => latency(|l| l.p95),
            Self::P99 => latency(|l| l.p99),
            Self::Tasks => (large((work.rate_of_whole_minutes() * 1_000.0) as u64), 0),
            Self::Cost => (large(work.cost_today_nano_usd), 0),
            Self::Boot => (large(u64::from(vitals.starts)), 0),
            Self::Load => (large(work.per_minute.last().copied().unwrap_or(0).into()), 0),
        }
    }

    /// Returns whether the order by this column changes over time without a change of state.
    pub(crate) fn is_time_dependent(self) -> bool {
        !matches!(self, Self::State | Self::Agent | Self::Host | Self::Since | Self::Why)
    }

    /// Returns the text of an agent's cell, and its style.
    pub(crate) fn cell(self, entry: &AgentEntry, context: CellContext<'_>) -> (StyleRole, String) {
        let CellContext { now_ms, glyphs, .. } = context;
        let (vitals, work) = (&entry.vitals, &entry.work);
        let by_state = |bad: &[Reason]| {
            let role = vitals_label(vitals, glyphs.glyph_set).role;
            if vitals.reason.is_some_and(|reason| bad.contains(&reason)) {
                role
            } else {
                StyleRole::Text
            }
        };
        let quantile = |of: fn(&LatencyQuantiles) -> u64| {
            work.latency.as_ref().map_or_else(|| "-".to_owned(), |all| latency(of(all)))
        };
        match self {
            Self::State => {
                let StateLabel { glyph, word, role } = vitals_label(vitals, glyphs.glyph_set);
                (role, format!("{glyph} {word}"))
            }
            Self::Agent => (name_role(vitals.state), entry.agent.clone()),
            Self::Host => {
                (StyleRole::Text, entry.identity.shared.host.as_deref().unwrap_or("-").to_owned())
            }
            Self::Beat => (
                by_state(&[Reason::Late, Reason::Silent, Reason::OneWay, Reason::Crashed]),
                age_since(vitals.last_beat_ms, now_ms),
            ),
            Self::Step => (by_state(&[Reason::Stalled]), age_since(vitals.progress_ms, now_ms)),
            Self::Since => (StyleRole::Text, age_since(Some(vitals.since_ms), now_ms)),
            Self::Ok => (success_role(work.success_rate()), percent(work.success_rate())),
            Self::P50 => (StyleRole::Text, quantile(|all| all.p50)),
            Self::P95 => (StyleRole::Text, quantile(|all| all.p95)),
            Self::P99 => (StyleRole::Text, quantile(|all| all.p99)),
            Self::Tasks => (StyleRole::Text, rate_if_known(entry.tasks_per_minute(now_ms))),
            Self::Cost if !work.is_known() => (StyleRole::Text, "-".to_owned()),
            Self::Cost => {
                let is_costly = work.cost_today_nano_usd > context.costly_nano_usd;
                let role = if is_costly { StyleRole::Degraded } else { StyleRole::Text };
                (role, cost(work.cost_today_nano_usd))
            }
            Self::Boot => (by_state(&[Reason::Conflict]), session_label(entry)),
            Self::Load => (StyleRole::Text, load_bars(&work.per_minute, glyphs)),
            Self::Why => {
                let is_well = vitals.state == State::Healthy;
                let role = if is_well { StyleRole::Dim } else { StyleRole::Text };
                (role, why(entry, context.cause, now_ms))
            }
        }
    }
}

/// Returns the columns that fit a list of this width, from left to right, without the one by which
/// the rows are grouped.
pub(crate) fn visible_columns(list: &FleetList, width: u16) -> Vec<FleetColumn> {
    let by_host = list.group_by() == GroupBy::Host;
    let min_list_width = |column: FleetColumn| match column {
        // What stands out is seen on narrow screens, too, in the place of the load.
        FleetColumn::Cost if list.money.stands_out => 0,
        FleetColumn::Load if list.money.stands_out => FleetColumn::Cost.spec().min_list_width,
        _ => column.spec().min_list_width,
    };
    let wanted = |column: &FleetColumn| {
        let repeated = by_host && *column == FleetColumn::Host;
        !repeated && !list.hidden.contains(column) && min_list_width(*column) <= width
    };
    let mut shown: Vec<FleetColumn> = FleetColumn::ALL.into_iter().filter(wanted).collect();
    // If they still don't fit, those for the widest lists go first.
    while total_width(&shown) > width && shown.len() > 2 {
        let last = shown.iter().copied().max_by_key(|column| min_list_width(*column));
        shown.retain(|column| Some(*column) != last);
    }
    shown
}

fn total_width(columns: &[FleetColumn]) -> u16 {
    LEFT_MARGIN + columns.iter().map(|column| column.spec().width + 1).sum::<u16>()
}

/// Returns the width of a column in this list. Names take what the longest of them needs of the room that is left, and
/// causes take the rest; where those are not shown, names take all.
pub(crate) fn column_width(
    column: FleetColumn,
    columns: &[FleetColumn],
    list: &FleetList,
    width: u16,
) -> u16 {
    let own = column.spec().width;
    let left = width.saturating_sub(total_width(columns));
    let has_causes = columns.contains(&FleetColumn::Why);
    // With the mark of an incident behind the name.
    let names = list.longest_name.saturating_add(2).saturating_sub(FleetColumn::MIN_NAME_WIDTH);
    let for_names = if has_causes { left.min(names) } else { left };
    match column {
        FleetColumn::Agent => own + for_names,
        FleetColumn::Why => own + left - for_names,
        _ => own,
    }
}

/// Returns the style of a share of tasks that succeeded.
fn success_role(share: Option<f64>) -> StyleRole {
    match share {
        Some(share) if share < 0.5 => StyleRole::Unreachable,
        Some(share) if share < 0.9 => StyleRole::Degraded,
        _ => StyleRole::Text,
    }
}

fn name_role(state: State) -> StyleRole {
    match state {
        State::Degraded | State::Unreachable => StyleRole::Strong,
        State::Healthy | State::Killed | State::Unknown => StyleRole::Text,
    }
}

/// Formats the session's first digits and the number of starts.
pub(crate) fn session_label(entry: &AgentEntry) -> String {
    if entry.vitals.session == 0 {
        return "-".to_owned();
    }
    let session = session_text(entry.vitals.session);
    let short = session.get(..SESSION_DIGITS).unwrap_or(&session);
    format!("{short} #{}", entry.vitals.starts)
}

/// Formats the tasks in each of the last minutes as bars, scaled to the agent's own best minute.
pub(crate) fn load_bars(per_minute: &[u32], glyphs: &ScreenGlyphs) -> String {
    let most = per_minute.iter().copied().max().unwrap_or(0);
    per_minute.iter().map(|&tasks| glyphs.bar(tasks, most)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::FleetMoney;

    #[test]
    fn a_wider_list_has_all_columns_of_a_narrower_one() {
        assert_eq!(total_width(&FleetColumn::ALL), ALL_COLUMNS_WIDTH);
        let all = [GroupBy::Host, GroupBy::None].map(|it| [(it, false), (it, true)]);
        for (group_by, stands_out) in all.into_iter().flatten() {
            let money = FleetMoney { stands_out, ..FleetMoney::default() };
            let list = FleetList { chosen_groups: group_by, money, ..FleetList::default() };
            for width in 40..200 {
                let (narrow, wide) =
                    (visible_columns(&list, width), visible_columns(&list, width + 1));
                let is_lost = |column: &&FleetColumn| !wide.contains(column);
                assert_eq!(narrow.iter().find(is_lost), None, "from {width} to {}", width + 1);
            }
        }
    }
}
