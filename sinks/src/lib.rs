//! Where alerts go.
//!
//! A [`Sink`] is made of its configuration and takes one message at a time: [`Sink::send`] renders a
//! [`Delivery`], sends it, and says by its [`Outcome`] whether it was taken, is to be tried again, or was
//! refused, the message or the sink.
//!
//! A [`SinkWorker`] owns a sink on a thread of its own: it sends what is pending in order and at least
//! once, merges what has become stale, and tells its [`DeliveryLog`] of each attempt before it is made.
//!
//! A [`Pinger`] tells a watchdog that the collector judges agents, or that it doubts itself; each ping is granted by
//! whoever judges.
//!
//! What a message says is made in one place, and cut for each format from the same lines. Whatever agents
//! and servers say is scrubbed and cut there. Formats are pure; only the HTTP client, mail and command do
//! I/O.

mod bell;
mod clock;
mod command;
mod delivery;
mod format;
mod http;
mod label;
mod mail;
mod ping;
mod pulse;
#[cfg(any(test, feature = "sample"))]
pub mod sample;
mod sink;
mod text;
mod worker;

pub use bell::Bell;
pub use delivery::{Arrival, Delivery, Form, Outcome, Permanence};
pub use format::WebhookSecretError;
pub use http::TrustError;
pub use label::CollectorLabel;
pub use mail::MailError;
pub use ping::{Ping, PingRefusal, PingReport, Pinger, PingerError};
pub use pulse::WorkerPulse;
pub use sink::{LifeSign, Sink, SinkError};
pub use worker::{
    DeliveryLog, DeliveryRecord, PENDING_MAX, PendingNotice, SinkHealth, SinkStatus, SinkWorker,
    WorkerStart,
};
