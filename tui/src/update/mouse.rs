//! The mouse, while it is captured: it scrolls, and selects rows. It never kills.

use crate::event::{Effect, MouseInput};
use crate::layout;
use crate::state::{Screen, State};

/// Rows that one turn of the wheel moves.
const WHEEL_ROWS: isize = 3;

pub(super) fn mouse(state: &mut State, input: MouseInput) -> Vec<Effect> {
    match input {
        MouseInput::ScrollDown => super::motion::wheel(state, WHEEL_ROWS),
        MouseInput::ScrollUp => super::motion::wheel(state, -WHEEL_ROWS),
        MouseInput::Click { column, row } if state.overlay.is_none() => click(state, column, row),
        MouseInput::Click { .. } => {}
    }
    Vec::new()
}

fn click(state: &mut State, column: u16, row: u16) {
    let body = layout::regions(state).body;
    if !body.contains((column, row).into()) {
        return;
    }
    let offset = match state.screen {
        Screen::Fleet => state.list.offset,
        Screen::Transitions => state.transitions.offset,
        Screen::Agent => return,
    };
    super::motion::select(state, offset + usize::from(row - body.y));
}
