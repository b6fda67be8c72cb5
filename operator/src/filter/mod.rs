//! The filter language, which selects agents and events: `state:degraded host:m3* p95>2s !tag:dev`.
//!
//! ```text
//! filter  = any
//! any     = all { "or" all }
//! all     = unary { [ "and" ] unary }
//! unary   = ( "!" | "not" ) unary | "(" any ")" | test
//! test    = name operator value | word
//! ```
//! A bare word matches agent ids. `:` matches texts: a part of them, or, where the value has `*` or
//! `?`, all of them. `=` and `!=` compare texts whole; no comparison of texts minds case. `>`, `>=`,
//! `<`, `<=` compare numbers and durations. What an agent does not have (no host, no latency yet)
//! equals nothing and compares with nothing. Values with spaces stand in double quotes.

mod completion;
mod error;
mod field;
mod input;
mod lexer;
mod parser;
mod pattern;
mod predicate;

pub use completion::{FilterChoice, FilterCompletion, complete, field_values};
pub use error::FilterError;
pub use field::{FilterFieldHelp, FilterFieldKind, fields};

use crate::message::{AgentEntry, AgentVitals, Event, RecentWork};
use heartline_vocabulary::{AgentRowId, AgentStatus, Identity};
use input::FilterInput;
use predicate::FieldPredicate;

/// Longest filter, in bytes.
const MAX_LEN: usize = 4_096;
/// Deepest nesting of parentheses and negations.
const MAX_NESTING: usize = 32;

/// A parsed filter.
#[derive(Clone, Debug)]
pub struct Filter {
    text: String,
    expression: FilterExpression,
}

#[derive(Clone, Debug)]
enum FilterExpression {
    All(Vec<FilterExpression>),
    Any(Vec<FilterExpression>),
    Not(Box<FilterExpression>),
    Test(FieldPredicate),
}

impl Filter {
    /// Parses a filter. An empty one matches everything.
    ///
    /// # Errors
    /// [`FilterError`], with the column and what was expected there.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        let expression = parser::parse(text).map_err(|problem| FilterError::new(text, problem))?;
        Ok(Self { text: text.trim().into(), expression })
    }

    /// Returns the filter as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns true for the filter that matches everything.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Returns the first field that it reads and that is none of an agent's name and identity; what a filter
    /// of a whole range of time can't tell, such as a state.
    pub fn find_changing_field(&self) -> Option<&'static str> {
        self.expression.find_field(&|field| !field::IDENTITY_FIELDS.contains(&field))
    }

    /// Returns the first field that it reads and that is none of an agent's name and identity, its state, and the
    /// reason for that.
    pub fn find_field_beyond_status(&self) -> Option<&'static str> {
        let is_beyond = |field: &str| {
            !field::IDENTITY_FIELDS.contains(&field) && !matches!(field, "state" | "reason")
        };
        self.expression.find_field(&is_beyond)
    }

    /// Returns true when an agent matches of which nothing is known but what it is and its status.
    pub fn matches_status(
        &self,
        agent: &str,
        identity: Option<&Identity>,
        status: AgentStatus,
    ) -> bool {
        let entry = AgentEntry {
            id: AgentRowId::default(),
            agent: agent.to_owned(),
            identity: identity.cloned().unwrap_or_default(),
            vitals: AgentVitals::of_past(status, 0, 0),
            work: RecentWork::default(),
        };
        self.matches(&entry, 0)
    }

    /// Returns true when an agent matches, at the collector's time `now_ms`.
    pub fn matches(&self, entry: &AgentEntry, now_ms: i64) -> bool {
        self.expression.matches(&FilterInput::agent(entry, now_ms))
    }

    /// Returns true when an event matches. `agent`, `state` (the one it led to), `reason`, `cause`, `kind` and
    /// `by` are the event's own; all else is read from `entry`, its agent at `now_ms`, if it is
    /// known.
    pub fn matches_event(&self, event: &Event, entry: Option<&AgentEntry>, now_ms: i64) -> bool {
        self.expression.matches(&FilterInput::event(event, entry, now_ms))
    }
}

impl FilterExpression {
    fn matches(&self, input: &FilterInput<'_>) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.matches(input)),
            Self::Any(parts) => parts.iter().any(|part| part.matches(input)),
            Self::Not(part) => !part.matches(input),
            Self::Test(test) => test.matches(input),
        }
    }

    fn find_field(&self, is_wanted: &impl Fn(&str) -> bool) -> Option<&'static str> {
        match self {
            Self::All(parts) | Self::Any(parts) => {
                parts.iter().find_map(|part| part.find_field(is_wanted))
            }
            Self::Not(part) => part.find_field(is_wanted),
            Self::Test(test) => Some(test.field).filter(|field| is_wanted(field)),
        }
    }
}

#[cfg(test)]
mod tests;
