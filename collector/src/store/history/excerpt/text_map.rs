//! The texts of an excerpt: as they are, or each replaced by a word that stands for it everywhere.

use std::collections::HashMap;
use std::sync::Arc;

use heartline_vocabulary::{Reason, SharedIdentity};

use crate::store::history::code::EventCode;
use crate::store::history::event::EventRow;

/// What is done with the texts of an excerpt.
#[derive(Debug)]
pub(crate) enum TextMap {
    Kept,
    /// By kind and text, the word that stands for it.
    Redacted(HashMap<(TextKind, Box<str>), Box<str>>, [usize; TextKind::COUNT]),
}

/// The kinds of texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum TextKind {
    Agent,
    Host,
    Group,
    Version,
    LabelKey,
    LabelValue,
    Operator,
    Step,
    Words,
}

impl TextKind {
    const COUNT: usize = 9;

    const fn word(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Host => "host",
            Self::Group => "group",
            Self::Version => "version",
            Self::LabelKey => "label",
            Self::LabelValue => "value",
            Self::Operator => "operator",
            Self::Step => "step",
            Self::Words => "text",
        }
    }
}

impl TextMap {
    /// Creates one that replaces all texts.
    pub(crate) fn redacted() -> Self {
        Self::Redacted(HashMap::new(), [0; TextKind::COUNT])
    }

    pub(crate) const fn is_redacted(&self) -> bool {
        matches!(self, Self::Redacted(..))
    }

    /// Returns a text as it is written. An empty one stays empty.
    pub(crate) fn map(&mut self, kind: TextKind, text: &str) -> String {
        match self {
            Self::Redacted(words, counts) if !text.is_empty() => {
                let word = words.entry((kind, text.into())).or_insert_with(|| {
                    let count = &mut counts[kind as usize];
                    *count += 1;
                    format!("{}-{count}", kind.word()).into()
                });
                word.to_string()
            }
            _ => text.to_owned(),
        }
    }

    fn replace(&mut self, kind: TextKind, text: &mut Option<String>) {
        if let Some(text) = text {
            *text = self.map(kind, text);
        }
    }

    fn share(&mut self, kind: TextKind, text: &mut Option<Arc<str>>) {
        if let Some(text) = text {
            *text = self.map(kind, text).into();
        }
    }

    /// Replaces the texts of an event. Sentences of the program itself stay, without what they quote.
    pub(super) fn map_event(&mut self, event: &mut EventRow) {
        if !self.is_redacted() {
            return;
        }
        let is_own = event.kind == EventCode::Transition && event.details.by.is_none();
        let reason = event.to_status().and_then(|status| status.reason);
        let details = &mut event.details;
        self.replace(TextKind::Operator, &mut details.by);
        self.replace(TextKind::Step, &mut details.step);
        details.words = details.words.take().map(|words| match is_own {
            true => self.map_cause(reason, &words),
            false => self.map(TextKind::Words, &words),
        });
        if let Some(lines) = &mut details.last_lines {
            let mapped = lines.split('\n').map(|line| self.map(TextKind::Words, line));
            *lines = mapped.collect::<Vec<_>>().join("\n");
        }
    }

    /// Replaces what the cause of a transition quotes: the step of a stall, the last words of a process, an
    /// operator.
    pub(super) fn map_cause(&mut self, reason: Option<Reason>, words: &str) -> String {
        match (&self, reason) {
            (Self::Kept, _) => words.to_owned(),
            (_, Some(Reason::Crashed | Reason::Operator | Reason::Policy)) => {
                self.map(TextKind::Words, words)
            }
            _ => match words.split_once("; step ") {
                Some((sentence, step)) => {
                    format!("{sentence}; step {}", self.map(TextKind::Step, step))
                }
                None => words.to_owned(),
            },
        }
    }

    /// Replaces the texts of an identity, but for its framework and emitter.
    pub(super) fn map_identity(&mut self, identity: &mut SharedIdentity) {
        self.share(TextKind::Host, &mut identity.host);
        self.share(TextKind::Group, &mut identity.group);
        self.share(TextKind::Version, &mut identity.version);
        for (key, value) in &mut identity.labels {
            *key = self.map(TextKind::LabelKey, key).into();
            *value = self.map(TextKind::LabelValue, value).into();
        }
        for agent in &mut identity.depends {
            *agent = self.map(TextKind::Agent, agent).into();
        }
    }
}
