//! Messages to the collector: beats, goodbyes, exit reports.

use heartline_vocabulary::{Phase, ProcessUsage};

use super::{IdentityView, SegmentView};
use crate::control::{ControlId, DesiredState};
use crate::limits::{INTERVAL_MS, LAST_LINES_MAX, PROCESS_FIELDS_MAX, STEP_MAX, TEXT_MAX};
use crate::wire::{ArrayFields, BodyReader, DecodeError, DecodeResult, UntrustedText, write};

/// Heartbeat: vitals, and work not durable yet.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Beat<'a> {
    /// Declared time between beats, in ms; 100 to 3,600,000. Field 0, required.
    pub interval_ms: u32,
    /// Time since the emitter started, in ms. Field 1, required.
    pub uptime_ms: u64,
    /// Phase of the agent's work. Field 2.
    pub phase: Phase,
    /// Tasks begun and not ended. Field 3.
    pub in_flight: u32,
    /// Time for which the task in flight that has been quiet for longest has been so: since it began, or
    /// took its last step, in ms. Field 4.
    pub oldest_in_flight_ms: Option<u64>,
    /// Time since a task last began or ended, or a step was taken, in ms; `None`: never. Field 5.
    pub progress_age_ms: Option<u64>,
    /// Length of the agent's backlog. Field 6.
    pub queue: Option<u32>,
    /// Name of the current step, or of what is waited for. Field 7.
    pub step: Option<UntrustedText<'a>>,
    /// The desired state of the receiver's control id, as far as it is known, that the agent has
    /// applied. Fields 8 to 10.
    pub applied: DesiredState,
    /// Another control id whose kill keeps the agent from work. Field 11.
    pub blocked_by: Option<ControlId>,
    /// Observations of this session that could not be counted. Field 12.
    pub lost_observations: u64,
    /// The pending segment of work. Field 13.
    pub segment: Option<SegmentView<'a>>,
    /// The agent's identity; boxed, because only the first beats of a session have one. Field 14.
    pub identity: Option<Box<IdentityView<'a>>>,
    /// Time without progress after which the agent counts as stalled, in ms, in place of the
    /// collector's own. Field 15.
    pub stall_after_ms: Option<u32>,
    /// What a supervisor sees of the process. Field 16.
    pub process: Option<ProcessUsage>,
}

pub(super) const PHASES: [Phase; 4] =
    [Phase::Starting, Phase::Running, Phase::Waiting, Phase::Stopping];

/// Reads the number of a phase.
fn read_phase(reader: &mut BodyReader<'_>) -> DecodeResult<Phase> {
    let number = reader.u64()?;
    PHASES.into_iter().find(|&phase| phase_number(phase) == number).ok_or(DecodeError::OutOfRange)
}

/// Returns the number of a phase (`SPEC.md`, section 7.1).
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
    pub(super) fn read(fields: &mut ArrayFields<'_, 'a>) -> DecodeResult<Self> {
        let interval_ms = fields.required(BodyReader::u32)?;
        if !INTERVAL_MS.contains(&interval_ms) {
            return Err(DecodeError::OutOfRange);
        }
        Ok(Self {
            interval_ms,
            uptime_ms: fields.required(BodyReader::u64)?,
            phase: fields.optional(read_phase)?.unwrap_or_default(),
            in_flight: fields.optional(BodyReader::u32)?.unwrap_or(0),
            oldest_in_flight_ms: fields.optional(BodyReader::u64)?,
            progress_age_ms: fields.optional(BodyReader::u64)?,
            queue: fields.optional(BodyReader::u32)?,
            step: fields.optional(|reader| reader.text(STEP_MAX))?,
            applied: DesiredState::read(fields)?,
            blocked_by: fields.optional(ControlId::read)?.flatten(),
            lost_observations: fields.optional(BodyReader::u64)?.unwrap_or(0),
            segment: fields.optional(SegmentView::read)?,
            identity: fields.optional(IdentityView::read)?.map(Box::new),
            stall_after_ms: fields.optional(BodyReader::u32)?.filter(|&after_ms| after_ms > 0),
            process: fields.optional(read_process)?,
        })
    }

    /// Appends the body, padded.
    pub fn write(&self, out: &mut Vec<u8>) {
        write::padded_array(out, self.field_count(), |out| self.write_fields(out));
    }

    /// Returns the number of fields up to the last one that is given.
    fn field_count(&self) -> usize {
        match self {
            Self { process: Some(_), .. } => 17,
            Self { stall_after_ms: Some(_), .. } => 16,
            Self { identity: Some(_), .. } => 15,
            _ => 14,
        }
    }

    fn write_fields(&self, out: &mut Vec<u8>) {
        write::uint(out, u64::from(self.interval_ms));
        write::uint(out, self.uptime_ms);
        write::uint(out, phase_number(self.phase));
        write::uint(out, u64::from(self.in_flight));
        write::optional(out, self.oldest_in_flight_ms, write::uint);
        write::optional(out, self.progress_age_ms, write::uint);
        write::optional(out, self.queue.map(u64::from), write::uint);
        write::optional(out, self.step, |out, step| write::text(out, step, STEP_MAX));
        self.applied.write(out);
        ControlId::write(self.blocked_by, out);
        write::uint(out, self.lost_observations);
        write::optional(out, self.segment, |out, segment| segment.write(out));
        let count = self.field_count();
        if count > 14 {
            write::optional(out, self.identity.as_ref(), |out, identity| identity.write(out));
        }
        if count > 15 {
            write::optional(out, self.stall_after_ms.map(u64::from), write::uint);
        }
        if let Some(process) = &self.process {
            write_process(process, out);
        }
    }
}

/// Reads field 16 of a beat.
fn read_process(reader: &mut BodyReader<'_>) -> DecodeResult<ProcessUsage> {
    reader.array(PROCESS_FIELDS_MAX, |fields| {
        Ok(ProcessUsage {
            cpu_permille: fields.required(BodyReader::u32)?,
            memory_bytes: fields.required(BodyReader::u64)?,
            emitter_silent_ms: fields.optional(BodyReader::u64)?,
        })
    })
}

fn write_process(process: &ProcessUsage, out: &mut Vec<u8>) {
    write::array(out, 3);
    write::uint(out, u64::from(process.cpu_permille));
    write::uint(out, process.memory_bytes);
    write::optional(out, process.emitter_silent_ms, write::uint);
}

/// Last message of a session that ends in an orderly way.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Goodbye<'a> {
    /// Time since the emitter started, in ms. Field 0, required.
    pub uptime_ms: u64,
    /// Work not durable yet. Field 1.
    pub segment: Option<SegmentView<'a>>,
}

/// A supervisor's report that its process has ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExitReport<'a> {
    /// Time since the emitter started, in ms. Field 0, required.
    pub uptime_ms: u64,
    /// Exit code, if the process exited. Field 1.
    pub code: Option<u32>,
    /// Signal that ended the process. Field 2.
    pub signal: Option<u32>,
    /// Killed by the kernel's OOM killer. Field 3.
    pub oom_killed: bool,
    /// Work not durable yet. Field 4.
    pub segment: Option<SegmentView<'a>>,
    /// The last lines that the process wrote to its standard error, oldest first; at most
    /// [`LAST_LINES_MAX`]. Field 5.
    pub last_lines: Vec<UntrustedText<'a>>,
}

impl<'a> Goodbye<'a> {
    pub(super) fn read(fields: &mut ArrayFields<'_, 'a>) -> DecodeResult<Self> {
        Ok(Self {
            uptime_ms: fields.required(BodyReader::u64)?,
            segment: fields.optional(SegmentView::read)?,
        })
    }

    /// Appends the body, padded.
    pub fn write(&self, out: &mut Vec<u8>) {
        write::padded_array(out, 2, |out| {
            write::uint(out, self.uptime_ms);
            write::optional(out, self.segment, |out, segment| segment.write(out));
        });
    }
}

impl<'a> ExitReport<'a> {
    pub(super) fn read(fields: &mut ArrayFields<'_, 'a>) -> DecodeResult<Self> {
        Ok(Self {
            uptime_ms: fields.required(BodyReader::u64)?,
            code: fields.optional(BodyReader::u32)?,
            signal: fields.optional(BodyReader::u32)?,
            oom_killed: fields.optional(BodyReader::bool)?.unwrap_or(false),
            segment: fields.optional(SegmentView::read)?,
            last_lines: fields.optional(read_lines)?.unwrap_or_default(),
        })
    }

    /// Appends the body, padded.
    pub fn write(&self, out: &mut Vec<u8>) {
        write::padded_array(out, if self.last_lines.is_empty() { 5 } else { 6 }, |out| {
            write::uint(out, self.uptime_ms);
            write::optional(out, self.code.map(u64::from), write::uint);
            write::optional(out, self.signal.map(u64::from), write::uint);
            write::bool(out, self.oom_killed);
            write::optional(out, self.segment, |out, segment| segment.write(out));
            if !self.last_lines.is_empty() {
                let lines = &self.last_lines[..self.last_lines.len().min(LAST_LINES_MAX as usize)];
                write::array(out, lines.len());
                for &line in lines {
                    write::text(out, line, TEXT_MAX);
                }
            }
        });
    }
}

/// Reads field 5 of an exit report.
fn read_lines<'a>(reader: &mut BodyReader<'a>) -> DecodeResult<Vec<UntrustedText<'a>>> {
    reader.array(LAST_LINES_MAX, |fields| {
        let mut lines = Vec::new();
        while fields.left() > 0 {
            lines.push(fields.required(|reader| reader.text(TEXT_MAX))?);
        }
        Ok(lines)
    })
}
