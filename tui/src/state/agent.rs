//! The Agent screen: whose it is, what was fetched of it, and where its lists are scrolled to.

use heartline_operator::message::AgentDetail;

use crate::clock::MonoTime;

/// How often an open agent is asked for anew.
const REFRESH_MS: u64 = 2_000;

/// The lists of the screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Pane {
    #[default]
    Events,
    Sessions,
}

/// One agent, looked at closely.
#[derive(Debug)]
pub(crate) struct AgentPane {
    pub id: String,
    pub detail: Option<Box<AgentDetail>>,
    /// Why there is no detail.
    pub failure: Option<String>,
    pub focus: Pane,
    pub scroll: usize,
    pub expanded: bool,
    asked: Option<MonoTime>,
}

impl AgentPane {
    pub(crate) fn of(id: String) -> Self {
        Self {
            id,
            detail: None,
            failure: None,
            focus: Pane::default(),
            scroll: 0,
            expanded: false,
            asked: None,
        }
    }

    /// Whether it is time to ask again.
    pub(crate) fn is_due_at(&self, now: MonoTime) -> bool {
        self.asked.is_none_or(|asked| now.since(asked) >= REFRESH_MS)
    }

    pub(crate) fn asked_at(&mut self, now: MonoTime) {
        self.asked = Some(now);
    }

    pub(crate) fn rows(&self) -> usize {
        self.detail.as_ref().map_or(0, |detail| match self.focus {
            Pane::Events => detail.events.len(),
            Pane::Sessions => detail.sessions.len(),
        })
    }
}
