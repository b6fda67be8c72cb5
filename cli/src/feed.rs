//! What happens from now on, across restarts of the collector and losses of the link.
//!
//! News of the subscription only say *that* something happened; what happened is always asked for
//! by cursor, so that nothing is told twice and nothing is missed between two connections.

use heartline_operator::client::{ClientOptions, Endpoint, Link, LinkEvent, LinkState};
use heartline_operator::message::{Event, EventQuery, Reply, Request};
use heartline_operator::{Filter, FleetMirror, SubscriptionUpdate};
use heartline_vocabulary::StateCounts;

use crate::clock;
use crate::failure::CliError;

/// Most events asked for at a time.
const PAGE: u32 = 500;
/// After a connection the collector may publish without events for some news; so many of them are
/// taken as a hint to ask all the same.
const SETTLING_NEWS: u32 = 8;

/// Tells what happens, in order.
pub(crate) struct EventStream {
    link: Link,
    mirror: FleetMirror,
    filter: Filter,
    /// The last event told; `None`: wherever history ends at the first connection.
    cursor: Option<i64>,
    /// The time of the last event told.
    last_at_ms: Option<i64>,
    settling: u32,
    phase: LinkPhase,
}

/// How the link is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LinkPhase {
    First,
    Live,
    Lost,
}

/// Something to tell.
#[derive(Debug)]
pub(crate) enum EventStreamItem {
    /// Something happened in the fleet.
    Event(Event),
    /// Connected: the fleet as it is, at this time.
    Up { at_ms: i64, summary: StateCounts, again: bool },
    /// Not connected any more: since when, and why.
    Lost { at_ms: i64, why: String },
}

impl EventStream {
    /// Connects; tells events after `cursor`, or from now on.
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

    /// What is to be told next: nothing, or several things at once. May be cancelled.
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
                self.settling = SETTLING_NEWS;
                let collector = &greeting.collector;
                let mut told = vec![EventStreamItem::Up {
                    at_ms: collector.at_ms,
                    summary: collector.summary,
                    again,
                }];
                self.find_place().await;
                told.extend(self.catch_up().await);
                Ok(told)
            }
            LinkEvent::Update(update) => {
                let is_change = matches!(update, SubscriptionUpdate::Delta(_));
                let applied = self.mirror.apply(update, clock::now());
                let settling = is_change && self.settling > 0;
                self.settling = self.settling.saturating_sub(u32::from(is_change));
                if applied.events.is_empty() && !settling {
                    return Ok(Vec::new());
                }
                Ok(self.catch_up().await)
            }
        }
    }

    /// The collector's time now.
    pub(crate) fn now_ms(&self) -> i64 {
        self.mirror.now_ms(clock::now()).unwrap_or(0)
    }

    fn lost(&mut self, why: String) -> Result<Vec<EventStreamItem>, CliError> {
        match self.phase {
            LinkPhase::First => Err(CliError::NoCollector(why)),
            // One line for each loss, not for each attempt.
            LinkPhase::Lost => Ok(Vec::new()),
            LinkPhase::Live => {
                self.phase = LinkPhase::Lost;
                Ok(vec![EventStreamItem::Lost { at_ms: self.now_ms(), why }])
            }
        }
    }

    /// Where history ends, if nothing was told yet; or where it begins anew, if the collector had
    /// to set its history aside.
    async fn find_place(&mut self) {
        let Some((newest, _)) = self.ask(EventQuery { limit: 1, ..EventQuery::default() }).await
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

    /// All events after the last one told.
    async fn catch_up(&mut self) -> Vec<EventStreamItem> {
        let mut told = Vec::new();
        while let Some(cursor) = self.cursor {
            let query = EventQuery {
                after: Some(cursor),
                since_ms: self.last_at_ms.filter(|_| cursor == 0),
                limit: PAGE,
                ..EventQuery::default()
            };
            let Some((events, next)) = self.ask(query).await else { break };
            for event in events {
                self.cursor = Some(event.cursor);
                self.last_at_ms = Some(event.at_ms);
                if self.is_wanted(&event) {
                    told.push(EventStreamItem::Event(event));
                }
            }
            if next.is_none() {
                break;
            }
        }
        told
    }

    fn is_wanted(&self, event: &Event) -> bool {
        let entry = event.agent.as_deref().and_then(|agent| self.mirror.by_name(agent));
        self.filter.is_empty() || self.filter.matches_event(event, entry, self.now_ms())
    }

    /// A page of events; none while the link is lost, for then they are asked for again.
    async fn ask(&self, query: EventQuery) -> Option<(Vec<Event>, Option<i64>)> {
        match self.link.handle().request(Request::Events(query)).await {
            Ok(Reply::Events { events, next }) => Some((events, next)),
            _ => None,
        }
    }
}
