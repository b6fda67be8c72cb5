//! How the collector itself does: queues, losses, ticks, commits, clock, disk, memory, and who watches it.

use serde::{Deserialize, Serialize};

use super::alert::SinkReport;
use super::collector::HistoryHealth;

/// Everything that the collector knows of itself. Spans of time are in milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CollectorHealth {
    /// Its time now.
    pub at_ms: i64,
    pub started_ms: i64,
    pub version: String,
    pub host: String,
    pub pid: u32,
    /// Why it may not see, or not keep, what happens: sentences. They are sent to the watchdog.
    pub doubts: Vec<String>,
    /// In the order in which things pass them.
    pub queues: Vec<QueueHealth>,
    /// All causes, those without losses, too.
    pub losses: Vec<LossCount>,
    pub ticks: TickHealth,
    pub history: HistoryHealth,
    pub commits: CommitHealth,
    pub clock: ClockHealth,
    pub files: Vec<FileSize>,
    /// Of the data directory; `None`: it can't be asked.
    pub disk: Option<DiskSpace>,
    /// Resident memory, in bytes.
    pub memory: Option<u64>,
    /// Connections of operators that are open, and most that may be.
    pub operators: u32,
    pub operators_max: u32,
    /// `None`: there is no `[watchdog]`.
    pub watchdog: Option<WatchdogHealth>,
    /// In the order of the config file.
    pub sinks: Vec<SinkReport>,
}

/// A queue, with how much is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueHealth {
    pub name: String,
    /// `bytes`, `requests`, `rows`, `notices`.
    pub unit: String,
    pub depth: u64,
    /// From where on something of it is lost, shed or put together; `None`: whoever fills it bounds it.
    pub capacity: Option<u64>,
}

/// What was dropped, refused or shed for one cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LossCount {
    /// Its key in JSON.
    pub name: String,
    /// Its name in texts.
    pub label: String,
    pub last_minute: u64,
    /// Since the collector's start.
    pub total: u64,
}

/// The ticks of the judging loop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TickHealth {
    pub count: u64,
    /// From the last but one to the last.
    pub last_ms: u64,
    /// The longest since the start.
    pub longest_ms: u64,
    /// Those that came more than 300 ms after the one before: silence was not counted meanwhile.
    pub late: u64,
    pub last_late_ms: Option<i64>,
}

/// The commits of `history.db`: one every four seconds at least, also where nothing happens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitHealth {
    /// Since the start.
    pub count: u64,
    /// Age of the last one, to the second; `None`: there was none yet.
    pub age_ms: Option<u64>,
    pub last_us: u64,
    pub longest_us: u64,
}

/// The wall clock, as the monotonic one sees it. It only labels: no judgement depends on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockHealth {
    /// How often it was set by a second or more since the start.
    pub steps: u32,
    pub last_step_at_ms: Option<i64>,
    /// By how much; negative: back.
    pub last_step_by_ms: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSize {
    pub name: String,
    pub bytes: u64,
}

/// Space on a disk, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskSpace {
    pub free: u64,
    pub size: u64,
    /// Free space at which history pauses, so that kills are still stored.
    pub reserve: u64,
}

/// The service that raises an alarm when the collector pings it no more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchdogHealth {
    /// Its URL, without what makes it a secret.
    pub target: String,
    pub every_ms: u64,
    /// Pings that it took since the start or the last reload, and those that it did not.
    pub taken: u64,
    pub failed: u64,
    pub last: Option<PingResult>,
}

/// What became of a ping.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PingResult {
    pub at_ms: i64,
    pub kind: PingKind,
    pub is_taken: bool,
    /// What it answered, or why there was no such answer.
    pub answer: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PingKind {
    Start,
    Alive,
    Fail,
}

impl PingKind {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Alive => "alive",
            Self::Fail => "fail",
        }
    }
}
