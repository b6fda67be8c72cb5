//! What becomes of notices, into the outbox, to the core, and to operators.

use std::time::Duration;

use heartline_fleet::AlertInput;
use heartline_operator::message::Acknowledgement;
use heartline_sinks::{DeliveryLog, DeliveryRecord, PendingNotice, SinkHealth};
use heartline_vocabulary::{DeliveryState, IncidentId, NoticeId};
use tokio::sync::oneshot;

use crate::driver::{DriverHandle, DriverRequest};
use crate::store::{DeliveryRow, StoreHandle};

/// How long an attempt waits to be noted. It is made all the same: nobody is told later because the disk is slow.
const NOTED_WITHIN: Duration = Duration::from_secs(1);

/// The log of all deliveries.
pub struct OutboxLog {
    pub store: StoreHandle,
    pub driver: DriverHandle,
}

impl OutboxLog {
    fn note(
        &self,
        sink: &str,
        notices: impl Iterator<Item = NoticeId>,
        record: &DeliveryRecord<'_>,
    ) {
        let row = |notice| DeliveryRow {
            notice,
            sink: sink.into(),
            state: record.state,
            at_ms: record.at_ms,
            answer: record.answer.to_owned(),
        };
        self.store.note_deliveries(notices.map(row).collect(), NOTED_WITHIN);
    }
}

impl DeliveryLog for OutboxLog {
    fn attempt(&self, sink: &str, notices: &[PendingNotice], now_ms: i64) {
        let record = DeliveryRecord { state: DeliveryState::Attempted, at_ms: now_ms, answer: "" };
        self.note(sink, notices.iter().map(|pending| pending.notice.id), &record);
    }

    fn outcome(&self, sink: &str, notices: &[NoticeId], record: &DeliveryRecord<'_>) {
        let answer = record.answer;
        match record.state {
            DeliveryState::Refused | DeliveryState::Expired => {
                let state = record.state.name();
                tracing::error!("sink {sink}: {} notices {state}: {answer}", notices.len());
            }
            DeliveryState::Delivered => {
                // Also of a sink that took nothing when the last collector ended.
                let health = AlertInput::SinkHealth { sink: sink.into(), why: None };
                self.driver.send(DriverRequest::Alert(health));
            }
            state => tracing::debug!("sink {sink}: {} notices {}", notices.len(), state.name()),
        }
        self.note(sink, notices.iter().copied(), record);
    }

    fn health(&self, sink: &str, health: &SinkHealth) {
        let why = match health {
            SinkHealth::Works => {
                tracing::info!("sink {sink} takes notices");
                None
            }
            SinkHealth::Broken { why } => {
                tracing::error!("sink {sink} takes nothing, and is tried again: {why}");
                Some(why.as_str().into())
            }
            SinkHealth::Disabled { why } => {
                tracing::error!("sink {sink} takes nothing, until the next start or reload: {why}");
                Some(why.as_str().into())
            }
        };
        let sink = sink.into();
        self.driver.send(DriverRequest::Alert(AlertInput::SinkHealth { sink, why }));
    }

    fn acknowledged(&self, sink: &str, incident: IncidentId, by: Acknowledgement) {
        let by = format!("{} ({sink})", by.by).into();
        // Whether it goes on is not asked: the service behind the sink said so.
        let (reply_to, _) = oneshot::channel();
        let incidents = vec![incident];
        self.driver.send(DriverRequest::Acknowledge { incidents, by, reply_to });
    }
}
