//! Which agents are kept: registration of new ids, and the ageing of those that are gone.
//!
//! An id that was heard of is listed at once, and stored once it is live. So made-up ids cost memory
//! for a while, and nothing else:
//! 1. the ids of one scope are registered at a limited rate; further ones are refused, and the scope
//!    is named to operators;
//! 2. an id that was never live is removed when nothing was heard of it for a while;
//! 3. an agent that has stopped, or has been unreachable, is forgotten after its retention, unless
//!    something would be lost with it ([`crate::Input::Forget`] refuses the same).

use std::collections::BTreeMap;
use std::time::Duration;

use heartline_protocol::Body;
use heartline_vocabulary::{AgentStatus, Reason, State};

use crate::agent::Agent;
use crate::agent_table::AgentIndex;
use crate::context::AgentMut;
use crate::fleet::Fleet;
use crate::forget::refusal;
use crate::gap::TICK_INTERVAL_MAX;
use crate::input::AgentMessage;
use crate::output::{ControlDbRow, HistoryDbRow};
use crate::session::Session;
use crate::time::MonoTime;

/// Limits of which agents are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegistrationLimits {
    /// Most new agents of one scope in a minute.
    pub new_agents_per_minute: u32,
    /// Time after which agents that stopped or are unreachable are forgotten.
    pub retention: Duration,
}

impl Default for RegistrationLimits {
    fn default() -> Self {
        Self { new_agents_per_minute: 6_000, retention: Duration::from_secs(90 * 24 * 3_600) }
    }
}

/// Time without a message after which an agent that was never live is removed, at least.
const NEVER_LIVE_FOR: Duration = Duration::from_secs(600);
/// Intervals without a message after which it is removed, at least: one more than until silent.
const NEVER_LIVE_INTERVALS: u32 = 11;
/// Parts of a fleet that are looked at for the age of their agents, one at a time: all in four minutes,
/// however large it is, and at a cost for each beat that does not depend on it.
const AGED_PARTS: u32 = 1_024;
/// Time between two such looks.
const AGED_EVERY: Duration = TICK_INTERVAL_MAX;
/// Most scopes whose rate is known; there is a token for each.
const SCOPES_MAX: usize = 1_024;
/// Who forgets an agent whose retention is over.
const BY_RETENTION: &str = "retention";

/// The registrations of one scope.
#[derive(Clone, Copy, Debug)]
struct ScopeRegistrations {
    /// Begin of the minute that is counted.
    since: MonoTime,
    count: u32,
    /// Since the collector started.
    refused: u64,
}

/// New agents by the scope of their key.
#[derive(Debug)]
pub(crate) struct Registrations {
    by_scope: BTreeMap<Box<str>, ScopeRegistrations>,
    /// The next slot to look at for its age, and when.
    aged_to: u32,
    age_at: MonoTime,
}

impl Default for Registrations {
    fn default() -> Self {
        Self { by_scope: BTreeMap::new(), aged_to: 0, age_at: MonoTime::NEVER_YET }
    }
}

impl Registrations {
    /// Counts one more agent of a scope; returns whether that is within the limit.
    fn try_acquire(&mut self, scope: &str, limit: u32, now: MonoTime) -> bool {
        if !self.by_scope.contains_key(scope) {
            if self.by_scope.len() == SCOPES_MAX {
                self.by_scope.retain(|_, it| it.refused > 0 && now.since(it.since) < MINUTE);
            }
            let begin = ScopeRegistrations { since: now, count: 0, refused: 0 };
            self.by_scope.insert(scope.into(), begin);
        }
        let Some(registrations) = self.by_scope.get_mut(scope) else { return false };
        if now.since(registrations.since) >= MINUTE {
            (registrations.since, registrations.count) = (now, 0);
        }
        let allowed = registrations.count < limit;
        registrations.count += u32::from(allowed);
        registrations.refused += u64::from(!allowed);
        allowed
    }

    /// Returns the scopes of which agents were refused in the last minute, with how many were refused
    /// since the collector started.
    pub(crate) fn refused(&self, now: MonoTime) -> impl Iterator<Item = (&str, u64)> {
        let recent = move |it: &ScopeRegistrations| it.refused > 0 && now.since(it.since) < MINUTE;
        let scopes = self.by_scope.iter().filter(move |(_, it)| recent(it));
        scopes.map(|(scope, it)| (&**scope, it.refused))
    }
}

const MINUTE: Duration = Duration::from_secs(60);

impl Fleet {
    /// Adds an unknown agent; `None`: there is no room, or its scope has too many new ones.
    pub(crate) fn register(
        &mut self,
        message: &AgentMessage<'_>,
        now: MonoTime,
    ) -> Option<AgentIndex> {
        if let Some(index) = self.agents.find(message.agent) {
            return Some(index);
        }
        let limit = self.limits.new_agents_per_minute;
        if self.agents.is_full() || !self.registrations.try_acquire(message.scope, limit, now) {
            return None;
        }
        let id = self.take_row_id();
        let thresholds = self.context.thresholds.intern(message.agent);
        let mut agent = Agent::new(message.agent, id, thresholds, Session::new(0, 0), now);
        if let Body::Beat(beat) = &message.body {
            agent.interval_ms = beat.interval_ms;
        }
        agent.superseded = self.tombstones.take(message.agent);
        agent.silent_since = self.context.clock.observed(now);
        let index = self.agents.insert(agent);
        self.context.state_counts.add(AgentStatus::UNKNOWN);
        self.agent_mut(index).into_iter().for_each(|mut agent| agent.mark_changed());
        Some(index)
    }

    /// Looks at some agents, and removes those whose time is over.
    pub(crate) fn remove_aged(&mut self, now: MonoTime) {
        if now < self.registrations.age_at {
            return;
        }
        self.registrations.age_at = now + AGED_EVERY;
        let from = self.registrations.aged_to;
        let end = self.agents.slot_count();
        let until = from.saturating_add(end.div_ceil(AGED_PARTS));
        self.registrations.aged_to = if until >= end { 0 } else { until };
        let is_aged = |agent: &Agent| {
            let heard_at = self.context.clock.mono(agent.heard_at);
            agent.is_aged(self.limits.retention, heard_at, now)
        };
        let looked_at = (from..until.min(end)).map(AgentIndex);
        let aged: Vec<AgentIndex> =
            looked_at.filter(|&index| self.agents.get(index).is_some_and(is_aged)).collect();
        if aged.is_empty() {
            return;
        }
        let commanded = self.commanded_agents();
        for index in aged {
            let refusal = self.agents.get(index).and_then(|agent| refusal(agent, &commanded));
            if refusal.is_none() {
                let _removed = self.forget(index, BY_RETENTION, now);
            }
        }
    }
}

impl Agent {
    fn is_aged(&self, retention: Duration, heard_at: MonoTime, now: MonoTime) -> bool {
        if !self.is_stored {
            let interval = Duration::from_millis(u64::from(self.interval_ms));
            let kept_for = NEVER_LIVE_FOR.max(interval * NEVER_LIVE_INTERVALS);
            return now.since(heard_at.max(self.first_seen)) >= kept_for;
        }
        let is_gone = matches!(
            (self.status.state, self.status.reason),
            (State::Unreachable, _) | (State::Killed, Some(Reason::Shutdown))
        );
        is_gone && now.since(self.since) >= retention
    }
}

impl AgentMut<'_> {
    /// Stores the agent, if it is not stored yet: it is live, or has a command.
    pub(crate) fn store(&mut self) {
        if std::mem::replace(&mut self.agent.is_stored, true) {
            return;
        }
        let (id, at) = (self.agent.id, self.agent.first_seen);
        let agent = self.agent.name.clone();
        self.context.persist(ControlDbRow::Registered { id, agent: agent.clone(), at });
        self.context.record(HistoryDbRow::Registered { id, agent, at });
        self.update_accounts();
        if self.agent.status != AgentStatus::UNKNOWN {
            let since = self.agent.since;
            let unknown = (AgentStatus::UNKNOWN, since);
            self.record_transition(AgentStatus::UNKNOWN, since, None, Some(unknown));
        }
    }
}
