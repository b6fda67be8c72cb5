//! Identity of an agent.

use std::collections::BTreeMap;

use heartline_protocol::limits::{DEPENDS_MAX, LABEL_KEY_MAX, LABELS_MAX, TEXT_MAX};
use heartline_protocol::wire::UntrustedText;
use heartline_protocol::{AgentName, IdentityView};

/// Longest identity, in bytes on the wire: a beat has room for it beside all but a segment.
const IDENTITY_MAX: usize = 800;

/// Identity that an agent reports. Every field is optional.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdentityConfig {
    pub host: Option<String>,
    pub pid: Option<u32>,
    /// Group that the agent is shown in, with its replicas.
    pub group: Option<String>,
    /// Version of the agent's program.
    pub version: Option<String>,
    /// Name and version of the framework it is built with.
    pub framework: Option<String>,
    /// Name and version of the emitter.
    pub sdk: Option<String>,
    /// At most 16.
    pub labels: BTreeMap<String, String>,
    /// Agents that this one depends on, at most 16.
    pub depends: Vec<AgentName>,
}

impl IdentityConfig {
    /// Returns the identity as it can be sent: texts scrubbed and cut to their limits, then labels
    /// and dependencies dropped from the end until the rest fits a beat.
    pub fn fitted(&self) -> Self {
        let fit = |text: &str, most| UntrustedText::new(text).scrubbed_to(most);
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
        while fitted.encoded_len() > IDENTITY_MAX
            && (fitted.labels.pop_last().is_some() || fitted.depends.pop().is_some())
        {}
        fitted
    }

    /// Returns the identity that a message carries, its texts scrubbed.
    pub(crate) fn from_view(view: &IdentityView<'_>) -> Self {
        let text = |text: Option<UntrustedText<'_>>| text.map(UntrustedText::scrubbed);
        let labels = view.labels.iter().map(|(key, value)| (key.scrubbed(), value.scrubbed()));
        Self {
            host: text(view.host),
            pid: view.pid,
            group: text(view.group),
            version: text(view.version),
            framework: text(view.framework),
            sdk: text(view.sdk),
            labels: labels.collect(),
            depends: view.depends.iter().filter_map(|name| AgentName::new(name).ok()).collect(),
        }
    }

    /// Fills in what is not given from the identity that an emitter of the supervised process reports.
    /// Host and process stay, and the emitter is that one.
    pub fn filled_from(&self, other: &Self) -> Self {
        let or =
            |own: &Option<String>, other: &Option<String>| own.clone().or_else(|| other.clone());
        let mut labels = other.labels.clone();
        labels.extend(self.labels.clone());
        Self {
            host: self.host.clone(),
            pid: self.pid,
            group: or(&self.group, &other.group),
            version: or(&self.version, &other.version),
            framework: or(&self.framework, &other.framework),
            sdk: or(&other.sdk, &self.sdk),
            labels,
            depends: if self.depends.is_empty() { &other.depends } else { &self.depends }.clone(),
        }
    }

    /// Returns the identity as a beat carries it.
    pub(crate) fn view(&self) -> IdentityView<'_> {
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

    fn encoded_len(&self) -> usize {
        let mut encoded = Vec::new();
        self.view().write(&mut encoded);
        encoded.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_too_large_is_shortened() {
        let mut identity = IdentityConfig { host: Some("m3".into()), ..IdentityConfig::default() };
        assert_eq!(identity.fitted(), identity);
        for n in 0..40 {
            identity.labels.insert(format!("key{n}"), "v".repeat(500));
        }
        let fitted = identity.fitted();
        assert_ne!(fitted, identity);
        assert!(!fitted.labels.is_empty() && fitted.encoded_len() <= IDENTITY_MAX);
    }

    #[test]
    fn texts_are_scrubbed_and_cut_at_a_character() {
        let host = Some("\u{7}".repeat(TEXT_MAX));
        let group = Some(format!("plan\u{1b}[2J{}", "ä".repeat(TEXT_MAX)));
        let fitted = IdentityConfig { host, group, ..IdentityConfig::default() }.fitted();
        // Each control character grows to three bytes: the limit holds for what is sent.
        assert!(fitted.host.is_some_and(|host| host.len() <= TEXT_MAX));
        assert!(fitted.group.is_some_and(|group| group.starts_with("plan\u{fffd}[2Jä")));
    }
}
