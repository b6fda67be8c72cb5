//! Summing up what a command would hit. Pure: the collector feeds it entries.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet};

use heartline_vocabulary::{AgentRowId, Reason, State};

use crate::message::{
    AgentEntry, AgentVitals, CollectorStatus, SelectionPreview, UnknownName, selection_fingerprint,
};
use crate::text::natural_order;

/// An agent whose last beat is older than this many intervals does not beat.
const SILENT_INTERVALS: u64 = 3;
/// Most agents that do not beat and are named.
const SILENT_NAMES: usize = 5;

/// Sums up a selection of agents.
#[derive(Debug)]
pub struct PreviewBuilder {
    preview: SelectionPreview,
    list: usize,
    ids: BTreeSet<AgentRowId>,
    /// Agents by host, of the whole fleet.
    agents_by_host: BTreeMap<String, usize>,
    /// Hosts of the selection, `None` for agents that name none; more than two are not needed.
    hosts: BTreeSet<Option<String>>,
}

impl PreviewBuilder {
    /// Begins with no agents, of which the `list` worst will be listed.
    pub fn new(list: usize) -> Self {
        let preview = SelectionPreview {
            hits: 0,
            fingerprint: 0,
            states: heartline_vocabulary::StateCounts::default(),
            first: Vec::new(),
            slowest_interval_ms: None,
            silent: 0,
            first_silent: Vec::new(),
            stopped: 0,
            whole_host: None,
            unknown: Vec::new(),
            collector: CollectorStatus::default(),
        };
        let (ids, hosts) = (BTreeSet::new(), BTreeSet::new());
        Self { preview, list, ids, agents_by_host: BTreeMap::new(), hosts }
    }

    /// Counts an agent of the fleet, selected or not.
    pub fn count(&mut self, entry: &AgentEntry) {
        if let Some(host) = entry.identity.shared.host.as_deref() {
            match self.agents_by_host.get_mut(host) {
                Some(count) => *count += 1,
                None => drop(self.agents_by_host.insert(host.to_owned(), 1)),
            }
        }
    }

    /// Adds an agent of the selection, as of the collector's time `now_ms`.
    pub fn add(&mut self, entry: AgentEntry, now_ms: i64) {
        if !self.ids.insert(entry.id) {
            return;
        }
        let preview = &mut self.preview;
        preview.hits += 1;
        preview.states.add(entry.vitals.status());
        let is_stopped = entry.vitals.reason == Some(Reason::Shutdown);
        preview.stopped += u32::from(is_stopped);
        if has_beaten_lately(&entry, now_ms) {
            preview.slowest_interval_ms =
                preview.slowest_interval_ms.max(Some(entry.vitals.interval_ms));
        } else {
            preview.silent += 1;
            if preview.first_silent.len() < SILENT_NAMES {
                preview.first_silent.push(entry.agent.clone());
            }
        }
        if self.hosts.len() < 2 {
            self.hosts.insert(entry.identity.shared.host.as_deref().map(ToOwned::to_owned));
        }
        preview.first.push(entry);
        // Sorted now and then, so that a large fleet takes no more memory than a small one.
        if preview.first.len() > 2 * self.list + 64 {
            self.keep_worst();
        }
    }

    /// Returns the sum.
    pub fn build(
        mut self,
        unknown: Vec<UnknownName>,
        collector: CollectorStatus,
    ) -> SelectionPreview {
        self.keep_worst();
        let hits = self.ids.len();
        let only_host = match (self.hosts.pop_first(), self.hosts.is_empty()) {
            (Some(Some(host)), true) => Some(host),
            _ => None,
        };
        let whole_host =
            only_host.filter(|host| hits > 1 && self.agents_by_host.get(host) == Some(&hits));
        let fingerprint = selection_fingerprint(&self.ids);
        SelectionPreview { fingerprint, whole_host, unknown, collector, ..self.preview }
    }

    fn keep_worst(&mut self) {
        self.preview.first = sort_worst_first(std::mem::take(&mut self.preview.first));
        self.preview.first.truncate(self.list);
    }
}

/// Sorts agents: the worst state comes first. Of those that are in trouble, the one that has been for
/// longest comes first; of the others, which have nothing to say by their age, the first by name.
pub fn sort_worst_first(mut entries: Vec<AgentEntry>) -> Vec<AgentEntry> {
    // Entries are large: what is compared stands together, and each entry is moved once, within the
    // memory that it has.
    let keys = entries.iter().map(WorstFirst::of);
    let mut order: Vec<_> = keys.zip(0_usize..).collect();
    order.sort_unstable();
    let mut order: Vec<usize> = order.into_iter().map(|(_, from)| from).collect();
    for start in 0..order.len() {
        // Along a cycle each entry takes the place before it.
        let mut place = start;
        loop {
            let from = std::mem::replace(&mut order[place], place);
            if from == start {
                break;
            }
            entries.swap(place, from);
            place = from;
        }
    }
    entries
}

/// The place of an agent in lists, as of [`sort_worst_first`].
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WorstFirst<'a> {
    severity: Reverse<u8>,
    since_ms: Option<i64>,
    name: NaturalName<'a>,
}

/// A name in its natural order.
#[derive(Debug, PartialEq, Eq)]
struct NaturalName<'a>(&'a str);

impl<'a> WorstFirst<'a> {
    /// Returns the place of an agent by its state, the begin of it, and its name.
    pub fn new(state: State, since_ms: i64, name: &'a str) -> Self {
        let in_trouble = state.is_trouble();
        Self {
            severity: Reverse(state.severity()),
            since_ms: in_trouble.then_some(since_ms),
            name: NaturalName(name),
        }
    }

    fn of(entry: &'a AgentEntry) -> Self {
        let AgentVitals { state, since_ms, .. } = entry.vitals;
        Self::new(state, since_ms, &entry.agent)
    }
}

impl PartialOrd for NaturalName<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for NaturalName<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        natural_order(self.0, other.0)
    }
}

fn has_beaten_lately(entry: &AgentEntry, now_ms: i64) -> bool {
    let limit_ms = u64::from(entry.vitals.interval_ms) * SILENT_INTERVALS;
    entry.vitals.reason != Some(Reason::Shutdown)
        && entry.vitals.beat_age_ms(now_ms).is_some_and(|age_ms| age_ms <= limit_ms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{self, NOW_MS};

    fn built(selected: Vec<AgentEntry>, others: &[AgentEntry], list: usize) -> SelectionPreview {
        let mut builder = PreviewBuilder::new(list);
        selected.iter().chain(others).for_each(|entry| builder.count(entry));
        selected.into_iter().for_each(|entry| builder.add(entry, NOW_MS));
        builder.build(Vec::new(), sample::collector(&[]))
    }

    #[test]
    fn a_whole_host_is_noticed() {
        let two = || vec![sample::healthy_agent(1, "a"), sample::healthy_agent(2, "b")];
        let mut elsewhere = sample::healthy_agent(3, "c");
        std::sync::Arc::make_mut(&mut elsewhere.identity.shared).host = Some("m4".into());
        let all = built(two(), &[elsewhere], 9);
        assert_eq!(all.whole_host.as_deref(), Some("m3-gpu-01"));
        assert_eq!(built(two(), &[sample::healthy_agent(3, "c")], 9).whole_host, None);
    }

    #[test]
    fn all_are_counted_and_the_worst_are_listed() {
        let mut agents: Vec<_> =
            (0..500).map(|n| sample::healthy_agent(n, &format!("a.{n:03}"))).collect();
        agents.push(sample::silent_agent(900, "late"));
        let preview = built(agents, &[], 3);
        assert_eq!((preview.hits, preview.states.total, preview.silent), (501, 501, 1));
        assert_eq!((preview.first.len(), preview.first[0].agent.as_str()), (3, "late"));
        assert_eq!(preview.first_silent, ["late"]);
        assert_eq!(preview.slowest_interval_ms, Some(15_000));
    }

    #[test]
    fn the_worst_come_first_and_agents_without_trouble_by_name() {
        let mut late = sample::silent_agent(1, "z.1");
        late.vitals.since_ms -= 1;
        let arrived = |(at, name): (i64, &&str)| {
            let mut entry = sample::healthy_agent(2, name);
            entry.vitals.since_ms = at;
            entry
        };
        let healthy = (0..).zip(&["mail.10", "billing.10", "mail.11", "billing.2"]).map(arrived);
        let mut entries: Vec<_> = healthy.collect();
        entries.extend([sample::silent_agent(1, "y.2"), late, sample::silent_agent(1, "y.10")]);
        let sorted = sort_worst_first(entries);
        let names: Vec<_> = sorted.iter().map(|entry| entry.agent.as_str()).collect();
        assert_eq!(names, ["z.1", "y.2", "y.10", "billing.2", "billing.10", "mail.10", "mail.11"]);
    }
}
