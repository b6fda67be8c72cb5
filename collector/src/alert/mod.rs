//! Alerts at the edge: what the core decides, in the words of operators and sinks.

mod message;

pub(crate) use message::notice_message;
