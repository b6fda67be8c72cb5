//! What was entered, in its order, so that Esc can go back by one thing at a time.

use super::{ListFilter, Screen};

/// The most that Esc goes back through.
const ENTERED_MAX: usize = 32;

/// Something that was entered.
#[derive(Clone, Debug)]
pub(crate) enum Entered {
    /// Another screen, from this one.
    Screen(Screen),
    /// The events of one agent, from this screen; with the filter that events had before.
    Log(Screen, Box<ListFilter>),
    /// A filter of this screen's list.
    Filter(Screen),
    /// A pane has the whole screen.
    Expanded(Screen),
    /// Marks on the timeline.
    Marks,
    /// An incident, whole.
    Incident,
}

/// The stack of what was entered, the newest last.
#[derive(Debug, Default)]
pub(crate) struct EnteredStack {
    entered: Vec<Entered>,
}

impl EnteredStack {
    /// Adds what was entered now; what was the same before counts no more.
    pub(crate) fn push(&mut self, new: Entered) {
        self.entered.retain(|it| !is_same(it, &new));
        self.entered.push(new);
        if self.entered.len() > ENTERED_MAX {
            self.entered.remove(0);
        }
    }

    /// Forgets that a screen was left.
    pub(crate) fn forget_screen(&mut self, screen: Screen) {
        self.entered.retain(|it| left(it) != Some(screen));
    }

    pub(crate) fn pop(&mut self) -> Option<Entered> {
        self.entered.pop()
    }

    /// Takes the newest change of a screen, with all that was entered on the screen since.
    pub(crate) fn pop_screen(&mut self) -> Option<Screen> {
        while let Some(entered) = self.entered.pop() {
            if let Some(screen) = left(&entered) {
                return Some(screen);
            }
        }
        None
    }
}

/// Returns the screen that was left.
fn left(entered: &Entered) -> Option<Screen> {
    match entered {
        Entered::Screen(screen) | Entered::Log(screen, _) => Some(*screen),
        Entered::Filter(_) | Entered::Expanded(_) | Entered::Marks | Entered::Incident => None,
    }
}

fn is_same(a: &Entered, b: &Entered) -> bool {
    match (a, b) {
        (Entered::Screen(a), Entered::Screen(b))
        | (Entered::Filter(a), Entered::Filter(b))
        | (Entered::Expanded(a), Entered::Expanded(b)) => a == b,
        (Entered::Marks, Entered::Marks) | (Entered::Incident, Entered::Incident) => true,
        _ => false,
    }
}
