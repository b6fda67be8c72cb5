//! What a message from an agent does.
//!
//! Decision rules, in the order of the code:
//! 1. an unknown agent is registered, if there is room;
//! 2. a sequence seen before in its session does nothing and is not answered;
//! 3. a message that proves nothing fresh is answered with a challenge, and changes no more than
//!    when the agent was last heard;
//! 4. a live message of an unknown session is a new start: it supersedes the current session;
//! 5. a live message of a superseded session counts its work, shows a conflict, and never switches
//!    back;
//! 6. a live message of the current session changes the agent.

use heartline_protocol::challenge::step_ms;
use heartline_protocol::{Ack, Beat, Body, ExitReport, SegmentView};

use crate::agent::{Agent, Ended, NO_QUEUE, Question};
use crate::deferred::{PATIENCE_MS, Waiting};
use crate::fleet::Fleet;
use crate::input::Message;
use crate::output::{Answer, ControlRow, HistoryRow, Output, SessionEnd};
use crate::roster::AgentIndex;
use crate::session::Session;
use crate::state::{Cause, Exit, Standing};
use crate::time::Mono;

/// Which of an agent's sessions a message belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Belongs {
    Current,
    Superseded,
    Unknown,
}

impl Fleet {
    pub(crate) fn on_message(&mut self, message: &Message<'_>, now: Mono) {
        let Some(index) = message.index.or_else(|| self.register(message, now)) else {
            self.counters.over_limit += 1;
            return;
        };
        let Some(agent) = self.roster.get_mut(index) else { return };
        let belongs = if agent.starts > 0 && agent.session.id == message.session {
            Belongs::Current
        } else if agent.session_mut(message.session).is_some() && agent.starts > 0 {
            Belongs::Superseded
        } else {
            Belongs::Unknown
        };
        if belongs != Belongs::Unknown
            && let Some(session) = agent.session_mut(message.session)
            && !session.accept(message.sequence)
        {
            self.counters.replayed += 1;
            return;
        }
        if belongs != Belongs::Superseded {
            agent.heard_at = now;
        }
        let question = Question {
            from: message.from,
            session: message.session,
            sequence: message.sequence,
            len: message.len,
        };
        if !message.fresh {
            self.counters.unconfirmed += 1;
            self.rejudge(index, now, None);
            self.answer(index, question, Proof::Unconfirmed, now);
            return;
        }
        if belongs == Belongs::Unknown && !self.new_session(index, message, now) {
            self.counters.over_limit += 1;
            return;
        }
        self.counters.live += 1;
        let must_wait = self.count_segment(index, message, now);
        if belongs == Belongs::Superseded {
            self.on_superseded(index, message, now);
        } else {
            self.on_current(index, message, belongs, now);
        }
        if must_wait {
            self.defer(index, question, now);
        } else {
            self.answer(index, question, Proof::Live, now);
        }
    }

    fn register(&mut self, message: &Message<'_>, now: Mono) -> Option<AgentIndex> {
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
        let index = self.roster.insert(agent);
        self.summary.enter(Standing::UNKNOWN.state);
        let agent: Box<str> = message.agent.into();
        self.outputs.extend([
            Output::Persist(ControlRow::Registered { id, agent: agent.clone(), at: now }),
            Output::Record(HistoryRow::Registered { id, agent, at: now }),
        ]);
        self.note_changed(index);
        Some(index)
    }

    /// Makes the message's session the current one; `false` when there is no room to remember the
    /// one that it supersedes.
    fn new_session(&mut self, index: AgentIndex, message: &Message<'_>, now: Mono) -> bool {
        let Some(agent) = self.roster.get_mut(index) else { return false };
        let challenge_life_ms = 2 * step_ms(agent.interval_ms);
        if agent.starts > 0 {
            let superseded = agent.superseded.get_or_insert_default();
            if !superseded.has_room(now, challenge_life_ms) {
                return false;
            }
            superseded.push(agent.session);
        }
        let mut session = Session::new(message.session, 0);
        session.accept(message.sequence);
        let old = std::mem::replace(&mut agent.session, session);
        let had_ended = agent.ended.take().is_some();
        agent.starts += 1;
        agent.identity_known = false;
        agent.question = None;
        agent.lost_noted = 0;
        if let Some(desired) = agent.desired.as_mut() {
            // What it did before its first ack came, it did without knowing of the kill.
            desired.last_segment = 2;
        }
        let (id, starts, session) = (agent.id, agent.starts, message.session);
        if starts > 1 && !had_ended {
            self.outputs.push_back(Output::Record(HistoryRow::SessionEnded {
                id,
                session: old.id,
                at: now,
                end: SessionEnd::Superseded,
            }));
        }
        let row = HistoryRow::Session { id, session, at: now, starts };
        self.outputs.push_back(Output::Record(row));
        true
    }

    fn on_superseded(&mut self, index: AgentIndex, message: &Message<'_>, now: Mono) {
        let Some(agent) = self.roster.get_mut(index) else { return };
        let limits = self.limits.get(agent.limits);
        let shown_ms = (f64::from(agent.interval_ms) * limits.late_factor) as u64;
        if let Some(session) = agent.session_mut(message.session) {
            session.last_live = now;
        }
        // A goodbye of the old process is how a replacement should go.
        if matches!(message.body, Body::Beat(_)) {
            agent.conflict_until = now.plus_millis(shown_ms);
        }
        self.rejudge(index, now, None);
    }

    fn on_current(&mut self, index: AgentIndex, message: &Message<'_>, was: Belongs, now: Mono) {
        let Some(agent) = self.roster.get_mut(index) else { return };
        agent.last_live = now;
        agent.silent_from = now;
        agent.session.last_live = now;
        agent.settled = true;
        agent.address = Some(message.from);
        agent.beats = agent.beats.saturating_add(1);
        let told = match &message.body {
            // Reordered behind the goodbye of its own session: that stays said.
            Body::Beat(_) if agent.ended.is_some() => None,
            Body::Beat(beat) => {
                agent.note_vitals(beat, now);
                self.note_identity(index, beat);
                self.note_obedience(index, beat, now);
                (was == Belongs::Unknown).then_some(Cause::NewSession)
            }
            Body::Goodbye(_) => Some(self.on_ended(index, Ended::Shutdown, now)),
            Body::ExitReport(report) => Some(self.on_ended(index, ended_by(report), now)),
            Body::Ack(_) | Body::Push(_) => None,
        };
        self.rejudge(index, now, told);
        self.note_changed(index);
    }

    fn on_ended(&mut self, index: AgentIndex, ended: Ended, now: Mono) -> Cause {
        let (end, cause) = match ended {
            Ended::Shutdown => (SessionEnd::Shutdown, Cause::Goodbye),
            Ended::Crashed(exit) => (SessionEnd::Crashed, Cause::Exited(exit)),
        };
        let Some(agent) = self.roster.get_mut(index) else { return cause };
        if agent.ended.replace(ended) != Some(ended) {
            let (id, session) = (agent.id, agent.session.id);
            agent.in_flight = 0;
            agent.oldest_task_at = Mono::NEVER_YET;
            self.outputs.push_back(Output::Record(HistoryRow::SessionEnded {
                id,
                session,
                at: now,
                end,
            }));
        }
        // A process that has ended works no more: whatever was asked of it, it is quiet.
        let generation = self.roster.get(index).map_or(0, |agent| agent.generation);
        self.note_progress(index, generation, now);
        cause
    }

    fn note_identity(&mut self, index: AgentIndex, beat: &Beat<'_>) {
        let Some(agent) = self.roster.get_mut(index) else { return };
        let mut is_new = agent.session.received <= 1 && agent.identity.is_none();
        if let Some(view) = &beat.identity {
            let identity = self.texts.adopt(view);
            agent.identity_known = true;
            if agent.identity.as_deref() != Some(&identity) {
                agent.identity = Some(Box::new(identity));
                is_new = true;
            }
        }
        if is_new {
            let (id, interval_ms) = (agent.id, agent.interval_ms);
            let identity = agent.identity.clone();
            self.outputs.push_back(Output::Persist(ControlRow::Profile {
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
        question: Question,
        proof: Proof,
        now: Mono,
    ) {
        let Some(agent) = self.roster.get_mut(index) else { return };
        if !agent.allowance.take(now) {
            self.counters.answers_withheld += 1;
            return;
        }
        let durable_segment =
            agent.session_mut(question.session).map_or(0, |session| session.durable);
        let desired = agent.desired.as_deref();
        let ack = Ack {
            durable_segment,
            generation: desired.map_or(0, |desired| desired.generation),
            killed: desired.is_some_and(|desired| desired.killed),
            unconfirmed: proof == Proof::Unconfirmed,
            wants_identity: proof == Proof::Live && !agent.identity_known,
        };
        self.outputs.push_back(Output::Answer(Answer {
            index,
            to: question.from,
            session: question.session,
            sequence: question.sequence,
            interval_ms: agent.interval_ms,
            question_len: question.len,
            ack,
        }));
    }

    fn defer(&mut self, index: AgentIndex, question: Question, now: Mono) {
        let Some(agent) = self.roster.get_mut(index) else { return };
        agent.question = Some(question);
        let (id, sequence) = (agent.id, question.sequence);
        let until = now.plus_millis(PATIENCE_MS);
        self.deferred.push(Waiting { until, index, id, sequence });
    }

    /// Answers those whose patience has ended, without waiting for the disk any longer.
    pub(crate) fn answer_due(&mut self, now: Mono) {
        while let Some(waiting) = self.deferred.pop_due(now) {
            let Some(agent) = self.roster.get_mut(waiting.index) else { continue };
            let is_it = |it: &mut Question| it.sequence == waiting.sequence;
            if agent.id == waiting.id
                && let Some(question) = agent.question.take_if(is_it)
            {
                self.answer(waiting.index, question, Proof::Live, now);
            }
        }
    }
}

/// Whether the message that is answered was proven fresh.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    Live,
    Unconfirmed,
}

impl Agent {
    fn note_vitals(&mut self, beat: &Beat<'_>, now: Mono) {
        self.interval_ms = beat.interval_ms;
        self.phase = beat.phase;
        self.in_flight = beat.in_flight;
        self.queue = beat.queue.unwrap_or(NO_QUEUE);
        // Never any progress: it is as old as the emitter.
        let progress_age_ms = beat.progress_age_ms.unwrap_or(beat.uptime_ms);
        self.progress_at = now.minus_millis(progress_age_ms);
        self.oldest_task_at =
            beat.oldest_in_flight_ms.map_or(Mono::NEVER_YET, |age_ms| now.minus_millis(age_ms));
        match (&self.step, beat.step) {
            (Some(known), Some(step)) if step.is(known) => {}
            (None, None) => {}
            (_, step) => self.step = step.map(|step| step.scrubbed().into()),
        }
    }
}

fn ended_by(report: &ExitReport<'_>) -> Ended {
    let exit = Exit { code: report.code, signal: report.signal, oom_killed: report.oom_killed };
    if exit == (Exit { code: Some(0), ..Exit::default() }) {
        Ended::Shutdown
    } else {
        Ended::Crashed(exit)
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
