//! What a delivery says, from which the messages of all sinks are cut.

use heartline_config::RenderedText;
use heartline_operator::message::{Incident, Notice};
use heartline_operator::text::notice::{self as words, Times};
use heartline_vocabulary::{NoticeKind, ScopeKind, Severity};

use super::lines::{self, MessageLine};
use super::title;
use crate::{CollectorLabel, Delivery, Form};

/// A message, in plain text that is cleaned and not yet escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// The same over all attempts. Without a dot.
    pub(crate) id: String,
    /// The same over all messages of an incident. Without a dot.
    pub(crate) incident_key: String,
    /// Of the last notice.
    pub(crate) kind: NoticeKind,
    pub(crate) tone: Tone,
    /// Who, what, since when.
    pub(crate) title: String,
    /// The title without who.
    pub(crate) what: String,
    /// Who, and what is wrong in a word that does not change with numbers.
    pub(crate) subject: String,
    pub(crate) lines: Vec<MessageLine>,
    /// Members or incidents, the worst first.
    pub(crate) list: Vec<String>,
    /// How many the list is of.
    pub(crate) list_of: usize,
    /// What lists all of them.
    pub(crate) list_command: String,
    /// When it was decided.
    pub(crate) at_ms: i64,
    /// Texts by the templates of the sink, in the place of title, and of lines and list.
    pub(crate) own_title: Option<RenderedText>,
    pub(crate) own_body: Option<RenderedText>,
}

/// How a message is to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Critical,
    Warning,
    /// It is over.
    Good,
    Neutral,
}

impl Message {
    /// Returns what a delivery says; `None` of no notice.
    pub(crate) fn of(delivery: &Delivery<'_>, label: &CollectorLabel) -> Option<Self> {
        let last = delivery.notices.last()?;
        let times = Times { now_ms: delivery.now_ms, zone: delivery.zone };
        let incident = &last.incident;
        let mut list = Vec::new();
        let mut list_of = 0;
        if last.kind == NoticeKind::Digest {
            list = last.listed.iter().map(|it| title::listed(it, times)).collect();
            list_of = last.listed.len();
        } else if words::lists_members(incident) {
            list = lines::members(incident, times, last.kind);
            list_of = list.len().max(words::member_count(incident));
        }
        let mut lines = lines::of(delivery, last, times, label);
        let list_command = lines::see(last, label);
        let mut title = title::of(delivery, last, times, label);
        if delivery.form == Form::Plain {
            lines.retain(|it| matches!(it.label, "Why" | "See"));
            list.clear();
        }
        if delivery.is_repeat {
            title.what += " (may be a repeat)";
        }
        if !delivery.is_stored {
            title.what += " (not stored)";
        }
        Some(Self {
            id: message_id(last, label),
            incident_key: incident_key(incident, label),
            kind: last.kind,
            tone: tone(last),
            title: title.whole(),
            what: title.what,
            subject: subject(last),
            lines,
            list,
            list_of,
            list_command,
            at_ms: last.at_ms,
            own_title: None,
            own_body: None,
        })
    }
}

/// Returns a subject without brackets, which some mail programs ignore when they thread.
fn subject(notice: &Notice) -> String {
    let incident = &notice.incident;
    let word = words::status_word(incident.worst).to_lowercase();
    let what = match (notice.kind, incident.scope.kind) {
        (NoticeKind::Digest, _) => return "Heartline: several incidents".to_owned(),
        (NoticeKind::Test, _) => return "Heartline: test of this sink".to_owned(),
        (_, ScopeKind::Agent) => word,
        (_, ScopeKind::Sink) => "broken".to_owned(),
        (_, ScopeKind::Budget) => "near its limit or beyond".to_owned(),
        (_, ScopeKind::Collector) => "fleet silent".to_owned(),
        (_, ScopeKind::Replicas) => "too few running".to_owned(),
        (_, ScopeKind::Expected) => "never seen".to_owned(),
        _ => format!("agents {word}"),
    };
    format!("{}: {what} (inc {})", words::scope(incident), incident.id)
}

/// Returns the key that receivers know an incident by.
pub(crate) fn incident_key(incident: &Incident, label: &CollectorLabel) -> String {
    format!("heartline-{}-{}", label.key_prefix, incident.id)
}

fn message_id(notice: &Notice, label: &CollectorLabel) -> String {
    format!("heartline-{}-{}", label.key_prefix, notice.id)
}

fn tone(notice: &Notice) -> Tone {
    match (notice.kind, notice.incident.severity) {
        (NoticeKind::Resolved, _) => Tone::Good,
        (NoticeKind::Test | NoticeKind::Merged, _) => Tone::Neutral,
        (NoticeKind::Digest, _) if notice.listed.iter().all(|it| it.ended_ms.is_some()) => {
            Tone::Good
        }
        (NoticeKind::Digest, _)
            if notice.listed.iter().any(|it| it.severity == Severity::Critical) =>
        {
            Tone::Critical
        }
        (NoticeKind::Digest, _) | (_, Severity::Warning) => Tone::Warning,
        (_, Severity::Critical) => Tone::Critical,
    }
}

impl Tone {
    /// Returns the word for it at the end of a message.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Warning => "warning",
            Self::Good => "resolved",
            Self::Neutral => "info",
        }
    }
}

/// Returns whether an incident is about one agent.
pub(super) fn is_of_agent(incident: &Incident) -> bool {
    incident.scope.kind == ScopeKind::Agent
}
