//! Backups: one at a time, each on a thread of its own, told of every second, and given up with its client.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use heartline_operator::message::{
    BackupCommand, BackupFile, BackupSummary, BackupUpdate, ErrorCode, Reply,
};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::ServerContext;
use super::answer::{OperatorIdentity, RequestError, ending, flush_history, may_control};
use super::connection::ReplyWriter;
use super::subscription::ClientGone;
use crate::clock;
use crate::driver::DriverRequest;
use crate::priority::{ThreadRole, lower_priority};
use crate::store::{BackupError, BackupJob, BackupProgress};

/// How often a client is told how far its backup is.
const UPDATE_INTERVAL: Duration = Duration::from_secs(1);
/// Updates without any progress after which a backup is given up: its disk hangs.
const IDLE_UPDATES: u32 = 120;
/// Longest wait for a backup to end with the collector.
const END_WITHIN: Duration = Duration::from_secs(2);

/// The place of the backup that may be under way. Cheap to clone.
#[derive(Clone)]
pub struct BackupSlot {
    data_dir: Arc<Path>,
    slot: Arc<Semaphore>,
    running: Arc<Mutex<Weak<BackupProgress>>>,
}

type BackupResult = Result<Vec<BackupFile>, BackupError>;

impl BackupSlot {
    pub fn new(data_dir: &Path) -> Self {
        let (slot, running) = (Arc::new(Semaphore::new(1)), Arc::default());
        Self { data_dir: data_dir.into(), slot, running }
    }

    /// Starts the thread of a backup, unless another one is under way.
    fn start(
        &self,
        job: BackupJob,
    ) -> Result<(RunningBackup, oneshot::Receiver<BackupResult>), RequestError> {
        let Ok(permit) = Arc::clone(&self.slot).try_acquire_owned() else {
            let message = "another backup is being made: wait until it is done";
            return Err((ErrorCode::Busy, message.to_owned()));
        };
        let progress = Arc::<BackupProgress>::default();
        *self.lock() = Arc::downgrade(&progress);
        let (reply_to, reply) = oneshot::channel();
        let running = RunningBackup(Arc::clone(&progress));
        let run = move || {
            lower_priority(ThreadRole::History);
            let result = job.run(&progress);
            drop(permit);
            // One whose client is gone was cancelled, or came too late for it.
            let _ = reply_to.send(result);
        };
        match std::thread::Builder::new().name("backup".into()).spawn(run) {
            Ok(_) => Ok((running, reply)),
            Err(error) => {
                Err((ErrorCode::Unavailable, format!("can't start a thread for it: {error}")))
            }
        }
    }

    /// Gives up the backup that is under way, and waits until it has removed what it wrote.
    pub async fn end(&self) {
        let running = self.lock().upgrade();
        if let Some(running) = running {
            running.cancel();
        }
        if timeout(END_WITHIN, self.slot.acquire()).await.is_err() {
            tracing::warn!(
                "a backup did not end: a directory with `.partial-` in its name may be left of it"
            );
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Weak<BackupProgress>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A backup that is cancelled when this is dropped.
struct RunningBackup(Arc<BackupProgress>);

impl Drop for RunningBackup {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// Makes a backup, and tells its client how far it is.
pub async fn send(
    command: BackupCommand,
    writer: &ReplyWriter,
    operator: &OperatorIdentity,
    context: &ServerContext,
) -> Result<Result<(), ClientGone>, RequestError> {
    may_control(operator)?;
    if !operator.is_owner {
        let message = "a backup is made as the user of heartlined, with all of its rights and keys: \
                       only that user and root may ask for one";
        return Err((ErrorCode::NotAllowed, message.to_owned()));
    }
    // What was shown before the backup is in it.
    flush_history(context).await?;
    let status = context.driver.request(DriverRequest::Status).await.ok_or_else(ending)?;
    let (dir, at_ms) = (command.dir, clock::wall_ms());
    let job = BackupJob {
        data_dir: context.backups.data_dir.to_path_buf(),
        dir: dir.clone().into(),
        at_ms,
        master_keys: command.has_key.then(|| context.keys.master_lines()),
    };
    let (running, mut done) = context.backups.start(job)?;
    let mut updates = interval(UPDATE_INTERVAL);
    updates.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut steps, mut idle) = (0, 0);
    let files = loop {
        tokio::select! {
            files = &mut done => break files.unwrap_or(Err(BackupError::Cancelled)),
            _ = updates.tick() => {
                let now = running.0.steps();
                idle = if std::mem::replace(&mut steps, now) == now { idle + 1 } else { 0 };
                if idle > IDLE_UPDATES {
                    let message = format!(
                        "the backup was given up: nothing could be written to {dir} for {IDLE_UPDATES} s; \
                         look at its disk"
                    );
                    return Err((ErrorCode::Unavailable, message));
                }
                let (done, total) = running.0.bytes();
                let update = Reply::Backup(BackupUpdate::Progress { done, total });
                if writer.send(update).await.is_err() {
                    return Ok(Err(ClientGone));
                }
            }
        }
    };
    let files = files.map_err(|error| (code_of(&error), error.to_string()))?;
    tracing::info!(dir, by = operator.name, "a backup was made");
    let summary = BackupSummary { dir, at_ms, files, history: status.history };
    Ok(writer.send(Reply::Backup(BackupUpdate::Done(summary))).await)
}

fn code_of(error: &BackupError) -> ErrorCode {
    match error {
        BackupError::Relative { .. }
        | BackupError::NotEmpty { .. }
        | BackupError::NotADirectory { .. }
        | BackupError::MountPoint { .. }
        | BackupError::InDataDir { .. } => ErrorCode::BadRequest,
        _ => ErrorCode::Unavailable,
    }
}
