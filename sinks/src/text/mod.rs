//! The words of messages: made once, cut for each format from the same lines.

mod clean;
mod fit;
mod lines;
mod message;
mod title;
mod when;
mod words;

pub(crate) use clean::{clean, clean_to, cut};
pub(crate) use fit::{TextFormat, utf16, verbatim};
pub(crate) use message::{Message, Tone, incident_key};
pub(crate) use when::{duration, rfc3339};
pub(crate) use words::{member_count, scope, trouble};

#[cfg(test)]
mod tests;
