//! Commands to agents: kill and resume.

use std::fmt;

use crate::State;
use crate::named::named;

named! {
    /// The action that a command asks of its agents.
    Action {
        /// Stop working, and stay stopped until resumed.
        Kill = "kill",
        /// Work again.
        Resume = "resume",
    }
}

impl Action {
    /// Returns whether the desired state that it sets is killed.
    pub const fn kills(self) -> bool {
        matches!(self, Self::Kill)
    }
}

/// One agent of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct CommandTarget {
    /// The agent's id.
    pub agent: Box<str>,
    /// The generation of its desired state.
    pub generation: u64,
    /// Its state when the command was taken.
    pub state: State,
    /// Whether the command changes anything: killing a killed agent does not.
    pub changed: bool,
}

/// The reason why a command was refused. Its `Display` says what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum CommandRefusal {
    /// These agents are not known.
    UnknownAgents(Vec<String>),
    /// A kill needs a reason.
    NoReason,
    /// The command named no agent.
    NoAgents,
    /// A command for so many agents needs their count confirmed.
    CountNotConfirmed {
        /// The number of agents that the command would hit.
        hits: u32,
        /// The number that the operator confirmed.
        expected: Option<u32>,
    },
    /// It would hit other agents than the operator was shown.
    TargetsChanged,
}

impl CommandRefusal {
    /// Largest number of targets that needs no count.
    const COUNT_REQUIRED_ABOVE: usize = 10;
    /// Inverse of the largest share of the fleet that needs no count; a single agent never does.
    const COUNT_REQUIRED_SHARE: usize = 5;

    /// Checks whether a command that hits `hits` agents of `total` may go ahead.
    ///
    /// # Errors
    /// [`CommandRefusal::CountNotConfirmed`].
    pub fn check_count(hits: usize, total: usize, expected: Option<u32>) -> Result<(), Self> {
        let is_large = hits > Self::COUNT_REQUIRED_ABOVE
            || (hits > 1 && hits.saturating_mul(Self::COUNT_REQUIRED_SHARE) > total);
        let hits = u32::try_from(hits).unwrap_or(u32::MAX);
        let is_wrong = expected.is_some_and(|expected| expected != hits);
        if is_wrong || (is_large && expected.is_none()) {
            return Err(Self::CountNotConfirmed { hits, expected });
        }
        Ok(())
    }
}

impl fmt::Display for CommandRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownAgents(agents) => {
                write!(f, "nothing was done: not known: {}", agents.join(", "))
            }
            Self::NoReason => f.write_str("nothing was done: a kill needs a reason (--reason)"),
            Self::NoAgents => f.write_str("nothing was done: no agent was named"),
            Self::CountNotConfirmed { hits, expected: Some(expected) } => write!(
                f,
                "nothing was done: this would hit {hits} agents, not {expected}; look again, then \
                 confirm with --expect {hits}"
            ),
            Self::CountNotConfirmed { hits, expected: None } => write!(
                f,
                "nothing was done: this would hit {hits} agents; confirm with --expect {hits}"
            ),
            Self::TargetsChanged => f.write_str(
                "nothing was done: other agents match now than were shown; look again, then repeat it",
            ),
        }
    }
}

/// The reason why agents were not forgotten. Its `Display` says what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum ForgetRefusal {
    /// This agent is killed.
    Killed(String),
    /// A command to this agent is on its way to the disk.
    CommandPending(String),
    /// Work of this agent is on its way to the disk.
    WorkPending(String),
}

impl fmt::Display for ForgetRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Killed(agent) => write!(
                f,
                "{agent} is killed, and a kill outlives its agent: resume it, then forget it"
            ),
            Self::CommandPending(agent) => {
                write!(f, "a command to {agent} is on its way to the disk; try again")
            }
            Self::WorkPending(agent) => write!(
                f,
                "{agent} still works: what it did is on its way to the disk; try again when it has \
                 ended"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_commands_need_their_count() {
        let check = CommandRefusal::check_count;
        assert!(check(1, 1, None).is_ok(), "one agent is named in full");
        assert!(check(2, 9, None).is_err(), "more than a fifth");
        assert!(check(2, 10, None).is_ok());
        assert!(check(11, 1_000, None).is_err(), "more than ten");
        assert!(check(11, 1_000, Some(11)).is_ok());
        assert!(check(1, 1_000, Some(2)).is_err(), "not what the operator was told");
    }
}
