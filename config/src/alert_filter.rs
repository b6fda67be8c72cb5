//! Filters of routes, silences and windows of maintenance.

use std::sync::Arc;

use heartline_fleet::AgentFilter;
use heartline_operator::Filter;
use heartline_vocabulary::{AgentStatus, Identity};
use toml::Spanned;

use crate::text::{ConfigError, ConfigText};

/// A filter that reads only what is known at the moment of a transition: what an agent is, its state, and the
/// reason.
#[derive(Clone, Debug)]
pub struct AlertFilter(Filter);

impl AlertFilter {
    /// Parses a filter.
    ///
    /// # Errors
    /// The column in characters, from 1, and what is wrong there.
    pub fn parse(text: &str) -> Result<Self, (usize, String)> {
        let filter = Filter::parse(text).map_err(|it| (it.column(), it.message().to_owned()))?;
        match filter.find_field_beyond_status() {
            None => Ok(Self(filter)),
            Some(field) => Err((
                1,
                format!(
                    "{field} changes all the time; expected what an agent is (agent, host, group, \
                     version, framework, label), state or reason"
                ),
            )),
        }
    }

    /// Parses the filter of a config file.
    pub(crate) fn in_file(text: &Spanned<String>, file: &ConfigText) -> Result<Self, ConfigError> {
        Self::parse(text.get_ref()).map_err(|(column, message)| {
            // Behind the quote.
            let before: String = text.get_ref().chars().take(column - 1).collect();
            file.error_at(text.span().start + 1 + before.len(), &message)
        })
    }

    /// Returns it for the core.
    pub fn shared(self) -> Arc<dyn AgentFilter> {
        Arc::new(self)
    }
}

impl AgentFilter for AlertFilter {
    fn matches(&self, agent: &str, identity: Option<&Identity>, status: AgentStatus) -> bool {
        self.0.is_empty() || self.0.matches_status(agent, identity, status)
    }
}
