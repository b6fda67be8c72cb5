//! An agent's identity as `control.db` keeps it: a MessagePack map, which later versions may add to.

use std::borrow::Cow;
use std::sync::Arc;

use heartline_fleet::{About, Identities, Identity};
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
    let about = &identity.about;
    let stored = Stored {
        host: text(&about.host),
        pid: identity.pid,
        group: text(&about.group),
        version: text(&about.version),
        framework: text(&about.framework),
        sdk: text(&about.sdk),
        labels: about
            .labels
            .iter()
            .map(|(key, value)| (Cow::Borrowed(&**key), Cow::Borrowed(&**value)))
            .collect(),
        depends: about.depends.iter().map(|agent| Cow::Borrowed(&**agent)).collect(),
    };
    rmp_serde::to_vec_named(&stored).expect("texts and numbers can always be encoded")
}

/// The identity of these bytes; `None` if they are none: the agent will say it again.
pub(super) fn decode(bytes: &[u8], identities: &mut Identities) -> Option<Identity> {
    let stored: Stored<'_> = rmp_serde::from_slice(bytes).ok()?;
    let mut one = |text: Option<Cow<'_, str>>| text.map(|text| identities.text(&text));
    let about = About {
        host: one(stored.host),
        group: one(stored.group),
        version: one(stored.version),
        framework: one(stored.framework),
        sdk: one(stored.sdk),
        labels: stored
            .labels
            .iter()
            .map(|(key, value)| (identities.text(key), identities.text(value)))
            .collect(),
        depends: stored.depends.iter().map(|agent| identities.text(agent)).collect(),
    };
    Some(Identity { pid: stored.pid, about: identities.about(about) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_with_everything_shared() {
        let about = About {
            host: Some("machine-3".into()),
            sdk: Some("rust 0.1.0".into()),
            labels: vec![("tag".into(), "prod".into())],
            depends: vec!["mail.1".into()],
            ..About::default()
        };
        let identity = Identity { pid: Some(4_411), about: about.into() };
        let mut identities = Identities::default();
        let bytes = encode(&identity);
        let mut decoded = || decode(&bytes, &mut identities).unwrap();
        let (one, two) = (decoded(), decoded());
        assert_eq!(one, identity);
        assert!(Arc::ptr_eq(&one.about, &two.about));
    }

    #[test]
    fn garbage_is_no_identity() {
        assert_eq!(decode(&[0xc1, 0, 1], &mut Identities::default()), None);
    }
}
