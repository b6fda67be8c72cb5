//! What looks wrong in the alerts of a config file. Only what is certain is said.

use std::collections::BTreeSet;

use heartline_config::{AlertFilter, AlertsConfig, Config};
use heartline_fleet::{AgentFilter as _, BudgetScope, StateSet};
use heartline_operator::message::AgentEntry;
use heartline_vocabulary::text::glob_matches;
use heartline_vocabulary::{AgentStatus, Reason};

use super::subject::status_of;

/// Returns what looks wrong whatever agents there are:
/// 1. sinks without any route;
/// 2. routes that nothing reaches, because routes before them with the same `match`, or with none, take all of their
///    states and stop;
/// 3. sinks that no route leads to.
pub(crate) fn suspicions(config: &AlertsConfig) -> Vec<String> {
    let mut found = Vec::new();
    if config.routes.is_empty() {
        if !config.sinks.is_empty() {
            found.push("nobody is told of anything: there is no [[route]]".to_owned());
        }
        return found;
    }
    let rules = config.rules();
    let filter_of = |number: usize| {
        config.routes[number].filter.as_ref().map_or("", |filter| filter.get_ref().trim())
    };
    for (number, route) in rules.routes.iter().enumerate() {
        let before: Vec<usize> = (0..number)
            .filter(|&it| rules.routes[it].is_last)
            .filter(|&it| filter_of(it).is_empty() || filter_of(it) == filter_of(number))
            .collect();
        let is_taken = |status| before.iter().any(|&it| rules.routes[it].states.contains(status));
        let mut statuses = statuses_of(&route.states).peekable();
        if statuses.peek().is_some() && statuses.all(is_taken) {
            let stops: Vec<String> = before.iter().map(|it| (it + 1).to_string()).collect();
            found.push(format!(
                "route {} is never reached: all that it matches is stopped by route {}",
                number + 1,
                stops.join(", ")
            ));
        }
    }
    let escalated = rules.routes.iter().filter_map(|route| route.escalation.as_ref());
    let used: BTreeSet<&str> = rules
        .routes
        .iter()
        .flat_map(|route| &route.sinks)
        .chain(escalated.flat_map(|it| &it.sinks))
        .map(|sink| &**sink)
        .collect();
    let names = config.sinks.iter().map(|sink| sink.name.get_ref().0.0.as_str());
    let unused = names.filter(|name| !used.contains(name));
    found.extend(unused.map(|name| format!("no route leads to sink {name}")));
    found
}

/// What has matched no agent so far.
pub(crate) struct Unmatched {
    filters: Vec<UnmatchedFilter>,
    /// Names and scopes of budgets.
    budgets: Vec<(String, BudgetScope)>,
    agents: u64,
}

struct UnmatchedFilter {
    /// What it is of, in words.
    what: String,
    text: String,
    filter: AlertFilter,
    /// The statuses in which it counts.
    statuses: Vec<AgentStatus>,
}

impl Unmatched {
    /// Returns everything in a config file that selects agents.
    pub(crate) fn new(config: &Config) -> Self {
        let rules = config.alerts.rules();
        let all: Vec<AgentStatus> = all_statuses().chain([AgentStatus::HEALTHY]).collect();
        let routes = config.alerts.routes.iter().zip(&rules.routes).enumerate().map(
            |(number, (section, route))| {
                let text = section.filter.as_ref().map_or("", |filter| filter.get_ref());
                let statuses: Vec<AgentStatus> = statuses_of(&route.states).collect();
                (format!("route {}", number + 1), text, statuses)
            },
        );
        let windows = config.alerts.windows.iter().enumerate().map(|(number, window)| {
            (format!("window {}", number + 1), window.filter.get_ref().as_str(), all.clone())
        });
        let filters = routes.chain(windows).filter_map(|(what, text, statuses)| {
            let filter = AlertFilter::parse(text).ok().filter(|_| !text.trim().is_empty())?;
            Some(UnmatchedFilter { what, text: text.to_owned(), filter, statuses })
        });
        let budgets =
            config.budgets.iter().map(|it| (it.rule.name.to_string(), it.rule.scope.clone()));
        Self { filters: filters.collect(), budgets: budgets.collect(), agents: 0 }
    }

    /// Takes an agent in.
    pub(crate) fn see(&mut self, entry: &AgentEntry) {
        self.agents += 1;
        let (name, identity) = (&*entry.agent, Some(&entry.identity));
        self.filters.retain(|it| {
            !it.statuses.iter().any(|&status| it.filter.matches(name, identity, status))
        });
        let group = entry.identity.shared.group.as_deref();
        self.budgets.retain(|(_, scope)| match scope {
            BudgetScope::Each { pattern } => !glob_matches(pattern, name),
            BudgetScope::Group { name } => group != Some(&**name),
            BudgetScope::Fleet => false,
        });
    }

    /// Returns whether everything has matched an agent.
    pub(crate) fn is_empty(&self) -> bool {
        self.filters.is_empty() && self.budgets.is_empty()
    }

    /// Returns what has matched none, in words; nothing of a fleet without agents.
    pub(crate) fn suspicions(&self) -> Vec<String> {
        if self.agents == 0 {
            return Vec::new();
        }
        let filters = self
            .filters
            .iter()
            .map(|it| format!("{}: {:?} matches no agent of the collector", it.what, it.text));
        let budgets = self
            .budgets
            .iter()
            .map(|(name, _)| format!("budget {name}: it matches no agent of the collector"));
        filters.chain(budgets).collect()
    }
}

/// Returns the statuses that can be in a set.
fn statuses_of(set: &StateSet) -> impl Iterator<Item = AgentStatus> {
    all_statuses().filter(|status| set.contains(*status))
}

/// Returns all statuses that alert somebody.
fn all_statuses() -> impl Iterator<Item = AgentStatus> {
    let is_command = |status: &AgentStatus| {
        matches!(status.reason, Some(Reason::Operator | Reason::Policy | Reason::Shutdown))
    };
    Reason::ALL.into_iter().map(status_of).filter(move |status| !is_command(status))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use heartline_config::{ConfigFile, ConfigText};
    use heartline_operator::{CollectorDirectories, sample};

    use super::*;

    const SINKS: &str = "[[sink]]\nname = \"chat\"\ntype = \"command\"\ncommand = [\"/bin/true\"]\n\
        [[sink]]\nname = \"mute\"\ntype = \"command\"\ncommand = [\"/bin/true\"]\n";

    fn config(text: &str) -> Config {
        let text = ConfigText::new(Path::new("h.toml"), format!("{SINKS}{text}"));
        let file = <ConfigFile>::parse(&text).unwrap();
        file.resolve(&[], CollectorDirectories { data: "/d".into(), sockets: "/s".into() })
    }

    #[test]
    fn only_what_is_certain_is_said() {
        let table: [(&str, &[&str]); 5] = [
            ("", &["nobody is told of anything: there is no [[route]]"]),
            ("[[route]]\nto = [\"chat\", \"mute\"]\n", &[]),
            (
                "[[route]]\nto = [\"chat\"]\nstop = true\n[[route]]\nmatch = \"host:m1\"\nto = [\"mute\"]\n",
                &["route 2 is never reached: all that it matches is stopped by route 1"],
            ),
            (
                "[[route]]\nto = [\"chat\"]\nstop = true\n[[route]]\nstates = [\"late\"]\nto = [\"chat\"]\n",
                &["no route leads to sink mute"],
            ),
            (
                "[[route]]\nmatch = \"host:m2\"\nto = [\"chat\"]\nstop = true\n\
                 [[route]]\nmatch = \"host:m1\"\nto = [\"chat\"]\nescalate = { after = \"5m\", to = [\"mute\"] }\n",
                &[],
            ),
        ];
        for (text, said) in table {
            assert_eq!(suspicions(&config(text).alerts), said, "{text}");
        }
    }

    #[test]
    fn what_matches_no_agent_is_said_where_there_are_agents() {
        let config = config(
            "[[route]]\nmatch = \"agent:order* state:unreachable\"\nto = [\"chat\"]\n\
             [[route]]\nmatch = \"host:nowhere\"\nto = [\"mute\"]\n\
             [[window]]\nmatch = \"group:nobody\"\nfrom = \"01:00\"\nto = \"02:00\"\nreason = \"x\"\n\
             [[budget]]\nname = \"gone\"\nmatch = \"gone.*\"\ntasks = 5\nper = \"day\"\n",
        );
        let mut unmatched = Unmatched::new(&config);
        assert!(unmatched.suspicions().is_empty(), "nothing is known of an empty fleet");
        sample::fleet().iter().for_each(|entry| unmatched.see(entry));
        assert!(!unmatched.is_empty());
        let expected = [
            "route 2: \"host:nowhere\" matches no agent of the collector",
            "window 1: \"group:nobody\" matches no agent of the collector",
            "budget gone: it matches no agent of the collector",
        ];
        assert_eq!(unmatched.suspicions(), expected);
    }
}
