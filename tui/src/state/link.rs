//! The connection to the collector, as an operator sees it.

use crate::clock::Mono;

/// How the link is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LinkState {
    /// Never connected so far; why the last try failed.
    Connecting { failure: Option<String> },
    /// News comes.
    Live,
    /// No connection, since when and why. Tried again for ever.
    Lost { since: Mono, why: String },
}

/// The link and who we are on it.
#[derive(Clone, Debug)]
pub(crate) struct LinkInfo {
    pub state: LinkState,
    /// Who the collector takes us for.
    pub operator: Option<String>,
    /// Whether the collector lets us act.
    pub rights: Rights,
    /// The last round trip, in ms.
    pub round_trip_ms: Option<u64>,
}

/// What the collector lets us do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Rights {
    #[default]
    Look,
    Act,
}

impl Default for LinkInfo {
    fn default() -> Self {
        Self {
            state: LinkState::Connecting { failure: None },
            operator: None,
            rights: Rights::default(),
            round_trip_ms: None,
        }
    }
}

impl LinkInfo {
    pub(crate) fn is_live(&self) -> bool {
        self.state == LinkState::Live
    }

    /// The link went down, or stays down. The moment it was lost does not move.
    pub(crate) fn lose(&mut self, why: String, now: Mono) {
        self.round_trip_ms = None;
        self.state = match &self.state {
            LinkState::Connecting { .. } => LinkState::Connecting { failure: Some(why) },
            LinkState::Live => LinkState::Lost { since: now, why },
            LinkState::Lost { since, .. } => LinkState::Lost { since: *since, why },
        };
    }
}
