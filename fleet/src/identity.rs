//! Who an agent says it is.

use std::collections::BTreeSet;
use std::sync::Arc;

use heartline_protocol::IdentityView;
use heartline_protocol::wire::Text;

/// Who an agent says it is. All text is scrubbed. Texts are shared between agents: a fleet has many
/// agents, few hosts and fewer versions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Host it runs on.
    pub host: Option<Arc<str>>,
    /// Process id on that host.
    pub pid: Option<u32>,
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
    /// Ids of the agents it needs.
    pub depends: Vec<Arc<str>>,
}

/// Texts that are in use, each once.
#[derive(Debug, Default)]
pub(crate) struct Texts(BTreeSet<Arc<str>>);

/// Past this many texts nothing more is shared: an agent that makes up labels can't fill the memory
/// beyond what its own identity takes.
const TEXTS_MAX: usize = 100_000;

impl Texts {
    fn share(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.0.get(text) {
            return Arc::clone(known);
        }
        let text: Arc<str> = text.into();
        if self.0.len() < TEXTS_MAX {
            self.0.insert(Arc::clone(&text));
        }
        text
    }

    /// The identity with its texts shared.
    pub(crate) fn adopt(&mut self, view: &IdentityView<'_>) -> Identity {
        let mut one = |text: Option<Text<'_>>| text.map(|text| self.share(&text.scrubbed()));
        Identity {
            host: one(view.host),
            pid: view.pid,
            group: one(view.group),
            version: one(view.version),
            framework: one(view.framework),
            sdk: one(view.sdk),
            labels: view
                .labels
                .iter()
                .map(|(key, value)| (self.share(&key.scrubbed()), self.share(&value.scrubbed())))
                .collect(),
            depends: view.depends.iter().map(|agent| self.share(agent)).collect(),
        }
    }
}
