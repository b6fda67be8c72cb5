//! Writing of messages.

use std::time::Duration;

use heartline_protocol::envelope::DatagramTooLong;
use heartline_protocol::wire::UntrustedText;
use heartline_protocol::{Beat, DatagramWriter, ExitReport, Goodbye, Header, MessageType, Phase};

use crate::exit::ProcessExit;
use crate::{BeatVitals, ConnectionState, Engine, MetricsSource, MonoNanos, ShutdownState};

/// First retry of a beat while no answer was ever received.
const RETRY_UNANSWERED: Duration = Duration::from_secs(1);
/// First retry of a beat that was not live (`SPEC.md`, section 5), of a goodbye, or of
/// an exit report.
const RETRY_UNCONFIRMED: Duration = Duration::from_millis(100);
/// First retry of a beat with an urgent change: longer than the collector may take to commit the
/// work in the same beat.
const RETRY_CHANGE: Duration = Duration::from_millis(400);

impl Engine {
    /// Writes the message that is due into `out`; returns whether there was one.
    pub fn poll_transmit(
        &mut self,
        now: MonoNanos,
        metrics: &mut dyn MetricsSource,
        out: &mut Vec<u8>,
    ) -> bool {
        match self.shutdown {
            ShutdownState::Closed => return false,
            ShutdownState::Closing { deadline, .. } if now >= deadline => {
                self.shutdown = ShutdownState::Closed;
                return false;
            }
            _ if now < self.schedule.next_due() => return false,
            _ => {}
        }
        let is_pending = self.segment.fill(metrics);
        if self.is_session_over() {
            // Neither a beat nor a goodbye follows the end of a process without a fault.
            self.schedule.on_sent(now, None);
            if self.shutdown != ShutdownState::Open {
                self.shutdown = ShutdownState::Closed;
            }
            return false;
        }
        let owes_exit_report = self.owes_exit_report();
        let written = match &mut self.shutdown {
            ShutdownState::Closing { acked: true, .. } if !is_pending => {
                self.shutdown = ShutdownState::Closed;
                return false;
            }
            ShutdownState::Closing { first_goodbye, acked, .. } if self.was_confirmed => {
                first_goodbye.get_or_insert(self.last_sent_sequence + 1);
                *acked = false;
                self.write_goodbye(now, out)
            }
            ShutdownState::Open if self.was_confirmed && owes_exit_report => {
                self.exit.record_sent(self.last_sent_sequence + 1);
                self.write_exit_report(now, out)
            }
            // A session that was never live is introduced by a beat, even if it is about to end.
            _ => self.write_beat(now, &metrics.vitals(now), out),
        };
        self.last_sent_sequence += 1;
        self.unanswered_since.get_or_insert(now);
        self.schedule.on_sent(now, self.first_retry());
        written.is_ok()
    }

    /// Returns the first backoff of the next message, if it is not to wait for its interval.
    pub(crate) fn first_retry(&self) -> Option<Duration> {
        match (&self.shutdown, self.connection) {
            (ShutdownState::Closing { .. }, _) | (_, ConnectionState::Unconfirmed) => {
                Some(RETRY_UNCONFIRMED)
            }
            (_, ConnectionState::Unanswered) => Some(RETRY_UNANSWERED),
            (_, ConnectionState::Confirmed) if self.owes_exit_report() => Some(RETRY_UNCONFIRMED),
            (_, ConnectionState::Confirmed) => self.unacked_change.map(|_| RETRY_CHANGE),
        }
    }

    /// Returns whether the next message is an exit report: until it is acknowledged, and as long as
    /// there is work that no beat may bring.
    fn owes_exit_report(&self) -> bool {
        let has_work = self.segment.number().is_some();
        self.exit.is_pending() || (self.exit.is_clean() && has_work)
    }

    fn write_beat(
        &mut self,
        now: MonoNanos,
        vitals: &BeatVitals,
        out: &mut Vec<u8>,
    ) -> Result<(), DatagramTooLong> {
        let with_identity = self.identity_beats > 0;
        self.identity_beats = self.identity_beats.saturating_sub(1);
        let is_closing = matches!(self.shutdown, ShutdownState::Closing { .. });
        let mut beat = Beat {
            interval_ms: self.interval_ms,
            uptime_ms: millis(now.since(self.started)),
            phase: if is_closing { Phase::Stopping } else { vitals.phase },
            in_flight: vitals.in_flight,
            oldest_in_flight_ms: vitals.oldest_in_flight.map(millis),
            progress_age_ms: vitals.progress_age.map(millis),
            queue: vitals.queue,
            step: vitals.step.as_deref().map(UntrustedText::new),
            applied: self.applied.of(self.control),
            blocked_by: self.applied.blocked_by(self.control),
            lost_observations: vitals.lost_observations,
            segment: self.segment.view(),
            identity: with_identity.then(|| Box::new(self.identity.view())),
            stall_after_ms: vitals
                .stall_after
                .map(|after| u32::try_from(after.as_millis()).unwrap_or(u32::MAX))
                .or(self.stall_after_ms),
            process: vitals.process,
        };
        let sealed = self.seal(MessageType::Beat, out, |body| beat.write(body));
        if sealed.is_ok() || !with_identity {
            self.segment.record_carried(self.last_sent_sequence + 1);
            return sealed;
        }
        // There is no room for both: the segment goes with the next beat.
        beat.segment = None;
        self.seal(MessageType::Beat, out, |body| beat.write(body))
    }

    fn write_goodbye(&mut self, now: MonoNanos, out: &mut Vec<u8>) -> Result<(), DatagramTooLong> {
        let uptime_ms = millis(now.since(self.started));
        self.segment.record_carried(self.last_sent_sequence + 1);
        let goodbye = Goodbye { uptime_ms, segment: self.segment.view() };
        self.seal(MessageType::Goodbye, out, |body| goodbye.write(body))
    }

    fn write_exit_report(
        &mut self,
        now: MonoNanos,
        out: &mut Vec<u8>,
    ) -> Result<(), DatagramTooLong> {
        self.segment.record_carried(self.last_sent_sequence + 1);
        let ProcessExit { status, last_lines } = self.exit.report();
        let mut report = ExitReport {
            uptime_ms: millis(now.since(self.started)),
            code: status.code,
            signal: status.signal,
            oom_killed: status.oom_killed,
            segment: self.segment.view(),
            last_lines: last_lines.iter().map(|line| UntrustedText::new(line)).collect(),
        };
        loop {
            let sealed = self.seal(MessageType::ExitReport, out, |body| report.write(body));
            if sealed.is_ok() || report.last_lines.is_empty() {
                return sealed;
            }
            report.last_lines.remove(0);
        }
    }

    fn seal(
        &self,
        kind: MessageType,
        out: &mut Vec<u8>,
        write_body: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), DatagramTooLong> {
        let header = Header {
            kind,
            epoch: self.keys.epoch,
            scope_len: self.keys.scope_len,
            agent: &self.agent,
            session: self.session,
            sequence: self.last_sent_sequence + 1,
            challenge: self.challenge,
        };
        let mut writer = DatagramWriter::new(out, &header);
        write_body(writer.body());
        writer.seal(&self.keys.up)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
