//! Who an agent says it is.

use heartline_vocabulary::{Identity, SharedIdentity};
use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;

use heartline_protocol::IdentityView;
use heartline_protocol::wire::Text;

/// Identities and texts, each once. None is removed, in use or not, until the collector restarts.
#[derive(Debug, Default)]
pub struct IdentityInterner {
    texts: HashSet<Arc<str>>,
    abouts: HashSet<Arc<SharedIdentity>>,
}

/// Past this many nothing more is shared: an agent that makes up labels can't fill the memory
/// beyond what its own identity takes.
const SHARED_MAX: usize = 100_000;

impl IdentityInterner {
    /// The identity that a beat tells, scrubbed.
    pub fn adopt(&mut self, view: &IdentityView<'_>) -> Identity {
        let mut one = |text: Option<Text<'_>>| text.map(|text| self.text(&text.scrubbed()));
        let about = SharedIdentity {
            host: one(view.host),
            group: one(view.group),
            version: one(view.version),
            framework: one(view.framework),
            sdk: one(view.sdk),
            labels: view
                .labels
                .iter()
                .map(|(key, value)| (self.text(&key.scrubbed()), self.text(&value.scrubbed())))
                .collect(),
            depends: view.depends.iter().map(|agent| self.text(agent)).collect(),
        };
        Identity { pid: view.pid, shared: self.shared(about) }
    }

    /// A text, shared with whoever has the same.
    pub fn text(&mut self, text: &str) -> Arc<str> {
        let known = self.texts.get(text).map(Arc::clone);
        known.unwrap_or_else(|| keep(&mut self.texts, text.into()))
    }

    /// Returns `identity`, its texts and its shared part each kept once.
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
        Identity { pid: identity.pid, shared: self.shared(shared) }
    }

    /// What agents have in common, shared with whoever has the same.
    pub fn shared(&mut self, about: SharedIdentity) -> Arc<SharedIdentity> {
        let known = self.abouts.get(&about).map(Arc::clone);
        known.unwrap_or_else(|| keep(&mut self.abouts, Arc::new(about)))
    }
}

fn keep<T: ?Sized + Eq + Hash>(set: &mut HashSet<Arc<T>>, new: Arc<T>) -> Arc<T> {
    if set.len() < SHARED_MAX {
        set.insert(Arc::clone(&new));
    }
    new
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_same_is_kept_once() {
        let mut identities = IdentityInterner::default();
        let host = |name| Some(Text::new(name));
        let mut adopt =
            |pid, host| identities.adopt(&IdentityView { pid, host, ..IdentityView::default() });
        let (one, two) = (adopt(Some(1), host("machine-3")), adopt(Some(2), host("machine-3")));
        let other = adopt(Some(1), host("machine-4"));
        assert!(Arc::ptr_eq(&one.shared, &two.shared) && one != two);
        assert_eq!(other.shared.host.as_deref(), Some("machine-4"));
    }
}
