//! The publisher: asks the driver four times a second what has changed, adds what the databases
//! know, and hands it to every subscriber. It alone asks, so the driver tells each change once, and
//! not at all while nobody subscribes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use heartline_operator::message::{Event, EventQuery, FleetDelta, WorkWindow};
use heartline_vocabulary::AgentRowId;
use heartline_vocabulary::WorkTotals;
use tokio::sync::{Notify, broadcast, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

use crate::clock;
use crate::driver::{DriverHandle, DriverRequest, News, no_work};
use crate::store::ReaderPool;

/// How often news goes out, at most.
const NEWS_EVERY: Duration = Duration::from_millis(250);
/// News that a subscriber may be behind before it is cut and resynchronised: eight seconds.
const BACKLOG: usize = 32;
/// How often the work of the last hour is computed…
const WORK_EVERY: Duration = Duration::from_secs(5);
/// …unless that took so long that it would take more than this share of a core.
const WORK_SHARE: u32 = 20;
/// How long a snapshot waits for work computed anew.
const FRESH_WITHIN: Duration = Duration::from_millis(500);
/// Most events in one piece of news; the rest comes with the next.
const EVENTS_MAX: u32 = 500;

/// One piece of news, with the driver's turn that it is as of.
#[derive(Debug)]
pub struct Bulletin {
    /// The driver's turn.
    pub turn: u64,
    /// What has changed.
    pub changes: FleetDelta,
}

/// Where to subscribe.
#[derive(Clone)]
pub struct Publisher {
    bulletins: broadcast::Sender<Arc<Bulletin>>,
    works: watch::Receiver<Works>,
    wanted: Arc<Notify>,
}

impl Publisher {
    /// Starts publishing on the current runtime. Events and work are read by pools of their own: no
    /// query of an operator holds up the events, nor does work, which may take long.
    #[must_use]
    pub fn start(mailbox: DriverHandle, events: ReaderPool, work: ReaderPool) -> Self {
        let (bulletins, _) = broadcast::channel(BACKLOG);
        let (works, latest) = watch::channel(Works::default());
        let publisher = Self { bulletins, works: latest, wanted: Arc::default() };
        tokio::spawn(publish(publisher.clone(), mailbox.clone(), events));
        tokio::spawn(compute_work(publisher.clone(), mailbox, work, works));
        publisher
    }

    /// Everything that changes from now on.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Bulletin>> {
        self.bulletins.subscribe()
    }

    /// Has the work of the last hour computed anew, and waits for it, but not for long: a snapshot
    /// of a large fleet must not wait for its history.
    pub async fn freshen_work(&self) {
        let mut works = self.works.clone();
        works.mark_unchanged();
        self.wanted.notify_one();
        let _ = timeout(FRESH_WITHIN, works.changed()).await;
    }

    fn has_subscribers(&self) -> bool {
        self.bulletins.receiver_count() > 0
    }
}

type Works = Arc<BTreeMap<AgentRowId, WorkWindow>>;

async fn publish(publisher: Publisher, mailbox: DriverHandle, reader: ReaderPool) {
    let mut ticks = interval(NEWS_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut cursor = None;
    let mut told = BTreeMap::new();
    loop {
        ticks.tick().await;
        if !publisher.has_subscribers() {
            // Whoever comes next gets a snapshot first: what happened until then is in it.
            cursor = None;
            told.clear();
            continue;
        }
        let Some(news) = mailbox.ask(DriverRequest::News).await else { return };
        let events = new_events(&reader, &mut cursor).await;
        let work = new_work(&publisher.works.borrow(), &news, &mut told);
        let News { turn, status, entries, changed, removed } = news;
        let changed = changed.into_iter().map(|changed| changed.change).collect();
        let changes = FleetDelta { collector: status, entries, changed, work, removed, events };
        // Without subscribers it goes nowhere, and that is as it should be.
        let _ = publisher.bulletins.send(Arc::new(Bulletin { turn, changes }));
    }
}

/// Events since the last piece of news; from the second time on.
async fn new_events(reader: &ReaderPool, cursor: &mut Option<i64>) -> Vec<Event> {
    let query = match *cursor {
        Some(_) => EventQuery { after: *cursor, limit: EVENTS_MAX, ..EventQuery::default() },
        // Whoever subscribes has asked for what was before: only its end is wanted.
        None => EventQuery { limit: 1, ..EventQuery::default() },
    };
    let read = reader.read(move |reader| reader.events(&query));
    match read.await {
        Ok((events, _)) => {
            let is_first = cursor.is_none();
            let last = events.last().map(|event| event.cursor);
            *cursor = Some(last.or(*cursor).unwrap_or(0));
            if is_first { Vec::new() } else { events }
        }
        Err(error) => {
            tracing::warn!("can't read events for subscribers: {error}");
            Vec::new()
        }
    }
}

/// The work of the agents in the news, as far as it differs from what was told of it.
fn new_work(
    works: &BTreeMap<AgentRowId, WorkWindow>,
    news: &News,
    told: &mut BTreeMap<AgentRowId, (WorkWindow, WorkTotals)>,
) -> Vec<(u32, WorkWindow, WorkTotals)> {
    let mut fresh = Vec::new();
    for changed in &news.changed {
        let work = works.get(&changed.id).cloned().unwrap_or_else(no_work);
        let now = (work, changed.total);
        if told.get(&changed.id) != Some(&now) {
            fresh.push((changed.change.key, now.0.clone(), now.1));
            told.insert(changed.id, now);
        }
    }
    fresh
}

/// Computes every agent's work of the last hour: again and again while anybody subscribes, and when
/// somebody wants it now.
async fn compute_work(
    publisher: Publisher,
    mailbox: DriverHandle,
    reader: ReaderPool,
    latest: watch::Sender<Works>,
) {
    loop {
        let begun = Instant::now();
        match reader.read(|reader| reader.work(clock::wall_ms())).await {
            Ok(works) => {
                let works = Arc::new(works);
                // The driver has it before anybody who waits asks for a page.
                mailbox.send(DriverRequest::Works(Arc::clone(&works)));
                latest.send_replace(works);
            }
            Err(error) => tracing::warn!("can't compute the work of the last hour: {error}"),
        }
        let pause = WORK_EVERY.max(begun.elapsed() * WORK_SHARE);
        let again = async {
            sleep_until(begun + pause).await;
            while !publisher.has_subscribers() {
                sleep_until(Instant::now() + NEWS_EVERY).await;
            }
        };
        tokio::select! {
            () = again => {}
            () = publisher.wanted.notified() => {
                // Several who want it at once share one computation, and its cost is bounded.
                sleep_until(begun + begun.elapsed().min(NEWS_EVERY)).await;
            }
        }
    }
}
