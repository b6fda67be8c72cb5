//! What must hold of agents that are expected: whoever has not come in time is told of once, and nobody else.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use heartline_fleet::{Fleet, Incident, MonoTime, RestoredAgent, Shortage};
use heartline_vocabulary::State;

use super::violation::{CheckResult, ensure};

/// Watches one start of the collector.
#[derive(Debug, Default)]
pub(super) struct RosterWatch {
    /// The time within which each agent must come.
    expected: BTreeMap<Box<str>, Duration>,
    waiting: BTreeMap<Box<str>, Waiting>,
}

/// An agent that has not come.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    /// When it is told of at the earliest, and at the latest where nothing holds the collector up.
    earliest: MonoTime,
    due: MonoTime,
    /// Ticks since it was due.
    ticks: u32,
    is_told: bool,
}

/// How soon after its time an agent is told of.
const TOLD_WITHIN: (Duration, u32) = (Duration::from_millis(500), 3);

impl Waiting {
    fn new(due: MonoTime) -> Self {
        Self { earliest: due, due, ticks: 0, is_told: false }
    }
}

impl RosterWatch {
    /// Returns the watch of a start that goes on with incidents of before.
    pub(super) fn new(
        expected: &BTreeMap<Box<str>, Duration>,
        restored: &[RestoredAgent],
        incidents: &[Incident],
        now: MonoTime,
    ) -> Self {
        let mut watch = Self { expected: expected.clone(), waiting: BTreeMap::new() };
        let names = expected.keys().filter(|name| restored.iter().all(|it| it.agent != **name));
        watch.waiting =
            names.map(|name| (name.clone(), Waiting::new(now + expected[name]))).collect();
        for name in incidents.iter().flat_map(missing_of) {
            if let Some(waiting) = watch.waiting.get_mut(name) {
                waiting.is_told = true;
            }
        }
        watch
    }

    /// Takes in time that was not observed; `is_known`: at once, and not only later.
    pub(super) fn postpone(&mut self, lost: Duration, is_known: bool) {
        for waiting in self.waiting.values_mut().filter(|it| !it.is_told) {
            waiting.due = waiting.due + lost;
            if is_known {
                waiting.earliest = waiting.earliest + lost;
            }
        }
    }

    /// Checks the fleet after an input.
    pub(super) fn check(&mut self, fleet: &Fleet, now: MonoTime) -> CheckResult {
        if self.expected.is_empty() {
            return Ok(());
        }
        for (name, within) in &self.expected {
            let agent = fleet.find(name).and_then(|index| fleet.agent(index));
            match agent.filter(|it| it.is_stored()) {
                Some(agent) if agent.status().state != State::Unknown => {
                    self.waiting.remove(name);
                }
                // Restored, or commanded before it has come; then it is waited for as before.
                Some(_) => {}
                None if self.waiting.contains_key(name) => {}
                None => {
                    self.waiting.insert(name.clone(), Waiting::new(now + *within));
                }
            }
        }
        let mut told = BTreeSet::new();
        for name in fleet.incidents().filter(|it| it.ended.is_none()).flat_map(missing_of) {
            ensure!(told.insert(name.clone()), "{name} is missing in two incidents");
        }
        for name in &told {
            let waiting = self.waiting.get_mut(name);
            ensure!(waiting.is_some(), "{name} is told of as missing, and is there");
            let Some(waiting) = waiting else { continue };
            let is_due = waiting.is_told || waiting.earliest <= now;
            ensure!(is_due, "{name} is told of before {:?}", waiting.earliest);
            waiting.is_told = true;
        }
        for (name, waiting) in &self.waiting {
            ensure!(!waiting.is_told || told.contains(name), "{name} is missing, and untold again");
        }
        Ok(())
    }

    /// Checks, at each tick, that whoever is missing is told of.
    pub(super) fn on_tick(&mut self, now: MonoTime) -> CheckResult {
        for (name, waiting) in self.waiting.iter_mut().filter(|(_, it)| !it.is_told) {
            let is_late = now.since(waiting.due) > TOLD_WITHIN.0;
            waiting.ticks = if is_late { waiting.ticks + 1 } else { 0 };
            ensure!(waiting.ticks <= TOLD_WITHIN.1, "nobody is told that {name} is missing");
        }
        Ok(())
    }
}

fn missing_of(incident: &Incident) -> impl Iterator<Item = &Box<str>> {
    let missing = match &incident.shortage {
        Some(Shortage::NeverSeen(it)) => Some(&it.agents),
        Some(Shortage::Replicas(_)) | None => None,
    };
    missing.into_iter().flatten()
}
