//! A client's copy of the fleet, which the updates of a subscription maintain. Time is an argument.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::message::{AgentEntry, CollectorStatus, Event, FleetDelta, SubscriptionUpdate};
use heartline_vocabulary::{AgentRowId, StateCounts};

/// The changes that an update made in a mirror.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UpdateEffect {
    /// Agents came, went, or have another identity: lists and groups must be built anew.
    pub membership_changed: bool,
    /// Vitals or work of agents changed.
    pub agents_changed: bool,
    /// Oldest first.
    pub events: Vec<Event>,
}

/// The fleet as of the last update.
#[derive(Clone, Debug, Default)]
pub struct FleetMirror {
    shown: AgentMap,
    /// The snapshot under way after a resync. The old fleet stays in view until it is whole, so
    /// that nothing flickers and no agent seems to be gone that only was not sent yet.
    incoming: Option<AgentMap>,
    collector: Option<CollectorStatus>,
    /// The collector's time in its last update, and the local time of that moment.
    anchor: Option<(i64, Duration)>,
    whole: bool,
}

#[derive(Clone, Debug, Default)]
struct AgentMap {
    entries: BTreeMap<AgentRowId, AgentEntry>,
    ids: BTreeMap<String, AgentRowId>,
}

impl FleetMirror {
    /// Applies an update. `local` is the client's monotonic time since any fixed moment.
    pub fn apply(&mut self, update: SubscriptionUpdate, local: Duration) -> UpdateEffect {
        match update {
            SubscriptionUpdate::Resync => {
                self.begin();
                UpdateEffect::default()
            }
            // It tells of nothing that is kept here.
            SubscriptionUpdate::Bell(_) => UpdateEffect::default(),
            SubscriptionUpdate::Page { entries, collector, last } => {
                self.set_collector(*collector, local);
                self.insert_page(entries, last)
            }
            SubscriptionUpdate::Delta(delta) => {
                self.set_collector(delta.collector.clone(), local);
                self.current().apply(*delta)
            }
        }
    }

    /// Prepares for the pages of a new connection, whose keys mean other agents.
    pub fn begin(&mut self) {
        self.whole = false;
        self.incoming = Some(AgentMap::default());
    }

    fn insert_page(&mut self, entries: Vec<AgentEntry>, last: bool) -> UpdateEffect {
        if self.shown.entries.is_empty() {
            // Nothing is in view: show the first snapshot while it comes.
            self.shown = self.incoming.take().unwrap_or_default();
        }
        let current = self.current();
        for entry in entries {
            current.insert(entry);
        }
        if last {
            self.whole = true;
            if let Some(incoming) = self.incoming.take() {
                self.shown = incoming;
            }
        }
        let in_view = self.incoming.is_none();
        UpdateEffect { membership_changed: in_view, agents_changed: in_view, events: Vec::new() }
    }

    fn current(&mut self) -> &mut AgentMap {
        self.incoming.as_mut().unwrap_or(&mut self.shown)
    }

    fn set_collector(&mut self, collector: CollectorStatus, local: Duration) {
        self.anchor = Some((collector.at_ms, local));
        self.collector = Some(collector);
    }

    /// Returns true when a whole snapshot has come since the connection, or the last resync, began.
    pub fn is_whole(&self) -> bool {
        self.whole
    }

    /// Returns all agents, by id.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = &AgentEntry> {
        self.shown.entries.values()
    }

    pub fn len(&self) -> usize {
        self.shown.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.shown.entries.is_empty()
    }

    pub fn get(&self, id: AgentRowId) -> Option<&AgentEntry> {
        self.shown.entries.get(&id)
    }

    pub fn by_name(&self, agent: &str) -> Option<&AgentEntry> {
        self.get(*self.shown.ids.get(agent)?)
    }

    pub fn collector(&self) -> Option<&CollectorStatus> {
        self.collector.as_ref()
    }

    /// Returns the agents by state, as the collector counts them.
    pub fn summary(&self) -> StateCounts {
        self.collector.as_ref().map(|collector| collector.summary).unwrap_or_default()
    }

    /// Returns the collector's time in ms of Unix time at the client's monotonic time `local`; `None`
    /// before the first update. Ages are right however wrong the client's clock is, and go on
    /// while the link is lost.
    pub fn now_ms(&self, local: Duration) -> Option<i64> {
        let (at_ms, then) = self.anchor?;
        let passed = i64::try_from(local.saturating_sub(then).as_millis()).unwrap_or(i64::MAX);
        Some(at_ms.saturating_add(passed))
    }
}

impl AgentMap {
    fn insert(&mut self, entry: AgentEntry) {
        // A forgotten agent's name may be taken over; the agent must not stay behind.
        if let Some(before) = self.ids.insert(entry.agent.clone(), entry.id)
            && before != entry.id
        {
            self.entries.remove(&before);
        }
        self.entries.insert(entry.id, entry);
    }

    fn remove(&mut self, id: AgentRowId) {
        if let Some(entry) = self.entries.remove(&id) {
            self.ids.remove(&entry.agent);
        }
    }

    fn apply(&mut self, delta: FleetDelta) -> UpdateEffect {
        let effect = UpdateEffect {
            membership_changed: !delta.entries.is_empty() || !delta.removed.is_empty(),
            agents_changed: !delta.vitals.is_empty() || !delta.work.is_empty(),
            events: delta.events,
        };
        for id in delta.removed {
            self.remove(id);
        }
        for entry in delta.entries {
            self.insert(entry);
        }
        for (id, vitals) in delta.vitals {
            if let Some(entry) = self.entries.get_mut(&id) {
                entry.vitals = vitals;
            }
        }
        for (id, work) in delta.work {
            if let Some(entry) = self.entries.get_mut(&id) {
                entry.work = work;
            }
        }
        effect
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::AgentVitals;
    use crate::sample::{self, NOW_MS};
    use heartline_vocabulary::State;

    const START: Duration = Duration::from_secs(100);

    fn page(entries: Vec<AgentEntry>, last: bool) -> SubscriptionUpdate {
        SubscriptionUpdate::Page { entries, collector: Box::new(sample::paused_collector()), last }
    }

    fn changes() -> FleetDelta {
        FleetDelta { collector: sample::paused_collector(), ..FleetDelta::default() }
    }

    fn names(mirror: &FleetMirror) -> Vec<&str> {
        mirror.entries().map(|entry| entry.agent.as_str()).collect()
    }

    fn mirror_of(agents: &[(u32, &str)]) -> FleetMirror {
        let mut mirror = FleetMirror::default();
        mirror.begin();
        let entries = agents.iter().map(|(key, agent)| sample::idle_agent(*key, agent)).collect();
        mirror.apply(page(entries, true), START);
        mirror
    }

    #[test]
    fn the_first_snapshot_shows_while_it_comes() {
        let mut mirror = FleetMirror::default();
        mirror.begin();
        assert!(
            mirror.apply(page(vec![sample::idle_agent(1, "a")], false), START).membership_changed
        );
        assert_eq!(names(&mirror), ["a"]);
        assert!(!mirror.is_whole());
        mirror.apply(page(vec![sample::idle_agent(2, "b")], true), START);
        assert_eq!(names(&mirror), ["a", "b"]);
        assert!(mirror.is_whole());
        assert_eq!(mirror.summary().total, 20);
    }

    #[test]
    fn after_a_resync_the_old_fleet_stays_until_the_new_one_is_whole() {
        let mut mirror = mirror_of(&[(1, "a"), (2, "b")]);
        mirror.apply(SubscriptionUpdate::Resync, START);
        let applied = mirror.apply(page(vec![sample::idle_agent(1, "b")], false), START);
        assert_eq!((names(&mirror), applied.membership_changed), (vec!["a", "b"], false));
        assert!(!mirror.is_whole());
        let applied = mirror.apply(page(vec![sample::idle_agent(9, "c")], true), START);
        assert_eq!((names(&mirror), applied.membership_changed), (vec!["b", "c"], true));
        assert_eq!(mirror.by_name("b").unwrap().id, AgentRowId(1));
        assert_eq!(mirror.by_name("a"), None);
    }

    #[test]
    fn changes_are_folded_in() {
        let mut mirror = mirror_of(&[(1, "a"), (2, "b")]);
        let killed = |id| {
            let total = sample::busy_agent().vitals.total;
            (AgentRowId(id), AgentVitals { total, ..sample::draining_agent().vitals })
        };
        let applied = mirror.apply(
            SubscriptionUpdate::Delta(Box::new(FleetDelta {
                entries: vec![sample::idle_agent(3, "c")],
                vitals: [2, 77].map(killed).into(),
                work: vec![(AgentRowId(2), sample::busy_agent().work)],
                removed: vec![AgentRowId(1), AgentRowId(78)],
                events: sample::events_of_every_kind(),
                ..changes()
            })),
            START,
        );
        assert_eq!(names(&mirror), ["b", "c"]);
        let b = mirror.by_name("b").unwrap();
        assert_eq!((b.vitals.state, b.work.ok, b.vitals.total.ok), (State::Killed, 812, 5_210));
        assert!(applied.membership_changed && applied.agents_changed);
        assert_eq!(applied.events, sample::events_of_every_kind());
    }

    #[test]
    fn a_name_that_is_taken_over_leaves_nothing_behind() {
        let mut mirror = mirror_of(&[(1, "a"), (2, "b")]);
        let entries = vec![sample::idle_agent(5, "b")];
        mirror
            .apply(SubscriptionUpdate::Delta(Box::new(FleetDelta { entries, ..changes() })), START);
        assert_eq!(names(&mirror), ["a", "b"]);
        assert_eq!(mirror.by_name("b").unwrap().id, AgentRowId(5));
    }

    #[test]
    fn the_collectors_clock_goes_on_by_local_time() {
        let mut mirror = FleetMirror::default();
        assert_eq!(mirror.now_ms(START), None);
        mirror.apply(SubscriptionUpdate::Delta(Box::new(changes())), START);
        assert_eq!(mirror.now_ms(START), Some(NOW_MS));
        assert_eq!(mirror.now_ms(START + Duration::from_secs(43)), Some(NOW_MS + 43_000));
        assert_eq!(mirror.now_ms(Duration::ZERO), Some(NOW_MS));
    }
}
