//! The desk: where notices that are durable go to the workers of their sinks, and where silences are kept.
//!
//! The thread that writes `history.db` hands notices over; operators ask and change silences from the main thread.
//! The driver has no part in it, so that no lock here can hold it up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use heartline_config::{AlertFilter, AlertsConfig, SinkConfig, SinkSection, WindowSection};
use heartline_fleet::{AlertInput, Incident as CoreIncident, Silence as CoreSilence};
use heartline_operator::message::{INCIDENT_AGENTS_MAX, Incident, Notice, Silence, SinkReport};
use heartline_sinks::{
    CollectorLabel, DeliveryLog, DeliveryRecord, Outcome, PendingNotice, Sink, SinkHealth,
    SinkWorker, WorkerPulse, WorkerStart,
};
use heartline_vocabulary::{AgentRowId, DeliveryState, NoticeId};
use tokio::sync::oneshot;

use super::bell::AttachedApps;
use super::silenced::SilencedIncidents;
use super::test_notice::test_notice;
use crate::clock::{self, WallClockAnchor};
use crate::driver::{DriverHandle, DriverRequest};
use crate::store::{OutboxEvent, OutboxNotice, SilenceChange, StoredSilence};

/// Most notices that were sent unstored and are remembered, so that they are not sent again when they are stored.
const UNSTORED_MAX: usize = 65_536;

/// Why sinks can't be used as the config file has them.
#[derive(Debug, thiserror::Error)]
pub enum SinkSetupError {
    #[error(transparent)]
    Secret(#[from] heartline_config::SecretError),
    #[error(transparent)]
    Sink(#[from] heartline_sinks::SinkError),
    #[error("can't start the thread of sink {sink}: {source}; raise the limit on processes")]
    Thread { sink: String, source: std::io::Error },
}

/// The desk, at first without sinks.
#[derive(Default)]
pub struct AlertDesk {
    state: Mutex<DeskState>,
    apps: AttachedApps,
}

/// An incident that goes on, with the sinks that were told of it.
#[derive(Clone, Debug)]
pub struct OpenIncident {
    pub incident: Incident,
    pub told: Vec<Box<str>>,
    /// All members that are in trouble, at most [`INCIDENT_AGENTS_MAX`].
    pub agents: Vec<AgentRowId>,
    /// Those of them that only need what is in trouble.
    pub affected: Vec<AgentRowId>,
    /// Nobody is to be told of it now.
    pub is_silenced: bool,
}

#[derive(Default)]
struct DeskState {
    /// In the order of the config file.
    workers: Vec<NamedWorker>,
    /// Pending notices of sinks that are to be started.
    unassigned: BTreeMap<Box<str>, Vec<PendingNotice>>,
    is_started: bool,
    /// Sent while history was paused.
    unstored: BTreeSet<NoticeId>,
    /// Incidents that nobody is to be told of now.
    silenced: SilencedIncidents,
    silences: Vec<StoredSilence>,
    windows: Vec<WindowSection>,
    /// The silences and windows that the core knows of.
    applied: Vec<Silence>,
    routes: u32,
}

struct NamedWorker {
    name: Box<str>,
    kind: &'static str,
    worker: SinkWorker,
}

/// Sinks that could be made of a config file, and are not started yet.
pub struct PreparedSinks {
    sinks: Vec<(&'static str, Sink)>,
    windows: Vec<WindowSection>,
    routes: u32,
}

impl AlertDesk {
    /// Takes what the last run has left.
    pub fn restore(&self, pending: Vec<OutboxNotice>, silences: Vec<StoredSilence>) {
        let mut state = self.lock();
        state.silences = silences;
        for notice in pending {
            state.assign(&notice);
        }
    }

    /// Reads the secrets of sinks and makes them; starts nothing.
    ///
    /// # Errors
    /// [`SinkSetupError`] names the sink, and the file or variable.
    pub fn prepare(
        &self,
        label: &CollectorLabel,
        config: &AlertsConfig,
    ) -> Result<PreparedSinks, SinkSetupError> {
        let ssh = config.section.ssh.clone();
        let label = CollectorLabel { ssh, ..label.clone() };
        let read = config.read_sinks(|name| std::env::var_os(name))?;
        let make = |(section, config): (&SinkSection, SinkConfig)| {
            let sink = Sink::new(&config, label.clone())?.with_bell(Arc::new(self.apps.clone()));
            for warning in sink.warnings() {
                tracing::warn!("sink {}: {warning}", config.name);
            }
            Ok((section.kind.get_ref().0.name(), sink))
        };
        let sinks =
            config.sinks.iter().zip(read).map(make).collect::<Result<_, SinkSetupError>>()?;
        let routes = u32::try_from(config.routes.len()).unwrap_or(u32::MAX);
        Ok(PreparedSinks { sinks, windows: config.windows.clone(), routes })
    }

    /// Starts sinks in the place of those before, which give back what is pending; what was for a sink that there is
    /// no more has expired. `open`: the incidents that go on. Blocks as [`Self::stop`] does.
    ///
    /// # Errors
    /// [`SinkSetupError::Thread`]
    pub fn start(
        &self,
        prepared: PreparedSinks,
        log: &Arc<dyn DeliveryLog>,
        open: &[OpenIncident],
    ) -> Result<(), SinkSetupError> {
        self.stop();
        let mut state = self.lock();
        (state.windows, state.routes) = (prepared.windows, prepared.routes);
        let silenced = open.iter().filter(|it| it.is_silenced).map(|it| it.incident.id);
        state.silenced.reset(silenced.collect());
        for (kind, sink) in prepared.sinks {
            let name: Box<str> = sink.name().into();
            let start = WorkerStart {
                sink,
                log: Arc::clone(log),
                zone: jiff::tz::TimeZone::system(),
                pending: state.unassigned.remove(&name).unwrap_or_default(),
                open: told_of(open, &name),
                ended: Vec::new(),
                silenced: state.silenced.ids().clone(),
            };
            let failed = |source| SinkSetupError::Thread { sink: name.to_string(), source };
            let worker = SinkWorker::start(start).map_err(failed)?;
            state.workers.push(NamedWorker { name, kind, worker });
        }
        state.is_started = true;
        let removed = std::mem::take(&mut state.unassigned);
        drop(state);
        for (sink, pending) in removed {
            let notices: Vec<NoticeId> = pending.iter().map(|it| it.notice.id).collect();
            let answer = "the config file has no such sink any more";
            let at_ms = clock::wall_ms();
            let record = DeliveryRecord { state: DeliveryState::Expired, at_ms, answer };
            log.outcome(&sink, &notices, &record);
        }
        Ok(())
    }

    /// Ends all workers, each after the request that is under way; what is pending is kept. Blocks until then.
    pub fn stop(&self) {
        let workers = {
            let mut state = self.lock();
            state.is_started = false;
            std::mem::take(&mut state.workers)
        };
        // All at once: each may have a request under way that hangs.
        let stopped = thread::scope(|scope| {
            let stop = |it: NamedWorker| scope.spawn(move || (it.name, it.worker.stop()));
            let stopping: Vec<_> = workers.into_iter().map(stop).collect();
            stopping.into_iter().filter_map(|it| it.join().ok()).collect::<Vec<_>>()
        });
        let mut state = self.lock();
        for (name, pending) in stopped {
            // What came meanwhile is newer.
            let newer = state.unassigned.insert(name.clone(), pending).unwrap_or_default();
            state.unassigned.entry(name).or_default().extend(newer);
        }
    }

    /// Gives notices to the workers of their sinks, which hold back what is silenced.
    pub fn dispatch(&self, events: Vec<OutboxEvent>) {
        let mut state = self.lock();
        let changes = state.silenced.take_in(&events);
        state.each_worker(|it| it.hold(&changes.held));
        state.each_worker(|it| it.release(&changes.released));
        for event in events {
            if let OutboxEvent::Notice(notice) = event {
                state.dispatch(&notice);
            }
        }
        state.each_worker(|it| it.release(&changes.over));
    }

    /// Sends a notice of no incident to a sink; the receiver is told what it answered, or why it took nothing.
    /// `None`: there is no such sink.
    pub fn test(&self, sink: &str) -> Option<oneshot::Receiver<Result<String, String>>> {
        let state = self.lock();
        let worker = &state.workers.iter().find(|it| *it.name == *sink)?.worker;
        let (reply_to, reply) = oneshot::channel();
        worker.test(test_notice(sink, clock::wall_ms()), move |outcome| {
            let _ = reply_to.send(match outcome {
                Outcome::Delivered { answer, .. } => Ok(answer),
                Outcome::Retry { why, .. }
                | Outcome::MessageRefused { why }
                | Outcome::SinkRefused { why, .. } => Err(why),
            });
        });
        Some(reply)
    }

    /// Returns the terminal apps that ring.
    pub(crate) fn apps(&self) -> &AttachedApps {
        &self.apps
    }

    /// Returns how the sinks do, in the order of the config file.
    pub fn sinks(&self) -> Vec<SinkReport> {
        self.lock().workers.iter().map(NamedWorker::report).collect()
    }

    /// Returns what the driver is to see of the workers, by the names of their sinks.
    pub fn pulses(&self) -> Vec<(Box<str>, WorkerPulse)> {
        let state = self.lock();
        state.workers.iter().map(|it| (it.name.clone(), it.worker.pulse().clone())).collect()
    }

    pub fn route_count(&self) -> u32 {
        self.lock().routes
    }

    /// Takes in a change of silences that is durable under its number.
    pub fn take_change(&self, change: SilenceChange, id: i64) {
        let mut state = self.lock();
        match change {
            SilenceChange::Begin(silence) => {
                state.silences.push(StoredSilence { id, ..silence });
                state.silences.sort_by_key(|silence| (silence.until_ms, silence.id));
            }
            SilenceChange::End { id, .. } => state.silences.retain(|silence| silence.id != id),
        }
    }

    /// Returns the silences and windows that last at a time, and the next windows.
    pub fn silences(&self, now_ms: i64) -> Vec<Silence> {
        let state = self.lock();
        let own = state.silences.iter().cloned().map(Silence::from);
        let windows = state.windows.iter().filter_map(|window| {
            let span = window.span_at(now_ms)?;
            Some(Silence {
                id: None,
                filter: window.filter.get_ref().clone(),
                from_ms: span.from_ms,
                until_ms: span.until_ms,
                by: String::new(),
                reason: window.reason.clone(),
            })
        });
        let mut all: Vec<Silence> =
            own.chain(windows).filter(|silence| silence.until_ms > now_ms).collect();
        all.sort_by_key(|silence| (silence.until_ms, silence.id));
        all
    }

    /// Tells the core which silences last now, if that has changed.
    pub fn apply_silences(&self, driver: &DriverHandle, now_ms: i64) {
        let anchor = WallClockAnchor::read();
        let lasting = self.silences(now_ms).into_iter().filter(|it| it.from_ms <= now_ms);
        let lasting: Vec<Silence> = lasting.collect();
        {
            let mut state = self.lock();
            if state.applied == lasting {
                return;
            }
            state.applied.clone_from(&lasting);
        }
        let silences = lasting.into_iter().filter_map(|silence| {
            let filter = AlertFilter::parse(&silence.filter).ok()?.shared();
            Some(CoreSilence { filter, until: anchor.mono(silence.until_ms) })
        });
        let silences = silences.collect();
        driver.send(DriverRequest::Alert(AlertInput::Silences(silences)));
    }

    fn lock(&self) -> MutexGuard<'_, DeskState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OpenIncident {
    /// Returns an incident of the core with its message.
    pub(crate) fn of(core: &CoreIncident, incident: Incident) -> Self {
        let in_trouble = || core.members.iter().filter(|(_, member)| member.left.is_none());
        let affected = in_trouble().filter(|(_, member)| member.is_affected);
        Self {
            incident,
            told: core.told.keys().cloned().collect(),
            agents: in_trouble().take(INCIDENT_AGENTS_MAX).map(|(id, _)| *id).collect(),
            affected: affected.take(INCIDENT_AGENTS_MAX).map(|(id, _)| *id).collect(),
            is_silenced: core.is_silenced,
        }
    }
}

fn told_of(open: &[OpenIncident], sink: &str) -> Vec<Incident> {
    let told = open.iter().filter(|it| it.told.iter().any(|name| **name == *sink));
    told.map(|it| it.incident.clone()).collect()
}

impl DeskState {
    fn each_worker(&self, act: impl Fn(&SinkWorker)) {
        self.workers.iter().for_each(|it| act(&it.worker));
    }

    /// Assigns a notice, unless it was sent before it was stored.
    fn dispatch(&mut self, notice: &OutboxNotice) {
        let id = notice.notice.id;
        if notice.is_stored && self.unstored.remove(&id) {
            return;
        }
        if !notice.is_stored {
            if self.unstored.len() >= UNSTORED_MAX {
                self.unstored.pop_first();
            }
            self.unstored.insert(id);
        }
        self.assign(notice);
    }

    fn assign(&mut self, outbox: &OutboxNotice) {
        for sink in &outbox.sinks {
            let pending = PendingNotice {
                notice: Notice::clone(&outbox.notice),
                is_stored: outbox.is_stored,
                may_have_arrived: outbox.is_repeat,
            };
            match self.workers.iter().find(|worker| worker.name == *sink) {
                Some(worker) => worker.worker.enqueue(pending),
                // The next start says in the outbox that it has expired.
                None if self.is_started => tracing::warn!(
                    "notice {} is not sent to {sink}: the config file has no such sink any more",
                    outbox.notice.id
                ),
                None => self.unassigned.entry(sink.clone()).or_default().push(pending),
            }
        }
    }
}

impl NamedWorker {
    fn report(&self) -> SinkReport {
        let status = self.worker.status();
        SinkReport {
            name: self.name.to_string(),
            kind: self.kind.to_owned(),
            broken: match status.health {
                SinkHealth::Works => None,
                SinkHealth::Broken { why } | SinkHealth::Disabled { why } => Some(why),
            },
            pending: u32::try_from(status.pending).unwrap_or(u32::MAX),
            delivered: status.delivered,
            lost: status.refused + status.expired,
            last_delivery_ms: status.last_delivered_ms,
            last_failure: status.last_failure,
        }
    }
}
