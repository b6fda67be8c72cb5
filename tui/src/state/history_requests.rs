//! Questions about the past: one is under way at a time, and the newest wish is asked next.

use std::collections::{BTreeSet, VecDeque};

use heartline_operator::message::{AgentHistoryQuery, OutageQuery, Request};

use super::timeline::OutageWindow;
use super::timeline_tiles::{TilePlace, TimelineRowKey};
use crate::clock::MonoTime;

/// How long nothing is asked after a question that failed.
const RETRY_MS: u64 = 2_000;
/// How long the cursor rests before what is large is asked for, and how long after a change of the fleet.
const REST_MS: u64 = 300;
const CHANGE_MS: u64 = 1_000;

/// A question about the past, and what its answer is for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct HistoryRequest {
    pub purpose: HistoryPurpose,
    pub request: Request,
}

/// What an answer is for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum HistoryPurpose {
    /// What is said of a time while it is typed.
    Echo {
        at_ms: i64,
    },
    /// The outage to jump to.
    Jump(OutageJump, OutageQuery),
    /// The fleet of an instant.
    Fleet {
        at_ms: i64,
    },
    /// The events until an instant.
    Events {
        at_ms: i64,
    },
    /// The cells between two marks, and the work and the outages there of the same row.
    Span {
        from_ms: i64,
        to_ms: i64,
        name: String,
    },
    SpanWork,
    /// Of these agents; empty: of all.
    SpanOutages {
        agents: BTreeSet<String>,
    },
    /// The cells of some rows.
    Tiles {
        place: TilePlace,
        rows: Vec<TimelineRowKey>,
    },
    /// The outages in the window.
    Outages(OutageWindow),
    /// The charts of the agent that is open.
    AgentCharts(AgentHistoryQuery),
    /// The events of the agent that is open, until an instant.
    AgentEvents {
        agent: String,
        at_ms: i64,
    },
}

/// Which outage to jump to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutageJump {
    /// The last one that began before this moment.
    Before(i64),
    /// The first one that began after this moment.
    After(i64),
    /// The one with this number.
    Number(i64),
}

/// The question under way, and what is to be asked.
#[derive(Debug, Default)]
pub(crate) struct HistoryRequests {
    pub under_way: bool,
    pub retry_at: Option<MonoTime>,
    /// A jump that was asked for.
    pub jump: Option<(OutageJump, OutageQuery)>,
    /// The questions that a summary between marks takes.
    pub span: VecDeque<HistoryRequest>,
    /// A time of which something is to be said.
    pub echo_ms: Option<i64>,
    /// Pages next to those that are shown are asked for, too.
    pub prefetch: bool,
    /// What is large is not asked for on the timeline before this time: the cursor is on its way.
    pub rests_at: Option<MonoTime>,
}

impl HistoryRequests {
    /// Returns whether a question can be asked now.
    pub(crate) fn is_free(&self, now: MonoTime) -> bool {
        !self.under_way && self.retry_at.is_none_or(|at| now >= at)
    }

    /// Notes that the cursor has moved.
    pub(crate) fn record_motion(&mut self, now: MonoTime) {
        // A single screen is drawn once, and waits for nothing.
        self.rests_at = self.prefetch.then(|| now.plus_ms(REST_MS));
    }

    /// Notes that what is shown has changed by itself, which may go on.
    pub(crate) fn record_change(&mut self, now: MonoTime) {
        self.rests_at.get_or_insert(now.plus_ms(CHANGE_MS));
    }

    /// Returns whether the cursor rests.
    pub(crate) fn is_resting(&self, now: MonoTime) -> bool {
        self.rests_at.is_none_or(|at| now >= at)
    }

    /// Notes that the question under way has ended.
    pub(crate) fn record_end(&mut self, has_failed: bool, now: MonoTime) {
        self.under_way = false;
        self.retry_at = has_failed.then(|| now.plus_ms(RETRY_MS));
    }
}
