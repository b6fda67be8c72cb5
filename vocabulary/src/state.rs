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
        /// Degraded: it was started too often without a goodbye.
        CrashLooping = "crash-looping",
        /// Degraded: its supervisor sees the process run, and nothing is heard of its own emitter.
        EmitterSilent = "emitter-silent",
        /// Degraded: it sends more beats than its interval allows, which are not judged.
        Flooding = "flooding",
        /// Degraded: too many of its tasks fail.
        Failing = "failing",
        /// Degraded: it beats, has nothing to do, and ends no task for far longer than it ever pauses; or it ends fewer
        /// tasks than are expected of it.
        Idle = "idle",
        /// Degraded: too many of its tasks take longer than they should.
        Slow = "slow",
        /// Degraded: too many of its tasks end sooner than is plausible.
        Fast = "fast",
        /// Degraded: it went to and fro between healthy and degraded, and is not calm yet.
        Flapping = "flapping",
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

    /// Returns whether an agent in this state is in trouble: degraded or unreachable.
    pub const fn is_trouble(self) -> bool {
        matches!(self, Self::Degraded | Self::Unreachable)
    }
}

/// A state with its reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
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

    /// Stopped by itself.
    pub const STOPPED: Self = Self { state: State::Killed, reason: Some(Reason::Shutdown) };

    /// Returns the word that JSON and texts have for the count of a status: the state's, but
    /// `stopped` for an agent that stopped by itself.
    pub const fn count_name(self) -> &'static str {
        match (self.state, self.reason) {
            (State::Killed, Some(Reason::Shutdown)) => "stopped",
            (state, _) => state.name(),
        }
    }

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

/// The number of agents in each state, those that stopped by themselves apart from the killed.
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
    /// Agents that a command has killed.
    pub killed: u32,
    /// Agents that said goodbye.
    pub stopped: u32,
    /// Unknown agents.
    pub unknown: u32,
}

impl StateCounts {
    /// The statuses that are counted apart, without the reasons that are not told apart.
    pub const COUNTED: [AgentStatus; 6] = [
        AgentStatus::HEALTHY,
        AgentStatus { state: State::Degraded, reason: None },
        AgentStatus { state: State::Unreachable, reason: None },
        AgentStatus { state: State::Killed, reason: None },
        AgentStatus::STOPPED,
        AgentStatus::UNKNOWN,
    ];

    /// Returns the number of agents that are counted together with a status.
    pub const fn of(&self, status: AgentStatus) -> u32 {
        match (status.state, status.reason) {
            (State::Healthy, _) => self.healthy,
            (State::Degraded, _) => self.degraded,
            (State::Unreachable, _) => self.unreachable,
            (State::Killed, Some(Reason::Shutdown)) => self.stopped,
            (State::Killed, _) => self.killed,
            (State::Unknown, _) => self.unknown,
        }
    }

    /// Returns the counts that are not 0, each with its status.
    pub fn present(&self) -> impl Iterator<Item = (AgentStatus, u32)> {
        let counts = *self;
        let all = Self::COUNTED.into_iter().map(move |status| (status, counts.of(status)));
        all.filter(|(_, count)| *count > 0)
    }

    /// Counts one more agent in a status.
    pub const fn add(&mut self, status: AgentStatus) {
        self.total += 1;
        *self.count_mut(status) += 1;
    }

    /// Counts one agent less in a status.
    ///
    /// # Panics
    /// When no agent was counted in that status (in builds with overflow checks).
    pub const fn remove(&mut self, status: AgentStatus) {
        self.total -= 1;
        *self.count_mut(status) -= 1;
    }

    const fn count_mut(&mut self, status: AgentStatus) -> &mut u32 {
        match (status.state, status.reason) {
            (State::Healthy, _) => &mut self.healthy,
            (State::Degraded, _) => &mut self.degraded,
            (State::Unreachable, _) => &mut self.unreachable,
            (State::Killed, Some(Reason::Shutdown)) => &mut self.stopped,
            (State::Killed, _) => &mut self.killed,
            (State::Unknown, _) => &mut self.unknown,
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
        assert_eq!(Reason::from_name("dancing"), None);
    }

    #[test]
    fn counts_add_up() {
        let mut counts = StateCounts::default();
        let killed = AgentStatus::killed(Reason::Operator);
        for status in [AgentStatus::HEALTHY, AgentStatus::STOPPED, killed, AgentStatus::UNKNOWN] {
            counts.add(status);
        }
        counts.remove(AgentStatus::HEALTHY);
        let present: Vec<_> =
            counts.present().map(|(status, n)| (status.count_name(), n)).collect();
        assert_eq!(present, [("killed", 1), ("stopped", 1), ("unknown", 1)]);
        assert_eq!((counts.of(killed), counts.total), (1, 3));
    }
}
