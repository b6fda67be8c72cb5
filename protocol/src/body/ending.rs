//! Messages at the end of a session.

use super::{ACK_BODY_MAX, SegmentView};
use crate::wire::{ArrayFields, BodyReader, DecodeResult, write};

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
}

impl<'a> Goodbye<'a> {
    pub(super) fn read(fields: &mut ArrayFields<'_, 'a>) -> DecodeResult<Self> {
        Ok(Self {
            uptime_ms: fields.required(BodyReader::u64)?,
            segment: fields.optional(SegmentView::read)?,
        })
    }

    /// Appends the body, padded so that no answer is longer than the message it answers.
    pub fn write(&self, out: &mut Vec<u8>) {
        let from = out.len();
        write::array(out, PADDED);
        write::wide_uint(out, self.uptime_ms);
        write::optional(out, self.segment, |out, segment| segment.write(out));
        pad(out, from, PADDED - 2);
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
        })
    }

    /// Appends the body, padded so that no answer is longer than the message it answers.
    pub fn write(&self, out: &mut Vec<u8>) {
        let from = out.len();
        write::array(out, PADDED);
        write::wide_uint(out, self.uptime_ms);
        write::optional(out, self.code.map(u64::from), write::uint);
        write::optional(out, self.signal.map(u64::from), write::uint);
        write::bool(out, self.oom_killed);
        write::optional(out, self.segment, |out, segment| segment.write(out));
        pad(out, from, PADDED - 5);
    }
}

/// Fields of a goodbye or exit report, with the nils at its end.
const PADDED: usize = 10;

fn pad(out: &mut Vec<u8>, from: usize, nils: usize) {
    for _ in 0..nils {
        write::nil(out);
    }
    debug_assert!(out.len() - from >= ACK_BODY_MAX);
}
