//! What a worker tells of its deliveries.

use heartline_operator::message::Acknowledgement;
use heartline_vocabulary::{DeliveryState, IncidentId, NoticeId};

use super::PendingNotice;

/// Takes down what becomes of notices. The worker calls it between its requests, and waits for it: it may
/// block for a second, and must not fail. What can't be stored goes on in memory.
pub trait DeliveryLog: Send + Sync {
    /// Takes down that an attempt is about to be made, before it is: after a crash it is repeated, with the
    /// same id.
    fn attempt(&self, sink: &str, notices: &[PendingNotice], now_ms: i64);

    /// Takes down what became of notices.
    fn outcome(&self, sink: &str, notices: &[NoticeId], record: &DeliveryRecord<'_>);

    /// Takes down whether the sink works, when that has changed.
    fn health(&self, sink: &str, health: &SinkHealth);

    /// Takes down that somebody has acknowledged an incident with the service behind the sink.
    fn acknowledged(&self, sink: &str, incident: IncidentId, by: Acknowledgement);
}

/// What became of notices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryRecord<'a> {
    pub state: DeliveryState,
    pub at_ms: i64,
    /// What the sink answered, or why it was not delivered; at most 300 characters. Scrubbed.
    pub answer: &'a str,
}

/// Whether a sink works.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SinkHealth {
    #[default]
    Works,
    /// It takes nothing, and is tried again.
    Broken { why: String },
    /// It takes nothing, and is not tried again before the next start or reload.
    Disabled { why: String },
}
