//! The everyday message.

use heartline_vocabulary::Phase;

use super::{IdentityView, SegmentView};
use crate::limits::{GENERATION_MAX, INTERVAL_MS, STEP_MAX};
use crate::wire::{ArrayFields, BodyReader, DecodeError, UntrustedText, put};

/// The everyday message: alive, and what was done.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Beat<'a> {
    /// Declared time between beats, in ms; 100 to 3,600,000. Field 0, required.
    pub interval_ms: u32,
    /// Time since the emitter started, in ms. Field 1, required.
    pub uptime_ms: u64,
    /// Field 2.
    pub phase: Phase,
    /// Tasks begun and not ended. Field 3.
    pub in_flight: u32,
    /// Age of the oldest of them, in ms. Field 4.
    pub oldest_in_flight_ms: Option<u64>,
    /// Time since anything was last begun, ended or stepped, in ms; `None`: never. Field 5.
    pub progress_age_ms: Option<u64>,
    /// Length of the agent's backlog, if it reports one. Field 6.
    pub queue: Option<u32>,
    /// Name of the current step, or of what is waited for. Field 7.
    pub step: Option<UntrustedText<'a>>,
    /// Generation of the desired state that this agent has applied; 0: none. Field 8.
    pub applied_generation: u64,
    /// Observations that this session's emitter could not count. Field 9.
    pub lost_observations: u64,
    /// The pending segment of work, if there is one. Field 10.
    pub segment: Option<SegmentView<'a>>,
    /// Who it is: on the first beats of a session and when asked for, so boxed. Field 11.
    pub identity: Option<Box<IdentityView<'a>>>,
}

/// Reads the number of a phase, as `SPEC.md` gives it.
fn phase(reader: &mut BodyReader<'_>) -> Result<Phase, DecodeError> {
    match reader.u64()? {
        0 => Ok(Phase::Starting),
        1 => Ok(Phase::Running),
        2 => Ok(Phase::Waiting),
        3 => Ok(Phase::Stopping),
        _ => Err(DecodeError::OutOfRange),
    }
}

/// Returns the number of a phase, as `SPEC.md` gives it.
const fn phase_number(phase: Phase) -> u64 {
    match phase {
        Phase::Starting => 0,
        Phase::Running => 1,
        Phase::Waiting => 2,
        Phase::Stopping => 3,
    }
}

impl<'a> Beat<'a> {
    #[inline]
    pub(super) fn read(fields: &mut ArrayFields<'_, 'a>) -> Result<Self, DecodeError> {
        let interval_ms = fields.required(BodyReader::u32)?;
        if !INTERVAL_MS.contains(&interval_ms) {
            return Err(DecodeError::OutOfRange);
        }
        Ok(Self {
            interval_ms,
            uptime_ms: fields.required(BodyReader::u64)?,
            phase: fields.optional(phase)?.unwrap_or_default(),
            in_flight: fields.optional(BodyReader::u32)?.unwrap_or(0),
            oldest_in_flight_ms: fields.optional(BodyReader::u64)?,
            progress_age_ms: fields.optional(BodyReader::u64)?,
            queue: fields.optional(BodyReader::u32)?,
            step: fields.optional(|reader| reader.text(STEP_MAX))?,
            applied_generation: fields
                .optional(|reader| reader.u64_up_to(GENERATION_MAX))?
                .unwrap_or(0),
            lost_observations: fields.optional(BodyReader::u64)?.unwrap_or(0),
            segment: fields.optional(SegmentView::read)?,
            identity: fields.optional(IdentityView::read)?.map(Box::new),
        })
    }

    /// Appends the body. `uptime_ms` takes nine bytes whatever its value, so that no answer is
    /// longer than its question.
    pub fn write(&self, out: &mut Vec<u8>) {
        let len = if self.identity.is_some() { 12 } else { 11 };
        put::array(out, len);
        put::uint(out, u64::from(self.interval_ms));
        put::wide_uint(out, self.uptime_ms);
        put::uint(out, phase_number(self.phase));
        put::uint(out, u64::from(self.in_flight));
        put::optional(out, self.oldest_in_flight_ms, put::uint);
        put::optional(out, self.progress_age_ms, put::uint);
        put::optional(out, self.queue.map(u64::from), put::uint);
        put::optional(out, self.step, |out, step| put::text(out, step, STEP_MAX));
        put::uint(out, self.applied_generation);
        put::uint(out, self.lost_observations);
        put::optional(out, self.segment, |out, segment| segment.write(out));
        if let Some(identity) = &self.identity {
            identity.write(out);
        }
    }
}
