//! Resolves names, patterns and filters to agents.

use std::cmp::{Ordering, Reverse};

use heartline_operator::Filter;
use heartline_operator::message::{AgentEntry, AgentVitals, CollectorStatus};
use heartline_operator::text::natural_order;
use heartline_vocabulary::State;

use crate::error::CliError;

/// The whole fleet at one moment.
pub(crate) struct FleetSnapshot {
    /// All agents, as [`WorstFirst`] orders them.
    pub(crate) entries: Vec<AgentEntry>,
    pub(crate) collector: CollectorStatus,
}

impl FleetSnapshot {
    pub(crate) fn new(entries: Vec<AgentEntry>, collector: CollectorStatus) -> Self {
        // Entries are large: what is compared stands together, and each entry is moved once.
        let keys = entries.iter().map(WorstFirst::of);
        let mut order: Vec<_> = keys.zip(0_usize..).collect();
        order.sort_unstable();
        let order: Vec<usize> = order.into_iter().map(|(_, place)| place).collect();
        let mut slots: Vec<_> = entries.into_iter().map(Some).collect();
        let entries = order.iter().filter_map(|&place| slots[place].take()).collect();
        Self { entries, collector }
    }

    /// Returns its time by the collector's clock.
    pub(crate) fn now_ms(&self) -> i64 {
        self.collector.at_ms
    }

    /// Returns the agents that match a filter.
    pub(crate) fn matching(&self, filter: &Filter) -> Vec<&AgentEntry> {
        let now_ms = self.now_ms();
        self.entries.iter().filter(|entry| filter.matches(entry, now_ms)).collect()
    }

    /// Returns the agents of these ids and patterns, each once.
    ///
    /// # Errors
    /// [`CliError::NotDone`] when one of them matches no agent.
    pub(crate) fn named(&self, names: &[String]) -> Result<Vec<&AgentEntry>, CliError> {
        let mut wanted: Vec<&str> = Vec::new();
        for name in names {
            let found: Vec<&str> = if name.contains(['*', '?']) {
                check_pattern(name)?;
                let filter = Filter::parse(&format!("agent:{name}"))?;
                self.matching(&filter).iter().map(|entry| entry.agent.as_str()).collect()
            } else {
                let same = self.entries.iter().filter(|entry| entry.agent == *name);
                same.map(|entry| entry.agent.as_str()).collect()
            };
            if found.is_empty() {
                return Err(CliError::NotDone(self.unknown(name)));
            }
            wanted.extend(found);
        }
        Ok(self.entries.iter().filter(|entry| wanted.contains(&entry.agent.as_str())).collect())
    }

    /// Returns the message for an unknown name, with similar names.
    pub(crate) fn unknown(&self, name: &str) -> String {
        let near = |entry: &&AgentEntry| {
            entry.agent.contains(name)
                || name.contains(&entry.agent)
                || is_similar(&entry.agent, name)
        };
        let near: Vec<_> =
            self.entries.iter().filter(near).take(3).map(|entry| entry.agent.as_str()).collect();
        match near.as_slice() {
            [] => format!("no agent \"{name}\"; `heartline status` lists them"),
            near => format!("no agent \"{name}\"; did you mean {}?", near.join(" or ")),
        }
    }
}

/// The place of an agent in lists: the worst state comes first. Of those that are in trouble, the one
/// that has been for longest comes first; of the others, which have nothing to say by their age, the
/// first by name.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct WorstFirst<'a> {
    severity: Reverse<u8>,
    since_ms: Option<i64>,
    name: NaturalName<'a>,
}

/// A name in its natural order.
#[derive(PartialEq, Eq)]
struct NaturalName<'a>(&'a str);

impl<'a> WorstFirst<'a> {
    fn of(entry: &'a AgentEntry) -> Self {
        let AgentVitals { state, since_ms, .. } = entry.vitals;
        let in_trouble = matches!(state, State::Degraded | State::Unreachable);
        Self {
            severity: Reverse(state.severity()),
            since_ms: in_trouble.then_some(since_ms),
            name: NaturalName(&entry.agent),
        }
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

/// Checks that a pattern has only characters of ids, `*` and `?`: others would make it a filter.
fn check_pattern(pattern: &str) -> Result<(), CliError> {
    let fits = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '.' | '_' | '-' | '*' | '?');
    match pattern.chars().find(|c| !fits(*c)) {
        None => Ok(()),
        Some(c) => Err(CliError::Usage(format!(
            "\"{pattern}\": {c:?} is in no agent's id; for more than names use --filter"
        ))),
    }
}

/// Returns true for names that differ by at most two letters in the same place.
fn is_similar(a: &str, b: &str) -> bool {
    let common = a.bytes().zip(b.bytes()).take_while(|(x, y)| x == y).count();
    let tail = a[common..].bytes().rev().zip(b[common..].bytes().rev());
    let common_tail = tail.take_while(|(x, y)| x == y).count();
    a.len().max(b.len()) - common - common_tail <= 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use heartline_operator::sample;

    fn fleet() -> FleetSnapshot {
        let entries = vec![
            sample::healthy_agent(1, "web-1"),
            sample::silent_agent(2, "mail.1"),
            sample::healthy_agent(4, "mail.2"),
        ];
        let collector = sample::collector(&entries);
        FleetSnapshot::new(entries, collector)
    }

    fn named(words: &[&str]) -> Result<Vec<String>, String> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let fleet = fleet();
        let found = fleet.named(&words).map_err(|error| error.to_string())?;
        Ok(found.iter().map(|entry| entry.agent.clone()).collect())
    }

    #[test]
    fn names_and_patterns_pick_each_agent_once_worst_first() {
        assert_eq!(named(&["mail.*", "mail.2"]).unwrap(), ["mail.1", "mail.2"]);
        assert_eq!(
            named(&["mail"]),
            Err("no agent \"mail\"; did you mean mail.1 or mail.2?".into())
        );
        assert!(named(&["nobody*"]).is_err());
        assert!(named(&["* or state:healthy"]).unwrap_err().contains("--filter"));
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
        let collector = sample::collector(&entries);
        let fleet = FleetSnapshot::new(entries, collector);
        let names: Vec<_> = fleet.entries.iter().map(|entry| entry.agent.as_str()).collect();
        assert_eq!(names, ["z.1", "y.2", "y.10", "billing.2", "billing.10", "mail.10", "mail.11"]);
    }

    #[test]
    fn a_mistyped_name_is_guessed() {
        assert!(fleet().unknown("wbe-1").contains("web-1"));
        assert!(fleet().unknown("zzz").contains("heartline status"));
    }
}
