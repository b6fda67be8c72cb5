//! Messages of the collector: acks, pushes.

use crate::budget::BudgetLeft;
use crate::control::{ControlId, DesiredState};
use crate::limits::BODY_MIN;
use crate::wire::{ArrayFields, BodyReader, DecodeResult, write};

/// The collector's answer to a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ack {
    /// Highest segment of this session that is on disk. Field 0, required.
    pub durable_segment: u64,
    /// The desired state. Fields 1 to 3.
    pub desired: DesiredState,
    /// The message was not live: send the next one at once. Field 4, bit 0.
    pub unconfirmed: bool,
    /// Send the identity with the next beat. Field 4, bit 1.
    pub wants_identity: bool,
    /// Another process speaks in this session, too. Field 4, bit 2.
    pub session_taken: bool,
    /// Control id whose kill this command lifts. Field 5.
    pub lifts: Option<ControlId>,
    /// Highest sequence of this session that was received; 0: not said. Field 6.
    pub highest_sequence: u64,
    /// What is left of the tightest budget. Fields 7 and 8, and field 4, bit 3.
    pub budget: Option<BudgetLeft>,
}

/// Notification that the desired state has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Push {
    /// The desired state. Fields 0 to 2, of which the first two are required.
    pub desired: DesiredState,
    /// Control id whose kill this command lifts. Field 3.
    pub lifts: Option<ControlId>,
}

/// Longest body of an ack of this version. No ack of any version is longer than the shortest body
/// that it answers, [`BODY_MIN`].
pub const ACK_BODY_MAX: usize = 1 + 9 + 9 + 1 + 9 + 1 + 9 + 9 + 1 + 9;
const _: () = assert!(ACK_BODY_MAX <= BODY_MIN);

impl Ack {
    pub(super) fn read(fields: &mut ArrayFields<'_, '_>) -> DecodeResult<Self> {
        let durable_segment = fields.required(BodyReader::u64)?;
        let desired = DesiredState::read(fields)?;
        let flags = fields.optional(BodyReader::u64)?.unwrap_or(0);
        Ok(Self {
            durable_segment,
            desired,
            unconfirmed: flags & 1 != 0,
            wants_identity: flags & 2 != 0,
            session_taken: flags & 4 != 0,
            lifts: fields.optional(ControlId::read)?.flatten(),
            highest_sequence: fields.optional(BodyReader::u64)?.unwrap_or(0),
            budget: BudgetLeft::read(fields, flags & 8 != 0)?,
        })
    }

    /// Appends the body: at most [`ACK_BODY_MAX`] bytes.
    pub fn write(&self, out: &mut Vec<u8>) {
        write::array(out, if self.budget.is_some() { 9 } else { 7 });
        write::uint(out, self.durable_segment);
        self.desired.write(out);
        let counts_pending = self.budget.is_some_and(|budget| budget.counts_pending);
        let flags = [self.unconfirmed, self.wants_identity, self.session_taken, counts_pending];
        write::uint(out, (0..).zip(flags).map(|(bit, flag)| u64::from(flag) << bit).sum());
        ControlId::write(self.lifts, out);
        write::uint(out, self.highest_sequence);
        if let Some(budget) = self.budget {
            budget.write(out);
        }
    }
}

impl Push {
    pub(super) fn read(fields: &mut ArrayFields<'_, '_>) -> DecodeResult<Self> {
        Ok(Self {
            desired: DesiredState::read_required(fields)?,
            lifts: fields.optional(ControlId::read)?.flatten(),
        })
    }

    /// Appends the body.
    pub fn write(&self, out: &mut Vec<u8>) {
        write::array(out, 4);
        self.desired.write(out);
        ControlId::write(self.lifts, out);
    }
}
