//! The kill and resume dialogs. Their targets are fixed by id when they open.
//!
//! 1. The focus starts on Cancel, and Enter on a text field only goes to the next field.
//! 2. What must be typed grows with the scope: a name, `kill N`, `kill all on HOST`.
//! 3. Kill is off until the phrase is right and a reason is given.

use std::collections::BTreeSet;

use heartline_operator::FleetMirror;
use heartline_operator::message::{AgentEntry, CommandStatus};
use heartline_vocabulary::{Action, State};

use super::input::Input;

/// One agent of a dialog, as it was when the dialog opened.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Target {
    pub agent: String,
    pub host: Option<String>,
    pub pid: Option<u32>,
    pub session: u64,
    /// It is marked, but the list's filter hides it.
    pub hidden: bool,
    /// The command that kills it, if one does.
    pub killed_by: Option<CommandStatus>,
    pub state: State,
}

/// How far a kill reaches, which decides what must be typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    One(String),
    Several(usize),
    Host(String),
}

/// Where the focus is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Focus {
    #[default]
    Cancel,
    Reason,
    Typed,
    Confirm,
}

/// A dialog that asks before it changes the fleet.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Dialog {
    pub action: Action,
    pub targets: Vec<Target>,
    pub scope: Scope,
    pub opened_ms: i64,
    pub reason: Input,
    pub typed: Input,
    pub focus: Focus,
    /// First target on the screen.
    pub scroll: usize,
}

impl Target {
    pub(crate) fn of(entry: &AgentEntry, hidden: bool) -> Self {
        let killing = |command: &&CommandStatus| command.action == Action::Kill;
        Self {
            agent: entry.agent.clone(),
            host: entry.identity.shared.host.as_deref().map(ToOwned::to_owned),
            pid: entry.identity.pid,
            session: entry.vitals.session,
            hidden,
            killed_by: entry.vitals.command.as_ref().filter(killing).cloned(),
            state: entry.vitals.state,
        }
    }
}

impl Scope {
    /// One agent, all agents of one host, or several.
    pub(crate) fn of(targets: &[Target], fleet: &FleetMirror) -> Self {
        if let [only] = targets {
            return Self::One(only.agent.clone());
        }
        whole_host(targets, fleet).map_or(Self::Several(targets.len()), Self::Host)
    }

    /// What an operator has to type to mean it.
    pub(crate) fn phrase(&self) -> String {
        match self {
            Self::One(agent) => agent.clone(),
            Self::Several(count) => format!("kill {count}"),
            Self::Host(host) => format!("kill all on {host}"),
        }
    }
}

/// The host, if the targets are all that runs on it.
fn whole_host(targets: &[Target], fleet: &FleetMirror) -> Option<String> {
    let host = targets.first()?.host.as_deref()?;
    let ids: BTreeSet<&str> = targets.iter().map(|target| target.agent.as_str()).collect();
    let same = targets.iter().all(|target| target.host.as_deref() == Some(host));
    let mut there =
        fleet.entries().filter(|entry| entry.identity.shared.host.as_deref() == Some(host));
    (same && there.all(|entry| ids.contains(entry.agent.as_str()))).then(|| host.to_owned())
}

impl Dialog {
    pub(crate) fn new(action: Action, targets: Vec<Target>, scope: Scope, opened_ms: i64) -> Self {
        Self {
            action,
            targets,
            scope,
            opened_ms,
            reason: Input::default(),
            typed: Input::default(),
            focus: Focus::default(),
            scroll: 0,
        }
    }

    /// Whether the dialog can be confirmed: a resume at once, a kill once both fields are filled.
    pub(crate) fn ready(&self) -> bool {
        let meant = self.typed.text().trim() == self.scope.phrase();
        self.action == Action::Resume || (meant && !self.reason.text().trim().is_empty())
    }

    pub(crate) fn hidden(&self) -> usize {
        self.targets.iter().filter(|target| target.hidden).count()
    }

    pub(crate) fn field(&mut self) -> Option<&mut Input> {
        match self.focus {
            Focus::Reason => Some(&mut self.reason),
            Focus::Typed => Some(&mut self.typed),
            Focus::Cancel | Focus::Confirm => None,
        }
    }

    /// The focus moves on, round in a circle; a confirm button that is off is passed over.
    pub(crate) fn step_focus(&mut self, step: FocusStep) {
        let order: &[Focus] = match (self.action, self.ready()) {
            (Action::Resume, _) => &[Focus::Cancel, Focus::Confirm],
            (Action::Kill, true) => &[Focus::Reason, Focus::Typed, Focus::Cancel, Focus::Confirm],
            (Action::Kill, false) => &[Focus::Reason, Focus::Typed, Focus::Cancel],
        };
        let at = order.iter().position(|focus| *focus == self.focus).unwrap_or(0);
        self.focus = match step {
            FocusStep::Next => order[(at + 1) % order.len()],
            FocusStep::Previous => order[(at + order.len() - 1) % order.len()],
        };
    }
}

/// Which way the focus goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FocusStep {
    Next,
    Previous,
}
