//! Messages of the collector: acks, pushes.

use crate::limits::GENERATION_MAX;
use crate::wire::{ArrayFields, BodyReader, DecodeResult, write};

/// The collector's answer to a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ack {
    /// Highest segment of this session that is on disk. Field 0, required.
    pub durable_segment: u64,
    /// Generation of the desired state; 0 before the first command. Field 1.
    pub generation: u64,
    /// The desired state; true: start no work. Field 2.
    pub killed: bool,
    /// The message was not live: send the next one at once. Field 3, bit 0.
    pub unconfirmed: bool,
    /// Send the identity with the next beat. Field 3, bit 1.
    pub wants_identity: bool,
}

/// Notification that the desired state has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Push {
    /// Generation of the desired state. Field 0, required.
    pub generation: u64,
    /// The desired state; true: start no work. Field 1, required.
    pub killed: bool,
}

/// Longest body of an ack, and so the shortest of the messages that it answers.
pub const ACK_BODY_MAX: usize = 1 + 9 + 5 + 1 + 1;

impl Ack {
    pub(super) fn read(fields: &mut ArrayFields<'_, '_>) -> DecodeResult<Self> {
        let durable_segment = fields.required(BodyReader::u64)?;
        let generation = fields.optional(|reader| reader.u64_up_to(GENERATION_MAX))?.unwrap_or(0);
        let killed = fields.optional(read_desired)?.unwrap_or(false);
        let flags = fields.optional(BodyReader::u64)?.unwrap_or(0);
        Ok(Self {
            durable_segment,
            generation,
            killed,
            unconfirmed: flags & 1 != 0,
            wants_identity: flags & 2 != 0,
        })
    }

    /// Appends the body: at most [`ACK_BODY_MAX`] bytes.
    pub fn write(&self, out: &mut Vec<u8>) {
        write::array(out, 4);
        write::uint(out, self.durable_segment);
        write::uint(out, self.generation);
        write::uint(out, u64::from(self.killed));
        write::uint(out, u64::from(self.unconfirmed) | u64::from(self.wants_identity) << 1);
    }
}

impl Push {
    pub(super) fn read(fields: &mut ArrayFields<'_, '_>) -> DecodeResult<Self> {
        Ok(Self {
            generation: fields.required(|reader| reader.u64_up_to(GENERATION_MAX))?,
            killed: fields.required(read_desired)?,
        })
    }

    /// Appends the body.
    pub fn write(&self, out: &mut Vec<u8>) {
        write::array(out, 2);
        write::uint(out, self.generation);
        write::uint(out, u64::from(self.killed));
    }
}

/// Reads the desired state: 0 running, 1 killed.
fn read_desired(reader: &mut BodyReader<'_>) -> DecodeResult<bool> {
    Ok(reader.u64_up_to(1)? == 1)
}
