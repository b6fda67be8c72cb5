//! Handling of the collector's messages.

use heartline_protocol::body::{Ack, Push};
use heartline_protocol::{
    Body, ControlId, Datagram, DatagramError, DesiredState, Direction, Header,
};

use crate::{ConnectionState, Engine, MonoNanos, ShutdownState, SpendingLimit};

impl Engine {
    /// Handles a received datagram. Returns whether the applied states changed: they must be stored
    /// before anything more is sent.
    ///
    /// # Errors
    /// [`DatagramError`] when it is not from this agent's collector. Nothing has changed then, and
    /// there is nothing to do but to count it.
    pub fn handle_datagram(&mut self, bytes: &[u8], now: MonoNanos) -> Result<bool, DatagramError> {
        let datagram = Datagram::parse(bytes)?.check_direction(Direction::Down)?;
        if datagram.claimed().agent != self.agent.as_str() {
            return Err(DatagramError::BadAgent);
        }
        let verified = datagram.verify(&self.keys.down)?;
        let body = verified.decode()?;
        if verified.header.session != self.session {
            return Ok(false);
        }
        Ok(match body {
            Body::Ack(ack) => self.on_ack(&verified.header, ack, now),
            Body::Push(push) => self.on_push(push, now),
            Body::Beat(_) | Body::Goodbye(_) | Body::ExitReport(_) => {
                return Err(DatagramError::BadKind);
            }
        })
    }

    fn on_push(&mut self, push: Push, now: MonoNanos) -> bool {
        if self.applied.of(push.desired.control) == push.desired && self.unacked_change.is_some() {
            // A repeated push: the beat that reported this state was lost.
            self.schedule.expedite(now);
        }
        self.apply(push.desired, push.lifts, now)
    }

    fn on_ack(&mut self, header: &Header<'_>, ack: Ack, now: MonoNanos) -> bool {
        if header.sequence > self.last_sent_sequence {
            return false;
        }
        self.last_answer = Some(now);
        self.unanswered_since = None;
        if ack.session_taken || ack.highest_sequence > self.last_sent_sequence {
            // Another process has this session: it is of no more use to this one.
            self.is_session_taken = true;
            return self.apply(ack.desired, ack.lifts, now);
        }
        if !ack.unconfirmed {
            self.highest_live_sequence = self.highest_live_sequence.max(header.sequence);
        }
        self.segment.acknowledge(ack.durable_segment);
        let has_changed = self.apply(ack.desired, ack.lifts, now);
        // A late or replayed ack must not bring back an older challenge, nor the control id of before.
        if header.sequence >= self.highest_acked_sequence {
            self.highest_acked_sequence = header.sequence;
            self.control = ack.desired.control.or(self.control);
            if ack.unconfirmed {
                self.on_unconfirmed(header, ack, now);
            } else {
                self.on_confirmed(header, ack, now);
            }
        }
        has_changed
    }

    fn on_unconfirmed(&mut self, header: &Header<'_>, ack: Ack, now: MonoNanos) {
        let before = std::mem::replace(&mut self.connection, ConnectionState::Unconfirmed);
        if ack.wants_identity {
            // It takes nothing from the first beats, which carry it anyway.
            self.identity_beats = self.identity_beats.max(1);
        }
        if self.challenge == header.challenge {
            return;
        }
        self.challenge = header.challenge;
        // A second unconfirmed answer in a row waits for the retry already scheduled.
        if before != ConnectionState::Unconfirmed {
            self.schedule.retry_early(now);
        }
    }

    fn on_confirmed(&mut self, header: &Header<'_>, ack: Ack, now: MonoNanos) {
        self.challenge = header.challenge;
        self.was_confirmed = true;
        self.identity_beats = u32::from(ack.wants_identity);
        let was_retrying = self.first_retry().is_some();
        self.connection = ConnectionState::Confirmed;
        self.adopt_budget(&ack);
        if self.unacked_change.is_some_and(|from| header.sequence >= from) {
            self.unacked_change = None;
        }
        self.exit.acknowledge(header.sequence);
        let stops_retrying = was_retrying && self.first_retry().is_none();
        match &mut self.shutdown {
            // The session is confirmed, so the goodbye may follow.
            ShutdownState::Closing { first_goodbye: None, .. } => self.schedule.send_now(now),
            ShutdownState::Closing { first_goodbye, acked, .. } => {
                if *first_goodbye <= Some(header.sequence) && self.segment.number().is_none() {
                    (*first_goodbye, *acked) = (None, true);
                    self.schedule.send_now(now);
                }
            }
            // The session is confirmed, so the exit report may follow.
            ShutdownState::Open if self.exit.is_unsent() => self.schedule.send_now(now),
            ShutdownState::Open if stops_retrying => self.schedule.stop_retrying(),
            ShutdownState::Open | ShutdownState::Closed => {}
        }
    }

    /// Adopts what is left of the budget (section 12.1, rule 2).
    fn adopt_budget(&mut self, ack: &Ack) {
        let Some(budget) = ack.budget else {
            self.spending_limit = None;
            return;
        };
        let counted = ack.durable_segment.saturating_add(u64::from(budget.counts_pending));
        if let Some(taken) = self.segment.taken_up_to(counted) {
            let total = budget.unit.of(&taken).saturating_add(budget.amount);
            self.spending_limit = Some(SpendingLimit { unit: budget.unit, total });
        }
    }

    /// Applies a desired state if it is newer; returns whether it was.
    fn apply(&mut self, state: DesiredState, lifts: Option<ControlId>, now: MonoNanos) -> bool {
        let lifts = lifts.filter(|control| !self.other_controls.contains(control));
        let has_changed = self.applied.apply(state, lifts);
        if has_changed {
            self.notify_change(now);
        }
        has_changed
    }
}
