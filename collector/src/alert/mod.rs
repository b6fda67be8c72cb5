//! Alerts at the edge: what the core decides, in the words of operators and sinks.

mod bell;
mod delivery_log;
mod desk;
mod message;
mod silenced;
mod test_notice;
mod watchdog;

pub use delivery_log::OutboxLog;
pub use desk::{AlertDesk, OpenIncident, SinkSetupError};
pub use watchdog::{WatchdogSetupError, watchdog_pinger};

pub(crate) use message::{facts_message, incident_message, notice_message};
