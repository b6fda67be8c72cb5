//! What the collector sent: the fleet, the collector's status and events; and the connection to it.

use std::collections::{HashMap, VecDeque};

use heartline_operator::client::AccessMode;
use heartline_operator::message::{
    AgentEntry, AgentVitals, CollectorStatus, Event, EventKind, PastFleet, PastGap, PastWork,
};
use heartline_operator::{FleetMirror, SubscriptionUpdate};
use heartline_vocabulary::{AgentRowId, State};

use super::fleet_list::ListStaleness;
use crate::clock::MonoTime;

/// The most events that are kept; `heartline events` has the older ones.
pub(crate) const MAX_EVENTS: usize = heartline_operator::message::EVENTS_MAX as usize;
/// The collector sends updates four times a second, also for a calm fleet. After this time without
/// any, the collector or the way to it hangs, and what is shown may be out of date.
const SILENCE_MS: u64 = 5_000;

/// Everything received from the collector. In the past: a copy of it, or the fleet as history has it.
#[derive(Clone, Debug, Default)]
pub(crate) struct FleetModel {
    pub fleet: FleetMirror,
    /// Oldest first, each cursor once.
    pub events: VecDeque<Event>,
    /// The newest transition of each agent that is in trouble by it, with its cause.
    causes: HashMap<Box<str>, KnownCause>,
    /// For the past: the collector's time of which it is.
    frozen_at_ms: Option<i64>,
    /// For the past: what of it is not known.
    pub unknown: UnknownPast,
}

/// Why an agent fell into its state.
#[derive(Clone, Debug)]
struct KnownCause {
    /// Begin of the state.
    since_ms: i64,
    text: Box<str>,
}

/// What is not known of the past that is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct UnknownPast {
    /// Of the collector only its name is known, not what it had counted.
    pub counters: bool,
    /// Of when the work is: of the last hour unless it is not known so well.
    pub work: PastWork,
    /// The moment was not observed: the fleet is as it was before.
    pub gap: Option<PastGap>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ConnectionState {
    /// Never connected so far; with the error of the last attempt.
    Connecting {
        failure: Option<String>,
    },
    Live,
    /// Not connected; tried again without end.
    Lost {
        since: MonoTime,
        why: String,
    },
}

/// The state of the connection, and the operator's identity and access on it.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionStatus {
    pub state: ConnectionState,
    /// The operator's name, as the collector knows it.
    pub operator: Option<String>,
    pub access: AccessMode,
    pub last_received: MonoTime,
    pub round_trip_ms: Option<u64>,
    /// It is to an incident file, whose now stands still.
    pub is_file: bool,
}

impl FleetModel {
    /// Returns the collector's time in ms of Unix time, in whole seconds so that all ages tick
    /// together; 0 before the first connection.
    pub(crate) fn now_ms(&self, now: MonoTime) -> i64 {
        let exact = self.exact_now_ms(now);
        exact - exact.rem_euclid(1_000)
    }

    pub(crate) fn exact_now_ms(&self, now: MonoTime) -> i64 {
        self.frozen_at_ms.or_else(|| self.fleet.now_ms(now.duration())).unwrap_or(0)
    }

    /// Returns a copy whose clock stands still.
    pub(crate) fn frozen_at(&self, now: MonoTime) -> Self {
        Self { frozen_at_ms: Some(self.exact_now_ms(now)), ..self.clone() }
    }

    /// Returns the fleet as history has it.
    pub(crate) fn of_past(past: &PastFleet, live: &Self) -> Self {
        let unknown = UnknownPast { counters: true, work: past.work, gap: past.gap };
        let live = live.collector();
        let collector = CollectorStatus {
            at_ms: past.at_ms,
            host: live.map_or_else(String::new, |it| it.host.clone()),
            summary: past.summary(),
            ..CollectorStatus::default()
        };
        let mut fleet = FleetMirror::default();
        fleet.begin();
        let entries = past.agents.iter().map(heartline_operator::message::PastAgent::to_entry);
        let page = SubscriptionUpdate::Page {
            entries: entries.collect(),
            collector: collector.into(),
            last: true,
        };
        fleet.apply(page, std::time::Duration::ZERO);
        Self { fleet, frozen_at_ms: Some(past.at_ms), unknown, ..Self::default() }
    }

    /// Returns the instant of which this is; `None`: it is live.
    pub(crate) fn frozen_at_ms(&self) -> Option<i64> {
        self.frozen_at_ms
    }

    pub(crate) fn collector(&self) -> Option<&CollectorStatus> {
        self.fleet.collector()
    }

    pub(crate) fn agent(&self, id: &str) -> Option<&AgentEntry> {
        self.fleet.by_name(id)
    }

    /// Applies an update of the subscription. Returns how much of a sorted list it outdates.
    pub(crate) fn apply(&mut self, update: SubscriptionUpdate, now: MonoTime) -> ListStaleness {
        let is_last_page = matches!(&update, SubscriptionUpdate::Page { last: true, .. });
        let reorders = match &update {
            SubscriptionUpdate::Delta(delta) => {
                delta.vitals.iter().any(|(id, vitals)| self.changes_state(*id, vitals))
            }
            SubscriptionUpdate::Page { .. }
            | SubscriptionUpdate::Resync
            | SubscriptionUpdate::Bell(_) => false,
        };
        let effect = self.fleet.apply(update, now.duration());
        self.add_events(effect.events);
        match (is_last_page, reorders || effect.membership_changed) {
            (true, _) => ListStaleness::Ids,
            (false, true) => ListStaleness::Rows,
            (false, false) => ListStaleness::Fresh,
        }
    }

    fn changes_state(&self, id: AgentRowId, new: &AgentVitals) -> bool {
        self.fleet.get(id).is_some_and(|entry| {
            let old = &entry.vitals;
            (old.state, old.since_ms) != (new.state, new.since_ms)
        })
    }

    /// Returns what the transition into an agent's state said of its cause, if it was heard.
    pub(crate) fn cause_of(&self, entry: &AgentEntry) -> Option<&str> {
        let known = self.causes.get(entry.agent.as_str())?;
        (known.since_ms == entry.vitals.since_ms).then_some(&*known.text)
    }

    fn note_cause(&mut self, event: &Event) {
        let Some(agent) = event.agent.as_deref() else { return };
        match &event.kind {
            EventKind::Transition { cause: Some(cause), to, .. } if *to != State::Healthy => {
                let known = self.causes.get(agent);
                if known.is_none_or(|it| it.since_ms <= event.at_ms) {
                    let cause = KnownCause { since_ms: event.at_ms, text: cause.as_str().into() };
                    self.causes.insert(agent.into(), cause);
                }
            }
            EventKind::Transition { .. } | EventKind::Forgotten { .. } => {
                self.causes.remove(agent);
            }
            _ => {}
        }
    }

    /// Adds events in the order of their cursors, each once.
    pub(crate) fn add_events(&mut self, events: Vec<Event>) {
        for event in events {
            self.note_cause(&event);
            let newest = self.events.back().map_or(i64::MIN, |last| last.cursor);
            if event.cursor > newest {
                self.events.push_back(event);
            } else if let Err(at) = self.events.binary_search_by_key(&event.cursor, |e| e.cursor) {
                self.events.insert(at, event);
            }
        }
        while self.events.len() > MAX_EVENTS {
            self.events.pop_front();
        }
    }
}

/// Returns whether an event is a problem: a worse state, time not observed, a kill disobeyed, or a budget
/// that is nearly used up.
pub(crate) fn is_problem(event: &Event) -> bool {
    match &event.kind {
        EventKind::Transition { to, .. } => to.is_trouble(),
        EventKind::Gap { .. } | EventKind::Disobeyed { .. } | EventKind::Budget { .. } => true,
        EventKind::Command { .. }
        | EventKind::Obeyed { .. }
        | EventKind::Session { .. }
        | EventKind::ClockStep { .. }
        | EventKind::Registered
        | EventKind::Forgotten { .. } => false,
    }
}

impl Default for ConnectionStatus {
    fn default() -> Self {
        Self {
            state: ConnectionState::Connecting { failure: None },
            operator: None,
            access: AccessMode::View,
            last_received: MonoTime::default(),
            round_trip_ms: None,
            is_file: false,
        }
    }
}

impl ConnectionStatus {
    pub(crate) fn is_live(&self) -> bool {
        self.state == ConnectionState::Live
    }

    /// Returns whether the collector lets this operator look and not act.
    pub(crate) fn is_read_only(&self) -> bool {
        self.operator.is_some() && self.access == AccessMode::View
    }

    /// Returns how long nothing was received on a live connection, in ms, if that is too long.
    pub(crate) fn silent_ms(&self, now: MonoTime) -> Option<u64> {
        let silent_ms = now.since(self.last_received);
        (self.is_live() && silent_ms >= SILENCE_MS).then_some(silent_ms)
    }

    /// Records that there is no connection. It counts as lost since something was last received;
    /// further failures do not move that time.
    pub(crate) fn set_lost(&mut self, why: String) {
        self.round_trip_ms = None;
        self.state = match &self.state {
            ConnectionState::Connecting { .. } => {
                ConnectionState::Connecting { failure: Some(why) }
            }
            ConnectionState::Live => ConnectionState::Lost { since: self.last_received, why },
            ConnectionState::Lost { since, .. } => ConnectionState::Lost { since: *since, why },
        };
    }
}
