//! The list of agents. Only the rows on the screen are built.

use heartline_operator::message::AgentEntry;

use heartline_vocabulary::State as AgentState;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::cells::{MARGIN, cell, columns_shown, width_of};
use super::pen::Pen;
use crate::layout::Regions;
use crate::look::{Role, age_since, cost, of_state};
use crate::state::{Column, GroupInfo, LinkState, Row, State};

pub(super) fn draw(state: &State, regions: &Regions, buffer: &mut Buffer) {
    if regions.body.height == 0 {
        return;
    }
    let columns = columns_shown(&state.list, regions.body.width);
    titles(state, regions.titles, &columns, buffer);
    if state.list.rows.is_empty() {
        nothing(state, regions.body, buffer);
        return;
    }
    let pinned = state.list.pinned();
    let rows = state.list.rows.iter().enumerate().skip(state.list.offset);
    for (line, (at, row)) in (0..regions.body.height).zip(rows) {
        let selected = at == state.list.at;
        match (row, pinned) {
            (_, Some(group)) if line == 0 => {
                group_row(state, regions.body, line, &state.list.groups[group], buffer);
            }
            (Row::Group(group), _) => {
                group_row(state, regions.body, line, &state.list.groups[*group], buffer);
            }
            (Row::Agent { id, .. }, _) => {
                if let Some(entry) = state.world().fleet.get(*id) {
                    agent_row(state, regions.body, line, entry, &columns, buffer);
                }
            }
        }
        if selected {
            let line = Rect { y: regions.body.y + line, height: 1, ..regions.body };
            buffer.set_style(line, state.theme.cursor());
        }
    }
}

fn titles(state: &State, area: Rect, columns: &[Column], buffer: &mut Buffer) {
    let Some(mut pen) = Pen::on(state, area, 0, buffer) else { return };
    pen.gap(MARGIN);
    for column in columns {
        let layout = column.layout();
        let sorted = *column == state.list.sort;
        let role = if sorted { Role::Title } else { Role::Dim };
        pen.cell(role, layout.title, width_of(*column, columns, area.width), layout.align).gap(1);
    }
}

fn agent_row(
    state: &State,
    area: Rect,
    line: u16,
    entry: &AgentEntry,
    columns: &[Column],
    buffer: &mut Buffer,
) {
    let Some(mut pen) = Pen::on(state, area, line, buffer) else { return };
    let selected = state.list.selected() == Some(entry.agent.as_str());
    let marked = state.list.marks.contains(&entry.agent);
    pen.put(Role::Key, if selected { ">" } else { " " });
    pen.put(Role::Key, if marked { state.glyphs.marked } else { " " });
    for column in columns {
        let (role, text) = cell(*column, entry, state.now_ms(), state.glyphs);
        let layout = column.layout();
        pen.cell(role, &text, width_of(*column, columns, area.width), layout.align).gap(1);
    }
}

/// A group's header. A folded one says how its agents are, the worst first.
fn group_row(state: &State, area: Rect, line: u16, group: &GroupInfo, buffer: &mut Buffer) {
    let Some(mut pen) = Pen::on(state, area, line, buffer) else { return };
    let fold = if group.folded { state.glyphs.folded } else { state.glyphs.open };
    pen.put(Role::Title, fold).gap(1).put(Role::Title, &group.name).gap(2);
    let wording = if area.width >= 98 { Wording::Full } else { Wording::Short };
    group_words(state, group, wording, &mut pen);
}

/// How much is said of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wording {
    Full,
    Short,
}

/// How many agents a group has, how they are, the worst first, and what they cost.
pub(super) fn group_words(state: &State, group: &GroupInfo, wording: Wording, pen: &mut Pen<'_>) {
    let total = group.counts.total;
    let agents = match (wording, total) {
        (Wording::Short, _) => total.to_string(),
        (Wording::Full, 1) => "1 agent".to_owned(),
        (Wording::Full, _) => format!("{total} agents"),
    };
    pen.put(Role::Text, &agents).gap(2);
    let mut order = AgentState::ALL;
    order.sort_by_key(|each| std::cmp::Reverse(each.severity()));
    for each in order.into_iter().filter(|each| group.counts.of(*each) > 0) {
        let status = of_state(each, None, state.charset);
        pen.put(status.role, &format!("{} {}", status.glyph, group.counts.of(each))).gap(1);
    }
    if wording == Wording::Full {
        pen.gap(1).put(Role::Dim, &format!("${} today", cost(group.cost_today_nano_usd))).gap(2);
        let oldest = age_since(group.oldest_beat_ms, state.now_ms());
        pen.put(Role::Dim, &format!("oldest beat {oldest}"));
    }
}

/// Why the list is empty, and what to do about it.
fn nothing(state: &State, area: Rect, buffer: &mut Buffer) {
    let lines: Vec<String> = if !state.world().fleet.is_empty() {
        vec!["No agent matches. Esc clears the filter.".to_owned()]
    } else if let LinkState::Connecting { failure } = &state.link.state {
        let mut lines =
            vec!["Connecting to the collector. It is tried for ever; q quits.".to_owned()];
        lines.extend(failure.clone());
        lines
    } else if !state.world().fleet.is_whole() {
        vec!["Loading the fleet.".to_owned()]
    } else {
        vec![
            "No agent has ever sent a beat.".to_owned(),
            "An agent on this machine needs no set-up: cargo run --example minimal_agent"
                .to_owned(),
        ]
    };
    for (row, text) in (1..).zip(lines) {
        if let Some(mut pen) = Pen::on(state, area, row, buffer) {
            pen.gap(MARGIN).put(Role::Text, &text);
        }
    }
}
