//! One message to one sink, and what became of it.

use std::time::Duration;

use heartline_operator::message::Notice;
use jiff::tz::TimeZone;

/// What is to be sent as one message.
#[derive(Clone, Debug)]
pub struct Delivery<'a> {
    /// One; or several of one incident, the oldest first, where none of them could be sent before the next
    /// one came: the message tells of all of them, and has the id of the last.
    pub notices: &'a [Notice],
    pub form: Form,
    /// An earlier attempt may have arrived.
    pub is_repeat: bool,
    /// History has the notice; otherwise it is lost with the process.
    pub is_stored: bool,
    pub now_ms: i64,
    /// Of the times in the message.
    pub zone: &'a TimeZone,
}

/// How much of a sink's format is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Full,
    /// Text alone, and little of it: for a sink that has refused the full form.
    Plain,
}

/// What became of an attempt to deliver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The sink took it.
    Delivered {
        /// The begin of what it answered. Scrubbed.
        answer: String,
        /// It asks that nothing else is sent before that.
        pause: Option<Duration>,
    },
    /// It is to be tried again, and nothing else is to be sent before `after`.
    Retry { after: Option<Duration>, arrival: Arrival, why: String },
    /// The sink refuses this message.
    MessageRefused { why: String },
    /// The sink refuses every message.
    SinkRefused { why: String, permanence: Permanence },
}

/// Whether a message that is to be sent again may have arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    No,
    /// Nobody said so, nor the contrary.
    Unknown,
}

/// Whether a sink that refuses everything may take something later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permanence {
    /// It may: somebody repairs it.
    UntilRepaired,
    /// It says that it is gone for good.
    Final,
}

impl Outcome {
    /// Returns that a message did not arrive, and is to be tried again.
    pub(crate) fn retry(why: String) -> Self {
        Self::Retry { after: None, arrival: Arrival::No, why }
    }

    /// Returns that a message may have arrived, and is to be tried again.
    pub(crate) fn unknown(why: String) -> Self {
        Self::Retry { after: None, arrival: Arrival::Unknown, why }
    }

    /// Returns why it was not delivered.
    pub fn why(&self) -> Option<&str> {
        match self {
            Self::Delivered { .. } => None,
            Self::Retry { why, .. }
            | Self::MessageRefused { why }
            | Self::SinkRefused { why, .. } => Some(why),
        }
    }
}
