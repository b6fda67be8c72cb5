//! What the messages say (`SPEC.md`, "Bodies"): each body is one array of fields in fixed order,
//! which grows only at its end.

mod answer;
mod beat;
mod ending;
mod identity;
mod segment;

pub use answer::{ACK_BODY_MAX, Ack, Push};
pub use beat::{Beat, Phase};
pub use ending::{ExitReport, Goodbye};
pub use identity::IdentityView;
pub use segment::{COUNT_MAX, SegmentView};

use crate::envelope::{Kind, Refusal, Verified};
use crate::wire::Reader;

/// A decoded message.
#[derive(Clone, Debug, PartialEq)]
pub enum Body<'a> {
    /// [`Kind::Beat`]
    Beat(Beat<'a>),
    /// [`Kind::Goodbye`]
    Goodbye(Goodbye<'a>),
    /// [`Kind::ExitReport`]
    ExitReport(ExitReport<'a>),
    /// [`Kind::Ack`]
    Ack(Ack),
    /// [`Kind::Push`]
    Push(Push),
}

impl<'a> Verified<'a> {
    /// Reads the body.
    ///
    /// # Errors
    /// [`Refusal::BadBody`] with the first fault found.
    pub fn decode(&self) -> Result<Body<'a>, Refusal> {
        let reader = Reader::new(self.body());
        match self.header.kind {
            Kind::Beat => reader.body(Beat::read).map(Body::Beat),
            Kind::Goodbye => reader.body(Goodbye::read).map(Body::Goodbye),
            Kind::ExitReport => reader.body(ExitReport::read).map(Body::ExitReport),
            Kind::Ack => reader.body(Ack::read).map(Body::Ack),
            Kind::Push => reader.body(Push::read).map(Body::Push),
        }
        .map_err(Refusal::BadBody)
    }
}
