//! The `?` overlay: every command that can be given on this screen, with its keys.

use heartline_vocabulary::{Reason, State};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::pen::{Pen, boxed};
use super::{centred, hints};
use crate::commands::{REGISTRY, Spec};
use crate::look::{Align, Role, Status, of_state};
use crate::state;

const WIDTH: u16 = 118;
/// From this width on commands stand in two columns.
const TWO_COLUMNS: u16 = 112;
const KEYS: u16 = 11;

pub(super) fn draw(state: &state::State, scroll: usize, buffer: &mut Buffer) {
    let context = state.screen_context();
    let specs: Vec<&Spec> =
        REGISTRY.iter().filter(|spec| spec.contexts.contains(&context)).collect();
    let columns = if state.size.0 >= TWO_COLUMNS { 2 } else { 1 };
    let rows = specs.len().div_ceil(columns);
    let height = u16::try_from(rows).unwrap_or(u16::MAX).saturating_add(3);
    let area = centred(state, WIDTH, height.min(state.size.1.saturating_sub(1)));
    let title = format!("Keys on the {} screen", context.title());
    let mut inner = boxed(state, area, &title, buffer);
    inner.x += 1;
    inner.width = inner.width.saturating_sub(2);
    let height = usize::from(inner.height.saturating_sub(1));
    let scroll = scroll.min(rows.saturating_sub(height));
    let width = inner.width / u16::try_from(columns).unwrap_or(1);
    for (column, part) in specs.chunks(rows.max(1)).enumerate() {
        let x = inner.x + width * u16::try_from(column).unwrap_or(0);
        let area = Rect { x, width: width - 1, ..inner };
        for (row, spec) in (0..).zip(part.iter().skip(scroll).take(height)) {
            line(state, area, row, spec, buffer);
        }
    }
    legend(state, inner, scroll + height < rows, buffer);
}

fn line(state: &state::State, area: Rect, row: u16, spec: &Spec, buffer: &mut Buffer) {
    let Some(mut pen) = Pen::on(state, area, row, buffer) else { return };
    let keys: Vec<String> = state.keymap.keys(spec.command).map(ToString::to_string).collect();
    pen.cell(Role::Key, &keys.join(" "), KEYS, Align::Left).gap(1).put(Role::Text, spec.help);
}

/// The last line: what the glyphs mean, and that there is more.
fn legend(state: &state::State, area: Rect, more: bool, buffer: &mut Buffer) {
    let Some(last) = area.height.checked_sub(1) else { return };
    let Some(mut pen) = Pen::on(state, area, last, buffer) else { return };
    if more {
        let key = hints::key_label(&state.keymap, crate::commands::Command::Down, state.charset);
        pen.at_end(&[(Role::Dim, &format!("{key}: more"))]);
    }
    let stopped = (State::Killed, Some(Reason::Shutdown), "stopped");
    let plain = State::ALL.map(|each| (each, None, each.name()));
    for (each, reason, word) in plain.into_iter().chain([stopped]) {
        let Status { glyph, role, .. } = of_state(each, reason, state.charset);
        pen.put(role, &format!("{glyph} {word}")).gap(2);
    }
}
