//! The agent that is asked about, and the state that it is to be in.

use std::sync::Arc;

use heartline_config::{AlertState, StringSetting as _};
use heartline_operator::message::AgentEntry;
use heartline_vocabulary::{AgentStatus, Identity, Reason, State};

use crate::args::ConfigCheckArgs;

/// An agent, and where what it is was learnt.
#[derive(Clone, Debug)]
pub(crate) struct CheckedAgent {
    pub(crate) name: String,
    pub(crate) identity: Identity,
    /// In words.
    pub(crate) source: String,
}

impl CheckedAgent {
    /// Returns the agent that the collector has. What the flags say of it wins.
    pub(crate) fn of_collector(entry: AgentEntry, args: &ConfigCheckArgs) -> Self {
        let mut agent = Self {
            name: entry.agent,
            identity: entry.identity,
            source: "as the collector has it".to_owned(),
        };
        if args.says_what_it_is() {
            agent.source = "as the collector has it, but for the flags".to_owned();
            agent.apply(args);
        }
        agent
    }

    /// Returns an agent of which only the flags tell; `why` the collector does not.
    pub(crate) fn of_flags(name: &str, args: &ConfigCheckArgs, why: &str) -> Self {
        let mut agent = Self {
            name: name.to_owned(),
            identity: Identity::default(),
            source: format!("as the flags say: {why}"),
        };
        agent.apply(args);
        agent
    }

    fn apply(&mut self, args: &ConfigCheckArgs) {
        let shared = Arc::make_mut(&mut self.identity.shared);
        let text = |text: &Option<String>| text.as_deref().map(Arc::<str>::from);
        shared.host = text(&args.host).or(shared.host.take());
        shared.group = text(&args.group).or(shared.group.take());
        for (key, value) in &args.label {
            shared.labels.retain(|(known, _)| **known != **key);
            shared.labels.push((key.as_str().into(), value.as_str().into()));
        }
    }
}

/// Parses a state, or a reason for one, that alerts; a state alone stands for its usual reason.
///
/// # Errors
/// What was expected.
pub(crate) fn parse_status(text: &str) -> Result<AgentStatus, String> {
    match AlertState::parse(text) {
        Some(AlertState::State(State::Unreachable)) => Ok(AgentStatus::unreachable(Reason::Silent)),
        Some(AlertState::State(state)) => Ok(AgentStatus { state, reason: None }),
        Some(AlertState::Reason(reason)) => Ok(status_of(reason)),
        // As an agent is that has used up a budget.
        Some(AlertState::Budget) => Ok(AgentStatus::killed(Reason::Policy)),
        None => Err(format!(
            "expected {}; nobody is alerted by other states",
            AlertState::EXPECTED.replace('"', "")
        )),
    }
}

/// Returns the status that an agent is in for a reason that alerts.
pub(super) const fn status_of(reason: Reason) -> AgentStatus {
    match reason {
        Reason::Silent | Reason::OneWay | Reason::Crashed => AgentStatus::unreachable(reason),
        _ => AgentStatus::degraded(reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_and_reasons_that_alert_are_parsed() {
        assert_eq!(parse_status("unreachable"), Ok(AgentStatus::unreachable(Reason::Silent)));
        assert_eq!(parse_status("crashed"), Ok(AgentStatus::unreachable(Reason::Crashed)));
        assert_eq!(parse_status("late"), Ok(AgentStatus::degraded(Reason::Late)));
        assert_eq!(
            parse_status("degraded"),
            Ok(AgentStatus { state: State::Degraded, reason: None })
        );
        for text in ["healthy", "killed", "operator", "shutdown", "", "Late"] {
            assert!(parse_status(text).unwrap_err().contains("expected degraded"), "{text}");
        }
    }
}
