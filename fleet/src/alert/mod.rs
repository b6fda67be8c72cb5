//! Alerts: which trouble is one incident, and who is told of it when. Pure, as all of the core.
//!
//! What happens to a transition, in this order:
//! 1. An agent that falls into a state which some route is for is in *trouble* (`trouble.rs`) until it has been
//!    well for `recovery_hold`, or is killed, stopped or forgotten. Where it falls too often it is told as
//!    *flapping* (`penalty.rs`), and is over when it has come to rest.
//! 2. Trouble becomes part of an *incident*, or a new one (`grouping.rs`): agents belong together by the interval
//!    in which the cause lies (`cause_interval.rs`) and by what they share (`scope.rs`).
//!    Where enough other replicas of its group run, it is held back (`replicas.rs`). A group that has too few, and
//!    an agent that never came (`roster.rs`), are incidents themselves (`shortage.rs`).
//! 3. Sinks are told of an incident by the routes that its members take (`telling.rs`): at once or after the
//!    route's hold, again where it becomes worse or larger, as reminders until somebody acknowledges it, and when
//!    it is over. What is beyond the ceiling of a sink goes into a list (`storm.rs`, `digest.rs`).
//!
//! A budget that reaches a level is an incident without members (`budget.rs`).
//!
//! Incidents are recorded as they change, and notices are rows in the same batch as the transition that they tell
//! of, so that both are durable together. After a start it goes on by levels: whatever is in trouble and in no
//! incident is taken in.

mod budget;
mod cause_interval;
mod digest;
mod engine;
mod grouping;
mod incident;
mod input;
mod notice;
mod penalty;
mod population;
mod replay;
mod replica_rule;
mod replicas;
mod restore;
mod roster;
mod routing;
mod rules;
mod scope;
mod shortage;
mod storm;
mod telling;
mod trouble;

use heartline_vocabulary::{AgentRowId, AgentStatus, ScopeKind};

use crate::agent_table::{AgentIndex, AgentTable};
use crate::budget_event::BudgetEvent;
use crate::context::HandlerContext;
use crate::time::MonoTime;

pub use cause_interval::CauseInterval;
pub(crate) use engine::AlertEngine;
pub use incident::{Incident, IncidentAck, Member, Told};
pub use input::AlertInput;
pub use notice::{IncidentFacts, MemberFacts, OutgoingNotice};
pub use penalty::FlappingRule;
pub(crate) use population::Population;
pub use replay::{AlertReplay, RecordedAgent, RecordedEvent, ReplaySetup};
pub use replica_rule::ReplicaRule;
pub use replicas::ReplicaGroup;
pub use roster::ExpectedAgent;
pub use routing::SinkDuty;
pub use rules::{
    AgentFilter, AlertRoute, AlertRules, Escalation, Silence, SinkTraits, StateSet, StormRule,
};
pub use scope::Scope;
pub use shortage::{GoneReplicas, NeverSeen, ReplicaShortage, Shortage};

/// Something that happened to an agent, or with a budget.
#[derive(Clone, Debug)]
pub(crate) enum AlertEvent {
    /// Its status changed.
    Transition { index: AgentIndex, from: AgentStatus, to: AgentStatus, at: MonoTime },
    /// It was forgotten.
    Forgotten { index: AgentIndex, id: AgentRowId, name: Box<str>, at: MonoTime },
    /// Agents came to a group whose replicas are counted, or left one.
    Regrouped,
    /// A budget has reached a level; `index`: its agent, of a budget for each.
    BudgetReached { event: Box<BudgetEvent>, index: Option<AgentIndex> },
    /// A window of a budget has begun, or other budgets were set.
    BudgetsBegun,
}

/// The fleet, as alerts are judged by it.
#[derive(Clone, Copy)]
pub(crate) struct World<'a> {
    pub(crate) agents: &'a AgentTable,
    pub(crate) context: &'a HandlerContext,
}

impl World<'_> {
    /// Returns whether an agent is in a scope.
    fn is_in(&self, index: AgentIndex, scope: &Scope) -> bool {
        self.agents.get(index).is_some_and(|agent| scope.has(agent))
    }

    /// Returns the number of agents of a scope.
    fn count(&self, scope: &Scope) -> u32 {
        if let Some((_, host)) = scope.process() {
            let host = Scope { kind: ScopeKind::Host, name: host.into() };
            let agents = self.context.population.of(&host).filter(|&it| self.is_in(it, scope));
            return u32::try_from(agents.count()).unwrap_or(u32::MAX);
        }
        let fleet = u32::try_from(self.agents.len()).unwrap_or(u32::MAX);
        self.context.population.count(scope, fleet)
    }
}
