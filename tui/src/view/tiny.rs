//! A terminal too small for a screen: one line of counts, the worst first.

use heartline_vocabulary::State as AgentState;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::pen::Pen;
use crate::look::{Role, age, count, of_state};
use crate::state::{LinkState, State};

pub(super) fn draw(state: &State, buffer: &mut Buffer) {
    let line = Rect { height: 1, ..buffer.area };
    let Some(mut pen) = Pen::on(state, line, 0, buffer) else { return };
    match &state.link.state {
        LinkState::Live => match state.link.silent_ms(state.now) {
            None => pen.put(Role::Title, "HL "),
            Some(ms) => pen.put(Role::Alert, &format!("SILENT {}", age(ms))).gap(1),
        },
        LinkState::Connecting { .. } => pen.put(Role::Alert, "CONNECTING").gap(1),
        LinkState::Lost { since, .. } => {
            pen.put(Role::Alert, &format!("LOST {}", age(state.now.since(*since)))).gap(1)
        }
    };
    let summary = state.world().fleet.summary();
    let mut order = AgentState::ALL;
    order.sort_by_key(|each| std::cmp::Reverse(each.severity()));
    for each in order {
        let status = of_state(each, None, state.charset);
        let n = summary.of(each);
        let role = if n == 0 { Role::Dim } else { status.role };
        pen.put(role, &format!("{}{}", status.glyph, count(n.into()))).gap(1);
    }
    pen.put(Role::Dim, &format!("of {}", count(summary.total.into())));
}
