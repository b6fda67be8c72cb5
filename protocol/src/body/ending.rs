//! How a session ends.

use super::{ACK_BODY_MAX, SegmentView};
use crate::wire::{ArrayFields, BodyReader, DecodeError, put};

/// The last message of a session that ends as it should.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Goodbye<'a> {
    /// Time since the emitter started, in ms. Field 0, required.
    pub uptime_ms: u64,
    /// What is left to count. Field 1.
    pub segment: Option<SegmentView<'a>>,
}

/// A supervisor's word that its process has ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExitReport<'a> {
    /// Time since the emitter started, in ms. Field 0, required.
    pub uptime_ms: u64,
    /// Exit code, if it ended by itself. Field 1.
    pub code: Option<u32>,
    /// Signal number, if one ended it. Field 2.
    pub signal: Option<u32>,
    /// Whether the kernel killed it for want of memory. Field 3.
    pub oom_killed: bool,
    /// What is left to count. Field 4.
    pub segment: Option<SegmentView<'a>>,
}

impl<'a> Goodbye<'a> {
    pub(super) fn read(fields: &mut ArrayFields<'_, 'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            uptime_ms: fields.required(BodyReader::u64)?,
            segment: fields.optional(SegmentView::read)?,
        })
    }

    /// Appends the body, padded so that no answer is longer than its question.
    pub fn write(&self, out: &mut Vec<u8>) {
        let from = out.len();
        put::array(out, PADDED);
        put::wide_uint(out, self.uptime_ms);
        put::optional(out, self.segment, |out, segment| segment.write(out));
        pad(out, from, PADDED - 2);
    }
}

impl<'a> ExitReport<'a> {
    pub(super) fn read(fields: &mut ArrayFields<'_, 'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            uptime_ms: fields.required(BodyReader::u64)?,
            code: fields.optional(BodyReader::u32)?,
            signal: fields.optional(BodyReader::u32)?,
            oom_killed: fields.optional(BodyReader::bool)?.unwrap_or(false),
            segment: fields.optional(SegmentView::read)?,
        })
    }

    /// Appends the body, padded so that no answer is longer than its question.
    pub fn write(&self, out: &mut Vec<u8>) {
        let from = out.len();
        put::array(out, PADDED);
        put::wide_uint(out, self.uptime_ms);
        put::optional(out, self.code.map(u64::from), put::uint);
        put::optional(out, self.signal.map(u64::from), put::uint);
        put::bool(out, self.oom_killed);
        put::optional(out, self.segment, |out, segment| segment.write(out));
        pad(out, from, PADDED - 5);
    }
}

/// Fields of a goodbye or exit report, the nil ones at its end included.
const PADDED: usize = 10;

fn pad(out: &mut Vec<u8>, from: usize, nils: usize) {
    for _ in 0..nils {
        put::nil(out);
    }
    debug_assert!(out.len() - from >= ACK_BODY_MAX);
}
