//! The targets and the effect of a command, in words.

use heartline_operator::message::{AgentEntry, AgentSelector, SelectionPreview};

use heartline_operator::text::{self, span};
use heartline_vocabulary::{Action, Reason, State};

use crate::style::StateFormatter;
use crate::table::{self, TableColumn};

/// A command that changes the fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PlannedCommand {
    Kill,
    Resume,
    Forget,
}

impl From<Action> for PlannedCommand {
    fn from(action: Action) -> Self {
        match action {
            Action::Kill => Self::Kill,
            Action::Resume => Self::Resume,
        }
    }
}

impl PlannedCommand {
    /// Returns its name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Resume => "resume",
            Self::Forget => "forget",
        }
    }
}

/// A command, before it is sent.
pub(crate) struct CommandPlan {
    pub(crate) command: PlannedCommand,
    pub(crate) preview: SelectionPreview,
}

impl CommandPlan {
    pub(crate) fn new(command: impl Into<PlannedCommand>, preview: SelectionPreview) -> Self {
        Self { command: command.into(), preview }
    }

    /// Returns the number of agents it hits.
    pub(crate) fn hits(&self) -> usize {
        self.preview.hits as usize
    }

    pub(crate) fn fleet_size(&self) -> usize {
        self.preview.collector.summary.total as usize
    }

    /// Returns the agents to send: exactly those that were listed, if all were.
    pub(crate) fn selector(&self, asked: AgentSelector) -> AgentSelector {
        if self.preview.first.len() < self.hits() {
            return asked;
        }
        AgentSelector::Names(self.preview.first.iter().map(|entry| entry.agent.clone()).collect())
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
                text::age(entry.vitals.state_age_ms(self.preview.collector.at_ms)),
            ]
        };
        let listed = self.preview.first.len();
        let rows = self.preview.first.iter().map(row);
        let name = self.command.name().to_uppercase();
        let mut text = format!("{name} {}\n", agents(self.hits()));
        text.push_str(&table::draw(&COLUMNS, rows, columns));
        if self.hits() > listed {
            let states = format_states(&self.preview.states);
            text.push_str(&format!("and {} more; all of them: {states}\n", self.hits() - listed));
        }
        for effect in self.effects() {
            text.push_str(&effect);
            text.push('\n');
        }
        text
    }

    fn effects(&self) -> Vec<String> {
        match self.command {
            PlannedCommand::Kill => self.kill_effects(),
            PlannedCommand::Resume => self.preview.first.iter().filter_map(killed_by).collect(),
            PlannedCommand::Forget => vec!["Effect: their history stays.".to_owned()],
        }
    }

    fn kill_effects(&self) -> Vec<String> {
        let SelectionPreview { slowest_interval_ms, silent, first_silent, stopped, .. } =
            &self.preview;
        let mut effects = Vec::new();
        if let Some(slowest_ms) = slowest_interval_ms {
            effects.push(format!(
                "Effect: the kill is sent at once and repeated with every ack; it arrives with \
                 the next beat at the latest, within {}. Tasks in flight are finished, and no new \
                 one starts until it is resumed.",
                span(u64::from(*slowest_ms))
            ));
        }
        if *silent > 0 {
            let more = if *silent as usize > first_silent.len() { ", …" } else { "" };
            effects.push(format!(
                "Not beating: {}{more}. The kill stays pending until its next beat.",
                first_silent.join(", ")
            ));
        }
        if *stopped > 0 {
            effects.push("A stopped agent applies it at its next start.".to_owned());
        }
        effects
    }
}

/// Formats counts: `16 healthy, 2 unknown`.
fn format_states(counts: &heartline_vocabulary::StateCounts) -> String {
    let parts: Vec<_> =
        counts.present().map(|(status, n)| format!("{n} {}", status.count_name())).collect();
    parts.join(", ")
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
            "{} is kept from work by a kill that this collector did not give: the resume lifts it \
             unless the collector that gave it still runs",
            entry.agent
        )),
        None if entry.vitals.state != State::Killed => {
            Some(format!("{} is not killed: nothing will change", entry.agent))
        }
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use anstream::adapter::strip_str;

    use super::*;
    use heartline_operator::sample;
    use heartline_operator::text::GlyphSet;

    fn described(command: PlannedCommand, preview: SelectionPreview) -> String {
        CommandPlan::new(command, preview).describe(StateFormatter(GlyphSet::Unicode), None)
    }

    #[test]
    fn what_it_hits_and_does_is_said() {
        let targets =
            [sample::silent_agent(2, "report-generator"), sample::healthy_agent(1, "mail.1")];
        let kill = described(PlannedCommand::Kill, sample::preview(&targets));
        let killed = sample::preview(&[sample::killed_agent(3, "mail.7")]);
        let resume = described(PlannedCommand::Resume, killed);
        insta::assert_snapshot!(strip_str(&format!("{kill}\n{resume}")));
    }

    #[test]
    fn what_is_not_listed_is_counted_by_state() {
        let agents: Vec<_> =
            (0..60).map(|n| sample::healthy_agent(n, &format!("a.{n:02}"))).collect();
        let text = described(PlannedCommand::Forget, sample::preview(&agents));
        assert!(text.contains("FORGET 60 agents"), "{text}");
        assert!(text.contains("and 10 more; all of them: 60 healthy"), "{text}");
    }

    #[test]
    fn exactly_those_that_were_listed_are_hit() {
        let asked = || AgentSelector::Filter("state:healthy".into());
        let plan = |count: u32| {
            let agents: Vec<_> =
                (0..count).map(|n| sample::healthy_agent(n, &format!("a.{n}"))).collect();
            CommandPlan::new(PlannedCommand::Kill, sample::preview(&agents))
        };
        let names = AgentSelector::Names(vec!["a.0".into(), "a.1".into()]);
        assert_eq!(plan(2).selector(asked()), names);
        assert_eq!(plan(51).selector(asked()), asked(), "too many to list");
    }
}
