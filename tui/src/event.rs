//! What comes in, and what goes out: the closed lists of events and effects.

use heartline_operator::client::LinkEvent;
use heartline_operator::message::{
    AgentCommand, AgentDetail, CommandOutcome, Event as Happened, EventQuery,
};

use crate::keys::Chord;
use crate::state::MouseMode;

/// Everything that can happen to the program, in one order.
#[derive(Debug)]
pub(crate) enum Event {
    Key(Chord),
    /// Text that was pasted: never a command.
    Paste(String),
    Mouse(MouseInput),
    Resize(u16, u16),
    Link(LinkEvent),
    Answer(Answer),
    /// What became of an export: where it was written, or why not.
    Exported(Result<String, String>),
    /// A second has passed.
    Tick,
    /// It is time to build the lists anew, if they are stale.
    Settle,
}

/// What the mouse did, while it is captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MouseInput {
    Click { column: u16, row: u16 },
    ScrollDown,
    ScrollUp,
}

/// What the collector answered to a question.
#[derive(Debug)]
pub(crate) enum Answer {
    Agent {
        id: String,
        result: Result<Box<AgentDetail>, String>,
    },
    Events {
        events: Vec<Happened>,
        next: Option<i64>,
    },
    Command(CommandOutcome),
    /// A command that the collector refused to consider.
    CommandRefused {
        request_id: u64,
        why: String,
    },
    /// No answer came; the same command is sent again once the link is back.
    CommandUnanswered,
    Failed(String),
}

/// Everything that the program does besides drawing.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Effect {
    Exit,
    Suspend,
    Redraw,
    Reconnect,
    AskAgent(String),
    AskEvents(EventQuery),
    Order(AgentCommand),
    Copy(String),
    Export(Export),
    Mouse(MouseMode),
}

/// What is to be written to a file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Export {
    /// The first part of the file's name.
    pub stem: &'static str,
    pub format: ExportFormat,
    pub text: String,
    /// What it is, for a person: `12 agents`.
    pub what: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExportFormat {
    /// One document.
    Json,
    /// One object a line.
    JsonLines,
}
