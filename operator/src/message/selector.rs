//! The agents that a request is about, and what a command for them would hit.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use heartline_vocabulary::{AgentRowId, StateCounts};
use serde::{Deserialize, Serialize};

use super::{AgentEntry, CollectorStatus};

/// The agents that a request is about. The collector finds them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentSelector {
    /// The whole fleet.
    All,
    /// The agents of these ids, and of these patterns with `*` and `?`. None of them may find nothing.
    Names(Vec<String>),
    /// The agents that match a [`Filter`](crate::Filter).
    Filter(String),
}

impl AgentSelector {
    /// Returns its ids and patterns.
    pub fn names(&self) -> &[String] {
        match self {
            Self::Names(names) => names,
            Self::All | Self::Filter(_) => &[],
        }
    }

    /// Returns true when it finds exactly the agents whose ids it has.
    pub fn is_exact(&self) -> bool {
        matches!(self, Self::Names(names) if !names.iter().any(|name| is_pattern(name)))
    }
}

/// Returns true for a pattern, false for an id.
pub fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?'])
}

/// What a command for these agents would hit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SelectionPreview {
    /// Number of agents.
    pub hits: u32,
    /// See [`selection_fingerprint`].
    pub fingerprint: u64,
    pub states: StateCounts,
    /// The worst of them, then those that changed their state last; as many as were asked for.
    pub first: Vec<AgentEntry>,
    /// Longest interval of those that beat.
    pub slowest_interval_ms: Option<u32>,
    /// Number of those that do not beat.
    pub silent: u32,
    /// Some of those that do not beat.
    pub first_silent: Vec<String>,
    /// Number of those that said goodbye.
    pub stopped: u32,
    /// Set when they are all agents of this host, and no others.
    pub whole_host: Option<String>,
    /// The names and patterns that found nothing.
    pub unknown: Vec<UnknownName>,
    pub collector: CollectorStatus,
}

/// A name or pattern that found no agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnknownName {
    pub name: String,
    /// Ids that are like it.
    pub similar: Vec<String>,
}

impl std::fmt::Display for UnknownName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.similar.as_slice() {
            [] => write!(f, "no agent \"{}\"; `heartline status` lists them", self.name),
            near => write!(f, "no agent \"{}\"; did you mean {}?", self.name, near.join(" or ")),
        }
    }
}

/// Returns a hash of a set of agents. A command with the fingerprint of its preview is refused if it
/// would hit others.
pub fn selection_fingerprint(agents: &BTreeSet<AgentRowId>) -> u64 {
    let mut hasher = DefaultHasher::new();
    for agent in agents {
        agent.0.hash(&mut hasher);
    }
    hasher.finish()
}

/// Returns true for an id that could have been meant by a name.
pub fn is_similar(id: &str, name: &str) -> bool {
    id.contains(name) || (!id.is_empty() && name.contains(id)) || differs_little(id, name)
}

/// Returns true for names that differ by at most two letters in the same place.
fn differs_little(a: &str, b: &str) -> bool {
    let common = a.bytes().zip(b.bytes()).take_while(|(x, y)| x == y).count();
    let tail = a.bytes().skip(common).rev().zip(b.bytes().skip(common).rev());
    let common_tail = tail.take_while(|(x, y)| x == y).count();
    a.len().max(b.len()) - common - common_tail <= 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_name_is_similar() {
        assert!(is_similar("web-1", "wbe-1") && is_similar("mail.1", "mail"));
        assert!(!is_similar("web-1", "zzzzz"));
    }

    #[test]
    fn an_unknown_name_says_what_could_be_meant() {
        let unknown = |similar: &[&str]| UnknownName {
            name: "mail".into(),
            similar: similar.iter().map(ToString::to_string).collect(),
        };
        let said = unknown(&["mail.1", "mail.2"]).to_string();
        assert_eq!(said, "no agent \"mail\"; did you mean mail.1 or mail.2?");
        assert!(unknown(&[]).to_string().contains("heartline status"));
    }

    #[test]
    fn a_fingerprint_is_that_of_the_set() {
        let set =
            |ids: &[i64]| selection_fingerprint(&ids.iter().map(|&id| AgentRowId(id)).collect());
        assert_eq!(set(&[1, 2, 3]), set(&[3, 1, 2]));
        assert_ne!(set(&[1, 2]), set(&[1, 3]));
    }
}
