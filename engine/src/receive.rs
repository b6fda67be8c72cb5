//! Handling of the collector's messages.

use heartline_protocol::body::{Ack, Push};
use heartline_protocol::{Body, Datagram, DatagramError, Direction, Header};

use crate::{ConnectionState, DesiredState, Engine, MonoNanos, ShutdownState};

impl Engine {
    /// Handles a received datagram. Returns the desired state if it is new: it must be stored before
    /// anything more is sent.
    ///
    /// # Errors
    /// [`DatagramError`] when it is not from this agent's collector. Nothing has changed then, and
    /// there is nothing to do but to count it.
    pub fn handle_datagram(
        &mut self,
        bytes: &[u8],
        now: MonoNanos,
    ) -> Result<Option<DesiredState>, DatagramError> {
        let datagram = Datagram::parse(bytes)?.check_direction(Direction::Down)?;
        if datagram.claimed().agent != self.agent.as_str() {
            return Err(DatagramError::BadAgent);
        }
        let verified = datagram.verify(&self.keys.down)?;
        let body = verified.decode()?;
        if verified.header.session != self.session {
            return Ok(None);
        }
        Ok(match body {
            Body::Ack(ack) => self.on_ack(&verified.header, ack, now),
            Body::Push(push) => self.on_push(push, now),
            Body::Beat(_) | Body::Goodbye(_) | Body::ExitReport(_) => {
                return Err(DatagramError::BadKind);
            }
        })
    }

    fn on_push(&mut self, push: Push, now: MonoNanos) -> Option<DesiredState> {
        if push.generation == self.applied.generation && self.unacked_change.is_some() {
            // A repeated push: the beat that reported this generation was lost.
            self.schedule.expedite(now);
        }
        let desired = DesiredState { generation: push.generation, killed: push.killed };
        self.apply(desired, now)
    }

    fn on_ack(&mut self, header: &Header<'_>, ack: Ack, now: MonoNanos) -> Option<DesiredState> {
        if header.sequence > self.last_sent_sequence {
            return None;
        }
        self.last_answer = Some(now);
        self.unanswered_since = None;
        let desired = DesiredState { generation: ack.generation, killed: ack.killed };
        self.segment.acknowledge(ack.durable_segment);
        let new_desired = self.apply(desired, now);
        // A late or replayed ack must not bring back an older challenge.
        if header.sequence >= self.highest_acked_sequence {
            self.highest_acked_sequence = header.sequence;
            if ack.unconfirmed {
                self.on_unconfirmed(header, ack, now);
            } else {
                self.on_confirmed(header, ack, now);
            }
        }
        new_desired
    }

    fn on_unconfirmed(&mut self, header: &Header<'_>, ack: Ack, now: MonoNanos) {
        let before = std::mem::replace(&mut self.connection, ConnectionState::Unconfirmed);
        if ack.wants_identity {
            self.identity_beats = 1;
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
        if self.unacked_change.is_some_and(|from| header.sequence >= from) {
            self.unacked_change = None;
        }
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
            ShutdownState::Open if stops_retrying => self.schedule.stop_retrying(),
            ShutdownState::Open | ShutdownState::Closed => {}
        }
    }

    /// Applies a desired state if it is newer, and returns it then.
    fn apply(&mut self, desired: DesiredState, now: MonoNanos) -> Option<DesiredState> {
        if desired.generation <= self.applied.generation {
            return None;
        }
        self.applied = desired;
        self.notify_change(now);
        Some(desired)
    }
}
