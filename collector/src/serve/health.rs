//! How the collector itself does: what the driver knows, and what is looked up when it is asked for.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use heartline_operator::message::{
    CollectorHealth, DiskSpace, ErrorCode, FileSize, QueueHealth, Reply,
};
use heartline_sinks::PENDING_MAX;
use tokio::time::timeout;

use super::ServerContext;
use super::answer::{RequestError, ending};
use crate::driver::{DriverHandle, DriverRequest, ReplyTo};
use crate::store::disk_space;

/// Longest wait for the driver, which answers within milliseconds.
const DRIVER_WITHIN: Duration = Duration::from_secs(5);
/// Longest wait for a look at the disk: one that hangs must not hide the rest.
const LOOK_WITHIN: Duration = Duration::from_secs(2);

/// The files that grow.
const FILES: [&str; 4] = ["history.db", "history.db-wal", "control.db", "control.db-wal"];

/// Answers a question about the collector itself.
pub(super) async fn answer(context: &ServerContext) -> Result<Reply, RequestError> {
    let mut health = ask_driver(&context.driver, DriverRequest::Health).await?;
    let data_dir = Arc::clone(&context.data_dir);
    let look = tokio::task::spawn_blocking(move || DiskLook::at(&data_dir));
    let look = timeout(LOOK_WITHIN, look).await.ok().and_then(Result::ok).unwrap_or_default();
    (health.disk, health.files, health.memory) = (look.disk, look.files, look.memory);
    (health.operators, health.operators_max) = context.places.count();
    health.sinks = context.alerts.sinks();
    add_outboxes(&mut health);
    Ok(Reply::CollectorHealth(Box::new(health)))
}

/// Sends a request to the driver, and says so where it answers no more: then no agent is judged.
///
/// # Errors
/// [`ErrorCode::Unavailable`]
pub(super) async fn ask_driver<T>(
    driver: &DriverHandle,
    request: impl FnOnce(ReplyTo<T>) -> DriverRequest,
) -> Result<T, RequestError> {
    match timeout(DRIVER_WITHIN, driver.request(request)).await {
        Ok(reply) => reply.ok_or_else(ending),
        Err(_) => {
            let seconds = DRIVER_WITHIN.as_secs();
            let message = format!(
                "the judging loop of this collector has not turned for {seconds} s: no agent is judged, and \
                 nobody is told of anything; see its log, and restart heartlined"
            );
            Err((ErrorCode::Unavailable, message))
        }
    }
}

fn add_outboxes(health: &mut CollectorHealth) {
    let outbox = health.sinks.iter().map(|sink| QueueHealth {
        name: format!("outbox {}", sink.name),
        unit: "notices".to_owned(),
        depth: u64::from(sink.pending),
        capacity: Some(PENDING_MAX as u64),
    });
    health.queues.extend(outbox.collect::<Vec<_>>());
}

/// What the system is asked.
#[derive(Default)]
struct DiskLook {
    disk: Option<DiskSpace>,
    files: Vec<FileSize>,
    memory: Option<u64>,
}

impl DiskLook {
    fn at(data_dir: &Path) -> Self {
        let file = |name: &&str| {
            let bytes = fs::metadata(data_dir.join(name)).ok()?.len();
            Some(FileSize { name: (*name).to_owned(), bytes })
        };
        Self {
            disk: disk_space(data_dir),
            files: FILES.iter().filter_map(file).collect(),
            memory: resident_memory(),
        }
    }
}

/// Returns the second number of `/proc/self/statm` (proc(5)), in bytes.
fn resident_memory() -> Option<u64> {
    let statm = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

#[cfg(test)]
mod tests {
    use heartline_operator::message::ErrorCode;

    use super::*;
    use crate::driver::driver_channel;

    #[tokio::test]
    async fn a_judging_loop_that_hangs_is_said_to_hang() {
        // Nobody takes what comes.
        let (handle, inbox) = driver_channel().unwrap();
        let asked = ask_driver(&handle, DriverRequest::Health).await;
        let (code, message) = asked.unwrap_err();
        assert_eq!(code, ErrorCode::Unavailable);
        assert!(message.starts_with("the judging loop of this collector has not turned for 5 s"));
        assert_eq!(inbox.queued(), 1);
        drop(inbox);
        let ended = ask_driver(&handle, DriverRequest::Health).await;
        assert_eq!(ended.unwrap_err().1, "the collector is shutting down");
    }
}
