//! Agents: how the databases name them, and what they say that they are doing.

use crate::named::named;

/// The durable number of an agent in both databases. Names may be forgotten and used again, row ids
/// never are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct AgentRowId(pub i64);

named! {
    /// The phase that an agent says it is in.
    #[derive(Default)]
    Phase {
        /// The agent has not begun to work.
        Starting = "starting",
        /// The agent works, or could.
        #[default]
        Running = "running",
        /// The agent waits for something outside itself, such as a person's approval.
        Waiting = "waiting",
        /// The agent is about to end.
        Stopping = "stopping",
    }
}
