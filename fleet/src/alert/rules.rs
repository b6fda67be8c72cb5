//! The rules of alerting: who is told what, when, and how often.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use heartline_vocabulary::{AgentStatus, Identity, Reason, State};

use super::penalty::FlappingRule;
use super::replica_rule::ReplicaRule;
use crate::time::MonoTime;

/// Selects agents by what they are. Made at the edge, from the operators' filter language.
pub trait AgentFilter: fmt::Debug + Send + Sync {
    /// Returns whether an agent matches while it is in `status`.
    fn matches(&self, agent: &str, identity: Option<&Identity>, status: AgentStatus) -> bool;
}

/// All rules of alerting.
#[derive(Clone, Debug)]
pub struct AlertRules {
    /// How long an agent must be well until its trouble is over.
    pub recovery_hold: Duration,
    /// Longest wait for agents that seem to share the fate of the first.
    pub group_hold_max: Duration,
    /// Time between two notices of an incident that goes on to change.
    pub update_every: Duration,
    pub storm: StormRule,
    pub flapping: FlappingRule,
    /// In order.
    pub routes: Vec<AlertRoute>,
    /// What sinks do by themselves.
    pub sinks: BTreeMap<Box<str>, SinkTraits>,
    /// Groups of which so many agents must run.
    pub groups: BTreeMap<Arc<str>, ReplicaRule>,
    /// Agents that are expected, and the time within which they must have come.
    pub expected: BTreeMap<Box<str>, Duration>,
}

impl Default for AlertRules {
    fn default() -> Self {
        Self {
            recovery_hold: Duration::from_secs(60),
            group_hold_max: Duration::from_secs(60),
            update_every: Duration::from_secs(300),
            storm: StormRule::default(),
            flapping: FlappingRule::default(),
            routes: Vec::new(),
            sinks: BTreeMap::new(),
            groups: BTreeMap::new(),
            expected: BTreeMap::new(),
        }
    }
}

/// A ceiling on incidents told one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StormRule {
    /// So many incidents are told to a sink…
    pub after: u32,
    /// …within this time; what comes beyond goes into a list…
    pub within: Duration,
    /// …that is sent so often.
    pub digest_every: Duration,
}

impl Default for StormRule {
    fn default() -> Self {
        Self { after: 10, within: Duration::from_secs(600), digest_every: Duration::from_secs(300) }
    }
}

/// A route: which agents in which states are told to which sinks.
#[derive(Clone, Debug)]
pub struct AlertRoute {
    pub filter: Arc<dyn AgentFilter>,
    pub states: StateSet,
    pub sinks: Vec<Box<str>>,
    /// How long trouble must last until it is told.
    pub hold: Duration,
    /// Time between reminders, until somebody acknowledges; `None`: none.
    pub repeat: Option<Duration>,
    pub escalation: Option<Escalation>,
    /// An agent that matches goes no further.
    pub is_last: bool,
}

/// Who else is told when nobody acknowledges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Escalation {
    pub after: Duration,
    pub sinks: Vec<Box<str>>,
}

/// What a sink does by itself, so that it is not done to it twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SinkTraits {
    /// It reminds and escalates by itself, and would swallow another notice under the same key.
    pub reminds: bool,
    /// It groups by itself: every incident is told to it, whatever the storm.
    pub groups: bool,
}

/// States and reasons that a route is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateSet {
    pub states: Vec<State>,
    pub reasons: Vec<Reason>,
    /// Budgets that reach a level.
    pub budgets: bool,
}

impl Default for StateSet {
    /// What needs somebody: not what is only late, slow or fast by its own past, or held back for its changes or
    /// messages.
    fn default() -> Self {
        Self {
            states: vec![State::Unreachable],
            reasons: vec![
                Reason::Stalled,
                Reason::CrashLooping,
                Reason::EmitterSilent,
                Reason::Failing,
                Reason::Idle,
                Reason::Conflict,
                Reason::Blocked,
            ],
            budgets: true,
        }
    }
}

impl StateSet {
    /// Returns whether a status is in it. Healthy, killed and stopped never are: nobody is alerted by them. Killed by a
    /// policy stands for a budget.
    pub fn contains(&self, status: AgentStatus) -> bool {
        if status == AgentStatus::killed(Reason::Policy) {
            return self.budgets;
        }
        is_trouble(status)
            && (self.states.contains(&status.state)
                || status.reason.is_some_and(|reason| self.reasons.contains(&reason)))
    }
}

impl StateSet {
    /// Returns whether it has agents that were expected and have never been seen: for a route they are `unknown`, or
    /// as good as unreachable.
    pub(crate) fn has_missing(&self) -> bool {
        self.states.iter().any(|it| matches!(it, State::Unknown | State::Unreachable))
    }
}

/// Returns whether a status is trouble.
pub(crate) fn is_trouble(status: AgentStatus) -> bool {
    status.state.is_trouble()
}

/// A silence, or a window of maintenance while it lasts.
#[derive(Clone, Debug)]
pub struct Silence {
    pub filter: Arc<dyn AgentFilter>,
    pub until: MonoTime,
}

impl AlertRoute {
    pub(crate) fn matches(
        &self,
        agent: &str,
        identity: Option<&Identity>,
        status: AgentStatus,
    ) -> bool {
        self.states.contains(status) && self.filter.matches(agent, identity, status)
    }
}

impl AlertRules {
    /// Returns the numbers of the routes that an agent takes while it is in `status`.
    pub fn routes_of(
        &self,
        agent: &str,
        identity: Option<&Identity>,
        status: AgentStatus,
    ) -> Vec<usize> {
        self.routes_that(|route| route.matches(agent, identity, status))
    }

    /// Returns the numbers of the routes that a budget takes for one of its agents, which is in `status`.
    pub(crate) fn budget_routes_of(
        &self,
        agent: &str,
        identity: Option<&Identity>,
        status: AgentStatus,
    ) -> Vec<usize> {
        self.routes_that(|it| it.states.budgets && it.filter.matches(agent, identity, status))
    }

    /// Returns the numbers of the routes for an agent that was expected and has never been seen.
    pub(crate) fn routes_of_missing(&self, agent: &str) -> Vec<usize> {
        let is_unknown = |route: &AlertRoute| {
            route.states.has_missing() && route.filter.matches(agent, None, AgentStatus::UNKNOWN)
        };
        self.routes_that(is_unknown)
    }

    fn routes_that(&self, is_taken: impl Fn(&AlertRoute) -> bool) -> Vec<usize> {
        let mut taken = Vec::new();
        for (number, route) in self.routes.iter().enumerate() {
            if is_taken(route) {
                taken.push(number);
                if route.is_last {
                    break;
                }
            }
        }
        taken
    }

    /// Returns whether somebody is to be told of an agent in `status`, or, where there are no routes, whether
    /// somebody should be.
    pub(crate) fn is_alert(
        &self,
        agent: &str,
        identity: Option<&Identity>,
        status: AgentStatus,
    ) -> bool {
        if !is_trouble(status) {
            return false;
        }
        if self.routes.is_empty() {
            return StateSet::default().contains(status);
        }
        self.routes.iter().any(|route| route.matches(agent, identity, status))
    }
}
