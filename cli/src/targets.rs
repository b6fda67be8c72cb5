//! The agents that a command is about.

use heartline_operator::Filter;
use heartline_operator::client::{Client, ClientError};
use heartline_operator::message::{AgentSelector, ErrorCode, SelectionPreview};
use heartline_vocabulary::CommandRefusal;

use crate::args::TargetArgs;
use crate::error::CliError;

/// Most agents that are listed before a command; the rest is counted.
pub(crate) const LISTED: usize = 50;

impl TargetArgs {
    /// Returns the agents that are meant. The collector finds them.
    ///
    /// # Errors
    /// [`CliError::Filter`] with what is wrong in the filter.
    pub(crate) fn selector(&self) -> Result<AgentSelector, CliError> {
        match &self.filter {
            Some(filter) => Ok(filter_selector(&Filter::parse(filter)?)),
            None => Ok(AgentSelector::Names(self.names.clone())),
        }
    }
}

/// Returns the agents that match a filter.
pub(crate) fn filter_selector(filter: &Filter) -> AgentSelector {
    match filter.is_empty() {
        true => AgentSelector::All,
        false => AgentSelector::Filter(filter.as_str().to_owned()),
    }
}

/// Asks what a command would hit.
///
/// # Errors
/// [`CliError::Usage`] when a pattern can't be one, else [`CliError::Client`].
pub(crate) async fn preview(
    client: &Client,
    selector: &AgentSelector,
) -> Result<SelectionPreview, CliError> {
    match client.preview(selector.clone(), LISTED as u32).await {
        Err(ClientError::Refused { code: ErrorCode::BadRequest, message }) => {
            Err(CliError::Usage(message))
        }
        preview => Ok(preview?),
    }
}

/// Returns why there is nothing to do, as the collector would refuse it and as a message: nothing
/// was found by one of the names, or at all.
pub(crate) fn missing_targets(preview: &SelectionPreview) -> Option<(CommandRefusal, CliError)> {
    if let Some(first) = preview.unknown.first() {
        let names = preview.unknown.iter().map(|unknown| unknown.name.clone()).collect();
        let message = CliError::NotDone(first.to_string());
        return Some((CommandRefusal::UnknownAgents(names), message));
    }
    let message = || CliError::NotDone("nothing was done: no agent matches".to_owned());
    (preview.hits == 0).then(|| (CommandRefusal::NoAgents, message()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use heartline_operator::message::UnknownName;
    use heartline_operator::sample;

    #[test]
    fn every_name_must_be_found() {
        let mut preview = sample::preview(&[sample::healthy_agent(1, "web-1")]);
        assert!(missing_targets(&preview).is_none());
        preview.unknown =
            vec![UnknownName { name: "wbe-2".into(), similar: vec!["web-1".to_owned()] }];
        let (refusal, message) = missing_targets(&preview).unwrap();
        assert_eq!(refusal, CommandRefusal::UnknownAgents(vec!["wbe-2".into()]));
        assert!(message.to_string().contains("did you mean web-1"), "{message}");
        let (refusal, _) = missing_targets(&sample::preview(&[])).unwrap();
        assert_eq!(refusal, CommandRefusal::NoAgents);
    }
}
