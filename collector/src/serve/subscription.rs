//! One subscription: pages of the fleet as it is, then what changes, in the driver's order.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use heartline_operator::message::{AgentEntry, FleetDelta, Reply};
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, sleep_until};

use super::connection::ReplyWriter;
use super::merge::merge;
use super::publisher::{Bulletin, Publisher};
use crate::driver::{DriverHandle, DriverRequest, Page, PageRequest};

/// Most agents that the driver is asked for by name in one letter: it must not be held up.
const NAMES_MAX: usize = 1_000;

/// What a client wants to see.
#[derive(Clone, Debug)]
pub struct SubscriptionRequest {
    /// Only these agents; empty: all.
    pub agents: BTreeSet<String>,
    /// Least time between two pieces of news.
    pub every: Duration,
}

/// A client that is gone: nothing can be sent to it any more.
pub struct ClientGone;

/// Serves one subscription until the client or the collector is gone.
pub async fn serve(
    publisher: Publisher,
    mailbox: DriverHandle,
    outlet: ReplyWriter,
    wanted: SubscriptionRequest,
) {
    let mut is_first = true;
    publisher.freshen_work().await;
    loop {
        if !is_first && outlet.send(Reply::Resync).await.is_err() {
            return;
        }
        is_first = false;
        let mut bulletins = publisher.subscribe();
        let mut next = Instant::now();
        let Ok(mut view) = send_pages(&mailbox, &outlet, &wanted).await else { return };
        loop {
            match bulletins.recv().await {
                Ok(bulletin) => {
                    let Some(mut changes) = view.pick(&bulletin) else { continue };
                    sleep_until(next).await;
                    // What came meanwhile goes along. A lag shows at the next turn.
                    while let Ok(more) = bulletins.try_recv() {
                        if let Some(more) = view.pick(&more) {
                            merge(&mut changes, more);
                        }
                    }
                    next = Instant::now() + wanted.every;
                    if outlet.send(Reply::Changes(changes)).await.is_err() {
                        return;
                    }
                }
                // Too slow: what it has is void. It gets everything anew, and nobody waits for it.
                Err(RecvError::Lagged(_)) => break,
                Err(RecvError::Closed) => return,
            }
        }
    }
}

/// Sends the fleet, or the wanted part of it.
pub async fn send_pages(
    mailbox: &DriverHandle,
    outlet: &ReplyWriter,
    wanted: &SubscriptionRequest,
) -> Result<View, ClientGone> {
    let mut view = View { wanted: wanted.agents.clone(), ..View::default() };
    let mut names = wanted.agents.iter();
    let mut from = Some(0);
    while let Some(start) = from {
        let request = if view.is_partial() {
            PageRequest::Named(names.by_ref().take(NAMES_MAX).cloned().collect())
        } else {
            PageRequest::From(start, u32::MAX)
        };
        let page = mailbox
            .ask(|reply_to| DriverRequest::Page(request, reply_to))
            .await
            .ok_or(ClientGone)?;
        let Page { turn, entries, status, next } = page;
        from = next;
        if view.is_partial() {
            from = (names.len() > 0).then_some(0);
            view.keys.extend(entries.iter().map(|entry| entry.key));
        }
        // As of its first page, where some are wanted: what happened between two is told again.
        if view.paged.is_empty() || !view.is_partial() {
            view.paged.push((start..from.filter(|_| !view.is_partial()).unwrap_or(u32::MAX), turn));
        }
        let last = from.is_none();
        outlet.send(Reply::Page { entries, collector: status, last }).await?;
    }
    Ok(view)
}

/// What a client has been shown so far.
#[derive(Debug, Default)]
pub struct View {
    wanted: BTreeSet<String>,
    /// Keys of the wanted agents, when only some are.
    keys: BTreeSet<u32>,
    /// As of which turn each range of keys was shown: news from before it is old.
    paged: Vec<(Range<u32>, u64)>,
}

impl View {
    fn is_partial(&self) -> bool {
        !self.wanted.is_empty()
    }

    /// What of a bulletin is news to this client; `None`: nothing.
    fn pick(&mut self, bulletin: &Arc<Bulletin>) -> Option<FleetDelta> {
        let turn = bulletin.turn;
        self.paged.retain(|(_, paged)| *paged >= turn);
        let FleetDelta { collector, entries, changed, work, removed, events } = &bulletin.changes;
        if self.paged.is_empty() && !self.is_partial() {
            return Some(bulletin.changes.clone());
        }
        for entry in entries.iter().filter(|entry| self.wanted.contains(&entry.agent)) {
            self.keys.insert(entry.key);
        }
        let shown = |key: u32| {
            let is_old =
                self.paged.iter().any(|(range, paged)| range.contains(&key) && *paged >= turn);
            !is_old && (!self.is_partial() || self.keys.contains(&key))
        };
        let is_about = |agent: &Option<String>| {
            !self.is_partial() || agent.as_ref().is_none_or(|agent| self.wanted.contains(agent))
        };
        let entry = |entry: &&AgentEntry| shown(entry.key);
        Some(FleetDelta {
            collector: collector.clone(),
            entries: entries.iter().filter(entry).cloned().collect(),
            changed: changed.iter().filter(|it| shown(it.key)).cloned().collect(),
            work: work.iter().filter(|(key, ..)| shown(*key)).cloned().collect(),
            removed: removed.iter().copied().filter(|&key| shown(key)).collect(),
            events: events.iter().filter(|event| is_about(&event.agent)).cloned().collect(),
        })
    }
}
