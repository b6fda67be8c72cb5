//! The reader of the databases: one thread of its own, so that no query holds anything up.

use std::path::Path;
use std::sync::mpsc;
use std::thread;

use tokio::sync::oneshot;

use crate::priority::{Role, step_behind_driver};
use crate::store::{ReadError, Reader};

type Job = Box<dyn FnOnce(&mut Reader) + Send>;

/// Asks the reader. Cheap to clone.
#[derive(Clone)]
pub struct Archive {
    jobs: mpsc::Sender<Job>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The databases could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The reader's thread could not be started.
    #[error("can't start the thread that reads history: {0}")]
    Thread(std::io::Error),
    /// The reader has ended, as it does with the collector.
    #[error("the collector is ending")]
    Ended,
}

impl Archive {
    /// Opens the databases of a data directory and starts their reader.
    ///
    /// # Errors
    /// Whatever opening them fails with.
    pub fn open(data_dir: &Path) -> Result<Self, ArchiveError> {
        let mut reader = Reader::open(data_dir)?;
        let (jobs, queue) = mpsc::channel::<Job>();
        let run = move || {
            step_behind_driver(Role::History);
            for job in queue {
                job(&mut reader);
            }
        };
        thread::Builder::new().name("archive".into()).spawn(run).map_err(ArchiveError::Thread)?;
        Ok(Self { jobs })
    }

    /// Reads.
    ///
    /// # Errors
    /// [`ArchiveError`].
    pub async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&mut Reader) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, ArchiveError> {
        let (reply_to, reply) = oneshot::channel();
        let job: Job = Box::new(move |reader| drop(reply_to.send(read(reader))));
        self.jobs.send(job).map_err(|_| ArchiveError::Ended)?;
        Ok(reply.await.map_err(|_| ArchiveError::Ended)??)
    }
}
