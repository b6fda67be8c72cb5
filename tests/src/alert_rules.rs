//! Rules of alerting for tests that are not about them.

use std::sync::Arc;
use std::time::Duration;

use heartline_fleet::{AgentFilter, AlertRoute, AlertRules, StateSet};
use heartline_vocabulary::{AgentStatus, Identity};

/// Everybody, in any state.
#[derive(Debug)]
struct Everybody;

impl AgentFilter for Everybody {
    fn matches(&self, _: &str, _: Option<&Identity>, _: AgentStatus) -> bool {
        true
    }
}

/// Returns rules by which everything that needs somebody is told to one sink, with a reminder every hour.
pub(crate) fn tell_everything() -> AlertRules {
    let route = AlertRoute {
        filter: Arc::new(Everybody),
        states: StateSet::default(),
        sinks: vec!["chat".into()],
        hold: Duration::ZERO,
        repeat: Some(Duration::from_secs(3_600)),
        escalation: None,
        is_last: false,
    };
    AlertRules { routes: vec![route], ..AlertRules::default() }
}
