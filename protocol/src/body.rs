//! Bodies of messages (`SPEC.md`, "Bodies"): each is one array of fields in fixed order, which
//! grows only at its end.

mod downward;
mod identity;
mod segment;
mod upward;

pub use downward::{ACK_BODY_MAX, Ack, Push};
pub use identity::IdentityView;
pub use segment::{COUNT_MAX, SegmentView};
pub use upward::{Beat, ExitReport, Goodbye};

use crate::envelope::{DatagramError, MessageType, VerifiedDatagram};
use crate::wire::BodyReader;

/// Decoded body of a message.
#[derive(Clone, Debug, PartialEq)]
pub enum Body<'a> {
    /// [`MessageType::Beat`]
    Beat(Beat<'a>),
    /// [`MessageType::Goodbye`]
    Goodbye(Goodbye<'a>),
    /// [`MessageType::ExitReport`]
    ExitReport(ExitReport<'a>),
    /// [`MessageType::Ack`]
    Ack(Ack),
    /// [`MessageType::Push`]
    Push(Push),
}

impl<'a> VerifiedDatagram<'a> {
    /// Decodes the body.
    ///
    /// # Errors
    /// [`DatagramError::BadBody`] with the first error found.
    pub fn decode(&self) -> Result<Body<'a>, DatagramError> {
        let reader = BodyReader::new(self.body());
        match self.header.kind {
            MessageType::Beat => reader.body(Beat::read).map(Body::Beat),
            MessageType::Goodbye => reader.body(Goodbye::read).map(Body::Goodbye),
            MessageType::ExitReport => reader.body(ExitReport::read).map(Body::ExitReport),
            MessageType::Ack => reader.body(Ack::read).map(Body::Ack),
            MessageType::Push => reader.body(Push::read).map(Body::Push),
        }
        .map_err(DatagramError::BadBody)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::{btree_map, vec};
    use proptest::option;
    use proptest::prelude::*;

    use super::upward::PHASES;
    use super::*;
    use crate::bucket::{self, PackedHistogram};
    use crate::budget::BudgetLeft;
    use crate::control::{ControlId, DesiredState};
    use crate::limits::{BODY_MIN, GENERATION_MAX, INTERVAL_MS, LAST_LINES_MAX};
    use crate::wire::UntrustedText;
    use heartline_vocabulary::BudgetUnit;
    use heartline_vocabulary::text::is_hostile;

    fn desired() -> impl Strategy<Value = DesiredState> {
        (any::<u64>(), 0..=GENERATION_MAX, any::<bool>()).prop_map(|(id, generation, killed)| {
            DesiredState { control: ControlId::new(id), generation, killed }
        })
    }

    /// Beats of numbers alone.
    fn plain() -> impl Strategy<Value = Beat<'static>> {
        let ages = (any::<u64>(), option::of(any::<u64>()), option::of(any::<u64>()));
        let sizes = (any::<u32>(), option::of(any::<u32>()));
        let rest = (prop::sample::select(&PHASES), desired(), any::<u64>(), any::<u64>());
        (INTERVAL_MS, ages, sizes, rest).prop_map(|(interval_ms, ages, sizes, rest)| Beat {
            interval_ms,
            uptime_ms: ages.0,
            phase: rest.0,
            in_flight: sizes.0,
            oldest_in_flight_ms: ages.1,
            progress_age_ms: ages.2,
            queue: sizes.1,
            applied: rest.1,
            blocked_by: ControlId::new(rest.2),
            lost_observations: rest.3,
            ..Beat::default()
        })
    }

    fn packed() -> impl Strategy<Value = Vec<u8>> {
        btree_map(0..bucket::BUCKETS as u16, 1u64..1 << 40, 0..40).prop_map(|pairs| {
            let (mut bytes, mut last) = (Vec::new(), 0);
            for (index, count) in pairs {
                bucket::pack(&mut bytes, index - last, count);
                last = index;
            }
            bytes
        })
    }

    fn written(beat: &Beat<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        beat.write(&mut bytes);
        bytes
    }

    fn read(bytes: &[u8]) -> Beat<'_> {
        BodyReader::new(bytes).body(Beat::read).expect("what is written can be read")
    }

    proptest! {
        #[test]
        fn a_beat_survives_the_wire(
            plain in plain(),
            step in option::of("[ -~äß大🚂]{0,16}"),
            counts in option::of((1..=COUNT_MAX, [const { 0..=COUNT_MAX }; 5], packed())),
            who in option::of((option::of("[ -~大]{0,40}"), option::of(any::<u32>()))),
            labels in btree_map("[!-~]{0,32}", "[ -~]{0,128}", 0..=16),
            depends in vec("[a-z0-9_][a-z0-9._-]{0,62}", 0..=16),
        ) {
            let segment = counts.as_ref().map(|(number, [ok, failed, cost, read, wrote], latency)| {
                SegmentView {
                    number: *number,
                    ok: *ok,
                    failed: *failed,
                    cost_nano_usd: *cost,
                    tokens_in: *read,
                    tokens_out: *wrote,
                    latency: PackedHistogram::new(latency).unwrap(),
                }
            });
            let identity = who.as_ref().map(|(host, pid)| Box::new(IdentityView {
                host: host.as_deref().map(UntrustedText::new),
                pid: *pid,
                labels: (labels.iter())
                    .map(|(key, value)| (UntrustedText::new(key), UntrustedText::new(value)))
                    .collect(),
                depends: depends.iter().map(String::as_str).collect(),
                ..IdentityView::default()
            }));
            let step = step.as_deref().map(UntrustedText::new);
            let beat = Beat { step, segment, identity, ..plain };
            let bytes = written(&beat);
            prop_assert!(bytes.len() >= BODY_MIN);
            prop_assert_eq!(read(&bytes), beat);
        }

        #[test]
        fn any_identity_round_trips(
            step in any::<String>(),
            host in vec(any::<char>(), 0..300),
            labels in vec((vec("[\u{1b}\u{202e}\u{200b}\u{200d}a]", 0..50), any::<String>()), 0..30),
        ) {
            let host = String::from_iter(host);
            let labels: Vec<_> =
                labels.iter().map(|(key, value)| (key.concat(), value.as_str())).collect();
            let identity = IdentityView {
                host: Some(UntrustedText::new(&host)),
                labels: (labels.iter())
                    .map(|(key, value)| (UntrustedText::new(key), UntrustedText::new(value)))
                    .collect(),
                ..IdentityView::default()
            };
            let beat = Beat {
                interval_ms: 30_000,
                step: Some(UntrustedText::new(&step)),
                identity: Some(Box::new(identity)),
                ..Beat::default()
            };
            let bytes = written(&beat);
            let hostile = String::from_utf8_lossy(&bytes).contains('\u{202e}');
            prop_assert!(!hostile, "hostile text was written");
            let back = read(&bytes);
            for (key, value) in &back.identity.as_ref().unwrap().labels {
                prop_assert!(!(key.scrubbed() + &value.scrubbed()).contains(is_hostile));
            }
            prop_assert_eq!(written(&back), bytes);
        }

        #[test]
        fn goodbyes_and_exit_reports_are_at_least_as_long_as_an_ack(
            uptime_ms in any::<u64>(),
            code in option::of(any::<u32>()),
            signal in option::of(any::<u32>()),
            oom_killed in any::<bool>(),
            lines in vec("[a-z ]{0,128}", 0..=LAST_LINES_MAX as usize),
        ) {
            let last_lines = lines.iter().map(|line| UntrustedText::new(line)).collect();
            let report =
                ExitReport { uptime_ms, code, signal, oom_killed, segment: None, last_lines };
            let goodbye = Goodbye { uptime_ms, segment: None };
            let (mut first, mut second) = (Vec::new(), Vec::new());
            report.write(&mut first);
            goodbye.write(&mut second);
            prop_assert!(first.len().min(second.len()) >= BODY_MIN);
            prop_assert_eq!(BodyReader::new(&first).body(ExitReport::read), Ok(report));
            prop_assert_eq!(BodyReader::new(&second).body(Goodbye::read), Ok(goodbye));
        }

        #[test]
        fn an_answer_survives_the_wire(
            durable_segment in any::<u64>(),
            (desired, lifts, highest_sequence) in (desired(), any::<u64>(), any::<u64>()),
            [unconfirmed, wants_identity, session_taken] in any::<[bool; 3]>(),
            budget in option::of((prop::sample::select(&BudgetUnit::ALL), any::<u64>(), any::<bool>())),
        ) {
            let lifts = ControlId::new(lifts);
            let budget = budget
                .map(|(unit, amount, counts_pending)| BudgetLeft { unit, amount, counts_pending });
            let ack = Ack {
                durable_segment,
                desired,
                unconfirmed,
                wants_identity,
                session_taken,
                lifts,
                highest_sequence,
                budget,
            };
            let mut bytes = Vec::new();
            ack.write(&mut bytes);
            prop_assert!(bytes.len() <= ACK_BODY_MAX);
            prop_assert_eq!(BodyReader::new(&bytes).body(Ack::read), Ok(ack));
            let (push, mut bytes) = (Push { desired, lifts }, Vec::new());
            push.write(&mut bytes);
            prop_assert_eq!(BodyReader::new(&bytes).body(Push::read), Ok(push));
        }
    }
}
