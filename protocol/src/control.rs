//! Desired states, and the control ids within which their generations compare (`SPEC.md`, "Kill
//! and resume").

use std::fmt;
use std::num::NonZeroU64;

use crate::limits::GENERATION_MAX;
use crate::wire::{ArrayFields, BodyReader, DecodeResult, write};

/// Id of a series of commands, drawn once for a collector's `control.db` and kept in its copies.
/// Generations compare only within one. As text 16 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ControlId(NonZeroU64);

impl ControlId {
    /// Creates an id; `None` for 0, which stands for no id on the wire.
    pub const fn new(id: u64) -> Option<Self> {
        match NonZeroU64::new(id) {
            Some(id) => Some(Self(id)),
            None => None,
        }
    }

    /// Returns the id as a number.
    pub const fn get(self) -> u64 {
        self.0.get()
    }

    /// Parses the text form.
    pub fn parse(text: &str) -> Option<Self> {
        let is_hex = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hex.then(|| u64::from_str_radix(text, 16).ok().and_then(Self::new)).flatten()
    }

    pub(crate) fn read(reader: &mut BodyReader<'_>) -> DecodeResult<Option<Self>> {
        Ok(Self::new(reader.u64()?))
    }

    pub(crate) fn write(id: Option<Self>, out: &mut Vec<u8>) {
        write::uint(out, id.map_or(0, Self::get));
    }
}

impl fmt::Display for ControlId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.get())
    }
}

/// State that an agent is to be in, or has applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DesiredState {
    /// The series that the generation belongs to; `None`: no command is known.
    pub control: Option<ControlId>,
    /// Number of the command that set the state; 0 before the first command.
    pub generation: u64,
    /// True: start no work.
    pub killed: bool,
}

impl DesiredState {
    /// Returns whether this state replaces `other` of the same control id: it is newer, or it is a
    /// kill of the same generation.
    pub fn outranks(&self, other: &Self) -> bool {
        (self.generation, self.killed) > (other.generation, other.killed)
    }

    /// Reads generation, state and control id, each optional.
    pub(crate) fn read(fields: &mut ArrayFields<'_, '_>) -> DecodeResult<Self> {
        let generation = fields.optional(|reader| reader.u64_up_to(GENERATION_MAX))?.unwrap_or(0);
        let killed = fields.optional(read_killed)?.unwrap_or(false);
        let control = fields.optional(ControlId::read)?.flatten();
        Ok(Self { control, generation, killed })
    }

    /// Reads the three fields, of which generation and state must be there.
    pub(crate) fn read_required(fields: &mut ArrayFields<'_, '_>) -> DecodeResult<Self> {
        let generation = fields.required(|reader| reader.u64_up_to(GENERATION_MAX))?;
        let killed = fields.required(read_killed)?;
        let control = fields.optional(ControlId::read)?.flatten();
        Ok(Self { control, generation, killed })
    }

    /// Writes the three fields.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        write::uint(out, self.generation);
        write::uint(out, u64::from(self.killed));
        ControlId::write(self.control, out);
    }
}

/// Reads the state: 0 running, 1 killed.
fn read_killed(reader: &mut BodyReader<'_>) -> DecodeResult<bool> {
    Ok(reader.u64_up_to(1)? == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_ids_are_sixteen_digits() {
        let id = ControlId::new(0xab).unwrap();
        assert_eq!(id.to_string(), "00000000000000ab");
        assert_eq!(ControlId::parse("00000000000000ab"), Some(id));
        for text in ["", "ab", "0000000000000000", "+0000000000000ab", "00000000000000abc"] {
            assert_eq!(ControlId::parse(text), None, "{text}");
        }
    }

    #[test]
    fn of_one_generation_the_kill_wins() {
        let state = |generation, killed| DesiredState { control: None, generation, killed };
        assert!(state(2, false).outranks(&state(1, true)));
        assert!(state(2, true).outranks(&state(2, false)));
        assert!(!state(2, false).outranks(&state(2, true)));
        assert!(!state(2, true).outranks(&state(2, true)));
    }
}
