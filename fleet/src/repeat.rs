//! Answers to sequences that were seen before.
//!
//! Most of these messages are copies: of the network, or of somebody who replays a recording. Two kinds
//! need an answer all the same, and changing nothing, none of them harms:
//!
//! 1. A process that was restored from a memory snapshot, or is a copy of one, goes on with sequences that
//!    the original uses. The answer names the highest of its session, and says when a sequence was used
//!    for two messages: then the process has to begin a session of its own.
//! 2. A message that somebody else delivered first, from another address, to take its answer. Pushes
//!    then go to both addresses.

use std::time::Duration;

use heartline_protocol::Body;

use crate::ack::{ANSWERS, Freshness, PendingAck};
use crate::agent::SessionKind;
use crate::context::AgentMut;
use crate::input::AgentMessage;
use crate::rate_limit::Rate;
use crate::time::MonoTime;
use crate::unproven::{Arrival, RESERVE_FOR_HOME};

/// Answers to repeated messages of one agent.
pub(crate) const REPEATED_ANSWERS: Rate = Rate { period_ms: 1_000, burst: 4 };

/// How long pushes go to the address of a repeated message, too.
const SECOND_ADDRESS_FOR: Duration = Duration::from_secs(60);

impl AgentMut<'_> {
    /// Returns whether a message proves that its session has two processes: its sequence was used for
    /// another message, or it follows the session's goodbye.
    pub(crate) fn is_session_taken(
        &self,
        kind: SessionKind,
        arrival: Arrival,
        message: &AgentMessage<'_>,
    ) -> bool {
        let agent = &*self.agent;
        match (kind, arrival) {
            (SessionKind::Current, Arrival::Newest) => {
                agent.has_said_goodbye() && matches!(message.body, Body::Beat(_))
            }
            (SessionKind::Current, Arrival::Repeated) => {
                message.sequence == agent.session.window.highest()
                    && message.tag_prefix != agent.newest_tag_prefix
            }
            _ => false,
        }
    }

    /// Answers a message whose sequence was seen before, if its session was live and limits allow it.
    pub(crate) fn answer_repeated(
        &mut self,
        kind: SessionKind,
        is_fresh: bool,
        pending: &PendingAck,
        now: MonoTime,
    ) {
        if kind == SessionKind::Unknown {
            return;
        }
        let agent = &mut *self.agent;
        let throttle = agent.throttle.get_or_insert_default();
        if !agent.answers.allows(ANSWERS, RESERVE_FOR_HOME, now)
            || !throttle.repeated_answers.try_acquire(REPEATED_ANSWERS, now)
        {
            self.context.counters.answers_withheld += 1;
            return;
        }
        if is_fresh && kind == SessionKind::Current && !pending.session_taken {
            let until = self.context.clock.observed(now) + SECOND_ADDRESS_FOR;
            throttle.second_address = Some((pending.from, until));
        }
        let freshness = if is_fresh { Freshness::Live } else { Freshness::Unconfirmed };
        self.send_ack(pending, freshness, now);
    }
}
