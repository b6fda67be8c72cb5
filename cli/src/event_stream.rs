//! New events, across restarts of the collector and losses of the link.
//!
//! Updates of the subscription are only a signal: events are always requested by cursor, so that none
//! is repeated and none is missed between two connections.

use heartline_operator::client::{ClientOptions, Endpoint, Link, LinkEvent, LinkState};
use heartline_operator::message::{EVENTS_MAX, Event, EventOrder, EventQuery, Reply, Request};
use heartline_operator::{Filter, FleetMirror, SubscriptionUpdate};
use heartline_vocabulary::StateCounts;

use crate::clock;
use crate::error::CliError;

/// After a connection the collector may publish some deltas without events; this many of them are
/// followed by a request all the same.
const SETTLING_DELTAS: u32 = 8;

/// A stream of new events and states of the link.
pub(crate) struct EventStream {
    link: Link,
    mirror: FleetMirror,
    filter: Filter,
    /// Of the last event; `None`: the end of history at the first connection.
    cursor: Option<i64>,
    /// Of the last event.
    last_at_ms: Option<i64>,
    settling: u32,
    phase: LinkPhase,
}

/// The state of the link.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LinkPhase {
    First,
    Live,
    Lost,
}

/// An event, or a change of the link.
#[derive(Debug)]
pub(crate) enum EventStreamItem {
    Event(Event),
    /// Connected, or connected again.
    LinkUp {
        at_ms: i64,
        summary: StateCounts,
        again: bool,
    },
    LinkLost {
        at_ms: i64,
        why: String,
    },
}

impl EventStream {
    /// Connects, and streams the events after `cursor`, or from now on.
    pub(crate) fn open(
        endpoint: Endpoint,
        options: ClientOptions,
        filter: Filter,
        cursor: Option<i64>,
    ) -> Self {
        Self {
            link: Link::open(endpoint, options),
            mirror: FleetMirror::default(),
            filter,
            cursor,
            last_at_ms: None,
            settling: 0,
            phase: LinkPhase::First,
        }
    }

    /// Waits for the next items, which may be none; cancel-safe.
    ///
    /// # Errors
    /// [`CliError::NoCollector`] when the first connection can't be made.
    pub(crate) async fn next(&mut self) -> Result<Vec<EventStreamItem>, CliError> {
        match self.link.next().await {
            LinkEvent::State(LinkState::Connecting) | LinkEvent::RoundTrip(_) => Ok(Vec::new()),
            LinkEvent::State(LinkState::Lost { why, .. }) => self.lost(why),
            LinkEvent::State(LinkState::Live(greeting)) => {
                let again = self.phase == LinkPhase::Lost;
                self.phase = LinkPhase::Live;
                self.mirror.begin();
                self.settling = SETTLING_DELTAS;
                let collector = &greeting.collector;
                let mut items = vec![EventStreamItem::LinkUp {
                    at_ms: collector.at_ms,
                    summary: collector.summary,
                    again,
                }];
                self.set_cursor().await;
                items.extend(self.request_events().await);
                Ok(items)
            }
            LinkEvent::Update(update) => {
                let is_delta = matches!(update, SubscriptionUpdate::Delta(_));
                let effect = self.mirror.apply(update, clock::now());
                let settling = is_delta && self.settling > 0;
                self.settling = self.settling.saturating_sub(u32::from(is_delta));
                if effect.events.is_empty() && !settling {
                    return Ok(Vec::new());
                }
                Ok(self.request_events().await)
            }
        }
    }

    /// Returns the collector's time.
    pub(crate) fn now_ms(&self) -> i64 {
        self.mirror.now_ms(clock::now()).unwrap_or(0)
    }

    fn lost(&mut self, why: String) -> Result<Vec<EventStreamItem>, CliError> {
        match self.phase {
            LinkPhase::First => Err(CliError::NoCollector(why)),
            // One item for each loss, not for each attempt.
            LinkPhase::Lost => Ok(Vec::new()),
            LinkPhase::Live => {
                self.phase = LinkPhase::Lost;
                Ok(vec![EventStreamItem::LinkLost { at_ms: self.now_ms(), why }])
            }
        }
    }

    /// Sets the cursor to the end of history at the first connection; or to its start, if the
    /// collector had to set its history aside.
    async fn set_cursor(&mut self) {
        let Some((newest, _)) =
            self.request_page(EventQuery { limit: 1, ..EventQuery::default() }).await
        else {
            return;
        };
        let end = newest.last().map_or(0, |event| event.cursor);
        match self.cursor {
            None => self.cursor = Some(end),
            Some(cursor) if end < cursor => self.cursor = Some(0),
            Some(_) => {}
        }
    }

    /// Requests all events after the last one.
    async fn request_events(&mut self) -> Vec<EventStreamItem> {
        let mut items = Vec::new();
        while let Some(cursor) = self.cursor {
            let query = EventQuery {
                after: Some(cursor),
                since_ms: self.last_at_ms.filter(|_| cursor == 0),
                limit: EVENTS_MAX,
                order: EventOrder::OldestFirst,
                ..EventQuery::default()
            };
            let Some((events, next)) = self.request_page(query).await else { break };
            for event in events {
                self.cursor = Some(event.cursor);
                self.last_at_ms = Some(event.at_ms);
                if self.matches(&event) {
                    items.push(EventStreamItem::Event(event));
                }
            }
            if next.is_none() {
                break;
            }
        }
        items
    }

    fn matches(&self, event: &Event) -> bool {
        let entry = event.agent.as_deref().and_then(|agent| self.mirror.by_name(agent));
        self.filter.is_empty() || self.filter.matches_event(event, entry, self.now_ms())
    }

    /// Requests a page of events; `None` while the link is lost, after which it is requested again.
    async fn request_page(&self, query: EventQuery) -> Option<(Vec<Event>, Option<i64>)> {
        match self.link.handle().request(Request::Events(query)).await {
            Ok(Reply::Events { events, next }) => Some((events, next)),
            _ => None,
        }
    }
}
