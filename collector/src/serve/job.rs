//! Jobs that operators ask for and that take long: one of a kind at a time, each on a thread of its own, and given
//! up with its client.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use heartline_operator::message::{ErrorCode, Reply};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::answer::RequestError;
use super::connection::ReplyWriter;
use super::subscription::ClientGone;
use crate::priority::{ThreadRole, lower_priority};
use crate::store::JobProgress;

/// How often a client is told how far its job is.
const UPDATE_INTERVAL: Duration = Duration::from_secs(1);
/// Updates without any progress after which a job is given up: its disk hangs.
const IDLE_UPDATES: u32 = 120;
/// Longest wait for a job to end with the collector.
const END_WITHIN: Duration = Duration::from_secs(2);

/// The place of the job of a kind that may be under way. Cheap to clone.
#[derive(Clone)]
pub struct JobSlot {
    /// What is made.
    what: &'static str,
    slot: Arc<Semaphore>,
    running: Arc<Mutex<Weak<JobProgress>>>,
}

/// A job that is cancelled when this is dropped.
pub struct RunningJob<T> {
    what: &'static str,
    progress: Arc<JobProgress>,
    result: oneshot::Receiver<T>,
}

impl JobSlot {
    pub fn new(what: &'static str) -> Self {
        Self { what, slot: Arc::new(Semaphore::new(1)), running: Arc::default() }
    }

    /// Starts a job, unless another one is under way.
    pub fn start<T: Send + 'static>(
        &self,
        run: impl FnOnce(&Arc<JobProgress>) -> T + Send + 'static,
    ) -> Result<RunningJob<T>, RequestError> {
        let what = self.what;
        let Ok(permit) = Arc::clone(&self.slot).try_acquire_owned() else {
            let message = format!("another {what} is being made: try again when it is done");
            return Err((ErrorCode::Busy, message));
        };
        let progress = Arc::<JobProgress>::default();
        *self.lock() = Arc::downgrade(&progress);
        let (reply_to, result) = oneshot::channel();
        let running = RunningJob { what, progress: Arc::clone(&progress), result };
        let run = move || {
            lower_priority(ThreadRole::History);
            let result = run(&progress);
            drop(permit);
            // One whose client is gone was cancelled, or came too late for it.
            let _ = reply_to.send(result);
        };
        match std::thread::Builder::new().name("job".into()).spawn(run) {
            Ok(_) => Ok(running),
            Err(error) => {
                Err((ErrorCode::Unavailable, format!("can't start a thread for it: {error}")))
            }
        }
    }

    /// Gives up the job that is under way, and waits until it has removed what it wrote.
    pub async fn end(&self) {
        if let Some(running) = self.lock().upgrade() {
            running.cancel();
        }
        if timeout(END_WITHIN, self.slot.acquire()).await.is_err() {
            tracing::warn!(
                "a {} did not end: a file named `.partial` may be left of it",
                self.what
            );
        }
    }

    fn lock(&self) -> MutexGuard<'_, Weak<JobProgress>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> RunningJob<T> {
    /// Waits for the result, and sends an update every second until then.
    pub async fn finish(
        mut self,
        writer: &ReplyWriter,
        update: impl Fn(&JobProgress) -> Reply,
    ) -> Result<Result<T, ClientGone>, RequestError> {
        let mut updates = interval(UPDATE_INTERVAL);
        updates.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut steps, mut idle) = (0, 0);
        loop {
            tokio::select! {
                result = &mut self.result => {
                    let message = || format!("the {} failed inside: see the collector's log", self.what);
                    return result.map(Ok).map_err(|_| (ErrorCode::Unavailable, message()));
                }
                _ = updates.tick() => {
                    let now = self.progress.steps();
                    idle = if std::mem::replace(&mut steps, now) == now { idle + 1 } else { 0 };
                    if idle > IDLE_UPDATES {
                        let what = self.what;
                        let message = format!(
                            "the {what} was given up: nothing could be written for {IDLE_UPDATES} s; look at \
                             its disk"
                        );
                        return Err((ErrorCode::Unavailable, message));
                    }
                    if writer.send(update(&self.progress)).await.is_err() {
                        return Ok(Err(ClientGone));
                    }
                }
            }
        }
    }
}

impl<T> Drop for RunningJob<T> {
    fn drop(&mut self) {
        self.progress.cancel();
    }
}
