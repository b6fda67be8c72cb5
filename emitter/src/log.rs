//! Warnings of the emitter, which no subscriber can turn against it or its agent.
//!
//! What receives them is the agent's: it may panic (as `tracing_subscriber::fmt` does when nobody
//! reads standard error any more) or hang.

use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, SyncSender};
use std::thread;

use heartline_protocol::AgentName;

/// Most messages that wait for a slow subscriber; more are dropped, as the status has them, too.
const QUEUE_MAX: usize = 32;

/// Logs a warning on this thread.
pub(crate) fn warn(agent: &str, message: &dyn Display) {
    // There is nowhere to report that reporting has failed.
    let _ = catch_unwind(AssertUnwindSafe(|| tracing::warn!(agent, "heartline: {message}")));
}

/// Logs on a thread of its own, which is started for the first message: a subscriber that hangs
/// holds up no beat.
#[derive(Debug)]
pub(crate) struct BackgroundLog {
    agent: String,
    queue: Option<SyncSender<String>>,
}

impl BackgroundLog {
    pub(crate) fn new(agent: &AgentName) -> Self {
        Self { agent: agent.to_string(), queue: None }
    }

    pub(crate) fn warn(&mut self, message: &dyn Display) {
        if self.queue.is_none() {
            let (queue, messages) = mpsc::sync_channel::<String>(QUEUE_MAX);
            let agent = self.agent.clone();
            let spawned =
                thread::Builder::new().name("heartline-log".to_owned()).spawn(move || {
                    for message in messages {
                        warn(&agent, &message);
                    }
                });
            self.queue = spawned.ok().map(|_| queue);
        }
        if let Some(queue) = &self.queue {
            let _ = queue.try_send(message.to_string());
        }
    }
}
