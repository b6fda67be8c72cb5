//! Notices: what leaves the core to be told to people.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

use heartline_vocabulary::{AgentStatus, NoticeId, NoticeKind};

use super::World;
use super::incident::{Incident, Member, badness};
use super::shortage::GoneReplicas;
use crate::cause::TransitionCause;
use crate::judge::cause_of;
use crate::time::MonoTime;

/// Most members of an incident that a notice tells of: the worst.
const MEMBERS_MAX: usize = 50;

/// Something to be told to sinks.
#[derive(Clone, Debug, PartialEq)]
pub struct OutgoingNotice {
    /// Unique for ever.
    pub id: NoticeId,
    pub kind: NoticeKind,
    pub at: MonoTime,
    /// Names of the sinks.
    pub sinks: Vec<Box<str>>,
    pub incident: IncidentFacts,
    /// Of a [`NoticeKind::Digest`]: what it lists.
    pub listed: Vec<IncidentFacts>,
}

/// What is known of an incident at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct IncidentFacts {
    /// The incident, without its members.
    pub incident: Incident,
    /// Members that are told of by name, the worst first.
    pub members: Vec<MemberFacts>,
    /// Members that ever were.
    pub total: u32,
    /// Of those in trouble, the ones that only need another agent that is.
    pub affected: u32,
    /// Agents that its scope has.
    pub of: u32,
    /// Of a group with too few replicas: where the others are.
    pub gone: GoneReplicas,
}

/// What is known of a member at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct MemberFacts {
    pub agent: Box<str>,
    pub host: Option<Arc<str>>,
    pub status: AgentStatus,
    pub since: MonoTime,
    /// How long it was in trouble, of one that is well again.
    pub lasted: Option<Duration>,
    pub cause: TransitionCause,
    /// The step that it was in. Scrubbed.
    pub step: Option<Box<str>>,
    pub last_live: Option<MonoTime>,
    pub interval_ms: u32,
    pub in_flight: u32,
    pub oldest_task_at: Option<MonoTime>,
    pub is_affected: bool,
}

impl IncidentFacts {
    /// Gathers what is known of an incident now.
    pub(crate) fn of(incident: &Incident, world: &World<'_>, now: MonoTime) -> Self {
        let in_trouble = || incident.members.values().filter(|member| member.left.is_none());
        let members = select(incident);
        let members = members.into_iter().filter_map(|it| MemberFacts::of(it, world, now));
        let affected = in_trouble().filter(|member| member.is_affected).count();
        let (total, of) = incident.size(world);
        Self {
            members: members.collect(),
            total,
            affected: u32::try_from(affected).unwrap_or(u32::MAX),
            of,
            gone: GoneReplicas::of(incident, world),
            incident: incident.header(),
        }
    }
}

impl MemberFacts {
    fn of(member: &Member, world: &World<'_>, now: MonoTime) -> Option<Self> {
        let agent = world.agents.get(member.index?)?;
        let context = world.context;
        let thresholds = context.thresholds.get(agent.thresholds);
        let cause = cause_of(agent, thresholds, member.status, context.clock.observed(now));
        Some(Self {
            agent: agent.name.clone(),
            host: agent.identity().and_then(|identity| identity.shared.host.clone()),
            status: member.status,
            since: member.since,
            lasted: member.left.map(|left| left.since(member.since)),
            cause,
            step: agent.step.clone(),
            last_live: agent.last_live.known(),
            interval_ms: agent.interval_ms,
            in_flight: agent.in_flight,
            oldest_task_at: agent.oldest_task_at.known().filter(|_| agent.in_flight > 0),
            is_affected: member.is_affected,
        })
    }
}

/// Returns the members that a notice tells of: those in trouble, the worst and oldest first; where none is left,
/// those that were in trouble for longest.
fn select(incident: &Incident) -> Vec<&Member> {
    let is_over = incident.in_trouble == 0;
    let is_told = |member: &&Member| is_over || member.left.is_none();
    let mut members: Vec<_> = incident.members.values().filter(is_told).collect();
    let lasted = |member: &Member| member.left.map(|left| left.since(member.since));
    members.sort_by_key(|member| {
        let worst_first = Reverse((badness(member.status), lasted(member)));
        (member.is_affected, worst_first, member.since)
    });
    members.truncate(MEMBERS_MAX);
    members
}
