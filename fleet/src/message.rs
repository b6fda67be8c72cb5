//! What a message from an agent does.
//!
//! Decision rules, in the order of the code:
//! 1. an unknown agent is registered, if there is room and its scope has not too many new ones;
//! 2. a sequence seen before in its session does nothing, also where the session was never live, or
//!    was not yet; one of a session that was live is answered within limits (`repeat.rs`);
//! 3. a message that is not proven fresh is answered with a challenge, within limits (`unproven.rs`),
//!    and changes no more than when the agent was last heard;
//! 4. a live message beyond the agent's budget shows that it lives, and no more (`budget.rs`);
//! 5. a live message of an unknown session is a new start: it supersedes the current session;
//! 6. a live message of a superseded session counts its work and shows a conflict; it becomes
//!    current again only when the current session has been silent for its late limit (a second
//!    process was started by mistake, and ended);
//! 7. a live message of the current session changes the agent; one that was overtaken in the
//!    network counts as heard, and its content is older than what is known.

use heartline_protocol::{Beat, Body, SegmentView};
use heartline_vocabulary::SessionEnd;

use crate::ack::{Freshness, PendingAck};
use crate::agent::{Agent, NO_QUEUE, SessionKind};
use crate::cause::TransitionCause;
use crate::context::AgentMut;
use crate::fleet::Fleet;
use crate::input::AgentMessage;
use crate::judge::late_after;
use crate::output::{ControlDbRow, HistoryDbRow};
use crate::process::ProcessEnd;
use crate::session::Session;
use crate::time::MonoTime;
use crate::unproven::Arrival;

/// Identities of one session that history takes: a program has one, and a supervisor's another.
const IDENTITIES_MAX: u8 = 4;

impl Fleet {
    pub(crate) fn on_message(&mut self, message: &AgentMessage<'_>, now: MonoTime) {
        if message.index.is_none() && self.tombstones.is_replay(message) {
            self.context.counters.replayed += 1;
            return;
        }
        let index = message.index.or_else(|| self.register(message, now));
        match index.and_then(|index| self.agent_mut(index)) {
            Some(mut agent) => agent.on_message(message, now),
            None => self.context.counters.over_limit += 1,
        }
        while let Some(command) = self.context.adopted.pop() {
            self.issue(command);
        }
        self.judge_budgets(now);
    }
}

impl AgentMut<'_> {
    fn on_message(&mut self, message: &AgentMessage<'_>, now: MonoTime) {
        let mut kind = self.agent.session_kind(message.session);
        let arrival = self.accept_sequence(kind, message);
        let pending_ack = PendingAck {
            from: message.from,
            session: message.session,
            sequence: message.sequence,
            // Its challenge follows the interval that it names: another start may have another.
            interval_ms: match &message.body {
                Body::Beat(beat) => beat.interval_ms,
                _ => self.agent.interval_ms,
            },
            len: message.len,
            session_taken: self.is_session_taken(kind, arrival, message),
        };
        if arrival == Arrival::Repeated {
            self.context.counters.replayed += 1;
            self.answer_repeated(kind, message.fresh, &pending_ack, now);
            return;
        }
        if kind != SessionKind::Superseded {
            self.agent.heard_at = self.context.clock.observed(now);
        }
        if arrival == Arrival::Newest && kind == SessionKind::Current {
            self.agent.newest_tag_prefix = message.tag_prefix;
        }
        if !message.fresh {
            self.on_unconfirmed(kind, arrival, &pending_ack, now);
            return;
        }
        if !self.take_from_budget(kind, now) {
            self.on_over_budget(kind, message, &pending_ack, now);
            return;
        }
        self.store();
        if kind == SessionKind::Unknown {
            self.begin_session(message, pending_ack.challenged_until(now), now);
        }
        self.context.counters.live += 1;
        let must_wait = self.count_segment(message, now);
        if kind == SessionKind::Superseded && self.reinstate_session(message, now) {
            kind = SessionKind::Current;
        }
        if kind == SessionKind::Superseded {
            self.on_superseded(message, now);
        } else {
            self.on_current(message, kind, now);
        }
        if must_wait {
            self.delay_ack(pending_ack, now);
        } else {
            self.send_ack(&pending_ack, Freshness::Live, now);
        }
    }

    /// Records the sequence, and returns how it relates to those before it in its session.
    fn accept_sequence(&mut self, kind: SessionKind, message: &AgentMessage<'_>) -> Arrival {
        let (session, sequence) = (message.session, message.sequence);
        let known = match kind {
            SessionKind::Current | SessionKind::Superseded => self.agent.session_mut(session),
            SessionKind::Unknown => None,
        };
        match known {
            Some(known) if message.fresh => known.accept(sequence),
            Some(known) => known.accept_unconfirmed(sequence),
            // The new session records it when it begins.
            None if message.fresh => {
                let unproven = self.agent.throttle.as_ref().map(|throttle| &throttle.unproven);
                let window = unproven.and_then(|unproven| unproven.window(session));
                window.map_or(Arrival::Newest, |window| Arrival::of(sequence, window))
            }
            None => self.agent.throttle.get_or_insert_default().unproven.accept(session, sequence),
        }
    }

    fn on_unconfirmed(
        &mut self,
        kind: SessionKind,
        arrival: Arrival,
        pending_ack: &PendingAck,
        now: MonoTime,
    ) {
        self.context.counters.unconfirmed += 1;
        let agent = &mut *self.agent;
        if kind != SessionKind::Superseded && agent.unproven_since <= agent.silent_since {
            agent.unproven_since = agent.heard_at;
        }
        self.catch_up(now);
        self.rejudge(now, None);
        self.answer_unproven(kind, arrival, pending_ack, now);
    }

    /// Makes the message's session the current one; the challenge that it echoed can be echoed until
    /// `challenged_until`.
    fn begin_session(
        &mut self,
        message: &AgentMessage<'_>,
        challenged_until: MonoTime,
        now: MonoTime,
    ) {
        if self.agent.starts > 0 {
            self.record_restart(now);
            let superseded = self.agent.superseded.get_or_insert_default();
            superseded.make_room(now);
            superseded.push(self.agent.session);
        }
        let mut session = Session::new(message.session, 0);
        let unproven = self.agent.throttle.as_mut().map(|throttle| &mut throttle.unproven);
        let received = unproven.and_then(|unproven| unproven.take(message.session));
        session.window = received.unwrap_or_default();
        session.challenged_until = challenged_until;
        session.accept(message.sequence);
        let before = std::mem::replace(&mut self.agent.session, session).id;
        self.agent.newest_tag_prefix = message.tag_prefix;
        self.on_session_changed(before, now);
    }

    /// Resets what belonged to the session before, after another one became current.
    fn on_session_changed(&mut self, before: u64, at: MonoTime) {
        let agent = &mut *self.agent;
        let had_ended = agent.forget_process();
        agent.starts += 1;
        agent.identity_known = false;
        agent.recorded_identities = 0;
        agent.pending_ack = None;
        agent.pauses.restart(self.context.clock.observed(at));
        agent.lost_reported = u32::try_from(agent.session.lost()).unwrap_or(u32::MAX);
        if let Some(desired) = agent.desired.as_mut() {
            // What it does before its first ack comes, it does without knowing of the kill.
            desired.last_segment = u64::MAX;
        }
        let (id, starts, session) = (agent.id, agent.starts, agent.session.id);
        if starts > 1 && !had_ended {
            let end = SessionEnd::Superseded;
            self.context.record(HistoryDbRow::SessionEnded { id, session: before, at, end });
        }
        self.context.record(HistoryDbRow::Session { id, session, at, starts });
    }

    /// Makes the message's session, which was superseded, the current one again, if the current one
    /// has been silent for its late limit.
    fn reinstate_session(&mut self, message: &AgentMessage<'_>, now: MonoTime) -> bool {
        // One that was forgotten and comes back has no current session.
        let is_free = self.agent.starts == 0;
        if !is_free {
            let Body::Beat(beat) = &message.body else { return false };
            // A session that has ended, perhaps before it ever beat, has no interval any more.
            let ended = self.agent.ended().map(|_| beat.interval_ms);
            let interval_ms = ended.unwrap_or(self.agent.interval_ms);
            let late_at = self.agent.silent_since + late_after(interval_ms, self.thresholds());
            if self.context.clock.observed(now) < late_at {
                return false;
            }
        }
        let Some(superseded) = self.agent.superseded.as_mut() else { return false };
        // What was overtaken does not say that its process still runs.
        let is_newest = |session: &Session| message.sequence > session.last_sequence;
        if !superseded.get(message.session).is_some_and(is_newest) {
            return false;
        }
        let Some(again) = superseded.take(message.session) else { return false };
        let before = std::mem::replace(&mut self.agent.session, again);
        self.agent.newest_tag_prefix = message.tag_prefix;
        if !is_free {
            superseded.push(before);
        }
        self.on_session_changed(before.id, now);
        true
    }

    fn on_superseded(&mut self, message: &AgentMessage<'_>, now: MonoTime) {
        let session = self.agent.session_mut(message.session);
        let is_newest = session.is_some_and(|session| session.advance_to(message.sequence));
        // A goodbye of the old process is an orderly replacement, not a conflict.
        if let Body::Beat(beat) = &message.body {
            let shown_for = late_after(beat.interval_ms, self.thresholds());
            let shown_until = self.context.clock.observed(now) + shown_for;
            self.agent.conflict_until = self.agent.conflict_until.max(shown_until);
            if is_newest {
                self.record_rival(message.session, beat, shown_until);
            }
        }
        if self.agent.reported_state() == self.agent.desired_state(self.context.control) {
            self.record_command_progress(now);
        }
        self.catch_up(now);
        self.rejudge(now, None);
        // Its work counts.
        self.mark_changed();
    }

    fn on_current(&mut self, message: &AgentMessage<'_>, kind: SessionKind, now: MonoTime) {
        let agent = &mut *self.agent;
        let observed = self.context.clock.observed(now);
        let before = std::mem::replace(&mut agent.silent_since, observed);
        agent.heard_since_start = true;
        agent.beats_since_row = agent.beats_since_row.saturating_add(1);
        let is_newest = agent.session.advance_to(message.sequence);
        if is_newest {
            agent.last_live = now;
            agent.address = Some(message.from.into());
        }
        let trigger = match &message.body {
            // Nothing follows a goodbye: one that comes late is of a copy, and another process goes on.
            Body::Beat(_) | Body::Goodbye(_) if !is_newest => None,
            // It does not reopen the session. But a supervisor that waits hears of commands.
            Body::Beat(beat) if agent.ended().is_some() => {
                self.record_reported_state(beat, now);
                None
            }
            Body::Beat(beat) => {
                self.count_pause(beat, before);
                self.on_beat(beat, now);
                self.agent.conclude_quality(before, observed);
                self.check_expected(beat, before, now);
                (kind == SessionKind::Unknown).then_some(TransitionCause::NewSession)
            }
            Body::Goodbye(_) => Some(self.on_process_end(ProcessEnd::Shutdown, now)),
            Body::ExitReport(report) => {
                Some(self.on_process_end(ProcessEnd::reported(report), now))
            }
            Body::Ack(_) | Body::Push(_) => None,
        };
        self.rejudge(now, trigger);
        self.drop_idle_throttle(message.session, now);
        self.mark_changed();
    }

    /// Drops what was limited about the agent, if nothing is any more.
    fn drop_idle_throttle(&mut self, session: u64, now: MonoTime) {
        let Some(throttle) = &mut self.agent.throttle else { return };
        let observed = self.context.clock.observed(now);
        throttle.unproven.take(session);
        throttle.crash_loop.expire(observed);
        if throttle.is_idle(now, observed) {
            self.agent.throttle = None;
            self.context.flooding.remove(&self.index);
        }
    }

    fn on_beat(&mut self, beat: &Beat<'_>, now: MonoTime) {
        let agent = &mut *self.agent;
        let interval_before_ms = agent.interval_ms;
        agent.set_vitals(beat, now);
        let is_first = agent.starts == 1 && agent.session.received == 1;
        let mut profile_changed = is_first || agent.interval_ms != interval_before_ms;
        if let Some(view) = &beat.identity {
            let identity = self.context.interner.intern_view(view);
            agent.identity_known = true;
            if agent.identity.as_ref() != Some(&identity) {
                if agent.is_stored && agent.recorded_identities < IDENTITIES_MAX {
                    agent.recorded_identities += 1;
                    let identity = identity.clone();
                    self.context.record(HistoryDbRow::Identity { id: agent.id, at: now, identity });
                }
                let before = agent.identity.replace(identity);
                let after = agent.identity.as_ref();
                let now_is = (self.index, agent.status);
                self.context.population.update(now_is, before.as_ref(), after);
                profile_changed = true;
                // Its group may be another one.
                self.update_accounts();
            }
        }
        if profile_changed {
            let agent = &*self.agent;
            let (id, interval_ms) = (agent.id, agent.interval_ms);
            let identity = agent.identity.clone();
            self.context.persist(ControlDbRow::Profile { id, interval_ms, identity });
        }
        self.record_reported_state(beat, now);
    }
}

impl Agent {
    fn set_vitals(&mut self, beat: &Beat<'_>, now: MonoTime) {
        self.interval_ms = beat.interval_ms;
        self.phase = beat.phase;
        self.in_flight = beat.in_flight;
        self.queue = beat.queue.unwrap_or(NO_QUEUE);
        self.lost_observations = beat.lost_observations;
        // Never any progress: it is as old as the emitter.
        let progress_age_ms = beat.progress_age_ms.unwrap_or(beat.uptime_ms);
        self.progress_at = now.minus_millis(progress_age_ms);
        self.oldest_task_at =
            beat.oldest_in_flight_ms.map_or(MonoTime::NEVER_YET, |age_ms| now.minus_millis(age_ms));
        match (&self.step, beat.step) {
            (Some(known), Some(step)) if step.is(known) => {}
            (None, None) => {}
            (_, step) => self.step = step.map(|step| step.scrubbed().into()),
        }
        self.set_process(beat);
    }
}

/// Returns the segment that a message carries, whatever its type.
pub(crate) fn segment_of<'a>(body: &Body<'a>) -> Option<SegmentView<'a>> {
    match body {
        Body::Beat(beat) => beat.segment,
        Body::Goodbye(goodbye) => goodbye.segment,
        Body::ExitReport(report) => report.segment,
        Body::Ack(_) | Body::Push(_) => None,
    }
}
