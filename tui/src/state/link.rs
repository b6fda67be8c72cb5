//! The connection to the collector, as an operator sees it.

use crate::clock::MonoTime;

/// A link that is up brings news four times a second, also from a calm fleet. After so many ms without
/// any, what it showed last is not the present: the collector hangs, or the way to it does.
const SILENCE_MS: u64 = 5_000;

/// How the link is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LinkState {
    /// Never connected so far; why the last try failed.
    Connecting { failure: Option<String> },
    /// News comes.
    Live,
    /// No connection, since when and why. Tried again for ever.
    Lost { since: MonoTime, why: String },
}

/// The link and who we are on it.
#[derive(Clone, Debug)]
pub(crate) struct LinkInfo {
    pub state: LinkState,
    /// Who the collector takes us for.
    pub operator: Option<String>,
    /// Whether the collector lets us act.
    pub rights: Rights,
    /// When anything was heard last.
    pub heard: MonoTime,
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
            heard: MonoTime::default(),
            round_trip_ms: None,
        }
    }
}

impl LinkInfo {
    pub(crate) fn is_live(&self) -> bool {
        self.state == LinkState::Live
    }

    /// For how many ms nothing came over a link that is up, if that is too long.
    pub(crate) fn silent_ms(&self, now: MonoTime) -> Option<u64> {
        let silent_ms = now.since(self.heard);
        (self.is_live() && silent_ms >= SILENCE_MS).then_some(silent_ms)
    }

    /// The link went down, or stays down. It is lost since it was heard last, and that moment does
    /// not move.
    pub(crate) fn lose(&mut self, why: String) {
        self.round_trip_ms = None;
        self.state = match &self.state {
            LinkState::Connecting { .. } => LinkState::Connecting { failure: Some(why) },
            LinkState::Live => LinkState::Lost { since: self.heard, why },
            LinkState::Lost { since, .. } => LinkState::Lost { since: *since, why },
        };
    }
}
