//! An agent's identity as `control.db` keeps it: a MessagePack map, which later versions may add to.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use heartline_fleet::Identity;
use serde::{Deserialize, Serialize};

/// As it stands in the database. Missing fields have their default, unknown ones are skipped.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Stored<'a> {
    #[serde(borrow)]
    host: Option<Cow<'a, str>>,
    pid: Option<u32>,
    #[serde(borrow)]
    group: Option<Cow<'a, str>>,
    #[serde(borrow)]
    version: Option<Cow<'a, str>>,
    #[serde(borrow)]
    framework: Option<Cow<'a, str>>,
    #[serde(borrow)]
    sdk: Option<Cow<'a, str>>,
    #[serde(borrow)]
    labels: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    #[serde(borrow)]
    depends: Vec<Cow<'a, str>>,
}

/// The bytes for the database.
pub(super) fn encode(identity: &Identity) -> Vec<u8> {
    fn text(text: &Option<Arc<str>>) -> Option<Cow<'_, str>> {
        text.as_deref().map(Cow::Borrowed)
    }
    let stored = Stored {
        host: text(&identity.host),
        pid: identity.pid,
        group: text(&identity.group),
        version: text(&identity.version),
        framework: text(&identity.framework),
        sdk: text(&identity.sdk),
        labels: identity
            .labels
            .iter()
            .map(|(key, value)| (Cow::Borrowed(&**key), Cow::Borrowed(&**value)))
            .collect(),
        depends: identity.depends.iter().map(|agent| Cow::Borrowed(&**agent)).collect(),
    };
    rmp_serde::to_vec_named(&stored).expect("texts and numbers can always be encoded")
}

/// Texts that were met while restoring, each kept once: a fleet has few hosts and versions.
#[derive(Debug, Default)]
pub(super) struct Texts(HashSet<Arc<str>>);

impl Texts {
    fn share(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.0.get(text) {
            return Arc::clone(known);
        }
        let text: Arc<str> = text.into();
        self.0.insert(Arc::clone(&text));
        text
    }

    /// The identity of these bytes; `None` if they are none: the agent will say it again.
    pub(super) fn decode(&mut self, bytes: &[u8]) -> Option<Identity> {
        let stored: Stored<'_> = rmp_serde::from_slice(bytes).ok()?;
        let mut one = |text: Option<Cow<'_, str>>| text.map(|text| self.share(&text));
        Some(Identity {
            host: one(stored.host),
            pid: stored.pid,
            group: one(stored.group),
            version: one(stored.version),
            framework: one(stored.framework),
            sdk: one(stored.sdk),
            labels: stored
                .labels
                .iter()
                .map(|(key, value)| (self.share(key), self.share(value)))
                .collect(),
            depends: stored.depends.iter().map(|agent| self.share(agent)).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_with_texts_shared() {
        let identity = Identity {
            host: Some("machine-3".into()),
            pid: Some(4_411),
            sdk: Some("rust 0.1.0".into()),
            labels: vec![("tag".into(), "prod".into())],
            depends: vec!["mail.1".into()],
            ..Identity::default()
        };
        let mut texts = Texts::default();
        let bytes = encode(&identity);
        let (one, two) = (texts.decode(&bytes).unwrap(), texts.decode(&bytes).unwrap());
        assert_eq!(one, identity);
        assert!(Arc::ptr_eq(&one.host.unwrap(), &two.host.unwrap()));
    }

    #[test]
    fn garbage_is_no_identity() {
        assert_eq!(Texts::default().decode(&[0xc1, 0, 1]), None);
    }
}
