//! What the collector has told us: the fleet, the collector itself, and what happened.

use std::collections::VecDeque;

use heartline_operator::message::{AgentEntry, CollectorStatus, Event, EventKind, VitalsUpdate};

use heartline_operator::{FleetMirror, SubscriptionUpdate};
use heartline_vocabulary::State;

use crate::clock::MonoTime;

/// Events that are kept; older ones are asked for with `heartline events`.
pub(crate) const MOST_EVENTS: usize = 5_000;

/// Everything that came over the link. A frozen screen shows a copy of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    pub fleet: FleetMirror,
    /// Oldest first, each cursor once.
    pub events: VecDeque<Event>,
    /// The collector's time at which this copy was frozen, if it was.
    stopped_ms: Option<i64>,
}

/// What some news means for a list that is already sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Impact {
    /// Only numbers and ages within rows.
    Cells,
    /// Rows came, went, or changed their state.
    Rows,
    /// The connection's keys mean other agents now.
    Keys,
}

impl World {
    /// The collector's time now, in ms of Unix time, cut to whole seconds so that all ages tick
    /// together. 0 before the collector was first heard.
    pub(crate) fn now_ms(&self, now: MonoTime) -> i64 {
        let exact = self.exact_now_ms(now);
        exact - exact.rem_euclid(1_000)
    }

    pub(crate) fn exact_now_ms(&self, now: MonoTime) -> i64 {
        self.stopped_ms.or_else(|| self.fleet.now_ms(now.duration())).unwrap_or(0)
    }

    /// A copy whose clock stands still.
    pub(crate) fn frozen_at(&self, now: MonoTime) -> Self {
        Self { stopped_ms: Some(self.exact_now_ms(now)), ..self.clone() }
    }

    pub(crate) fn collector(&self) -> Option<&CollectorStatus> {
        self.fleet.collector()
    }

    pub(crate) fn agent(&self, id: &str) -> Option<&AgentEntry> {
        self.fleet.by_name(id)
    }

    /// Takes news of the subscription.
    pub(crate) fn hear(&mut self, update: SubscriptionUpdate, now: MonoTime) -> Impact {
        let keys = matches!(&update, SubscriptionUpdate::Page { last: true, .. });
        let moved = match &update {
            SubscriptionUpdate::Delta(changes) => {
                changes.vitals.iter().any(|change| self.moves(change))
            }
            SubscriptionUpdate::Page { .. } | SubscriptionUpdate::Resync => false,
        };
        let applied = self.fleet.apply(update, now.duration());
        self.add_events(applied.events);
        match (keys, moved || applied.roster_changed) {
            (true, _) => Impact::Keys,
            (false, true) => Impact::Rows,
            (false, false) => Impact::Cells,
        }
    }

    fn moves(&self, change: &VitalsUpdate) -> bool {
        self.fleet.get(change.id).is_some_and(|entry| {
            let (old, new) = (&entry.vitals, &change.vitals);
            (old.state, old.since_ms) != (new.state, new.since_ms)
        })
    }

    /// Adds events in the order of their cursors, each once.
    pub(crate) fn add_events(&mut self, events: Vec<Event>) {
        for event in events {
            let newest = self.events.back().map_or(i64::MIN, |last| last.cursor);
            if event.cursor > newest {
                self.events.push_back(event);
            } else if let Err(at) = self.events.binary_search_by_key(&event.cursor, |e| e.cursor) {
                self.events.insert(at, event);
            }
        }
        while self.events.len() > MOST_EVENTS {
            self.events.pop_front();
        }
    }
}

/// Whether an event is bad news: a worse state, time not observed, or a kill disobeyed.
pub(crate) fn is_bad(event: &Event) -> bool {
    match &event.kind {
        EventKind::Transition { to, .. } => matches!(to, State::Degraded | State::Unreachable),
        EventKind::Gap { .. } | EventKind::Disobeyed { .. } => true,
        EventKind::Command { .. }
        | EventKind::Obeyed { .. }
        | EventKind::Session { .. }
        | EventKind::Registered
        | EventKind::Forgotten { .. } => false,
    }
}
