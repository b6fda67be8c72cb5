//! Who an agent says it is.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;

use heartline_protocol::IdentityView;
use heartline_protocol::wire::Text;

/// Who an agent says it is. All text is scrubbed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Process id on its host.
    pub pid: Option<u32>,
    /// All the rest, which agents of one program on one host have in common.
    pub about: Arc<About>,
}

/// What agents of one program on one host have in common. A fleet has many agents, few programs and
/// few hosts, so these are shared between agents, and so are their texts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct About {
    /// Host that it runs on.
    pub host: Option<Arc<str>>,
    /// Group of agents that it belongs to.
    pub group: Option<Arc<str>>,
    /// Version of its program.
    pub version: Option<Arc<str>>,
    /// Framework, with version.
    pub framework: Option<Arc<str>>,
    /// Emitter, with version.
    pub sdk: Option<Arc<str>>,
    /// Labels, by key.
    pub labels: Vec<(Arc<str>, Arc<str>)>,
    /// Ids of the agents that it needs.
    pub depends: Vec<Arc<str>>,
}

/// Identities and texts that are in use, each once.
#[derive(Debug, Default)]
pub struct Identities {
    texts: HashSet<Arc<str>>,
    abouts: HashSet<Arc<About>>,
}

/// Past this many nothing more is shared: an agent that makes up labels can't fill the memory
/// beyond what its own identity takes.
const SHARED_MAX: usize = 100_000;

impl Identities {
    /// The identity that a beat tells, scrubbed.
    pub fn adopt(&mut self, view: &IdentityView<'_>) -> Identity {
        let mut one = |text: Option<Text<'_>>| text.map(|text| self.text(&text.scrubbed()));
        let about = About {
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
        Identity { pid: view.pid, about: self.about(about) }
    }

    /// A text, shared with whoever has the same.
    pub fn text(&mut self, text: &str) -> Arc<str> {
        let known = self.texts.get(text).map(Arc::clone);
        known.unwrap_or_else(|| keep(&mut self.texts, text.into()))
    }

    /// What agents have in common, shared with whoever has the same.
    pub fn about(&mut self, about: About) -> Arc<About> {
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
        let mut identities = Identities::default();
        let host = |name| Some(Text::new(name));
        let mut adopt =
            |pid, host| identities.adopt(&IdentityView { pid, host, ..IdentityView::default() });
        let (one, two) = (adopt(Some(1), host("machine-3")), adopt(Some(2), host("machine-3")));
        let other = adopt(Some(1), host("machine-4"));
        assert!(Arc::ptr_eq(&one.about, &two.about) && one != two);
        assert_eq!(other.about.host.as_deref(), Some("machine-4"));
    }
}
