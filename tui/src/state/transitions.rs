//! The Transitions screen: which events it lists, and where the cursor stands.

use heartline_operator::Filter;
use heartline_operator::message::Event;

use super::list::Shown;
use super::world::{World, is_bad};

/// Whether new events pull the cursor along.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Follow {
    /// The cursor stays on the newest event.
    #[default]
    Newest,
    /// It stays on the event where it was put.
    Held,
}

/// The list of events. The selection is by an event's cursor, never by its row.
#[derive(Debug, Default)]
pub(crate) struct Transitions {
    /// Cursors of the events shown, oldest first.
    pub rows: Vec<i64>,
    pub selected: Option<i64>,
    /// Row of the selected event, and the first row on the screen.
    pub at: usize,
    pub offset: usize,
    pub follow: Follow,
    pub shown: Shown,
    pub filter: Option<Filter>,
    pub filter_text: String,
}

impl Transitions {
    /// Builds the rows anew and finds the selection again.
    pub(crate) fn rebuild(&mut self, world: &World, now_ms: i64) {
        let matches = |filter: &Filter, event: &Event| {
            let entry = event.agent.as_deref().and_then(|id| world.agent(id));
            filter.matches_event(event, entry, now_ms)
        };
        let wanted = |event: &&Event| {
            (self.shown == Shown::All || is_bad(event))
                && self.filter.as_ref().is_none_or(|filter| matches(filter, event))
        };
        self.rows = world.events.iter().filter(wanted).map(|event| event.cursor).collect();
        let last = self.rows.len().saturating_sub(1);
        self.at = match (self.follow, self.selected) {
            (Follow::Held, Some(cursor)) => {
                self.rows.partition_point(|row| *row < cursor).min(last)
            }
            _ => last,
        };
        self.selected = self.rows.get(self.at).copied();
    }

    /// Selects a row, or the last one. Only the last row follows.
    pub(crate) fn go_to(&mut self, at: usize) {
        let last = self.rows.len().saturating_sub(1);
        self.at = at.min(last);
        self.follow = if self.at == last { Follow::Newest } else { Follow::Held };
        self.selected = self.rows.get(self.at).copied();
    }

    /// Scrolls until the selection is among `height` rows.
    pub(crate) fn scroll(&mut self, height: usize) {
        let height = height.max(1);
        self.offset = self.offset.min(self.rows.len().saturating_sub(height)).min(self.at);
        if self.at >= self.offset + height {
            self.offset = self.at + 1 - height;
        }
    }
}
