//! What the collector's answers change.

use heartline_protocol::Header;
use heartline_protocol::body::{Ack, Push};

use super::config::Desired;
use super::moment::Moment;
use super::{Contact, Engine, Heard, IdentityDue, Stage};

impl Engine {
    pub(super) fn on_push(&mut self, push: Push, now: Moment) -> Heard {
        if push.generation == self.applied.generation && self.news_from.is_some() {
            // The collector has not heard yet that this is applied.
            self.pace.at_once(now);
        }
        let desired = Desired { generation: push.generation, killed: push.killed };
        Heard { desired: self.apply(desired, now), durable_segment: None }
    }

    pub(super) fn on_ack(&mut self, header: &Header<'_>, ack: Ack, now: Moment) -> Heard {
        if header.sequence > self.sequence {
            return Heard::default();
        }
        self.last_answer = Some(now);
        self.unanswered_since = None;
        let heard = Heard {
            durable_segment: self.outbox.durable(ack.durable_segment),
            desired: self.apply(Desired { generation: ack.generation, killed: ack.killed }, now),
        };
        // A late or replayed ack must not take us back to an older challenge.
        if header.sequence >= self.answered {
            self.answered = header.sequence;
            if ack.unconfirmed {
                self.on_unconfirmed(header, ack, now);
            } else {
                self.on_confirmed(header, ack, now);
            }
        }
        heard
    }

    fn on_unconfirmed(&mut self, header: &Header<'_>, ack: Ack, now: Moment) {
        let before = std::mem::replace(&mut self.contact, Contact::Unconfirmed);
        if ack.wants_identity {
            self.identity_due = IdentityDue::Asked;
        }
        if self.challenge == header.challenge {
            return;
        }
        self.challenge = header.challenge;
        // An answer that is unconfirmed again waits for the retry that is scheduled already.
        if before != Contact::Unconfirmed {
            self.pace.reset_retries();
            self.pace.at_once(now);
        }
    }

    fn on_confirmed(&mut self, header: &Header<'_>, ack: Ack, now: Moment) {
        self.challenge = header.challenge;
        self.was_confirmed = true;
        self.identity_due = if ack.wants_identity { IdentityDue::Asked } else { IdentityDue::No };
        let was_calm = self.retry().is_none();
        self.contact = Contact::Confirmed;
        if self.news_from.is_some_and(|from| header.sequence >= from) {
            self.news_from = None;
        }
        let calmed = !was_calm && self.retry().is_none();
        match &mut self.stage {
            // Now that it is known it can say goodbye.
            Stage::Closing { from: None, .. } => self.pace.now(now),
            Stage::Closing { from: from @ Some(_), answered, .. } => {
                if *from <= Some(header.sequence) && self.outbox.pending().is_none() {
                    (*from, *answered) = (None, true);
                    self.pace.now(now);
                }
            }
            Stage::Open if calmed => self.pace.calm(),
            Stage::Open | Stage::Closed => {}
        }
    }

    fn apply(&mut self, desired: Desired, now: Moment) -> Option<Desired> {
        if desired.generation <= self.applied.generation {
            return None;
        }
        self.applied = desired;
        self.news(now);
        Some(desired)
    }
}
