//! The words of messages: made once, cut for each format from the same lines, or by the templates of a sink.

mod facts;
mod fit;
mod fit_own;
mod lines;
mod message;
mod own;
mod title;

pub(crate) use fit::{TextFormat, utf16, verbatim};
pub(crate) use heartline_operator::text::notice::{
    clean, clean_to, cut, duration, member_count, rfc3339, scope, trouble,
};
pub(crate) use message::{Message, Tone, incident_key};
pub(crate) use own::OwnTexts;

#[cfg(test)]
mod tests;
