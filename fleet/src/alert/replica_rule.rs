//! How many agents of a group must run, and which of them do.

use std::time::Duration;

use heartline_vocabulary::{AgentStatus, Reason, State};

/// How many agents of a group are expected to run, and from which number on somebody is told. What counts is how
/// many run, and not which: replicas may have new names whenever they start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplicaRule {
    pub expect: u32,
    /// From 1 to `expect`.
    pub alert_below: u32,
    /// How long too few must run until it is an incident.
    pub hold: Duration,
}

/// How the agents of a group are, as far as replicas are concerned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct GroupTally {
    /// Those that run.
    pub(crate) running: u32,
    /// Those that are not known to run, and not known not to.
    pub(crate) unknown: u32,
    /// All others.
    pub(crate) down: u32,
}

impl GroupTally {
    pub(crate) fn add(&mut self, status: AgentStatus) {
        *self.count_of(status) += 1;
    }

    pub(crate) fn remove(&mut self, status: AgentStatus) {
        let count = self.count_of(status);
        *count = count.saturating_sub(1);
    }

    /// Returns the number of all agents.
    pub(crate) const fn total(self) -> u32 {
        self.running + self.unknown + self.down
    }

    fn count_of(&mut self, status: AgentStatus) -> &mut u32 {
        match status.state {
            State::Unknown => &mut self.unknown,
            _ if runs(status) => &mut self.running,
            _ => &mut self.down,
        }
    }
}

/// Returns whether an agent counts as one that runs: it is healthy, or what is wrong with it leaves it its work.
pub(crate) const fn runs(status: AgentStatus) -> bool {
    match (status.state, status.reason) {
        (State::Healthy, _) => true,
        (State::Degraded, Some(reason)) => {
            matches!(reason, Reason::Late | Reason::Slow | Reason::Fast | Reason::Flooding)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_killed_stopped_or_hangs_does_not_run() {
        let mut tally = GroupTally::default();
        for running in [AgentStatus::HEALTHY, AgentStatus::degraded(Reason::Late)] {
            tally.add(running);
        }
        for down in [
            AgentStatus::STOPPED,
            AgentStatus::killed(Reason::Operator),
            AgentStatus::degraded(Reason::Stalled),
            AgentStatus::degraded(Reason::Flapping),
            AgentStatus::unreachable(Reason::Silent),
        ] {
            tally.add(down);
        }
        tally.add(AgentStatus::UNKNOWN);
        assert_eq!(tally, GroupTally { running: 2, unknown: 1, down: 5 });
        tally.remove(AgentStatus::STOPPED);
        assert_eq!(tally.total(), 7);
    }
}
