//! The dialogs that ask before a kill, a resume or a forget is sent.
//!
//! 1. A dialog's targets are fixed by id when it opens. The focus starts on Cancel, and Enter in a
//!    text field only goes to the next field.
//! 2. What must be typed to confirm a kill or a forget grows with its scope: a name, `kill N`,
//!    `kill all on HOST`.
//! 3. Kill is disabled until that is typed and a reason is given, Forget until that is typed.

use std::collections::BTreeSet;

use heartline_operator::FleetMirror;
use heartline_operator::message::AgentEntry;

use super::overlay::TextInput;

/// A command that a dialog asks about before it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DialogCommand {
    Kill,
    Resume,
    Forget,
}

/// The agents that a command will be given for.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct CommandTargets {
    /// Those that the list's filter hides come last.
    pub agents: Vec<AgentEntry>,
    /// How many of them the filter hides.
    pub hidden: usize,
    /// How many agents were selected that the command can't be given for.
    pub left_out: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum DialogFocus {
    #[default]
    Cancel,
    Reason,
    /// The field for the confirmation phrase.
    Phrase,
    Confirm,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FocusDirection {
    Next,
    Previous,
}

/// A dialog that asks before a command is sent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ConfirmDialog {
    pub command: DialogCommand,
    /// The agents as they were when the dialog opened.
    pub targets: CommandTargets,
    /// What must be typed to confirm a kill or a forget.
    pub phrase: String,
    pub opened_at_ms: i64,
    pub reason: TextInput,
    pub typed: TextInput,
    pub focus: DialogFocus,
    /// First target on the screen.
    pub scroll: usize,
}

impl DialogCommand {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Resume => "resume",
            Self::Forget => "forget",
        }
    }

    /// Returns the name on the dialog's title and button.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Kill => "Kill",
            Self::Resume => "Resume",
            Self::Forget => "Forget",
        }
    }
}

impl ConfirmDialog {
    pub(crate) fn new(
        command: DialogCommand,
        targets: CommandTargets,
        fleet: &FleetMirror,
        opened_at_ms: i64,
    ) -> Self {
        Self {
            command,
            phrase: confirmation_phrase(command, &targets.agents, fleet),
            targets,
            opened_at_ms,
            reason: TextInput::default(),
            typed: TextInput::default(),
            focus: DialogFocus::default(),
            scroll: 0,
        }
    }

    /// Returns the text fields, from top to bottom.
    pub(crate) fn fields(&self) -> &'static [DialogFocus] {
        match self.command {
            DialogCommand::Kill => &[DialogFocus::Reason, DialogFocus::Phrase],
            DialogCommand::Forget => &[DialogFocus::Phrase],
            DialogCommand::Resume => &[],
        }
    }

    /// Returns whether the phrase was typed exactly.
    pub(crate) fn is_phrase_typed(&self) -> bool {
        self.typed.text().trim() == self.phrase
    }

    /// Returns whether the dialog can be confirmed: a resume at once, others once their fields are
    /// filled in.
    pub(crate) fn is_ready(&self) -> bool {
        let has_reason = !self.reason.text().trim().is_empty();
        match self.command {
            DialogCommand::Kill => self.is_phrase_typed() && has_reason,
            DialogCommand::Forget => self.is_phrase_typed(),
            DialogCommand::Resume => true,
        }
    }

    /// Returns the text field that has the focus.
    pub(crate) fn focused_field(&mut self) -> Option<&mut TextInput> {
        match self.focus {
            DialogFocus::Reason => Some(&mut self.reason),
            DialogFocus::Phrase => Some(&mut self.typed),
            DialogFocus::Cancel | DialogFocus::Confirm => None,
        }
    }

    /// Moves the focus in a circle, past a disabled confirm button.
    pub(crate) fn move_focus(&mut self, direction: FocusDirection) {
        let confirm = self.is_ready().then_some(DialogFocus::Confirm);
        let fields = self.fields().iter().copied();
        let order: Vec<_> = fields.chain([DialogFocus::Cancel]).chain(confirm).collect();
        let at = order.iter().position(|focus| *focus == self.focus).unwrap_or(0);
        self.focus = match direction {
            FocusDirection::Next => order[(at + 1) % order.len()],
            FocusDirection::Previous => order[(at + order.len() - 1) % order.len()],
        };
    }
}

fn confirmation_phrase(
    command: DialogCommand,
    targets: &[AgentEntry],
    fleet: &FleetMirror,
) -> String {
    let name = command.name();
    match targets {
        [only] => only.agent.clone(),
        _ => whole_host(targets, fleet).map_or_else(
            || format!("{name} {}", targets.len()),
            |host| format!("{name} all on {host}"),
        ),
    }
}

/// Returns the host, if the targets are all agents on it and no others.
fn whole_host<'a>(targets: &'a [AgentEntry], fleet: &FleetMirror) -> Option<&'a str> {
    let host = host_of(targets.first()?)?;
    let ids: BTreeSet<&str> = targets.iter().map(|target| target.agent.as_str()).collect();
    let mut on_host = fleet.entries().filter(|entry| host_of(entry) == Some(host));
    let is_whole = targets.iter().all(|target| host_of(target) == Some(host))
        && on_host.all(|entry| ids.contains(entry.agent.as_str()));
    is_whole.then_some(host)
}

/// Returns the host of an agent, if it is known.
pub(crate) fn host_of(entry: &AgentEntry) -> Option<&str> {
    entry.identity.shared.host.as_deref()
}
