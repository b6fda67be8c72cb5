//! `[[route]]`: which agents in which states are told to which sinks.

use std::collections::BTreeSet;
use std::time::Duration;

use heartline_fleet::{AlertRoute, Escalation, StateSet};
use heartline_vocabulary::{Reason, State};
use serde::{Deserialize, Serialize};
use toml::Spanned;

use crate::alert_filter::AlertFilter;
use crate::text::{ConfigError, ConfigText};
use crate::value::{ConfigString, DurationSetting, StringSetting};

/// Most routes.
pub(crate) const ROUTES_MAX: usize = 200;

/// `[[route]]`, as it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct RouteSection {
    /// Of agents; all where there is none.
    #[serde(rename = "match")]
    pub filter: Option<Spanned<String>>,
    pub states: Option<Vec<ConfigString<AlertState>>>,
    /// Names of sinks.
    pub to: Spanned<Vec<Spanned<String>>>,
    pub hold: Option<ConfigString<DurationSetting<0>>>,
    pub repeat: Option<ConfigString<DurationSetting<60>>>,
    pub escalate: Option<EscalationSection>,
    pub stop: Option<bool>,
}

/// `escalate` of a route.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct EscalationSection {
    pub after: ConfigString<DurationSetting<60>>,
    pub to: Spanned<Vec<Spanned<String>>>,
}

/// The word for budgets among the states of a route.
const BUDGET: &str = "budget";

/// A state, or a reason for one, that alerts; or a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlertState {
    State(State),
    Reason(Reason),
    /// A budget that reaches a level.
    Budget,
}

impl StringSetting for AlertState {
    const EXPECTED: &'static str = "degraded, unreachable, unknown (an agent that is expected and never came), a reason \
         such as \"stalled\", \"late\" or \"crashed\", or budget";

    fn parse(text: &str) -> Option<Self> {
        let is_trouble =
            |state: &State| matches!(state, State::Degraded | State::Unreachable | State::Unknown);
        let is_command = |reason: &Reason| {
            matches!(reason, Reason::Operator | Reason::Policy | Reason::Shutdown)
        };
        if text == BUDGET {
            return Some(Self::Budget);
        }
        State::from_name(text).filter(is_trouble).map(Self::State).or_else(|| {
            Reason::from_name(text).filter(|reason| !is_command(reason)).map(Self::Reason)
        })
    }

    fn print(&self) -> String {
        match self {
            Self::State(state) => state.name().to_owned(),
            Self::Reason(reason) => reason.name().to_owned(),
            Self::Budget => BUDGET.to_owned(),
        }
    }
}

impl RouteSection {
    /// Checks what no single value shows: its filter, that its sinks are there, and that not all of them are bells,
    /// which nobody hears while no terminal app is open.
    pub(crate) fn check(
        &self,
        sinks: &BTreeSet<&str>,
        bells: &BTreeSet<&str>,
        text: &ConfigText,
    ) -> Result<(), ConfigError> {
        if let Some(filter) = &self.filter {
            AlertFilter::in_file(filter, text)?;
        }
        let escalated = self.escalate.as_ref().map(|it| &it.to);
        for list in [Some(&self.to), escalated].into_iter().flatten() {
            if list.get_ref().is_empty() {
                let message = "expected names of sinks, found none";
                return Err(text.error_at(list.span().start, message));
            }
            for name in list.get_ref() {
                check_sink(name, sinks, text)?;
            }
        }
        if self.to.get_ref().iter().all(|name| bells.contains(name.get_ref().as_str())) {
            let message = "expected a sink beside those of type \"bell\": they tell nobody while no \
                           terminal app is open";
            return Err(text.error_at(self.to.span().start, message));
        }
        Ok(())
    }

    /// Returns the route for the core. Filters that were not checked match nothing.
    pub fn route(&self) -> Option<AlertRoute> {
        let text = self.filter.as_ref().map_or("", |filter| filter.get_ref());
        let names = |list: &Spanned<Vec<Spanned<String>>>| {
            list.get_ref().iter().map(|name| name.get_ref().as_str().into()).collect()
        };
        Some(AlertRoute {
            filter: AlertFilter::parse(text).ok()?.shared(),
            states: self.states.as_deref().map_or_else(StateSet::default, state_set),
            sinks: names(&self.to),
            hold: self.hold.as_ref().map_or(Duration::ZERO, |it| it.0.0),
            repeat: self.repeat.as_ref().map(|it| it.0.0),
            escalation: self
                .escalate
                .as_ref()
                .map(|it| Escalation { after: it.after.0.0, sinks: names(&it.to) }),
            is_last: self.stop == Some(true),
        })
    }
}

fn check_sink(
    name: &Spanned<String>,
    sinks: &BTreeSet<&str>,
    text: &ConfigText,
) -> Result<(), ConfigError> {
    if sinks.contains(name.get_ref().as_str()) {
        return Ok(());
    }
    let known: Vec<&str> = sinks.iter().copied().collect();
    let known = if known.is_empty() { "there is none".to_owned() } else { known.join(", ") };
    let message = format!("expected the name of a [[sink]] ({known}), found {:?}", name.get_ref());
    Err(text.error_at(name.span().start, &message))
}

fn state_set(words: &[ConfigString<AlertState>]) -> StateSet {
    let mut set = StateSet { states: Vec::new(), reasons: Vec::new(), budgets: false };
    for word in words {
        match word.0 {
            AlertState::State(state) => set.states.push(state),
            AlertState::Reason(reason) => set.reasons.push(reason),
            AlertState::Budget => set.budgets = true,
        }
    }
    set
}
