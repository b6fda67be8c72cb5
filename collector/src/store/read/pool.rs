//! Threads that run queries beside the asynchronous runtime, and the limit of a query.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak, mpsc};
use std::thread;
use std::time::Duration;

use heartline_fleet::MonoTime;
use tokio::sync::oneshot;

use super::{ReadError, StoreReader};
use crate::clock;
use crate::priority::{ThreadRole, lower_priority};

/// The size of a [`ReaderPool`], and the limit of its queries.
#[derive(Clone, Copy, Debug)]
pub struct ReaderPoolConfig {
    /// Name of the threads.
    pub name: &'static str,
    pub threads: usize,
    /// Longest time from asking to the result, the wait for a free thread included.
    pub timeout: Duration,
}

impl ReaderPoolConfig {
    /// For the queries of operators, whose client waits 10 s for a reply.
    pub const OPERATORS: Self = Self { name: "query", threads: 2, timeout: Duration::from_secs(8) };
    /// For the events that the publisher sends to subscribers.
    pub const PUBLISHER: Self =
        Self { name: "publish", threads: 1, timeout: Duration::from_secs(8) };
    /// For an incident file, which one person looks at.
    pub const INCIDENT: Self =
        Self { name: "incident", threads: 1, timeout: Duration::from_secs(8) };
    /// For the work of the last hour of every agent, which takes long in a large fleet.
    pub const WORK: Self = Self { name: "work", threads: 1, timeout: Duration::from_secs(60) };
}

type QueuedQuery = Box<dyn FnOnce(&mut StoreReader) + Send>;

/// Runs queries on threads with connections of their own, in the order in which they come. Cheap to
/// clone; the threads end with the last clone. The queue is bounded by the callers: a connection
/// has one request under way.
#[derive(Clone)]
pub struct ReaderPool {
    queries: mpsc::Sender<QueuedQuery>,
    timeout: Duration,
}

impl ReaderPool {
    /// Opens the databases of a data directory once for each thread, and starts the threads.
    ///
    /// # Errors
    /// [`ReadError::Open`] and [`ReadError::Thread`]
    pub fn open(data_dir: &Path, config: &ReaderPoolConfig) -> Result<Self, ReadError> {
        let (queries, queue) = mpsc::channel();
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..config.threads {
            spawn(config, StoreReader::open(data_dir)?, Arc::clone(&queue))?;
        }
        Ok(Self { queries, timeout: config.timeout })
    }

    /// Starts a thread with a reader that is open.
    ///
    /// # Errors
    /// [`ReadError::Thread`]
    pub fn of_reader(reader: StoreReader, config: &ReaderPoolConfig) -> Result<Self, ReadError> {
        let (queries, queue) = mpsc::channel();
        spawn(config, reader, Arc::new(Mutex::new(queue)))?;
        Ok(Self { queries, timeout: config.timeout })
    }

    /// Runs a query. It is interrupted after the timeout of the pool, and when the future is dropped.
    ///
    /// # Errors
    /// [`ReadError`]
    pub async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&mut StoreReader) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, ReadError> {
        let (limit, guard) = QueryLimit::start(self.timeout);
        let (reply_to, reply) = oneshot::channel();
        let run = move |reader: &mut StoreReader| {
            if !reply_to.is_closed() {
                let _ = reply_to.send(reader.read_within(&limit, query));
            }
        };
        self.queries.send(Box::new(run)).map_err(|_| ReadError::Closed)?;
        let result = reply.await.unwrap_or(Err(ReadError::Closed));
        drop(guard);
        result
    }
}

fn spawn(
    config: &ReaderPoolConfig,
    mut reader: StoreReader,
    queue: Arc<Mutex<mpsc::Receiver<QueuedQuery>>>,
) -> Result<(), ReadError> {
    let run = move || {
        lower_priority(ThreadRole::History);
        while let Some(query) = next_query(&queue) {
            query(&mut reader);
        }
    };
    let thread = thread::Builder::new().name(config.name.into());
    thread.spawn(run).map(drop).map_err(ReadError::Thread)
}

/// Waits for the next query; `None` when the pool is gone. The other threads wait for the lock.
fn next_query(queue: &Mutex<mpsc::Receiver<QueuedQuery>>) -> Option<QueuedQuery> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

/// Interrupts a query at its deadline, and as soon as its guard is dropped.
#[derive(Clone, Debug)]
pub(super) struct QueryLimit {
    pub(super) timeout: Duration,
    deadline: MonoTime,
    guard: Weak<()>,
}

impl QueryLimit {
    /// Starts the time of a query. The guard is held for as long as the result is wanted.
    pub(super) fn start(timeout: Duration) -> (Self, Arc<()>) {
        let guard = Arc::new(());
        let deadline = clock::now() + timeout;
        (Self { timeout, deadline, guard: Arc::downgrade(&guard) }, guard)
    }

    pub(super) fn is_past_deadline(&self) -> bool {
        clock::now() >= self.deadline
    }

    pub(super) fn is_exceeded(&self) -> bool {
        self.is_cancelled() || self.is_past_deadline()
    }

    fn is_cancelled(&self) -> bool {
        self.guard.strong_count() == 0
    }

    /// Returns the error of a query that this limit has interrupted.
    pub(super) fn error(&self, what: &'static str) -> ReadError {
        if self.is_cancelled() {
            ReadError::Cancelled { what }
        } else {
            ReadError::TimedOut { what, timeout: self.timeout }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::WallClockAnchor;
    use crate::store::{Store, StoreConfig, StoreSinks};
    use heartline_config::Retention;

    const LONG: Duration = Duration::from_secs(600);
    const SHORT: Duration = Duration::from_secs(2);

    fn data_dir() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let config = StoreConfig { data_dir: dir.path().into(), retention: Retention::default() };
        let (store, _) = Store::open(
            &config,
            WallClockAnchor::read(),
            StoreSinks::without_alerts(Arc::new(drop)),
        )
        .unwrap();
        store.close();
        dir
    }

    fn pool(dir: &tempfile::TempDir, threads: usize, timeout: Duration) -> ReaderPool {
        let config = ReaderPoolConfig { name: "test", threads, timeout };
        ReaderPool::open(dir.path(), &config).unwrap()
    }

    /// A query that never ends by itself.
    fn count_for_ever(reader: &mut StoreReader) -> Result<i64, ReadError> {
        let sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) \
                   SELECT count(*) FROM n";
        reader.history.read("numbers", |conn| conn.query_row(sql, [], |row| row.get(0)))
    }

    #[tokio::test]
    async fn a_slow_query_is_interrupted_at_its_deadline_and_others_run_meanwhile() {
        let dir = data_dir();
        let pool = pool(&dir, 2, SHORT);
        let begun = clock::now();
        let slow = tokio::spawn({
            let pool = pool.clone();
            async move { pool.read(count_for_ever).await }
        });
        let mut answered = 0;
        while !slow.is_finished() {
            assert_eq!(pool.read(StoreReader::tokens).await.unwrap(), []);
            answered += 1;
        }
        assert!(answered > 0, "the other reader was free");
        let error = slow.await.unwrap().unwrap_err();
        assert!(matches!(error, ReadError::TimedOut { what: "numbers", timeout: SHORT }));
        let message = error.to_string();
        assert!(message.contains("more than 2 s") && message.contains("narrow"), "{message}");
        assert!(clock::now().since(begun) >= SHORT);
    }

    #[tokio::test]
    async fn a_dropped_future_frees_its_reader() {
        let dir = data_dir();
        let pool = pool(&dir, 1, LONG);
        let (begun, has_begun) = oneshot::channel();
        let slow = tokio::spawn({
            let pool = pool.clone();
            let query = move |reader: &mut StoreReader| {
                let _ = begun.send(());
                count_for_ever(reader)
            };
            async move { pool.read(query).await }
        });
        has_begun.await.unwrap();
        slow.abort();
        assert_eq!(pool.read(StoreReader::tokens).await.unwrap(), [], "long before the deadline");
    }

    #[tokio::test]
    async fn a_reader_serves_after_an_interrupted_query() {
        let dir = data_dir();
        let pool = pool(&dir, 1, SHORT);
        let error = pool.read(count_for_ever).await.unwrap_err();
        assert!(matches!(error, ReadError::TimedOut { .. }), "{error}");
        assert_eq!(pool.read(StoreReader::tokens).await.unwrap(), []);
    }

    #[test]
    fn a_query_that_is_queued_past_its_deadline_does_not_start() {
        let dir = data_dir();
        let mut reader = StoreReader::open(dir.path()).unwrap();
        let (limit, _guard) = QueryLimit::start(Duration::ZERO);
        let error = reader.read_within(&limit, StoreReader::tokens).unwrap_err();
        assert!(matches!(error, ReadError::Busy { .. }) && error.to_string().contains("try again"));
    }

    #[test]
    fn a_limit_of_one_query_does_not_outlive_it() {
        let dir = data_dir();
        let mut reader = StoreReader::open(dir.path()).unwrap();
        let (limit, guard) = QueryLimit::start(LONG);
        reader.read_within(&limit, StoreReader::tokens).unwrap();
        drop(guard);
        let sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100000) \
                   SELECT count(*) FROM n";
        let count = |conn: &rusqlite::Connection| conn.query_row(sql, [], |row| row.get(0));
        assert_eq!(reader.history.read::<i64>("numbers", count).unwrap(), 100_000);
    }
}
