//! The targets and the effect of a command, in words.

use heartline_operator::message::AgentEntry;

use heartline_operator::text::{self, span};
use heartline_vocabulary::{Action, Reason, State};

use crate::style::StateFormatter;
use crate::table::{self, TableColumn};
use crate::targets::FleetSnapshot;

/// Most targets that are listed; the rest is counted.
const LISTED: usize = 50;
/// An agent whose last beat is older than this many intervals does not beat.
const SILENT_INTERVALS: u64 = 3;

/// A command, before it is sent.
pub(crate) struct CommandPlan {
    pub(crate) action: Action,
    pub(crate) targets: Vec<AgentEntry>,
    pub(crate) fleet_size: usize,
    /// Set when the targets are all agents of this host, and no others.
    pub(crate) whole_host: Option<String>,
    now_ms: i64,
}

impl CommandPlan {
    pub(crate) fn new(action: Action, fleet: &FleetSnapshot, targets: Vec<AgentEntry>) -> Self {
        let whole_host = whole_host(fleet, &targets);
        let (fleet_size, now_ms) = (fleet.entries.len(), fleet.now_ms());
        Self { action, targets, fleet_size, whole_host, now_ms }
    }

    /// Describes the targets and the effect.
    pub(crate) fn describe(&self, formatter: StateFormatter, columns: Option<usize>) -> String {
        const COLUMNS: [TableColumn; 6] = [
            TableColumn::left("STATE", 0),
            TableColumn::left("AGENT", 0),
            TableColumn::left("HOST", 1),
            TableColumn::right("PID", 2),
            TableColumn::left("SESSION", 3),
            TableColumn::right("SINCE", 4),
        ];
        let none = || "-".to_owned();
        let row = |entry: &AgentEntry| {
            vec![
                formatter.vitals(&entry.vitals),
                entry.agent.clone(),
                entry.identity.shared.host.as_deref().map_or_else(none, ToOwned::to_owned),
                entry.identity.pid.map_or_else(none, |pid| pid.to_string()),
                entry.session_text().map_or_else(none, |session| session[..4].to_owned()),
                text::age(entry.vitals.state_age_ms(self.now_ms)),
            ]
        };
        let rows = self.targets.iter().take(LISTED).map(row);
        let verb = match self.action {
            Action::Kill => "KILL",
            Action::Resume => "RESUME",
        };
        let mut text = format!("{verb} {}\n", agents(self.targets.len()));
        text.push_str(&table::draw(&COLUMNS, rows, columns));
        if self.targets.len() > LISTED {
            text.push_str(&format!("and {} more\n", self.targets.len() - LISTED));
        }
        for effect in self.effects() {
            text.push_str(&effect);
            text.push('\n');
        }
        text
    }

    fn effects(&self) -> Vec<String> {
        match self.action {
            Action::Kill => self.kill_effects(),
            Action::Resume => self.targets.iter().take(LISTED).filter_map(killed_by).collect(),
        }
    }

    fn kill_effects(&self) -> Vec<String> {
        let (beating, silent): (Vec<_>, Vec<_>) =
            self.targets.iter().partition(|entry| self.beats(entry));
        let mut effects = Vec::new();
        if let Some(slowest) = beating.iter().map(|entry| entry.vitals.interval_ms).max() {
            effects.push(format!(
                "Effect: the kill is sent at once and repeated with every ack; it arrives with \
                 the next beat at the latest, within {}. Tasks in flight are finished, and no new \
                 one starts until it is resumed.",
                span(u64::from(slowest))
            ));
        }
        if !silent.is_empty() {
            let names: Vec<_> = silent.iter().take(5).map(|entry| entry.agent.as_str()).collect();
            let more = if silent.len() > names.len() { ", …" } else { "" };
            effects.push(format!(
                "Not beating: {}{more}. The kill stays pending until its next beat.",
                names.join(", ")
            ));
        }
        let stopped = self.targets.iter().any(|e| e.vitals.reason == Some(Reason::Shutdown));
        if stopped {
            effects.push("A stopped agent applies it at its next start.".to_owned());
        }
        effects
    }

    fn beats(&self, entry: &AgentEntry) -> bool {
        let limit_ms = u64::from(entry.vitals.interval_ms) * SILENT_INTERVALS;
        entry.vitals.reason != Some(Reason::Shutdown)
            && entry.vitals.beat_age_ms(self.now_ms).is_some_and(|age_ms| age_ms <= limit_ms)
    }
}

/// Formats a count: `1 agent`, `12 agents`.
pub(crate) fn agents(count: usize) -> String {
    if count == 1 { "1 agent".to_owned() } else { format!("{count} agents") }
}

/// Formats a count: `1 task`, `12 tasks`.
pub(crate) fn tasks(count: u32) -> String {
    if count == 1 { "1 task".to_owned() } else { format!("{count} tasks") }
}

/// Describes the kill that a resume takes back.
fn killed_by(entry: &AgentEntry) -> Option<String> {
    let kill = entry.vitals.command.as_ref().filter(|c| c.action == Action::Kill);
    match kill {
        Some(kill) => Some(format!(
            "{} was killed by {} at {}: \"{}\"",
            entry.agent,
            kill.by,
            text::timestamp(kill.at_ms),
            kill.reason
        )),
        None if entry.vitals.reason == Some(Reason::Blocked) => Some(format!(
            "{} is kept from work by a kill that this collector did not give: the resume lifts it",
            entry.agent
        )),
        None if entry.vitals.state != State::Killed => {
            Some(format!("{} is not killed: nothing will change", entry.agent))
        }
        None => None,
    }
}

/// Returns the host of which these are all agents, if they are more than one.
fn whole_host(fleet: &FleetSnapshot, targets: &[AgentEntry]) -> Option<String> {
    let host = targets.first()?.identity.shared.host.as_ref()?;
    let is_there = |entry: &AgentEntry| entry.identity.shared.host.as_ref() == Some(host);
    let there = fleet.entries.iter().filter(|entry| is_there(entry)).count();
    let all = targets.len() > 1 && targets.len() == there && targets.iter().all(is_there);
    all.then(|| host.to_string())
}

#[cfg(test)]
mod tests {
    use anstream::adapter::strip_str;

    use super::*;
    use heartline_operator::sample;
    use heartline_operator::text::GlyphSet;

    fn plan(action: Action, targets: Vec<AgentEntry>, others: Vec<AgentEntry>) -> CommandPlan {
        let all: Vec<_> = targets.iter().cloned().chain(others).collect();
        let collector = sample::collector(&all);
        let fleet = FleetSnapshot::new(all, collector);
        CommandPlan::new(action, &fleet, targets)
    }

    #[test]
    fn what_it_hits_and_does_is_said() {
        let formatter = StateFormatter(GlyphSet::Unicode);
        let targets =
            vec![sample::silent_agent(2, "report-generator"), sample::healthy_agent(1, "mail.1")];
        let kill = plan(Action::Kill, targets, vec![]).describe(formatter, None);
        let resume = plan(Action::Resume, vec![sample::killed_agent(3, "mail.7")], vec![])
            .describe(formatter, None);
        insta::assert_snapshot!(strip_str(&format!("{kill}\n{resume}")));
    }

    #[test]
    fn a_whole_host_is_noticed() {
        let two = || vec![sample::healthy_agent(1, "a"), sample::healthy_agent(2, "b")];
        let mut elsewhere = sample::healthy_agent(3, "c");
        std::sync::Arc::make_mut(&mut elsewhere.identity.shared).host = Some("m4".into());
        assert_eq!(
            plan(Action::Kill, two(), vec![elsewhere]).whole_host.as_deref(),
            Some("m3-gpu-01")
        );
        let third = sample::healthy_agent(3, "c");
        assert_eq!(plan(Action::Kill, two(), vec![third]).whole_host, None);
    }
}
