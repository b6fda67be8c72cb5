//! Interning: identities and their texts, each kept once.

use std::collections::BTreeSet;
use std::sync::Arc;

use heartline_protocol::IdentityView;
use heartline_protocol::wire::UntrustedText;
use heartline_vocabulary::{Identity, SharedIdentity};

/// The identities and texts that agents have in common, each once.
#[derive(Debug, Default)]
pub struct IdentityInterner {
    texts: BTreeSet<Arc<str>>,
    shared: BTreeSet<Arc<SharedIdentity>>,
}

/// Past this many nothing more is shared: an agent that makes up labels can't fill the memory
/// beyond what its own identity takes.
const SHARED_MAX: usize = 100_000;

impl IdentityInterner {
    /// Returns the identity of a beat, scrubbed.
    pub fn intern_view(&mut self, view: &IdentityView<'_>) -> Identity {
        let mut text =
            |text: Option<UntrustedText<'_>>| text.map(|text| self.text(&text.scrubbed()));
        let shared = SharedIdentity {
            host: text(view.host),
            group: text(view.group),
            version: text(view.version),
            framework: text(view.framework),
            sdk: text(view.sdk),
            labels: view
                .labels
                .iter()
                .map(|(key, value)| (self.text(&key.scrubbed()), self.text(&value.scrubbed())))
                .collect(),
            depends: view.depends.iter().map(|agent| self.text(agent)).collect(),
        };
        Identity { pid: view.pid, shared: intern(&mut self.shared, Arc::new(shared)) }
    }

    /// Returns an equal identity whose shared part and texts are kept once.
    pub fn intern(&mut self, identity: &Identity) -> Identity {
        let shared = &*identity.shared;
        let mut text = |text: &Option<Arc<str>>| text.as_deref().map(|text| self.text(text));
        let shared = SharedIdentity {
            host: text(&shared.host),
            group: text(&shared.group),
            version: text(&shared.version),
            framework: text(&shared.framework),
            sdk: text(&shared.sdk),
            labels: shared.labels.iter().map(|(k, v)| (self.text(k), self.text(v))).collect(),
            depends: shared.depends.iter().map(|agent| self.text(agent)).collect(),
        };
        Identity { pid: identity.pid, shared: intern(&mut self.shared, Arc::new(shared)) }
    }

    fn text(&mut self, text: &str) -> Arc<str> {
        match self.texts.get(text) {
            Some(known) => Arc::clone(known),
            None => intern(&mut self.texts, text.into()),
        }
    }
}

/// Returns the equal value of a set, or `value` after adding it.
fn intern<T: ?Sized + Ord>(set: &mut BTreeSet<Arc<T>>, value: Arc<T>) -> Arc<T> {
    if let Some(known) = set.get(&value) {
        return Arc::clone(known);
    }
    if set.len() < SHARED_MAX {
        set.insert(Arc::clone(&value));
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_identities_are_kept_once() {
        let mut interner = IdentityInterner::default();
        let host = |name| Some(UntrustedText::new(name));
        let mut intern = |pid, host| {
            interner.intern_view(&IdentityView { pid, host, ..IdentityView::default() })
        };
        let (one, two) = (intern(Some(1), host("machine-3")), intern(Some(2), host("machine-3")));
        let other = intern(Some(1), host("machine-4"));
        assert!(Arc::ptr_eq(&one.shared, &two.shared) && one != two);
        assert_eq!(other.shared.host.as_deref(), Some("machine-4"));
    }
}
