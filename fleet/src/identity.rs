//! Interning: identities and their texts, each kept once.

use std::collections::BTreeSet;
use std::sync::Arc;

use heartline_protocol::IdentityView;
use heartline_protocol::wire::UntrustedText;
use heartline_vocabulary::{Identity, SharedIdentity};

/// The identities and texts that agents have in common, each once.
#[derive(Debug)]
pub struct IdentityInterner {
    texts: SharedValues<str>,
    identities: SharedValues<SharedIdentity>,
}

/// Most identities, and most texts, that are shared. Those in use are bounded by the agents; this
/// bounds the time that a sweep of them takes.
const SHARED_MAX: usize = 262_144;

impl Default for IdentityInterner {
    fn default() -> Self {
        Self::with_limit(SHARED_MAX)
    }
}

impl IdentityInterner {
    /// Creates an interner that shares at most `limit` identities and `limit` texts.
    fn with_limit(limit: usize) -> Self {
        Self { texts: SharedValues::new(limit), identities: SharedValues::new(limit) }
    }

    /// Returns how many identities and texts were not shared because too many others are in use.
    pub fn unshared(&self) -> u64 {
        self.texts.unshared + self.identities.unshared
    }

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
        Identity { pid: view.pid, shared: self.identities.intern(Arc::new(shared)) }
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
        Identity { pid: identity.pid, shared: self.identities.intern(Arc::new(shared)) }
    }

    fn text(&mut self, text: &str) -> Arc<str> {
        match self.texts.values.get(text) {
            Some(known) => Arc::clone(known),
            None => self.texts.intern(text.into()),
        }
    }
}

/// Values that are kept once, for as long as anybody else has one.
#[derive(Debug)]
struct SharedValues<T: ?Sized> {
    values: BTreeSet<Arc<T>>,
    limit: usize,
    /// New values since unused ones were removed.
    new: usize,
    unshared: u64,
}

/// Sweeps are at least so many new values apart.
const SWEEP_AFTER: usize = 1_024;

impl<T: ?Sized + Ord> SharedValues<T> {
    fn new(limit: usize) -> Self {
        Self { values: BTreeSet::new(), limit, new: 0, unshared: 0 }
    }

    /// Returns the equal value that is shared, or `value` after adding it.
    fn intern(&mut self, value: Arc<T>) -> Arc<T> {
        if let Some(known) = self.values.get(&value) {
            return Arc::clone(known);
        }
        // A sweep reads all of them: it has to be paid for by as many new ones.
        if self.new >= SWEEP_AFTER.max(self.values.len() / 2) {
            self.values.retain(|value| Arc::strong_count(value) > 1);
            self.new = 0;
        }
        self.new += 1;
        if self.values.len() < self.limit {
            self.values.insert(Arc::clone(&value));
        } else {
            self.unshared += 1;
        }
        value
    }
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

    fn labelled(interner: &mut IdentityInterner, value: &str) -> Identity {
        let labels = vec![(UntrustedText::new("task"), UntrustedText::new(value))];
        let host = Some(UntrustedText::new("machine-3"));
        interner.intern_view(&IdentityView { host, labels, ..IdentityView::default() })
    }

    #[test]
    fn what_nobody_uses_any_more_is_given_back() {
        let mut interner = IdentityInterner::default();
        let kept = labelled(&mut interner, "kept");
        for n in 0..50_000 {
            labelled(&mut interner, &n.to_string());
        }
        assert!(interner.texts.values.len() <= 2 * SWEEP_AFTER, "{}", interner.texts.values.len());
        assert!(interner.identities.values.len() <= 2 * SWEEP_AFTER);
        let again = labelled(&mut interner, "kept");
        assert!(Arc::ptr_eq(&kept.shared, &again.shared));
        assert_eq!(interner.unshared(), 0);
    }

    #[test]
    fn a_full_table_is_counted_and_has_room_again_later() {
        let mut interner = IdentityInterner::with_limit(3_000);
        let mut used: Vec<Identity> =
            (0..4_000).map(|n| labelled(&mut interner, &n.to_string())).collect();
        assert!(interner.unshared() >= 2_000);
        used.clear();
        let unshared = interner.unshared();
        for n in 0..4_000 {
            labelled(&mut interner, &format!("later {n}"));
        }
        let last = labelled(&mut interner, "last");
        assert!(Arc::ptr_eq(&last.shared, &labelled(&mut interner, "last").shared));
        assert!(interner.unshared() > unshared, "the table was full until it was swept");
    }
}
