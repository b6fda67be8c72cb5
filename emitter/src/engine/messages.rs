//! What goes on the wire.

use std::time::Duration;

use heartline_protocol::envelope::DatagramTooLong;
use heartline_protocol::limits::STEP_MAX;
use heartline_protocol::wire::UntrustedText;
use heartline_protocol::{Beat, DatagramWriter, Goodbye, Header, MessageType, Phase};

use super::identity::fit;
use super::moment::Moment;
use super::workload::Vitals;
use super::{Engine, Stage};

impl Engine {
    pub(super) fn write_beat(
        &mut self,
        now: Moment,
        vitals: &Vitals,
        out: &mut Vec<u8>,
    ) -> Result<(), DatagramTooLong> {
        let with_identity = self.identity_due.take();
        let stopping = matches!(self.stage, Stage::Closing { .. });
        let step = vitals.step.as_deref().map(|step| fit(step, STEP_MAX));
        let mut beat = Beat {
            interval_ms: self.interval_ms,
            uptime_ms: millis(now.since(self.started)),
            phase: if stopping { Phase::Stopping } else { vitals.phase },
            in_flight: vitals.in_flight,
            oldest_in_flight_ms: vitals.oldest_in_flight.map(millis),
            progress_age_ms: vitals.progress_age.map(millis),
            queue: vitals.queue,
            step: step.as_deref().map(UntrustedText::new),
            applied_generation: self.applied.generation,
            lost_observations: vitals.lost_observations,
            segment: self.outbox.view(),
            identity: with_identity.then(|| Box::new(self.identity.view())),
        };
        let sealed = self.seal(MessageType::Beat, out, |body| beat.write(body));
        if sealed.is_ok() || !with_identity {
            return sealed;
        }
        // Both do not fit: the segment rides on the next beat.
        beat.segment = None;
        self.seal(MessageType::Beat, out, |body| beat.write(body))
    }

    pub(super) fn write_goodbye(
        &self,
        now: Moment,
        out: &mut Vec<u8>,
    ) -> Result<(), DatagramTooLong> {
        let uptime_ms = millis(now.since(self.started));
        let goodbye = Goodbye { uptime_ms, segment: self.outbox.view() };
        self.seal(MessageType::Goodbye, out, |body| goodbye.write(body))
    }

    fn seal(
        &self,
        kind: MessageType,
        out: &mut Vec<u8>,
        body: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), DatagramTooLong> {
        let header = Header {
            kind,
            epoch: self.keys.epoch,
            scope_len: self.keys.scope_len,
            agent: &self.agent,
            session: self.session,
            sequence: self.sequence + 1,
            challenge: self.challenge,
        };
        let mut sealer = DatagramWriter::new(out, &header);
        body(sealer.body());
        sealer.seal(&self.keys.up)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
