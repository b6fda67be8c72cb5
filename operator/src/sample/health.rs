//! The health of a collector with some trouble.

use super::{HOUR, MINUTE, NOW_MS, SECOND};
use crate::message::{
    ClockHealth, CollectorHealth, CommitHealth, DiskSpace, FileSize, HistoryHealth, LossCount,
    PingKind, PingResult, QueueHealth, SinkReport, TickHealth, WatchdogHealth,
};

/// Returns the health of a collector that dropped datagrams a moment ago, with a sink that is broken.
pub fn collector_health() -> CollectorHealth {
    let queue = |name: &str, unit: &str, depth, capacity| QueueHealth {
        name: name.to_owned(),
        unit: unit.to_owned(),
        depth,
        capacity,
    };
    let loss = |name: &str, label: &str, last_minute, total| LossCount {
        name: name.to_owned(),
        label: label.to_owned(),
        last_minute,
        total,
    };
    let sink = |name: &str, kind: &str, broken: Option<&str>| SinkReport {
        name: name.to_owned(),
        kind: kind.to_owned(),
        broken: broken.map(str::to_owned),
        pending: broken.map_or(0, |_| 3),
        delivered: 41,
        lost: 0,
        last_delivery_ms: Some(NOW_MS - HOUR),
        last_failure: broken.map(str::to_owned),
    };
    let file = |name: &str, bytes| FileSize { name: name.to_owned(), bytes };
    CollectorHealth {
        at_ms: NOW_MS,
        started_ms: NOW_MS - 26 * HOUR,
        version: "0.1.0".to_owned(),
        host: "collector-1".to_owned(),
        pid: 4_711,
        doubts: vec![
            "the kernel dropped 120 datagrams in the last minute: the machine is too busy, or the \
             receive buffer too small"
                .to_owned(),
        ],
        queues: vec![
            queue("receive 127.0.0.1:4327", "bytes", 7_200_000, Some(8 << 20)),
            queue("driver", "requests", 0, None),
            queue("history.db", "rows", 1_204, Some(262_144)),
            queue("control.db", "rows", 0, None),
            queue("outbox ops-chat", "notices", 3, Some(10_000)),
        ],
        losses: vec![
            loss("bad_tag", "bad signature", 0, 3),
            loss("replayed", "replayed", 0, 0),
            loss("kernel_dropped", "dropped by the kernel", 120, 12_400),
        ],
        ticks: TickHealth {
            count: 374_400,
            last_ms: 250,
            longest_ms: 1_840,
            late: 2,
            last_late_ms: Some(NOW_MS - 24 * MINUTE),
        },
        history: HistoryHealth::Kept,
        commits: CommitHealth {
            count: 23_400,
            age_ms: Some(2_000),
            last_us: 1_240,
            longest_us: 84_000,
        },
        clock: ClockHealth {
            steps: 1,
            last_step_at_ms: Some(NOW_MS - 20 * HOUR),
            last_step_by_ms: -4_000,
        },
        files: vec![
            file("history.db", 41 << 20),
            file("history.db-wal", 4 << 20),
            file("control.db", 120 << 10),
            file("control.db-wal", 0),
        ],
        disk: Some(DiskSpace { free: 12 << 30, size: 40 << 30, reserve: 64 << 20 }),
        memory: Some(31 << 20),
        operators: 3,
        operators_max: 256,
        watchdog: Some(WatchdogHealth {
            target: "https://hc-ping.com/…3kJ9".to_owned(),
            every_ms: 60_000,
            taken: 1_558,
            failed: 2,
            last: Some(PingResult {
                at_ms: NOW_MS - 12 * SECOND,
                kind: PingKind::Fail,
                is_taken: true,
                answer: "HTTP 200: OK".to_owned(),
            }),
        }),
        sinks: vec![
            sink("ops-pager", "pagerduty", None),
            sink("ops-chat", "slack", Some("HTTP 404: no_service")),
        ],
    }
}
