//! The states of an agent, and the reasons for them.

use crate::named::named;

named! {
    /// The state that an agent is judged to be in.
    State {
        /// Live beats on time, and progress.
        Healthy = "healthy",
        /// Something is wrong, as the [`Reason`] says.
        Degraded = "degraded",
        /// Silent, not provably fresh, or dead.
        Unreachable = "unreachable",
        /// Killed by a command, or stopped by itself.
        Killed = "killed",
        /// Known, but not judged since the collector started.
        Unknown = "unknown",
    }
}

named! {
    /// The reason for a [`State`].
    Reason {
        /// Degraded: no live beat for `late_factor` intervals.
        Late = "late",
        /// Degraded: beats arrive, but the agent's work makes no progress.
        Stalled = "stalled",
        /// Degraded: two processes report as this agent.
        Conflict = "conflict",
        /// Degraded: a kill that this collector did not give keeps the agent from work.
        Blocked = "blocked",
        /// Unreachable: no live beat for `unreachable_factor` intervals.
        Silent = "silent",
        /// Unreachable: beats arrive, but never echo a challenge.
        OneWay = "one-way",
        /// Unreachable: the agent's supervisor reported its exit.
        Crashed = "crashed",
        /// Killed by an operator.
        Operator = "operator",
        /// Killed by a policy.
        Policy = "policy",
        /// Killed: the agent said goodbye.
        Shutdown = "shutdown",
    }
}

impl State {
    /// Returns how bad the state is for an operator; larger is worse. Lists are sorted by it.
    pub const fn severity(self) -> u8 {
        match self {
            Self::Unreachable => 4,
            Self::Degraded => 3,
            Self::Unknown => 2,
            Self::Killed => 1,
            Self::Healthy => 0,
        }
    }
}

/// A state with its reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgentStatus {
    /// The state.
    pub state: State,
    /// The reason; `None` for healthy and unknown.
    pub reason: Option<Reason>,
}

impl AgentStatus {
    /// Known, but not judged.
    pub const UNKNOWN: Self = Self { state: State::Unknown, reason: None };
    /// Healthy.
    pub const HEALTHY: Self = Self { state: State::Healthy, reason: None };

    /// Returns degraded with its reason.
    pub const fn degraded(reason: Reason) -> Self {
        Self { state: State::Degraded, reason: Some(reason) }
    }

    /// Returns unreachable with its reason.
    pub const fn unreachable(reason: Reason) -> Self {
        Self { state: State::Unreachable, reason: Some(reason) }
    }

    /// Returns killed with its reason.
    pub const fn killed(reason: Reason) -> Self {
        Self { state: State::Killed, reason: Some(reason) }
    }
}

/// The number of agents in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct StateCounts {
    /// All agents.
    pub total: u32,
    /// Healthy agents.
    pub healthy: u32,
    /// Degraded agents.
    pub degraded: u32,
    /// Unreachable agents.
    pub unreachable: u32,
    /// Killed and stopped agents.
    pub killed: u32,
    /// Unknown agents.
    pub unknown: u32,
}

impl StateCounts {
    /// Returns the number of agents in a state.
    pub const fn of(&self, state: State) -> u32 {
        match state {
            State::Healthy => self.healthy,
            State::Degraded => self.degraded,
            State::Unreachable => self.unreachable,
            State::Killed => self.killed,
            State::Unknown => self.unknown,
        }
    }

    /// Counts one more agent in a state.
    pub const fn add(&mut self, state: State) {
        self.total += 1;
        *self.count_mut(state) += 1;
    }

    /// Counts one agent less in a state.
    ///
    /// # Panics
    /// When no agent was counted in that state (in builds with overflow checks).
    pub const fn remove(&mut self, state: State) {
        self.total -= 1;
        *self.count_mut(state) -= 1;
    }

    const fn count_mut(&mut self, state: State) -> &mut u32 {
        match state {
            State::Healthy => &mut self.healthy,
            State::Degraded => &mut self.degraded,
            State::Unreachable => &mut self.unreachable,
            State::Killed => &mut self.killed,
            State::Unknown => &mut self.unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_back_to_its_value() {
        for state in State::ALL {
            assert_eq!(State::from_name(state.name()), Some(state));
        }
        for reason in Reason::ALL {
            assert_eq!(Reason::from_name(reason.name()), Some(reason));
        }
        assert_eq!(Reason::from_name("failing"), None);
    }

    #[test]
    fn counts_add_up() {
        let mut counts = StateCounts::default();
        for state in [State::Healthy, State::Healthy, State::Unknown] {
            counts.add(state);
        }
        counts.remove(State::Healthy);
        assert_eq!((counts.of(State::Healthy), counts.unknown, counts.total), (1, 1, 2));
    }
}
