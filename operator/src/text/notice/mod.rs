//! The words of notices that their messages and other texts have in common: what an incident is about, what is wrong,
//! and since when.

mod clean;
mod when;
mod words;

pub use clean::{AGENT_TEXT_MAX, clean, clean_to, cut};
pub use when::{Times, duration, rfc3339};
pub use words::{gone, lists_members, member, member_count, opened, scope, status_word, trouble};
