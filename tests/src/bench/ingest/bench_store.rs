//! The collector's store in a temporary directory.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use heartline_collector::clock::{self, WallClockAnchor};
use heartline_collector::store::{Store, StoreConfig, StoreEvent, StoreSinks};
use heartline_config::Retention;
use heartline_fleet::{ControlDbRow, Fleet, HistoryDbRow, Input, MonoTime};
use tempfile::TempDir;

/// The next burst waits while more rows than this are under way, so that none is shed.
const UNDER_WAY_MAX: usize = 32_768;
/// Longest wait for the disk.
const DISK_TIMEOUT: Duration = Duration::from_secs(30);

/// A store with its events, and the rows to hand over next.
pub(super) struct BenchStore {
    store: Store,
    events: Receiver<StoreEvent>,
    pub(super) history: Vec<HistoryDbRow>,
    pub(super) control: Vec<ControlDbRow>,
    anchor: WallClockAnchor,
    /// Removed when this is dropped, after the store.
    _dir: TempDir,
}

impl BenchStore {
    /// Opens an empty store that labels the moment `now` with the current wall-clock time.
    pub(super) fn open(now: MonoTime) -> Result<Self> {
        let dir = tempfile::tempdir().context("can't make a data directory")?;
        let anchor = WallClockAnchor::new(now, clock::wall_ms());
        let (event_sender, events) = mpsc::channel();
        let config =
            StoreConfig { data_dir: dir.path().to_owned(), retention: Retention::default() };
        let notify = Arc::new(move |event| drop(event_sender.send(event)));
        let (store, _) = Store::open(&config, anchor, StoreSinks::without_alerts(notify))
            .context("can't open a store")?;
        let (history, control) = (Vec::new(), Vec::new());
        Ok(Self { store, events, history, control, anchor, _dir: dir })
    }

    /// Hands over the collected rows, as the driver does at the end of each turn.
    pub(super) fn hand_over(&mut self) {
        if !self.control.is_empty() {
            self.store.persist(std::mem::take(&mut self.control), self.anchor);
        }
        if !self.history.is_empty() {
            self.store.record(std::mem::take(&mut self.history), self.anchor);
        }
    }

    /// Reports durable rows to the fleet. Waits for them while too many are under way.
    pub(super) fn confirm(&self, fleet: &mut Fleet, now: MonoTime) -> Result<()> {
        loop {
            let event = if fleet.uncommitted_work() > UNDER_WAY_MAX {
                Some(self.events.recv_timeout(DISK_TIMEOUT).context("the store does not keep up")?)
            } else {
                self.events.try_recv().ok()
            };
            match event {
                Some(StoreEvent::HistoryStored { ticket, known }) => {
                    fleet.handle(Input::HistoryCommitted { ticket, known }, now);
                }
                Some(StoreEvent::HistoryPaused { why }) => bail!("{why}"),
                Some(_) => {}
                None => return Ok(()),
            }
        }
    }

    /// Waits until nothing is under way.
    pub(super) fn wait_until_durable(&self, fleet: &mut Fleet, now: MonoTime) -> Result<()> {
        while fleet.uncommitted_work() > 0 {
            let event =
                self.events.recv_timeout(DISK_TIMEOUT).context("the store does not keep up")?;
            if let StoreEvent::HistoryStored { ticket, known } = event {
                fleet.handle(Input::HistoryCommitted { ticket, known }, now);
            }
        }
        Ok(())
    }
}
