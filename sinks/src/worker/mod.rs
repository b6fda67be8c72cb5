//! The worker of a sink: what is pending, when it is sent, and what becomes of it.

mod held;
mod log;
mod pending;
mod schedule;
mod thread;
mod watched;

pub use log::{DeliveryLog, DeliveryRecord, SinkHealth};
pub use pending::{PENDING_MAX, PendingNotice};
pub use thread::{SinkStatus, SinkWorker, WorkerStart};
