//! What a message from an agent does.
//!
//! Decision rules, in the order of the code:
//! 1. an unknown agent is registered, if there is room;
//! 2. a sequence seen before in its session does nothing and is not answered, also where the session
//!    has proven nothing yet;
//! 3. a message that proves nothing fresh is answered with a challenge, and changes no more than
//!    when the agent was last heard;
//! 4. a live message of an unknown session is a new start: it supersedes the current session;
//! 5. a live message of a superseded session counts its work and shows a conflict; it takes over
//!    again only when the current session has not been heard for its late limit (somebody started
//!    a second process by mistake, and ended it);
//! 6. a live message of the current session changes the agent; what overtook it in the network
//!    says more about the agent than it does.

use heartline_protocol::challenge::step_ms;
use heartline_protocol::{Ack, Beat, Body, ExitReport, SegmentView};

use crate::agent::{ANSWERS_PER_SECOND, Agent, NO_QUEUE, PendingAck, ProcessEnd, SessionKind};
use crate::deferred::{DelayedAck, PATIENCE_MS};
use crate::fleet::Fleet;
use crate::input::Message;
use crate::judge::late_after;
use crate::output::{ControlDbRow, HistoryDbRow, OutgoingAck, Output};
use crate::roster::AgentIndex;
use crate::session::Session;
use crate::state::TransitionCause;
use crate::time::MonoTime;
use heartline_vocabulary::SessionEnd;
use heartline_vocabulary::{AgentStatus, ExitStatus};

impl Fleet {
    pub(crate) fn on_message(&mut self, message: &Message<'_>, now: MonoTime) {
        if message.index.is_none() && self.forgotten.is_replay(message) {
            self.counters.replayed += 1;
            return;
        }
        let Some(index) = message.index.or_else(|| self.register(message, now)) else {
            self.counters.over_limit += 1;
            return;
        };
        let Some(agent) = self.roster.get_mut(index) else { return };
        let mut belongs = agent.belongs(message.session);
        let is_new = match belongs {
            SessionKind::Current | SessionKind::Superseded => agent
                .session_mut(message.session)
                .is_none_or(|session| session.accept(message.sequence)),
            SessionKind::Unknown if message.fresh => true,
            SessionKind::Unknown => {
                let strangers = agent.strangers.get_or_insert_default();
                strangers.accept(message.session, message.sequence)
            }
        };
        if !is_new {
            self.counters.replayed += 1;
            return;
        }
        if belongs != SessionKind::Superseded {
            agent.heard_at = self.absences.attended(now);
        }
        let question = PendingAck {
            from: message.from,
            session: message.session,
            sequence: message.sequence,
            // Its challenge follows the interval that it names: another start may have another.
            interval_ms: match &message.body {
                Body::Beat(beat) => beat.interval_ms,
                _ => agent.interval_ms,
            },
            len: message.len,
        };
        if !message.fresh {
            self.counters.unconfirmed += 1;
            if belongs != SessionKind::Superseded && agent.doubted_from <= agent.silent_from {
                agent.doubted_from = agent.heard_at;
            }
            self.catch_up(index, now);
            self.rejudge(index, now, None);
            let proof = match belongs {
                SessionKind::Current | SessionKind::Superseded => Freshness::Unconfirmed,
                SessionKind::Unknown => Freshness::Stranger,
            };
            self.answer(index, question, proof, now);
            return;
        }
        if belongs == SessionKind::Unknown && !self.new_session(index, message, now) {
            self.counters.over_limit += 1;
            return;
        }
        self.counters.live += 1;
        let must_wait = self.count_segment(index, message, now);
        if belongs == SessionKind::Superseded && self.takes_over(index, message, now) {
            belongs = SessionKind::Current;
        }
        if belongs == SessionKind::Superseded {
            self.on_superseded(index, message, now);
        } else {
            self.on_current(index, message, belongs, now);
        }
        if must_wait {
            self.defer(index, question, now);
        } else {
            self.answer(index, question, Freshness::Live, now);
        }
    }

    fn register(&mut self, message: &Message<'_>, now: MonoTime) -> Option<AgentIndex> {
        if let Some(index) = self.roster.find(message.agent) {
            return Some(index);
        }
        if self.roster.is_full() {
            return None;
        }
        let (id, limits) = (self.take_id(), self.limits.number_of(message.agent));
        let mut agent = Agent::new(message.agent, id, limits, Session::new(0, 0), now);
        if let Body::Beat(beat) = &message.body {
            agent.interval_ms = beat.interval_ms;
        }
        agent.superseded = self.forgotten.take(message.agent);
        agent.generation = self.forgotten.generation;
        agent.silent_from = self.absences.attended(now);
        let index = self.roster.insert(agent);
        self.summary.add(AgentStatus::UNKNOWN.state);
        let agent: Box<str> = message.agent.into();
        self.outputs.extend([
            Output::Persist(ControlDbRow::Registered { id, agent: agent.clone(), at: now }),
            Output::Record(HistoryDbRow::Registered { id, agent, at: now }),
        ]);
        self.note_changed(index);
        Some(index)
    }

    /// Makes the message's session the current one; `false` when there is no room to remember the
    /// one that it supersedes.
    fn new_session(&mut self, index: AgentIndex, message: &Message<'_>, now: MonoTime) -> bool {
        let Some(agent) = self.roster.get_mut(index) else { return false };
        if agent.starts > 0 {
            let superseded = agent.superseded.get_or_insert_default();
            if !superseded.has_room(now) {
                return false;
            }
            superseded.push(agent.session);
        }
        let mut session = Session::new(message.session, 0);
        session.accept(message.sequence);
        let before = std::mem::replace(&mut agent.session, session).id;
        self.note_session(index, before, now);
        true
    }

    /// Another session has become the agent's current one.
    fn note_session(&mut self, index: AgentIndex, before: u64, at: MonoTime) {
        let Some(agent) = self.roster.get_mut(index) else { return };
        let had_ended = agent.ended.take().is_some();
        agent.starts += 1;
        agent.identity_known = false;
        agent.strangers = None;
        agent.question = None;
        agent.lost_noted = u32::try_from(agent.session.lost()).unwrap_or(u32::MAX);
        if let Some(desired) = agent.desired.as_mut() {
            // What it does before its first ack comes, it does without knowing of the kill.
            desired.last_segment = u64::MAX;
        }
        let (id, starts, session) = (agent.id, agent.starts, agent.session.id);
        if starts > 1 && !had_ended {
            let end = SessionEnd::Superseded;
            let row = HistoryDbRow::SessionEnded { id, session: before, at, end };
            self.outputs.push_back(Output::Record(row));
        }
        self.outputs.push_back(Output::Record(HistoryDbRow::Session { id, session, at, starts }));
    }

    /// Makes the message's session, which was superseded, the current one again, if the current one
    /// has not been heard for its late limit.
    fn takes_over(&mut self, index: AgentIndex, message: &Message<'_>, now: MonoTime) -> bool {
        let Some(agent) = self.roster.get_mut(index) else { return false };
        // One that was forgotten and comes back has no current session.
        let is_free = agent.starts == 0;
        if !is_free {
            let Body::Beat(beat) = &message.body else { return false };
            // A session that has ended, perhaps before it ever beat, has no interval any more.
            let ended = agent.ended.as_ref().map(|_| beat.interval_ms);
            let limits = self.limits.get(agent.limits);
            let limit = late_after(ended.unwrap_or(agent.interval_ms), limits);
            if self.absences.attended(now) < agent.silent_from + limit {
                return false;
            }
        }
        let Some(superseded) = agent.superseded.as_mut() else { return false };
        // What was overtaken does not say that its process still runs.
        let is_news = |session: &Session| message.sequence > session.told;
        if !superseded.get(message.session).is_some_and(is_news) {
            return false;
        }
        let Some(again) = superseded.take(message.session) else { return false };
        let before = std::mem::replace(&mut agent.session, again);
        if !is_free {
            superseded.push(before);
        }
        self.note_session(index, before.id, now);
        true
    }

    fn on_superseded(&mut self, index: AgentIndex, message: &Message<'_>, now: MonoTime) {
        let Some(agent) = self.roster.get_mut(index) else { return };
        // A goodbye of the old process is how a replacement should go.
        if let Body::Beat(beat) = &message.body {
            let shown_for = late_after(beat.interval_ms, self.limits.get(agent.limits));
            let shown_until = self.absences.attended(now) + shown_for;
            agent.conflict_until = agent.conflict_until.max(shown_until);
        }
        if let Some(session) = agent.session_mut(message.session) {
            session.told = session.told.max(message.sequence);
        }
        self.catch_up(index, now);
        self.rejudge(index, now, None);
        // Its work counts.
        self.note_changed(index);
    }

    fn on_current(
        &mut self,
        index: AgentIndex,
        message: &Message<'_>,
        was: SessionKind,
        now: MonoTime,
    ) {
        let Some(agent) = self.roster.get_mut(index) else { return };
        agent.silent_from = self.absences.attended(now);
        agent.settled = true;
        agent.beats = agent.beats.saturating_add(1);
        let is_news = message.sequence > agent.session.told;
        if is_news {
            agent.session.told = message.sequence;
            agent.last_live = now;
            agent.address = Some(message.from.into());
        }
        let told = match &message.body {
            Body::Beat(_) if !is_news => None,
            // Reordered behind the goodbye of its own session: that stays said.
            Body::Beat(_) if agent.ended.is_some() => None,
            Body::Beat(beat) => {
                let interval_before_ms = agent.interval_ms;
                agent.note_vitals(beat, now);
                let is_first = agent.starts == 1 && agent.session.received == 1;
                let is_new = is_first || agent.interval_ms != interval_before_ms;
                self.note_profile(index, beat, is_new);
                self.note_obedience(index, beat, now);
                (was == SessionKind::Unknown).then_some(TransitionCause::NewSession)
            }
            Body::Goodbye(_) => Some(self.on_ended(index, ProcessEnd::Shutdown, now)),
            Body::ExitReport(report) => Some(self.on_ended(index, ended_by(report), now)),
            Body::Ack(_) | Body::Push(_) => None,
        };
        self.rejudge(index, now, told);
        self.note_changed(index);
    }

    fn on_ended(&mut self, index: AgentIndex, ended: ProcessEnd, now: MonoTime) -> TransitionCause {
        let (end, cause) = match ended {
            ProcessEnd::Shutdown => (SessionEnd::Shutdown, TransitionCause::Goodbye),
            ProcessEnd::Crashed(exit) => (SessionEnd::Crashed, TransitionCause::Exited(exit)),
        };
        let Some(agent) = self.roster.get_mut(index) else { return cause };
        if agent.ended.replace(Box::new(ended)).as_deref() != Some(&ended) {
            let (id, session) = (agent.id, agent.session.id);
            agent.in_flight = 0;
            agent.oldest_task_at = MonoTime::NEVER_YET;
            self.outputs.push_back(Output::Record(HistoryDbRow::SessionEnded {
                id,
                session,
                at: now,
                end,
            }));
        }
        // A process that has ended works no more: whatever was asked of it, it is quiet.
        self.note_progress(index, now);
        cause
    }

    /// Keeps the agent's interval and identity in the database as they are here.
    fn note_profile(&mut self, index: AgentIndex, beat: &Beat<'_>, mut is_new: bool) {
        let Some(agent) = self.roster.get_mut(index) else { return };
        if let Some(view) = &beat.identity {
            let identity = self.identities.adopt(view);
            agent.identity_known = true;
            if agent.identity.as_ref() != Some(&identity) {
                agent.identity = Some(identity);
                is_new = true;
            }
        }
        if is_new {
            let (id, interval_ms) = (agent.id, agent.interval_ms);
            let identity = agent.identity.clone();
            self.outputs.push_back(Output::Persist(ControlDbRow::Profile {
                id,
                interval_ms,
                identity,
            }));
        }
    }

    /// Answers now, if the agent has not had too many answers in this second.
    pub(crate) fn answer(
        &mut self,
        index: AgentIndex,
        question: PendingAck,
        proof: Freshness,
        now: MonoTime,
    ) {
        let Some(agent) = self.roster.get_mut(index) else { return };
        let most = match proof {
            Freshness::Live | Freshness::Unconfirmed => ANSWERS_PER_SECOND,
            Freshness::Stranger => ANSWERS_PER_SECOND / 2,
        };
        if !agent.allowance.take(now, most) {
            self.counters.answers_withheld += 1;
            return;
        }
        let challenged_until = now.plus_millis(2 * step_ms(question.interval_ms));
        let durable_segment = agent.session_mut(question.session).map_or(0, |session| {
            session.challenged_until = session.challenged_until.max(challenged_until);
            session.durable
        });
        let desired = agent.desired.as_deref();
        let ack = Ack {
            durable_segment,
            generation: desired.map_or(0, |desired| desired.generation),
            killed: desired.is_some_and(|desired| desired.killed),
            unconfirmed: proof != Freshness::Live,
            wants_identity: proof == Freshness::Live && !agent.identity_known,
        };
        self.outputs.push_back(Output::Answer(OutgoingAck {
            index,
            to: question.from,
            session: question.session,
            sequence: question.sequence,
            interval_ms: question.interval_ms,
            question_len: question.len,
            ack,
        }));
    }

    fn defer(&mut self, index: AgentIndex, question: PendingAck, now: MonoTime) {
        let Some(agent) = self.roster.get_mut(index) else { return };
        let (id, sequence) = (agent.id, question.sequence);
        // One that beats faster than the disk writes is not to wait for ever.
        if let Some(earlier) = agent.question.replace(Box::new(question)) {
            self.answer(index, *earlier, Freshness::Live, now);
        }
        let until = now.plus_millis(PATIENCE_MS);
        self.deferred.push(DelayedAck { until, index, id, sequence });
    }

    /// Answers those whose patience has ended, without waiting for the disk any longer.
    pub(crate) fn answer_due(&mut self, now: MonoTime) {
        while let Some(waiting) = self.deferred.pop_due(now) {
            let Some(agent) = self.roster.get_mut(waiting.index) else { continue };
            let is_it = |it: &mut Box<PendingAck>| it.sequence == waiting.sequence;
            if agent.id == waiting.id
                && let Some(question) = agent.question.take_if(is_it)
            {
                self.answer(waiting.index, *question, Freshness::Live, now);
            }
        }
    }
}

/// Whether the message that is answered was proven fresh.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Freshness {
    Live,
    Unconfirmed,
    /// Not proven, and of a session that was never live here. Somebody may have recorded many of
    /// them, so these are not let to use up the answers of the others.
    Stranger,
}

impl Agent {
    fn note_vitals(&mut self, beat: &Beat<'_>, now: MonoTime) {
        self.interval_ms = beat.interval_ms;
        self.phase = beat.phase;
        self.in_flight = beat.in_flight;
        self.queue = beat.queue.unwrap_or(NO_QUEUE);
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
    }
}

fn ended_by(report: &ExitReport<'_>) -> ProcessEnd {
    let exit =
        ExitStatus { code: report.code, signal: report.signal, oom_killed: report.oom_killed };
    if exit == (ExitStatus { code: Some(0), ..ExitStatus::default() }) {
        ProcessEnd::Shutdown
    } else {
        ProcessEnd::Crashed(exit)
    }
}

/// The segment that a message carries, whatever its kind.
pub(crate) fn segment_of<'a>(body: &Body<'a>) -> Option<SegmentView<'a>> {
    match body {
        Body::Beat(beat) => beat.segment,
        Body::Goodbye(goodbye) => goodbye.segment,
        Body::ExitReport(report) => report.segment,
        Body::Ack(_) | Body::Push(_) => None,
    }
}
