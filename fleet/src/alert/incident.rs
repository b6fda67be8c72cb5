//! An incident: trouble of one cause, its members, and who was told of it.

use std::collections::{BTreeMap, BTreeSet};

use heartline_vocabulary::{AgentRowId, AgentStatus, IncidentId, NoticeKind, Severity};

use super::cause_interval::CauseInterval;
use super::scope::Scope;
use super::shortage::Shortage;
use crate::agent_table::AgentIndex;
use crate::time::MonoTime;

/// An incident, to read; only the fleet changes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Incident {
    pub id: IncidentId,
    pub scope: Scope,
    /// The interval in which its cause lies.
    pub interval: CauseInterval,
    /// When the trouble began.
    pub opened: MonoTime,
    pub ended: Option<MonoTime>,
    pub severity: Severity,
    /// The worst that any member was.
    pub worst: AgentStatus,
    pub members: BTreeMap<AgentRowId, Member>,
    /// Members that are in trouble.
    pub in_trouble: u32,
    /// Who was told of it, by sink.
    pub told: BTreeMap<Box<str>, Told>,
    /// Notices so far.
    pub notices: u32,
    pub acknowledged: Option<IncidentAck>,
    pub merged_into: Option<IncidentId>,
    /// Of an incident that flaps: how often its agent fell into trouble since it was last at rest.
    pub flapping: Option<u32>,
    /// What there is too little of, where it is not about the trouble of its members.
    pub shortage: Option<Shortage>,
    /// What is wrong with a sink, or what was used of a budget.
    pub remark: Option<Box<str>>,
    /// All its members in trouble are silenced: what is not delivered yet waits.
    pub is_silenced: bool,
    /// Routes that a member has taken.
    pub(crate) routes: BTreeSet<usize>,
    /// It began to flap, or has come to rest, or its budget has reached a level, and nobody was told yet.
    pub(crate) news: Option<NoticeKind>,
    /// When it was last recorded, and whether it changed since.
    pub(crate) recorded_at: MonoTime,
    pub(crate) is_dirty: bool,
    /// When its last member was well again.
    pub(crate) shrunk_at: MonoTime,
    /// When to look at it again.
    pub(crate) due: MonoTime,
}

/// An agent of an incident.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Member {
    /// Where the fleet has it.
    pub index: Option<AgentIndex>,
    pub joined: MonoTime,
    pub status: AgentStatus,
    pub since: MonoTime,
    /// When it was well again.
    pub left: Option<MonoTime>,
    /// It only needs an agent that is in trouble.
    pub is_affected: bool,
}

/// What a sink was told of an incident.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Told {
    /// Time of the first notice.
    pub first: MonoTime,
    /// Time of the newest.
    pub last: MonoTime,
    /// [`Incident::extent`] as of then.
    pub in_trouble: u32,
    /// The worst as of then.
    pub worst: AgentStatus,
    /// Its escalation has been told.
    pub is_escalated: bool,
    /// It was only in a list.
    pub is_listed: bool,
}

/// Somebody takes care of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncidentAck {
    /// `user@host`
    pub by: Box<str>,
    pub at: MonoTime,
}

impl Incident {
    /// Returns an incident without members that goes on.
    pub fn new(
        id: IncidentId,
        scope: Scope,
        interval: CauseInterval,
        (opened, worst): (MonoTime, AgentStatus),
    ) -> Self {
        Self {
            id,
            scope,
            interval,
            opened,
            ended: None,
            severity: Severity::of(worst),
            worst,
            members: BTreeMap::new(),
            in_trouble: 0,
            told: BTreeMap::new(),
            notices: 0,
            acknowledged: None,
            merged_into: None,
            flapping: None,
            shortage: None,
            remark: None,
            is_silenced: false,
            routes: BTreeSet::new(),
            news: None,
            recorded_at: MonoTime::NEVER_YET,
            is_dirty: true,
            shrunk_at: MonoTime::NEVER_YET,
            due: MonoTime::NEVER,
        }
    }

    /// Returns the incident as a store gives it back: without what only one run of the collector knows.
    #[must_use]
    pub fn as_stored(&self) -> Self {
        let begun = (self.opened, self.worst);
        let fresh = Self::new(self.id, self.scope.clone(), self.interval, begun);
        Self {
            routes: fresh.routes,
            news: fresh.news,
            recorded_at: fresh.recorded_at,
            is_dirty: fresh.is_dirty,
            shrunk_at: fresh.shrunk_at,
            due: fresh.due,
            ..self.clone()
        }
    }

    /// Returns the numbers of the routes that a member has taken, from 0.
    pub fn routes(&self) -> impl Iterator<Item = usize> {
        self.routes.iter().copied()
    }

    /// Takes a member in, or back in; `interval`: what its trouble says of the cause.
    pub(crate) fn admit(
        &mut self,
        id: AgentRowId,
        member: Member,
        interval: Option<CauseInterval>,
    ) {
        self.interval = interval.map_or(self.interval, |it| self.interval.narrowed(it));
        if self.shortage.is_none() {
            self.opened = self.opened.min(member.since);
        }
        let before = self.members.insert(id, member);
        if before.is_none_or(|before| before.left.is_some()) {
            self.in_trouble += 1;
        }
        self.worsen(member.status);
        self.is_dirty = true;
    }

    /// Takes in that a member is in another status of trouble.
    pub(crate) fn worsen(&mut self, status: AgentStatus) {
        if badness(status) > badness(self.worst) {
            self.worst = status;
        }
        self.severity = self.severity.max(Severity::of(status));
    }

    /// Lets a member go that is well again, or gone; ends with the last one, unless it is about a shortage.
    pub(crate) fn release(&mut self, id: AgentRowId, at: MonoTime) {
        let Some(member) = self.members.get_mut(&id).filter(|member| member.left.is_none()) else {
            return;
        };
        member.left = Some(at.max(member.joined));
        self.in_trouble -= 1;
        self.shrunk_at = self.shrunk_at.max(at);
        self.is_dirty = true;
        if self.in_trouble == 0 && self.shortage.is_none() {
            let last = self.members.values().filter_map(|member| member.left).max();
            self.ended = Some(last.unwrap_or(at));
        }
    }

    /// Returns the incident without its members.
    pub(crate) fn header(&self) -> Self {
        Self {
            members: BTreeMap::new(),
            told: BTreeMap::new(),
            routes: BTreeSet::new(),
            id: self.id,
            scope: self.scope.clone(),
            acknowledged: self.acknowledged.clone(),
            shortage: self.shortage.clone(),
            remark: self.remark.clone(),
            ..*self
        }
    }
}

/// Returns how bad a status is; larger is worse.
pub(crate) fn badness(status: AgentStatus) -> (Severity, u8) {
    (Severity::of(status), status.state.severity())
}
