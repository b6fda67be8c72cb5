//! Acks: their rate limit, and their delay until the work that they confirm is committed.

use std::collections::VecDeque;

use heartline_protocol::Ack;
use heartline_protocol::challenge::step_ms;
use heartline_vocabulary::AgentRowId;

use crate::agent_table::AgentIndex;
use crate::context::AgentMut;
use crate::fleet::Fleet;
use crate::output::{OutgoingAck, Output};
use crate::rate_limit::Rate;
use crate::return_address::ReturnAddress;
use crate::session::Session;
use crate::time::MonoTime;

/// A message whose ack is still to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PendingAck {
    pub(crate) from: ReturnAddress,
    pub(crate) session: u64,
    pub(crate) sequence: u64,
    pub(crate) interval_ms: u32,
    /// The message proves that two processes speak in its session.
    pub(crate) session_taken: bool,
    pub(crate) len: u16,
}

impl PendingAck {
    /// Returns until when a challenge that was given by now can be echoed.
    pub(crate) fn challenged_until(&self, now: MonoTime) -> MonoTime {
        now.plus_millis(2 * step_ms(self.interval_ms))
    }
}

/// Whether a message was proven fresh and taken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Freshness {
    Live,
    Unconfirmed,
}

/// Answers to one agent: at most 61 in any second, far above what any emitter needs, and low enough
/// that replayed messages can't flood the agent's address. `SPEC.md` allows 64, so that a network
/// which holds some back for a moment does not deliver more.
pub(crate) const ANSWERS: Rate = Rate { period_ms: 34, burst: 32 };

/// Longest wait of an ack for the disk. After that it goes without the new work's confirmation: a
/// slow disk must not keep challenges from agents, or they would all look one-way.
pub(crate) const ACK_DELAY_MAX_MS: u64 = 400;

/// The deadline of one ack that waits for the disk.
#[derive(Clone, Copy, Debug)]
struct DelayedAck {
    until: MonoTime,
    index: AgentIndex,
    id: AgentRowId,
    sequence: u64,
}

/// The deadlines of acks that wait for the disk, earliest first.
#[derive(Debug, Default)]
pub(crate) struct DelayedAcks(VecDeque<DelayedAck>);

impl DelayedAcks {
    fn pop_due(&mut self, now: MonoTime) -> Option<DelayedAck> {
        if self.0.front()?.until > now { None } else { self.0.pop_front() }
    }

    pub(crate) fn next_due(&self) -> MonoTime {
        self.0.front().map_or(MonoTime::NEVER, |ack| ack.until)
    }
}

impl AgentMut<'_> {
    /// Sends an ack now, if the agent has not had too many.
    pub(crate) fn send_ack(&mut self, pending: &PendingAck, freshness: Freshness, now: MonoTime) {
        let unsettled = |it: &mut Session| it.applied > it.durable;
        let counts_pending = self.agent.session_mut(pending.session).is_some_and(unsettled);
        // An unconfirmed ack says nothing of it: what its session has sent may not be counted.
        let is_live = freshness == Freshness::Live;
        let agent = &mut *self.agent;
        if !agent.answers.try_acquire(ANSWERS, now) {
            self.context.counters.answers_withheld += 1;
            return;
        }
        let budget = if is_live { self.budget_left(counts_pending) } else { None };
        let agent = &mut *self.agent;
        let challenged_until = pending.challenged_until(now);
        let session = agent.session_mut(pending.session);
        let (durable_segment, highest_sequence) = session.map_or((0, 0), |session| {
            session.challenged_until = session.challenged_until.max(challenged_until);
            (session.durable, session.window.highest())
        });
        let ack = Ack {
            durable_segment,
            desired: agent.desired_state(self.context.control),
            lifts: agent.desired.as_ref().and_then(|desired| desired.lifts),
            unconfirmed: freshness != Freshness::Live,
            wants_identity: freshness == Freshness::Live && !agent.identity_known,
            session_taken: pending.session_taken,
            highest_sequence,
            budget,
        };
        self.context.outputs.push_back(Output::Ack(OutgoingAck {
            index: self.index,
            to: pending.from,
            session: pending.session,
            sequence: pending.sequence,
            interval_ms: pending.interval_ms,
            message_len: pending.len,
            ack,
        }));
    }

    /// Lets an ack wait for the disk.
    pub(crate) fn delay_ack(&mut self, pending: PendingAck, now: MonoTime) {
        let (id, sequence) = (self.agent.id, pending.sequence);
        // An agent that beats faster than the disk writes must not wait for ever.
        if let Some(earlier) = self.agent.pending_ack.replace(Box::new(pending)) {
            self.send_ack(&earlier, Freshness::Live, now);
        }
        let until = now.plus_millis(ACK_DELAY_MAX_MS);
        let delayed = DelayedAck { until, index: self.index, id, sequence };
        self.context.delayed_acks.0.push_back(delayed);
    }

    /// Sends the ack that waits, if it is the one that `matches` describes.
    pub(crate) fn send_pending_ack(
        &mut self,
        matches: impl FnOnce(&PendingAck) -> bool,
        now: MonoTime,
    ) {
        if let Some(pending) = self.agent.pending_ack.take_if(|pending| matches(pending)) {
            self.send_ack(&pending, Freshness::Live, now);
        }
    }
}

impl Fleet {
    /// Sends the acks that have waited for the disk long enough.
    pub(crate) fn send_delayed_acks(&mut self, now: MonoTime) {
        while let Some(delayed) = self.context.delayed_acks.pop_due(now) {
            // It may have been sent since, or its agent forgotten.
            if let Some(mut agent) = self.agent_mut_if(delayed.index, delayed.id) {
                agent.send_pending_ack(|pending| pending.sequence == delayed.sequence, now);
            }
        }
    }
}
