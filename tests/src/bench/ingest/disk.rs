//! The collector's real store, in a temporary directory.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use heartline_collector::clock::{self, Anchor};
use heartline_collector::store::{Store, StoreConfig, StoreEvent};
use heartline_config::Retention;
use heartline_fleet::{ControlDbRow, Fleet, HistoryDbRow, Input, MonoTime};
use tempfile::TempDir;

/// With more rows under way than this, the next burst waits: nothing is to be shed.
const UNDER_WAY: usize = 32_768;
/// Longest wait for the disk.
const PATIENCE: Duration = Duration::from_secs(30);

/// A store, what is to be given to it, and what it has said.
pub(super) struct Disk {
    store: Store,
    events: Receiver<StoreEvent>,
    pub(super) history: Vec<HistoryDbRow>,
    pub(super) control: Vec<ControlDbRow>,
    anchor: Anchor,
    /// Removed when this is dropped, after the store.
    _dir: TempDir,
}

impl Disk {
    /// An empty store, in which the moment `now` is labelled with the time of day.
    pub(super) fn open(now: MonoTime) -> Result<Self> {
        let dir = tempfile::tempdir().context("can't make a data directory")?;
        let anchor = Anchor::new(now, clock::wall_ms());
        let (told, events) = mpsc::channel();
        let config =
            StoreConfig { data_dir: dir.path().to_owned(), retention: Retention::default() };
        let notify = Arc::new(move |event| drop(told.send(event)));
        let (store, _) = Store::open(&config, anchor, notify).context("can't open a store")?;
        let (history, control) = (Vec::new(), Vec::new());
        Ok(Self { store, events, history, control, anchor, _dir: dir })
    }

    /// Hands over what is to be written, as the driver does at the end of each turn.
    pub(super) fn hand_over(&mut self) {
        if !self.control.is_empty() {
            self.store.persist(std::mem::take(&mut self.control), self.anchor);
        }
        if !self.history.is_empty() {
            self.store.record(std::mem::take(&mut self.history), self.anchor);
        }
    }

    /// Tells the fleet what has become durable; waits for it when too much is under way.
    pub(super) fn confirm(&self, fleet: &mut Fleet, now: MonoTime) -> Result<()> {
        loop {
            let event = if fleet.unconfirmed_work() > UNDER_WAY {
                Some(self.events.recv_timeout(PATIENCE).context("the store does not keep up")?)
            } else {
                self.events.try_recv().ok()
            };
            match event {
                Some(StoreEvent::HistoryStored { ticket, known }) => {
                    fleet.handle(Input::Stored { ticket, known }, now);
                }
                Some(StoreEvent::HistoryPaused { why }) => bail!("{why}"),
                Some(_) => {}
                None => return Ok(()),
            }
        }
    }

    /// Waits until nothing is under way.
    pub(super) fn settle(&self, fleet: &mut Fleet, now: MonoTime) -> Result<()> {
        while fleet.unconfirmed_work() > 0 {
            let event = self.events.recv_timeout(PATIENCE).context("the store does not keep up")?;
            if let StoreEvent::HistoryStored { ticket, known } = event {
                fleet.handle(Input::Stored { ticket, known }, now);
            }
        }
        Ok(())
    }
}
