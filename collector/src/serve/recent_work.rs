//! Every agent's work of the last hour: computed in the background, shared by all that show it. That
//! of a large fleet comes in parts, so that its first pages are sent while the rest is computed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use heartline_operator::message::{AgentEntry, RecentWork};
use heartline_vocabulary::AgentRowId;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use crate::clock;
use crate::store::{ReadError, ReaderPool};

/// Time between two computations…
const COMPUTE_EVERY: Duration = Duration::from_secs(5);
/// …unless that took so long that it would take more than this share of a core.
const COMPUTE_SHARE: u32 = 20;
/// How long computed work is as good as new…
const FRESH_FOR: Duration = Duration::from_secs(1);
/// …unless that took so long that those who ask would take more than this share of a core.
const FRESH_SHARE: u32 = 10;
/// Longest wait of a snapshot for work to be computed again.
const REFRESH_WITHIN: Duration = Duration::from_millis(500);
/// Shortest time between the beginnings of two computations, also when they are asked for.
const PAUSE: Duration = Duration::from_millis(250);
/// Agents whose work is computed in one query.
const PART_AGENTS: u32 = 10_000;

/// Every agent's work of the last hour, as far as it is computed; agents without any are left out.
#[derive(Clone, Debug, Default)]
pub struct WorkByAgent(Vec<Arc<WorkPart>>);

/// The work of the agents that follow those of the part before.
#[derive(Debug)]
struct WorkPart {
    last: AgentRowId,
    work: BTreeMap<AgentRowId, RecentWork>,
}

impl WorkByAgent {
    /// Returns the work of one agent.
    pub fn of(&self, agent: AgentRowId) -> RecentWork {
        self.get(agent).cloned().unwrap_or_else(no_work)
    }

    /// Returns the work of one agent; `None` without any.
    pub fn get(&self, agent: AgentRowId) -> Option<&RecentWork> {
        self.0.get(self.0.partition_point(|part| part.last < agent))?.work.get(&agent)
    }

    /// Returns the work of all agents that have any.
    pub fn iter(&self) -> impl Iterator<Item = (AgentRowId, &RecentWork)> {
        self.0.iter().flat_map(|part| &part.work).map(|(id, work)| (*id, work))
    }

    /// Returns true for copies of one computation.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self.0.first(), other.0.first()) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (one, other) => one.is_none() && other.is_none(),
        }
    }

    fn covers(&self, agent: AgentRowId) -> bool {
        self.0.last().is_some_and(|part| agent <= part.last)
    }
}

fn no_work() -> RecentWork {
    RecentWork { window_ms: 3_600_000, ..RecentWork::default() }
}

#[cfg(test)]
impl FromIterator<(AgentRowId, RecentWork)> for WorkByAgent {
    fn from_iter<I: IntoIterator<Item = (AgentRowId, RecentWork)>>(work: I) -> Self {
        let work = work.into_iter().collect();
        Self(vec![Arc::new(WorkPart { last: AgentRowId(i64::MAX), work })])
    }
}

/// A computation, whole or under way.
#[derive(Clone, Debug)]
struct Computation {
    begun: Instant,
    work: WorkByAgent,
}

/// The last whole computation, how long it took, and the one under way.
#[derive(Clone, Debug, Default)]
struct ComputedWork {
    whole: Option<(Computation, Duration)>,
    under_way: Option<Computation>,
}

impl ComputedWork {
    /// Returns the newest computation that knows an agent.
    fn newest(&self, agent: AgentRowId) -> Option<&WorkByAgent> {
        let under_way = self.under_way.as_ref().filter(|newest| newest.work.covers(agent));
        under_way.or(self.whole.as_ref().map(|(whole, _)| whole)).map(|newest| &newest.work)
    }

    /// Returns true when the agents up to this one were computed not long before `asked`.
    fn is_fresh(&self, agent: AgentRowId, asked: Instant) -> bool {
        let whole = self
            .whole
            .as_ref()
            .is_some_and(|(whole, took)| whole.begun + FRESH_FOR.max(*took * FRESH_SHARE) >= asked);
        let is_covered =
            |newest: &Computation| newest.begun + FRESH_FOR >= asked && newest.work.covers(agent);
        whole || self.under_way.as_ref().is_some_and(is_covered)
    }
}

/// A handle to the work of the last hour. Cheap to clone.
#[derive(Clone)]
pub struct RecentWorkHandle {
    computed: watch::Receiver<ComputedWork>,
    /// Work is wanted at once.
    refresh: Arc<Notify>,
}

impl RecentWorkHandle {
    /// Starts to compute on the current runtime: again and again while `is_watched`, and when it is
    /// asked for.
    pub fn start(
        reader: ReaderPool,
        is_watched: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Self {
        let (computed_tx, computed) = watch::channel(ComputedWork::default());
        let handle = Self { computed, refresh: Arc::default() };
        let refresh = Arc::clone(&handle.refresh);
        tokio::spawn(async move { compute(&reader, &is_watched, &refresh, &computed_tx).await });
        handle
    }

    /// Returns the last whole computation.
    pub fn whole(&self) -> WorkByAgent {
        let computed = self.computed.borrow();
        computed.whole.as_ref().map(|(whole, _)| whole.work.clone()).unwrap_or_default()
    }

    /// Returns what adds to pages of the fleet the work that is known.
    pub fn known(&self) -> PageWork {
        PageWork { computed: self.computed.clone(), wait: None }
    }

    /// Returns what adds to pages of the fleet work that is computed again, unless that was just done.
    /// It waits for it, but not for long: a snapshot of a large fleet must not wait for its history.
    pub fn refreshed(&self) -> PageWork {
        let asked = Instant::now();
        if !self.computed.borrow().is_fresh(AgentRowId(i64::MAX), asked) {
            self.refresh.notify_one();
        }
        PageWork { wait: Some((asked, asked + REFRESH_WITHIN)), ..self.known() }
    }
}

/// Adds work to pages of the fleet.
pub struct PageWork {
    computed: watch::Receiver<ComputedWork>,
    /// The moment from which on it waits for fresh work, and until when.
    wait: Option<(Instant, Instant)>,
}

impl PageWork {
    /// Adds the work of these agents.
    pub async fn add_to(&mut self, entries: &mut [AgentEntry]) {
        let Some(last) = entries.iter().map(|entry| entry.id).max() else { return };
        if let Some((asked, until)) = self.wait {
            let fresh = self.computed.wait_for(|computed| computed.is_fresh(last, asked));
            if timeout_at(until, fresh).await.is_err() {
                self.wait = None;
            }
        }
        let computed = self.computed.borrow();
        for entry in entries {
            let work = computed.newest(entry.id);
            entry.work = work.map_or_else(no_work, |work| work.of(entry.id));
        }
    }
}

async fn compute(
    reader: &ReaderPool,
    is_watched: &impl Fn() -> bool,
    refresh: &Notify,
    computed: &watch::Sender<ComputedWork>,
) {
    loop {
        let begun = Instant::now();
        if let Err(error) = compute_once(reader, begun, computed).await {
            tracing::warn!("can't compute the work of the last hour: {error}");
            computed.send_modify(|computed| computed.under_way = None);
        }
        let took = begun.elapsed();
        let again = async {
            sleep_until(begun + COMPUTE_EVERY.max(took * COMPUTE_SHARE)).await;
            while !is_watched() {
                sleep(PAUSE).await;
            }
        };
        tokio::select! {
            () = again => {}
            // Several requests at once share one computation, and its cost is bounded.
            () = async { refresh.notified().await; sleep_until(begun + PAUSE).await } => {}
        }
    }
}

async fn compute_once(
    reader: &ReaderPool,
    begun: Instant,
    computed: &watch::Sender<ComputedWork>,
) -> Result<(), ReadError> {
    let (now_ms, mut first) = (clock::wall_ms(), AgentRowId(0));
    loop {
        let (work, last) = reader.read(move |it| it.work(first, PART_AGENTS, now_ms)).await?;
        let part = Arc::new(WorkPart { last, work });
        let is_whole = last == AgentRowId(i64::MAX);
        computed.send_modify(|computed| {
            let newest = || Computation { begun, work: WorkByAgent::default() };
            let mut newest = computed.under_way.take().unwrap_or_else(newest);
            newest.work.0.push(part);
            match is_whole {
                true => computed.whole = Some((newest, begun.elapsed())),
                false => computed.under_way = Some(newest),
            }
        });
        if is_whole {
            return Ok(());
        }
        first = AgentRowId(last.0 + 1);
    }
}

#[cfg(test)]
mod tests {
    use heartline_operator::sample;

    use super::*;

    const AGENTS: [i64; 3] = [3, 5, 9];

    fn work(last: i64, ok: u64) -> WorkByAgent {
        let work = AGENTS.map(|id| (AgentRowId(id), RecentWork { ok, ..no_work() }));
        let work = work.into_iter().filter(|(id, _)| id.0 <= last).collect();
        WorkByAgent(vec![Arc::new(WorkPart { last: AgentRowId(last), work })])
    }

    fn page(ids: &[u32]) -> Vec<AgentEntry> {
        ids.iter().map(|&id| sample::healthy_agent(id, &format!("agent-{id}"))).collect()
    }

    async fn added(pages: &mut PageWork, ids: &[u32]) -> Vec<u64> {
        let mut entries = page(ids);
        pages.add_to(&mut entries).await;
        entries.iter().map(|entry| entry.work.ok).collect()
    }

    /// A computation of an hour ago, and one that has just begun and covers the agents up to 5.
    fn half_computed() -> (watch::Sender<ComputedWork>, RecentWorkHandle) {
        let now = Instant::now();
        let before = now.checked_sub(Duration::from_secs(3600)).unwrap();
        let (computed_tx, computed) = watch::channel(ComputedWork {
            whole: Some((Computation { begun: before, work: work(i64::MAX, 1) }, Duration::ZERO)),
            under_way: Some(Computation { begun: now, work: work(5, 2) }),
        });
        (computed_tx, RecentWorkHandle { computed, refresh: Arc::default() })
    }

    #[tokio::test]
    async fn the_first_pages_have_fresh_work_while_the_rest_is_computed() {
        let (computed, handle) = half_computed();
        let mut pages = handle.refreshed();
        assert_eq!(added(&mut pages, &[3, 5, 4]).await, [2, 2, 0]);
        let rest = tokio::spawn(async move { added(&mut pages, &[3, 9]).await });
        tokio::task::yield_now().await;
        computed.send_modify(|computed| {
            let Some(mut newest) = computed.under_way.take() else { return };
            newest.work = work(i64::MAX, 3);
            computed.whole = Some((newest, Duration::ZERO));
        });
        assert_eq!(rest.await.unwrap(), [3, 3]);
        assert_eq!(added(&mut handle.known(), &[9]).await, [3]);
    }

    #[tokio::test]
    async fn a_page_does_not_wait_for_long() {
        let (_computed, handle) = half_computed();
        let mut pages = handle.refreshed();
        let begun = Instant::now();
        assert_eq!(added(&mut pages, &[3, 9]).await, [2, 1], "with what is known");
        assert!(begun.elapsed() >= REFRESH_WITHIN);
        assert!(pages.wait.is_none(), "the pages that follow do not wait again");
    }

    #[tokio::test]
    async fn work_is_as_good_as_new_for_longer_when_it_took_long() {
        let begun = Instant::now();
        let took = Duration::from_secs(6);
        let whole = Computation { begun, work: work(i64::MAX, 1) };
        let computed = ComputedWork { whole: Some((whole, took)), under_way: None };
        let last = AgentRowId(i64::MAX);
        assert!(computed.is_fresh(last, begun + took * FRESH_SHARE));
        assert!(!computed.is_fresh(last, begun + took * FRESH_SHARE + Duration::from_millis(1)));
    }
}
