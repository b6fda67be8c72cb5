//! One subscription: pages of the fleet as it is, then deltas, in the driver's order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use heartline_operator::message::{BellRing, FleetDelta, Reply, SubscriptionUpdate};
use heartline_vocabulary::AgentRowId;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, sleep_until};

use super::connection::ReplyWriter;
use super::publisher::Publisher;
use super::selection::PAGE_AGENTS;
use crate::driver::{DriverHandle, DriverRequest, FleetPage, PageRequest};

/// What a client subscribes to.
#[derive(Clone, Debug)]
pub struct SubscriptionRequest {
    /// Only these agents; empty: all.
    pub agents: BTreeSet<String>,
    /// Least time between two deltas.
    pub every: Duration,
}

/// The client has disconnected: nothing can be sent to it any more.
pub struct ClientGone;

/// Serves one subscription until the client or the collector is gone.
pub async fn serve(
    publisher: Publisher,
    driver: DriverHandle,
    writer: ReplyWriter,
    request: SubscriptionRequest,
) {
    let mut is_first = true;
    loop {
        if !is_first && writer.send(Reply::Update(SubscriptionUpdate::Resync)).await.is_err() {
            return;
        }
        is_first = false;
        let mut deltas = publisher.subscribe();
        let mut next = Instant::now();
        let Ok(mut view) = send_pages(&publisher, &driver, &writer, &request).await else { return };
        loop {
            match deltas.recv().await {
                Ok(delta) => {
                    let Some(mut delta) = view.select(&delta) else { continue };
                    sleep_until(next).await;
                    // What came meanwhile goes along. A lag shows at the next turn.
                    while let Ok(more) = deltas.try_recv() {
                        if let Some(more) = view.select(&more) {
                            merge(&mut delta, more);
                        }
                    }
                    next = Instant::now() + request.every;
                    if writer
                        .send(Reply::Update(SubscriptionUpdate::Delta(Box::new(delta))))
                        .await
                        .is_err()
                    {
                        return;
                    }
                }
                // Too slow: what it has is void. It gets new pages, and holds up nobody else.
                Err(RecvError::Lagged(_)) => break,
                Err(RecvError::Closed) => return,
            }
        }
    }
}

/// Passes on what rings, until the client or the collector is gone; never ends for a client that takes no bell.
/// What is missed is not repeated.
pub async fn ring(bell: Option<broadcast::Receiver<BellRing>>, writer: ReplyWriter) {
    let Some(mut bell) = bell else { return std::future::pending().await };
    loop {
        match bell.recv().await {
            Ok(ring) => {
                if writer.send(Reply::Update(SubscriptionUpdate::Bell(ring))).await.is_err() {
                    return;
                }
            }
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
    }
}

/// Sends the fleet, or the requested part of it.
async fn send_pages(
    publisher: &Publisher,
    driver: &DriverHandle,
    writer: &ReplyWriter,
    request: &SubscriptionRequest,
) -> Result<SubscriptionView, ClientGone> {
    let mut view = SubscriptionView { agents: request.agents.clone(), ..Default::default() };
    let mut names = request.agents.iter();
    let (mut from, mut work) = (Some(0), publisher.recent_work().refreshed());
    while let Some(start) = from {
        let page = if view.is_partial() {
            PageRequest::Named(names.by_ref().take(PAGE_AGENTS).cloned().collect())
        } else {
            PageRequest::Range { start, limit: u32::MAX }
        };
        let page = driver.request(|reply_to| DriverRequest::Page(page, reply_to)).await;
        let FleetPage { turn, mut entries, status, next } = page.ok_or(ClientGone)?;
        from = if view.is_partial() { (names.len() > 0).then_some(0) } else { next };
        work.add_to(&mut entries).await;
        for entry in &entries {
            view.sent_at.insert(entry.id, turn);
        }
        view.last_page = turn;
        let last = from.is_none();
        let collector = Box::new(status);
        writer.send(Reply::Update(SubscriptionUpdate::Page { entries, collector, last })).await?;
    }
    if view.is_partial() {
        view.ids = view.sent_at.keys().copied().collect();
    }
    Ok(view)
}

/// What a client has been sent so far.
#[derive(Debug, Default)]
pub struct SubscriptionView {
    /// Only these agents; empty: all.
    agents: BTreeSet<String>,
    /// The same by their row ids, as far as they exist.
    ids: BTreeSet<AgentRowId>,
    /// The turn of the page that an agent was sent in, until deltas of later turns come.
    sent_at: BTreeMap<AgentRowId, u64>,
    last_page: u64,
}

impl SubscriptionView {
    fn is_partial(&self) -> bool {
        !self.agents.is_empty()
    }

    /// Returns the part of a delta that is new to this client; `None`: nothing is.
    fn select(&mut self, delta: &Arc<FleetDelta>) -> Option<FleetDelta> {
        let turn = delta.turn;
        if turn > self.last_page {
            self.sent_at.clear();
        }
        if self.sent_at.is_empty() && !self.is_partial() {
            return Some(FleetDelta::clone(delta));
        }
        for entry in delta.entries.iter().filter(|entry| self.agents.contains(&entry.agent)) {
            self.ids.insert(entry.id);
        }
        let is_new = |id: AgentRowId| {
            let was_sent = self.sent_at.get(&id).is_some_and(|sent_at| *sent_at >= turn);
            !was_sent && (!self.is_partial() || self.ids.contains(&id))
        };
        let is_about = |agent: &Option<String>| {
            !self.is_partial() || agent.as_ref().is_none_or(|agent| self.agents.contains(agent))
        };
        Some(FleetDelta {
            turn,
            collector: delta.collector.clone(),
            removed: delta.removed.iter().copied().filter(|&id| is_new(id)).collect(),
            entries: delta.entries.iter().filter(|it| is_new(it.id)).cloned().collect(),
            vitals: delta.vitals.iter().filter(|(id, _)| is_new(*id)).cloned().collect(),
            work: delta.work.iter().filter(|(id, _)| is_new(*id)).cloned().collect(),
            events: delta.events.iter().filter(|it| is_about(&it.agent)).cloned().collect(),
        })
    }
}

/// Adds a later delta to an earlier one, so that applying the sum comes to the same as applying
/// both.
fn merge(earlier: &mut FleetDelta, later: FleetDelta) {
    let FleetDelta { turn, collector, removed, entries, vitals, work, events } = later;
    let replaced: BTreeSet<AgentRowId> =
        removed.iter().copied().chain(entries.iter().map(|entry| entry.id)).collect();
    let updated: BTreeSet<AgentRowId> = vitals.iter().map(|(id, _)| *id).collect();
    let reworked: BTreeSet<AgentRowId> = work.iter().map(|(id, _)| *id).collect();
    earlier.entries.retain(|it| !replaced.contains(&it.id));
    earlier.vitals.retain(|(id, _)| !replaced.contains(id) && !updated.contains(id));
    earlier.work.retain(|(id, _)| !replaced.contains(id) && !reworked.contains(id));
    earlier.removed.extend(removed);
    earlier.entries.extend(entries);
    earlier.vitals.extend(vitals);
    earlier.work.extend(work);
    earlier.events.extend(events);
    (earlier.turn, earlier.collector) = (turn, collector);
}

/// Splits a reply that is too long for one frame; `None`: it can't be split.
pub fn split(reply: Reply) -> Option<(Reply, Reply)> {
    let update = match reply {
        Reply::Update(update) => update,
        reply => return reply.split(),
    };
    let (first, rest) = match update {
        SubscriptionUpdate::Page { mut entries, collector, last } if entries.len() > 1 => {
            let rest = entries.split_off(entries.len() / 2);
            let first =
                SubscriptionUpdate::Page { entries, collector: collector.clone(), last: false };
            (first, SubscriptionUpdate::Page { entries: rest, collector, last })
        }
        SubscriptionUpdate::Delta(delta) => {
            let (first, rest) = split_delta(*delta)?;
            (SubscriptionUpdate::Delta(Box::new(first)), SubscriptionUpdate::Delta(Box::new(rest)))
        }
        _ => return None,
    };
    Some((Reply::Update(first), Reply::Update(rest)))
}

/// The lists are applied in a fixed order, so any cut of that sequence gives two deltas that come
/// to the same.
fn split_delta(mut first: FleetDelta) -> Option<(FleetDelta, FleetDelta)> {
    let total = first.removed.len()
        + first.entries.len()
        + first.vitals.len()
        + first.work.len()
        + first.events.len();
    if total < 2 {
        return None;
    }
    let mut room = total / 2;
    let rest = FleetDelta {
        turn: first.turn,
        collector: first.collector.clone(),
        removed: split_list(&mut first.removed, &mut room),
        entries: split_list(&mut first.entries, &mut room),
        vitals: split_list(&mut first.vitals, &mut room),
        work: split_list(&mut first.work, &mut room),
        events: split_list(&mut first.events, &mut room),
    };
    Some((first, rest))
}

/// Leaves as much of a list as there is room for, and returns the rest.
fn split_list<T>(list: &mut Vec<T>, room: &mut usize) -> Vec<T> {
    let rest = list.split_off(list.len().min(*room));
    *room -= list.len();
    rest
}

#[cfg(test)]
mod tests {
    use heartline_operator::message::{CollectorStatus, RecentWork};

    use super::*;

    fn delta(turn: u64, removed: &[i64], work: &[(i64, u64)]) -> FleetDelta {
        let window = |&(id, ok)| (AgentRowId(id), RecentWork { ok, ..RecentWork::default() });
        FleetDelta {
            turn,
            collector: CollectorStatus::default(),
            removed: removed.iter().map(|&id| AgentRowId(id)).collect(),
            entries: Vec::new(),
            vitals: Vec::new(),
            work: work.iter().map(window).collect(),
            events: Vec::new(),
        }
    }

    fn ids(delta: &FleetDelta) -> Vec<(i64, u64)> {
        delta.work.iter().map(|(id, work)| (id.0, work.ok)).collect()
    }

    #[test]
    fn a_later_delta_wins() {
        let mut sum = delta(1, &[], &[(1, 10), (2, 20), (3, 30)]);
        merge(&mut sum, delta(2, &[2], &[(1, 11)]));
        assert_eq!((sum.turn, ids(&sum)), (2, vec![(3, 30), (1, 11)]));
        assert_eq!(sum.removed, [AgentRowId(2)]);
    }

    #[test]
    fn split_halves_add_up_and_a_single_change_is_not_split() {
        let whole = delta(1, &[7], &[(1, 10), (2, 20), (3, 30)]);
        let (first, rest) = split_delta(whole.clone()).expect("four changes make two halves");
        assert_eq!((first.removed.len() + first.work.len(), rest.work.len()), (2, 2));
        assert_eq!([first.work, rest.work].concat(), whole.work);
        assert!(split_delta(delta(1, &[7], &[])).is_none());
    }

    #[test]
    fn deltas_older_than_a_page_skip_the_agents_on_it() {
        let sent_at = BTreeMap::from([(AgentRowId(1), 5), (AgentRowId(2), 6)]);
        let mut view = SubscriptionView { sent_at, last_page: 6, ..SubscriptionView::default() };
        let mut select = |turn| {
            let delta = Arc::new(delta(turn, &[], &[(1, 10), (2, 20), (3, 30)]));
            ids(&view.select(&delta).expect("a whole fleet is told of everything"))
        };
        assert_eq!(select(5), [(3, 30)]);
        assert_eq!(select(6), [(1, 10), (3, 30)]);
        assert_eq!(select(7), [(1, 10), (2, 20), (3, 30)]);
    }

    #[test]
    fn a_partial_view_selects_its_agents() {
        let (agents, ids_of) = (BTreeSet::from(["b".to_owned()]), BTreeSet::from([AgentRowId(2)]));
        let mut view =
            SubscriptionView { agents, ids: ids_of, last_page: 1, ..SubscriptionView::default() };
        let delta = Arc::new(delta(2, &[3], &[(1, 10), (2, 20)]));
        let selected = view.select(&delta).expect("its status is always told");
        assert_eq!((ids(&selected), selected.removed), (vec![(2, 20)], vec![]));
    }
}
