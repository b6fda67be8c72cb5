//! The overlay with the collector's own health: questions and answers.

use heartline_operator::message::CollectorHealth;

use super::AppEffect;
use crate::state::{AppState, CollectorView, Overlay};

/// Opens it, and asks.
pub(super) fn open(state: &mut AppState) -> Vec<AppEffect> {
    state.overlay = Some(Overlay::Collector(CollectorView::default()));
    ask(state).into_iter().collect()
}

/// Asks for what an open overlay shows, if no question is under way.
pub(super) fn ask(state: &mut AppState) -> Option<AppEffect> {
    let is_live = state.connection.is_live();
    let Some(Overlay::Collector(view)) = &mut state.overlay else { return None };
    let is_due = is_live && !view.is_asked;
    view.is_asked |= is_due;
    is_due.then_some(AppEffect::RequestCollectorHealth)
}

/// Takes an answer.
pub(super) fn receive(state: &mut AppState, answer: Result<Box<CollectorHealth>, String>) {
    if let Some(Overlay::Collector(view)) = &mut state.overlay {
        (view.answer, view.is_asked) = (Some(answer), false);
    }
}
