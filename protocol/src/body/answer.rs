//! What the collector says.

use crate::limits::GENERATION_MAX;
use crate::wire::{ArrayFields, BodyReader, DecodeError, put};

/// The collector's answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ack {
    /// Highest segment of this session that is on disk. Field 0, required.
    pub durable_segment: u64,
    /// Generation of the desired state; 0: none was ever set. Field 1.
    pub generation: u64,
    /// The desired state: true: do not work. Field 2.
    pub killed: bool,
    /// The message answered was not live: send the next one at once. Field 3, bit 0.
    pub unconfirmed: bool,
    /// Send the identity with the next beat. Field 3, bit 1.
    pub wants_identity: bool,
}

/// The collector's unasked word that the desired state has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Push {
    /// Generation of the desired state. Field 0, required.
    pub generation: u64,
    /// The desired state: true: do not work. Field 1, required.
    pub killed: bool,
}

/// Longest body of an ack: so long must a question at least be.
pub const ACK_BODY_MAX: usize = 1 + 9 + 5 + 1 + 1;
impl Ack {
    pub(super) fn read(fields: &mut ArrayFields<'_, '_>) -> Result<Self, DecodeError> {
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
        put::array(out, 4);
        put::uint(out, self.durable_segment);
        put::uint(out, self.generation);
        put::uint(out, u64::from(self.killed));
        put::uint(out, u64::from(self.unconfirmed) | u64::from(self.wants_identity) << 1);
    }
}

impl Push {
    pub(super) fn read(fields: &mut ArrayFields<'_, '_>) -> Result<Self, DecodeError> {
        Ok(Self {
            generation: fields.required(|reader| reader.u64_up_to(GENERATION_MAX))?,
            killed: fields.required(read_desired)?,
        })
    }

    /// Appends the body.
    pub fn write(&self, out: &mut Vec<u8>) {
        put::array(out, 2);
        put::uint(out, self.generation);
        put::uint(out, u64::from(self.killed));
    }
}

/// The desired state: 0 run, 1 killed.
fn read_desired(reader: &mut BodyReader<'_>) -> Result<bool, DecodeError> {
    Ok(reader.u64_up_to(1)? == 1)
}
