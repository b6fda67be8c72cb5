//! How the collector does, as far as the driver knows.

use heartline_fleet::MonoTime;
use heartline_operator::message::{CollectorHealth, CommitHealth, QueueHealth};

use super::Driver;
use crate::store::QueuedRows;

impl Driver {
    /// Returns what the driver knows; files, disk, memory, connections and sinks are left empty.
    pub(super) fn health(&self, now: MonoTime) -> CollectorHealth {
        let check = &self.self_check;
        let pulse = self.store.pulse();
        let (last_us, longest_us) = pulse.commit_us();
        let age = check.commits.age(now);
        let doubts = self.unwritten().into_iter().chain(check.doubts.iter().cloned());
        CollectorHealth {
            at_ms: self.anchor.wall_ms(now),
            started_ms: self.info.started_ms,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            host: self.info.host.clone(),
            pid: std::process::id(),
            doubts: doubts.collect(),
            queues: self.queues(),
            losses: check.losses.counts(&self.losses()),
            ticks: check.ticks.health(self.anchor),
            history: self.history.clone(),
            commits: CommitHealth {
                count: pulse.history_commits(),
                age_ms: age.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX)),
                last_us,
                longest_us,
            },
            clock: check.clock(self.anchor),
            watchdog: check.watchdog.health(),
            ..CollectorHealth::default()
        }
    }

    fn queues(&self) -> Vec<QueueHealth> {
        let queue = |name: String, unit: &str, depth: u64, capacity| QueueHealth {
            name,
            unit: unit.to_owned(),
            depth,
            capacity,
        };
        let receive = self.ingest.receive_queues().map(|(address, (depth, capacity))| {
            queue(format!("receive {address}"), "bytes", depth, Some(capacity))
        });
        let QueuedRows { history, control } = self.store.queued_rows();
        let history_max = QueuedRows::HISTORY_MAX as u64;
        let others = [
            queue("driver".to_owned(), "requests", self.inbox.queued() as u64, None),
            queue("history.db".to_owned(), "rows", history as u64, Some(history_max)),
            queue("control.db".to_owned(), "rows", control as u64, None),
        ];
        receive.chain(others).collect()
    }
}
