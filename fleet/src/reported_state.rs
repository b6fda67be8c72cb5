//! What agents report of their desired state: progress in obeying, commands that this collector does
//! not know, and kills of other control ids.
//!
//! A report of our own control id that outranks the newest durable command means that the database
//! was restored from a copy, or that another collector shares the control id. Decision rules, in the
//! order of the code:
//! 1. a report too far above the durable generation is not believed, and counted: nothing in memory
//!    follows it, so that no key can use up the numbers;
//! 2. reported killed: the kill is adopted, so that nobody undoes it who did not know of it;
//! 3. reported running while ours says killed: the kill is issued again above the report;
//! 4. otherwise the next command outranks it.

use heartline_protocol::limits::GENERATION_MAX;
use heartline_protocol::{Beat, ControlId, DesiredState};
use heartline_vocabulary::{Action, CommandTarget, Reason};

use crate::agent::Agent;
use crate::context::AgentMut;
use crate::gap::ObservedTime;
use crate::output::{CommandRow, CommandRowTarget, ControlDbRow, HistoryDbRow, WriteTicket};
use crate::time::MonoTime;

/// Largest lead over the durable generation that is believed of a report. A restored copy of a
/// database lags by less.
const LEAD_MAX: u64 = 1 << 24;

/// Who gave a command that this collector did not know.
const UNKNOWN_OPERATOR: &str = "unknown";
const UNKNOWN_KILL: &str = "killed by a command that this collector did not know";

/// What an agent reports of desired states.
#[derive(Debug)]
pub(crate) struct ReportedState {
    /// The state of our control id that its last live beat reported as applied.
    applied: DesiredState,
    /// Another control id whose kill keeps it from work.
    blocked_by: Option<ControlId>,
    /// Time at which a command that it reported was last adopted.
    adopted_at: MonoTime,
    /// Its live sessions beside the current one.
    rivals: Vec<RivalSession>,
}

impl Default for ReportedState {
    fn default() -> Self {
        Self {
            applied: DesiredState::default(),
            blocked_by: None,
            adopted_at: MonoTime::NEVER_YET,
            rivals: Vec::new(),
        }
    }
}

/// A superseded session that goes on beating.
#[derive(Clone, Copy, Debug)]
struct RivalSession {
    session: u64,
    live_until: ObservedTime,
    /// Generation that it has applied, with nothing in flight if that is a kill.
    obeyed: u64,
}

/// Most rivals whose obedience is awaited.
const RIVALS_MAX: usize = 8;

impl Agent {
    /// Returns the state of our control id that its last live beat reported as applied.
    pub(crate) fn reported_state(&self) -> DesiredState {
        self.reported.as_ref().map_or(DesiredState::default(), |reported| reported.applied)
    }

    /// Returns another control id whose kill keeps it from work.
    pub(crate) fn blocked_by(&self) -> Option<ControlId> {
        self.reported.as_ref().and_then(|reported| reported.blocked_by)
    }

    /// Returns the generation of its newest command that is on disk.
    pub(crate) fn durable_generation(&self) -> u64 {
        self.desired.as_ref().map_or(0, |desired| desired.generation)
    }

    /// Returns the generation that it last reported, if that is to be believed.
    pub(crate) fn plausible_claim(&self) -> Option<u64> {
        let reported = self.reported_state().generation;
        (reported <= self.durable_generation() + LEAD_MAX).then_some(reported)
    }
}

impl AgentMut<'_> {
    /// Records what a live beat reports of desired states.
    pub(crate) fn record_reported_state(&mut self, beat: &Beat<'_>, now: MonoTime) {
        let control = self.context.control;
        let is_ours = beat.applied.control == Some(control);
        let applied = if is_ours { beat.applied } else { DesiredState::default() };
        let blocked_by = beat.blocked_by.filter(|other| *other != control);
        if applied.generation > 0 || blocked_by.is_some() || self.agent.reported.is_some() {
            let reported = self.agent.reported.get_or_insert_default();
            (reported.applied, reported.blocked_by) = (applied, blocked_by);
        }
        if !is_ours {
            return;
        }
        let ours = self.agent.desired_state(control);
        if applied.outranks(&ours) {
            self.on_unknown_command(now);
        } else if applied == ours && ours.generation > 0 {
            self.record_command_progress(now);
            self.check_obedience(beat, now);
        }
    }

    /// Records a live beat of a session beside the current one.
    pub(crate) fn record_rival(&mut self, session: u64, beat: &Beat<'_>, live_until: ObservedTime) {
        let is_ours = beat.applied.control == Some(self.context.control);
        let has_obeyed = is_ours && (!beat.applied.killed || beat.in_flight == 0);
        let obeyed = if has_obeyed { beat.applied.generation } else { 0 };
        let rivals = &mut self.agent.reported.get_or_insert_default().rivals;
        rivals.retain(|rival| rival.session != session);
        if rivals.len() == RIVALS_MAX {
            rivals.remove(0);
        }
        rivals.push(RivalSession { session, live_until, obeyed });
    }

    /// Handles a report that outranks the newest durable command.
    fn on_unknown_command(&mut self, now: MonoTime) {
        let agent = &mut *self.agent;
        let Some(claimed) = agent.plausible_claim() else {
            self.context.implausible_reports += 1;
            return;
        };
        // What is on its way to the disk may be what was reported, or outranks it.
        let is_pending = agent.generation > agent.durable_generation();
        let interval_ms = u64::from(agent.interval_ms);
        let last = agent.reported.as_ref().map_or(MonoTime::NEVER_YET, |it| it.adopted_at);
        if is_pending || now < last.plus_millis(interval_ms) {
            return;
        }
        let generation = match (agent.reported_state().killed, agent.is_killed()) {
            (true, _) => claimed,
            // At the largest one the kill wins.
            (false, true) => (claimed + 1).min(GENERATION_MAX),
            (false, false) => return,
        };
        agent.reported.get_or_insert_default().adopted_at = now;
        agent.generation = generation;
        let known = agent.desired.as_ref().filter(|desired| desired.killed);
        let (cause, by, reason) = known.map_or_else(
            || (Reason::Operator, UNKNOWN_OPERATOR.into(), UNKNOWN_KILL.into()),
            |kill| (kill.cause, kill.by.clone(), kill.reason.clone()),
        );
        let target = CommandTarget {
            agent: agent.name.clone(),
            generation,
            state: agent.status.state,
            changed: true,
        };
        self.context.adopted.push(CommandRow {
            ticket: WriteTicket(0),
            request_id: request_id(self.context.control, agent.id.0, generation),
            at: now,
            action: Action::Kill,
            cause,
            by,
            reason,
            targets: vec![CommandRowTarget { id: agent.id, target, lifts: None }],
        });
    }

    /// Records that the agent has applied the newest command, and that it is quiet if all of its
    /// live sessions are.
    pub(crate) fn record_command_progress(&mut self, now: MonoTime) {
        let observed = self.context.clock.observed(now);
        let agent = &mut *self.agent;
        let rivals = agent.reported.as_ref().map_or(&[][..], |reported| &reported.rivals);
        let unobeyed = agent.desired.as_mut().filter(|desired| desired.obeyed_ms.is_none());
        let Some(desired) = unobeyed else { return };
        let elapsed_ms = now.millis_since(desired.at);
        let is_first = desired.delivered_ms.is_none();
        let delivered_ms = *desired.delivered_ms.get_or_insert(elapsed_ms);
        let has_obeyed =
            |it: &RivalSession| it.live_until <= observed || it.obeyed >= desired.generation;
        let is_quiet = rivals.iter().all(has_obeyed) && (!desired.killed || agent.in_flight == 0);
        desired.obeyed_ms = is_quiet.then_some(elapsed_ms);
        let (id, generation, obeyed_ms) = (agent.id, desired.generation, desired.obeyed_ms);
        let action = desired.action();
        if is_first || is_quiet {
            let row = ControlDbRow::Progress { id, generation, delivered_ms, obeyed_ms };
            self.context.persist(row);
        }
        if let Some(obeyed_ms) = obeyed_ms {
            self.context.record(HistoryDbRow::Obeyed {
                id,
                at: now,
                action,
                generation,
                delivered_ms,
                obeyed_ms,
            });
        }
    }
}

/// Returns the request id of a command that a policy gives: unlike that of a kill which is adopted for the same agent
/// and generation, as may happen where an older copy of the database was restored.
pub(crate) fn policy_request_id(control: ControlId, agent: i64, generation: u64) -> u64 {
    request_id(control, !agent, generation)
}

/// Returns the request id of a command that this collector issues itself: the same for the same
/// agent and generation, and unlike those that operators draw at random.
fn request_id(control: ControlId, agent: i64, generation: u64) -> u64 {
    // The finalizer of SplitMix64 (Steele, Lea, Flood 2014).
    let mix = |mut bits: u64| {
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    };
    mix(mix(control.get() ^ agent.cast_unsigned()) ^ generation)
}
