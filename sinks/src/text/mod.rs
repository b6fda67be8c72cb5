//! The words of messages: made once, cut for each format from the same lines.

mod fit;
mod lines;
mod message;
mod title;

pub(crate) use fit::{TextFormat, utf16, verbatim};
pub(crate) use heartline_operator::text::notice::{
    clean, clean_to, cut, duration, member_count, rfc3339, scope, trouble,
};
pub(crate) use message::{Message, Tone, incident_key};

#[cfg(test)]
mod tests;
