//! The terminal apps that are attached, and ring.

use heartline_operator::message::BellRing;
use heartline_sinks::Bell;
use tokio::sync::broadcast;

/// Rings that an app may be behind before it misses some: none is kept for later.
const BACKLOG: usize = 16;

/// The terminal apps that ring. Cheap to clone.
#[derive(Clone)]
pub(crate) struct AttachedApps(broadcast::Sender<BellRing>);

impl Default for AttachedApps {
    fn default() -> Self {
        Self(broadcast::channel(BACKLOG).0)
    }
}

impl AttachedApps {
    /// Attaches an app: until this is dropped it counts as told.
    pub(crate) fn attach(&self) -> broadcast::Receiver<BellRing> {
        self.0.subscribe()
    }
}

impl Bell for AttachedApps {
    fn ring(&self, text: &str) -> usize {
        // An error says that there is none.
        self.0.send(BellRing { text: text.to_owned() }).unwrap_or(0)
    }
}
