//! The rows of the registry. Capitals change the fleet or write; nothing near `ctrl-k` or `ctrl-d`
//! kills.

use super::{Command, Context, Listed, Spec};
use Context::{Agent, Dialog, Fleet, Help, Picker, Transitions};

const EVERYWHERE: &[Context] = &[Fleet, Agent, Transitions, Picker, Help, Dialog];
const SCREENS: &[Context] = &[Fleet, Agent, Transitions];
const LISTS: &[Context] = &[Fleet, Agent, Transitions, Help, Picker];
const TABLES: &[Context] = &[Fleet, Transitions];
const FLEET: &[Context] = &[Fleet];

const fn spec(
    command: Command,
    name: &'static str,
    keys: &'static [&'static str],
    contexts: &'static [Context],
    help: &'static str,
) -> Spec {
    Spec {
        command,
        name,
        keys,
        contexts,
        help,
        hint: name,
        priority: 0,
        listed: Listed::Yes,
        subcommand: None,
    }
}

impl Spec {
    const fn hint(mut self, priority: u8, hint: &'static str) -> Self {
        self.priority = priority;
        self.hint = hint;
        self
    }

    const fn unlisted(mut self) -> Self {
        self.listed = Listed::No;
        self
    }

    const fn subcommand(mut self, subcommand: &'static str) -> Self {
        self.subcommand = Some(subcommand);
        self
    }
}

/// Every command. The order is that of the help overlay and of the docs.
pub(crate) const REGISTRY: &[Spec] = &[
    spec(
        Command::Open,
        "open",
        &["Enter", "d"],
        EVERYWHERE,
        "open the agent, or do what is selected",
    )
    .hint(90, "open")
    .subcommand("heartline agent NAME"),
    spec(Command::Log, "transitions-of", &["l"], &[Fleet, Agent], "the transitions of this agent")
        .hint(40, "log")
        .subcommand("heartline events --filter NAME"),
    spec(
        Command::Kill,
        "kill",
        &["K"],
        &[Fleet, Agent],
        "kill this agent, or all marked (asks first)",
    )
    .hint(70, "kill")
    .subcommand("heartline kill NAME --reason TEXT"),
    spec(Command::Resume, "resume", &["R"], &[Fleet, Agent], "resume killed agents (asks once)")
        .hint(60, "resume")
        .subcommand("heartline resume NAME"),
    spec(Command::Filter, "filter", &["/"], TABLES, "filter, as state:degraded host:m3* !tag:dev")
        .hint(85, "filter")
        .subcommand("heartline status --filter Q"),
    spec(
        Command::NextMatch,
        "next-match",
        &["n"],
        TABLES,
        "next row that matches, opening its group",
    ),
    spec(Command::PreviousMatch, "previous-match", &["N"], TABLES, "previous row that matches"),
    spec(Command::Bad, "bad-only", &["!"], TABLES, "only what is not healthy, or got worse")
        .hint(50, "bad")
        .subcommand("heartline status --filter '!state:healthy'"),
    spec(Command::Sort, "sort", &["s"], FLEET, "pick the column to sort by").hint(80, "sort"),
    spec(Command::SortLeft, "sort-left", &["<"], FLEET, "sort by the column to the left"),
    spec(Command::SortRight, "sort-right", &[">"], FLEET, "sort by the column to the right"),
    spec(Command::Invert, "invert", &["I"], FLEET, "invert the order"),
    spec(Command::Columns, "columns", &["o"], FLEET, "pick the columns to show"),
    spec(Command::Group, "group", &["v"], FLEET, "group by host, group, state, or not at all")
        .hint(75, "group"),
    spec(Command::FoldOpen, "fold-open", &["+", "Right"], FLEET, "open this group"),
    spec(Command::FoldClose, "fold-close", &["-", "Left"], FLEET, "fold this group"),
    spec(Command::FoldAll, "fold-all", &["*"], FLEET, "fold all groups, or open all"),
    spec(Command::Mark, "mark", &["Space"], FLEET, "mark or unmark this agent").hint(72, "mark"),
    spec(
        Command::MarkRange,
        "mark-range",
        &["ctrl-Space"],
        FLEET,
        "mark from the last mark to here",
    ),
    spec(Command::MarkAll, "mark-all", &["A"], FLEET, "mark all agents that are shown"),
    spec(Command::Unmark, "unmark", &["ctrl-\\"], FLEET, "unmark all"),
    spec(Command::CopyId, "copy-id", &["y"], SCREENS, "copy the agent's id to the clipboard")
        .hint(30, "copy"),
    spec(Command::CopyRow, "copy-row", &["Y"], SCREENS, "copy the row as JSON")
        .subcommand("heartline agent NAME --json"),
    spec(Command::Export, "export", &["E"], SCREENS, "write what is listed to a file, as JSON")
        .subcommand("heartline events --json"),
    spec(Command::Down, "down", &["j", "Down"], LISTS, "down").unlisted(),
    spec(Command::Up, "up", &["k", "Up"], LISTS, "up").unlisted(),
    spec(Command::Top, "top", &["g g", "Home"], LISTS, "to the first row").unlisted(),
    spec(
        Command::Bottom,
        "bottom",
        &["G", "End"],
        LISTS,
        "to the last row; transitions then follow",
    )
    .unlisted(),
    spec(Command::HalfDown, "half-page-down", &["ctrl-d"], LISTS, "half a page down").unlisted(),
    spec(Command::HalfUp, "half-page-up", &["ctrl-u"], LISTS, "half a page up").unlisted(),
    spec(Command::PageDown, "page-down", &["PgDn"], LISTS, "a page down").unlisted(),
    spec(Command::PageUp, "page-up", &["PgUp"], LISTS, "a page up").unlisted(),
    spec(Command::ShowFleet, "fleet", &["1"], SCREENS, "the fleet").subcommand("heartline status"),
    spec(Command::ShowAgent, "agent", &["2"], SCREENS, "the selected agent")
        .subcommand("heartline agent NAME"),
    spec(Command::ShowTransitions, "transitions", &["3"], SCREENS, "what happened")
        .hint(35, "events")
        .subcommand("heartline events --follow"),
    spec(Command::NextPane, "next", &["Tab"], &[Agent, Dialog], "next pane, or next field")
        .hint(45, "pane"),
    spec(
        Command::PreviousPane,
        "previous",
        &["shift-Tab"],
        &[Agent, Dialog],
        "previous pane, or field",
    ),
    spec(
        Command::Expand,
        "expand",
        &["e"],
        &[Fleet, Agent],
        "give the pane the whole screen, or back",
    ),
    spec(Command::Freeze, "freeze", &["f"], SCREENS, "hold the screen still, or let it go on")
        .hint(55, "freeze"),
    spec(Command::Utc, "utc", &["U"], SCREENS, "times in UTC, or in the local zone"),
    spec(Command::Mouse, "mouse", &["M"], SCREENS, "the mouse scrolls and selects, or copies"),
    spec(Command::Palette, "palette", &[":"], SCREENS, "find a command by its name")
        .hint(20, "commands"),
    spec(Command::Help, "help", &["?", "F1"], SCREENS, "this help").hint(100, "help"),
    spec(Command::Back, "back", &["Esc"], EVERYWHERE, "back; clears the filter").unlisted(),
    spec(
        Command::Quit,
        "quit",
        &["q"],
        &[Fleet, Agent, Transitions, Help, Picker],
        "back; at the top, quit",
    )
    .hint(95, "quit"),
    spec(Command::Exit, "exit", &["ctrl-c"], EVERYWHERE, "quit at once"),
    spec(Command::Suspend, "suspend", &["ctrl-z"], EVERYWHERE, "back to the shell; fg returns"),
    spec(Command::Redraw, "redraw", &["ctrl-l"], EVERYWHERE, "draw the screen anew"),
    spec(
        Command::Reconnect,
        "reconnect",
        &["ctrl-r"],
        EVERYWHERE,
        "connect and load everything anew",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Sequence;

    #[test]
    fn every_command_has_all_that_a_command_needs() {
        for spec in REGISTRY {
            let name = spec.name;
            assert!(!name.is_empty() && !spec.help.is_empty() && !spec.hint.is_empty(), "{name}");
            assert!(!spec.contexts.is_empty(), "{name} can be given nowhere");
            assert!(!spec.keys.is_empty(), "{name} has no key");
            assert!(spec.help.len() <= 44, "{name}: its help does not fit its line");
            for keys in spec.keys {
                assert_eq!(keys.parse::<Sequence>().unwrap().to_string(), *keys, "{name}");
            }
            if let Some(subcommand) = spec.subcommand {
                assert!(subcommand.starts_with("heartline "), "{name}");
            }
        }
    }

    #[test]
    fn every_command_is_registered_once_under_one_name() {
        for (at, spec) in REGISTRY.iter().enumerate() {
            let rest = &REGISTRY[at + 1..];
            assert!(rest.iter().all(|other| other.name != spec.name), "{}", spec.name);
            assert!(rest.iter().all(|other| other.command != spec.command), "{}", spec.name);
            assert_eq!(Command::named(spec.name), Some(spec.command));
        }
        assert_eq!(REGISTRY.len(), Command::Resume as usize + 1, "a command is not registered");
    }

    #[test]
    fn what_changes_the_fleet_is_a_capital_and_never_a_control_key() {
        for command in [Command::Kill, Command::Resume] {
            for key in command.spec().keys {
                assert!(key.chars().all(|c| c.is_ascii_uppercase()), "{key}");
            }
        }
    }

    #[test]
    fn no_two_hints_compete_for_one_place() {
        for spec in REGISTRY.iter().filter(|spec| spec.priority > 0) {
            let same = REGISTRY.iter().filter(|other| other.priority == spec.priority);
            assert_eq!(same.count(), 1, "{}", spec.name);
        }
    }
}
