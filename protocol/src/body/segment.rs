//! Segments of work.

use crate::bucket::PackedHistogram;
use crate::limits::DATAGRAM_MAX;
use crate::wire::{BodyReader, DecodeError, DecodeResult, write};

pub use crate::limits::COUNT_MAX;

/// Work done since the segment before, to be counted exactly once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SegmentView<'a> {
    /// Number in the session, from 1. Field 0, required.
    pub number: u64,
    /// Tasks that succeeded. Field 1, required.
    pub ok: u64,
    /// Tasks that failed. Field 2, required.
    pub failed: u64,
    /// Cost, in nano-dollars. Field 3.
    pub cost_nano_usd: u64,
    /// Tokens read. Field 4.
    pub tokens_in: u64,
    /// Tokens written. Field 5.
    pub tokens_out: u64,
    /// Latencies, as packed `(bucket, count)` pairs. Field 6.
    pub latency: PackedHistogram<'a>,
}

impl<'a> SegmentView<'a> {
    pub(super) fn read(reader: &mut BodyReader<'a>) -> DecodeResult<Self> {
        reader.array(32, |fields| {
            let number = fields.required(|reader| reader.u64_up_to(COUNT_MAX))?;
            if number == 0 {
                return Err(DecodeError::OutOfRange);
            }
            let mut count = |required: bool| {
                let count = |reader: &mut BodyReader<'a>| reader.u64_up_to(COUNT_MAX);
                if required {
                    fields.required(count)
                } else {
                    Ok(fields.optional(count)?.unwrap_or(0))
                }
            };
            Ok(Self {
                number,
                ok: count(true)?,
                failed: count(true)?,
                cost_nano_usd: count(false)?,
                tokens_in: count(false)?,
                tokens_out: count(false)?,
                latency: fields
                    .optional(|reader| reader.bin(DATAGRAM_MAX))?
                    .map(|bytes| PackedHistogram::new(bytes).map_err(|_| DecodeError::BadHistogram))
                    .transpose()?
                    .unwrap_or_default(),
            })
        })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        write::array(out, 7);
        let counts = [
            self.number,
            self.ok,
            self.failed,
            self.cost_nano_usd,
            self.tokens_in,
            self.tokens_out,
        ];
        for count in counts {
            write::uint(out, count);
        }
        write::bin(out, self.latency.as_bytes());
    }
}
