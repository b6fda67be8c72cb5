//! All agents, by name and by dense index, with the moment at which each must be judged again.

use hashbrown::HashTable;

use crate::agent::Agent;
use crate::gap::ObservedTime;

/// The index of an agent in the fleet's arrays. Reused after the agent is forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgentIndex(pub u32);

impl AgentIndex {
    /// Returns the index into arrays parallel to the fleet's.
    pub fn get(self) -> usize {
        self.0 as usize
    }
}

/// When one agent must be judged again.
pub(crate) struct Deadline<'a> {
    at: &'a mut ObservedTime,
    earliest: &'a mut ObservedTime,
}

impl Deadline<'_> {
    pub(crate) fn get(&self) -> ObservedTime {
        *self.at
    }

    /// Sets it. No more than a store and a comparison.
    pub(crate) fn set(&mut self, at: ObservedTime) {
        *self.at = at;
        *self.earliest = at.min(*self.earliest);
    }
}

/// The agents. Deadlines stand in an array of their own: a beat only stores one, and a sweep over
/// all of them reads memory in order.
pub(crate) struct AgentTable {
    agents: Vec<Option<Agent>>,
    deadlines: Vec<ObservedTime>,
    by_name: HashTable<u32>,
    /// Keyed, because the names come from outside.
    hasher: ahash::RandomState,
    free: Vec<u32>,
    limit: usize,
    /// No deadline is earlier than this.
    earliest: ObservedTime,
}

impl AgentTable {
    pub(crate) fn new(hash_seed: [u64; 4], limit: usize) -> Self {
        let [a, b, c, d] = hash_seed;
        Self {
            agents: Vec::new(),
            deadlines: Vec::new(),
            by_name: HashTable::new(),
            hasher: ahash::RandomState::with_seeds(a, b, c, d),
            free: Vec::new(),
            limit,
            earliest: ObservedTime::NEVER,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.by_name.len()
    }

    pub(crate) fn slot_count(&self) -> u32 {
        u32::try_from(self.agents.len()).unwrap_or(u32::MAX)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.len() >= self.limit
    }

    pub(crate) fn find(&self, name: &str) -> Option<AgentIndex> {
        self.by_name
            .find(self.hasher.hash_one(name), |&index| self.name(index) == name)
            .map(|&index| AgentIndex(index))
    }

    /// Finds many at once, into `found` in the same order, and prefetches what their next messages
    /// need.
    ///
    /// An agent takes a dozen cache lines of a large memory. Loads of one agent after the other miss
    /// one by one; in loops that do little else, many misses are under way together.
    pub(crate) fn find_all(&self, names: &[&str], found: &mut Vec<Option<AgentIndex>>) {
        found.clear();
        // The agent whose hash matches: nearly always the one that is meant.
        found.extend(names.iter().map(|name| {
            self.by_name.find(self.hasher.hash_one(name), |_| true).map(|&index| AgentIndex(index))
        }));
        let (mut lines, mut texts) = (0, 0);
        for &index in found.iter().flatten() {
            lines ^= self.get(index).map_or(0, Agent::prefetch);
            lines ^= u64::from(self.deadline(index) == ObservedTime::NEVER);
        }
        for &index in found.iter().flatten() {
            texts ^= self.get(index).map_or(0, Agent::prefetch_texts);
        }
        // The compiler would drop loads whose values are not used.
        std::hint::black_box((lines, texts));
        for (found, name) in found.iter_mut().zip(names) {
            if !found.is_some_and(|index| self.name(index.0) == *name) {
                *found = self.find(name);
            }
        }
    }

    fn name(&self, index: u32) -> &str {
        self.agents[index as usize].as_ref().map_or("", |agent| &agent.name)
    }

    /// Adds an agent whose name is not yet known.
    pub(crate) fn insert(&mut self, agent: Agent) -> AgentIndex {
        let hash = self.hasher.hash_one(&*agent.name);
        let index = self.free.pop().unwrap_or_else(|| {
            self.agents.push(None);
            self.deadlines.push(ObservedTime::NEVER);
            u32::try_from(self.agents.len() - 1).expect("the limit of agents is below 2^32")
        });
        self.agents[index as usize] = Some(agent);
        let Self { agents, by_name, hasher, .. } = self;
        by_name.insert_unique(hash, index, |&other| {
            hasher.hash_one(agents[other as usize].as_ref().map_or("", |agent| &*agent.name))
        });
        AgentIndex(index)
    }

    pub(crate) fn remove(&mut self, index: AgentIndex) -> Option<Agent> {
        let hash = self.hasher.hash_one(self.name(index.0));
        if let Ok(entry) = self.by_name.find_entry(hash, |&other| other == index.0) {
            entry.remove();
        }
        let agent = self.agents.get_mut(index.get())?.take()?;
        self.deadlines[index.get()] = ObservedTime::NEVER;
        self.free.push(index.0);
        Some(agent)
    }

    pub(crate) fn get(&self, index: AgentIndex) -> Option<&Agent> {
        self.agents.get(index.get())?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, index: AgentIndex) -> Option<&mut Agent> {
        self.agents.get_mut(index.get())?.as_mut()
    }

    /// Returns an agent with its deadline.
    pub(crate) fn get_with_deadline(
        &mut self,
        index: AgentIndex,
    ) -> Option<(&mut Agent, Deadline<'_>)> {
        let agent = self.agents.get_mut(index.get())?.as_mut()?;
        let at = &mut self.deadlines[index.get()];
        Some((agent, Deadline { at, earliest: &mut self.earliest }))
    }

    pub(crate) fn indices(&self) -> impl Iterator<Item = AgentIndex> + '_ {
        let occupied = self.agents.iter().enumerate().filter(|(_, agent)| agent.is_some());
        occupied.map(|(index, _)| AgentIndex(index as u32))
    }

    pub(crate) fn deadline(&self, index: AgentIndex) -> ObservedTime {
        self.deadlines[index.get()]
    }

    /// Returns a moment before which no deadline passes.
    pub(crate) fn earliest_deadline(&self) -> ObservedTime {
        self.earliest
    }

    /// Lists the agents whose deadline has passed, and keeps the earliest deadline of the others.
    pub(crate) fn sweep(&mut self, now: ObservedTime, due: &mut Vec<AgentIndex>) {
        let mut earliest = ObservedTime::NEVER;
        for (index, &deadline) in self.deadlines.iter().enumerate() {
            if deadline <= now {
                due.push(AgentIndex(index as u32));
            } else {
                earliest = earliest.min(deadline);
            }
        }
        self.earliest = earliest;
    }
}
