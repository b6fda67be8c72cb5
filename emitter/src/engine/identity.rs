//! Who the agent says it is.

use std::collections::BTreeMap;

use heartline_protocol::limits::{DEPENDS_MAX, LABEL_KEY_MAX, LABELS_MAX, TEXT_MAX};
use heartline_protocol::wire::UntrustedText;
use heartline_protocol::{AgentName, IdentityView};

/// Longest identity, in bytes on the wire: a beat has room for it beside everything but a segment.
pub(super) const IDENTITY_MAX: usize = 800;

/// Who an agent is. Every field is free to be left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The machine's name.
    pub host: Option<String>,
    /// The process id.
    pub pid: Option<u32>,
    /// The group it belongs to, for showing replicas together.
    pub group: Option<String>,
    /// Version of the agent's program.
    pub version: Option<String>,
    /// Name and version of the framework it is built with.
    pub framework: Option<String>,
    /// Name and version of the emitter.
    pub sdk: Option<String>,
    /// Free labels, at most 16.
    pub labels: BTreeMap<String, String>,
    /// Agents that this one needs, at most 16.
    pub depends: Vec<AgentName>,
}

impl Identity {
    /// The identity as it can be sent: texts scrubbed and cut to their limits, then labels and
    /// dependencies left out from the end until the rest fits. Says whether anything is missing.
    #[must_use]
    pub fn fitted(&self) -> (Self, Fit) {
        let text = |text: &Option<String>| text.as_deref().map(|text| fit(text, TEXT_MAX));
        let mut fitted = Self {
            host: text(&self.host),
            pid: self.pid,
            group: text(&self.group),
            version: text(&self.version),
            framework: text(&self.framework),
            sdk: text(&self.sdk),
            labels: self
                .labels
                .iter()
                .map(|(key, value)| (fit(key, LABEL_KEY_MAX), fit(value, TEXT_MAX)))
                .take(LABELS_MAX)
                .collect(),
            depends: self.depends.iter().take(DEPENDS_MAX).cloned().collect(),
        };
        while fitted.len_at_most() > IDENTITY_MAX
            && (fitted.labels.pop_last().is_some() || fitted.depends.pop().is_some())
        {}
        let fit = if fitted == *self { Fit::Whole } else { Fit::Shortened };
        (fitted, fit)
    }

    /// The identity as a beat carries it.
    pub(super) fn view(&self) -> IdentityView<'_> {
        IdentityView {
            host: self.host.as_deref().map(UntrustedText::new),
            pid: self.pid,
            group: self.group.as_deref().map(UntrustedText::new),
            version: self.version.as_deref().map(UntrustedText::new),
            framework: self.framework.as_deref().map(UntrustedText::new),
            sdk: self.sdk.as_deref().map(UntrustedText::new),
            labels: self
                .labels
                .iter()
                .map(|(key, value)| (UntrustedText::new(key), UntrustedText::new(value)))
                .collect(),
            depends: self.depends.iter().map(AgentName::as_str).collect(),
        }
    }

    /// An upper bound of its length on the wire: a text takes at most two bytes more than it has,
    /// and no key has more than nine.
    fn len_at_most(&self) -> usize {
        const KEY: usize = 10;
        let texts = [&self.host, &self.group, &self.version, &self.framework, &self.sdk];
        let texts: usize = texts.into_iter().flatten().map(|text| KEY + 2 + text.len()).sum();
        let labels: usize =
            self.labels.iter().map(|(key, value)| 4 + key.len() + value.len()).sum();
        let depends: usize = self.depends.iter().map(|agent| 2 + agent.len()).sum();
        3 + texts + (KEY + 5) + (KEY + 3 + labels) + (KEY + 3 + depends)
    }
}

/// Whether an identity could be sent as it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// Nothing is missing.
    Whole,
    /// Something was scrubbed, cut or left out.
    Shortened,
}

/// A text with hostile characters replaced, cut at a character so that it has at most `most` bytes.
pub(crate) fn fit(text: &str, most: usize) -> String {
    // Scrubbing what can't be needed would make the cost the caller's choice.
    let mut text = UntrustedText::new(&text[..floor_char_boundary(text, most)]).scrubbed();
    text.truncate(floor_char_boundary(&text, most));
    text
}

fn floor_char_boundary(text: &str, most: usize) -> usize {
    (0..=most.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_scrubbed_and_cut_at_a_character() {
        assert_eq!(fit("plan\u{1b}[2J", 64), "plan\u{fffd}[2J");
        assert_eq!(fit("äöü", 5), "äö");
        // Each control character grows to three bytes: the limit holds for what is sent.
        assert!(fit(&"\u{7}".repeat(64), 64).len() <= 64);
    }

    #[test]
    fn an_identity_too_large_is_shortened_and_says_so() {
        let mut identity = Identity { host: Some("m3".into()), ..Identity::default() };
        assert_eq!(identity.fitted(), (identity.clone(), Fit::Whole));
        for n in 0..40 {
            identity.labels.insert(format!("key{n}"), "v".repeat(500));
        }
        let (fitted, fit) = identity.fitted();
        assert_eq!(fit, Fit::Shortened);
        assert!(!fitted.labels.is_empty() && fitted.len_at_most() <= IDENTITY_MAX);
    }
}
