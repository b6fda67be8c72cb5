//! The fleet's columns: what they are called, how wide, from which screen width on, and in which
//! order they sort.

use heartline_operator::message::AgentEntry;

use crate::look::Align;

/// One column of the fleet list, from left to right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Column {
    State,
    Agent,
    Host,
    Beat,
    Step,
    Ok,
    P50,
    P95,
    P99,
    Tasks,
    Cost,
    Boot,
    Load,
}

/// How a column is laid out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    pub title: &'static str,
    pub width: u16,
    pub align: Align,
    /// Narrowest list that has room for it.
    pub from: u16,
    /// What it is, for the pickers.
    pub help: &'static str,
}

impl Column {
    pub(crate) const ALL: [Self; 13] = [
        Self::State,
        Self::Agent,
        Self::Host,
        Self::Beat,
        Self::Step,
        Self::Ok,
        Self::P50,
        Self::P95,
        Self::P99,
        Self::Tasks,
        Self::Cost,
        Self::Boot,
        Self::Load,
    ];

    /// The narrowest name column; it takes whatever room is left.
    pub(crate) const NARROWEST_NAME: u16 = 18;

    pub(crate) fn layout(self) -> Layout {
        use Align::{Left, Right};
        let (title, width, align, from, help) = match self {
            Self::State => ("STATE", 10, Left, 0, "worst state first, then the longest in it"),
            Self::Agent => ("AGENT", Self::NARROWEST_NAME, Left, 0, "the agent's id"),
            Self::Host => ("HOST", 12, Left, 100, "the host it runs on"),
            Self::Beat => ("BEAT", 6, Right, 0, "age of the last live beat: is it alive"),
            Self::Step => ("STEP", 6, Right, 0, "age of the last progress: does it work"),
            Self::Ok => ("OK%", 5, Right, 0, "share of tasks that succeeded, last hour"),
            Self::P50 => ("p50", 6, Right, 98, "median latency, last hour"),
            Self::P95 => ("p95", 6, Right, 0, "95th percentile of latency, last hour"),
            Self::P99 => ("p99", 6, Right, 118, "99th percentile of latency, last hour"),
            Self::Tasks => ("TASK/m", 6, Right, 98, "tasks a minute, over the last five"),
            Self::Cost => ("$ DAY", 7, Right, 118, "cost since midnight UTC"),
            Self::Boot => ("BOOT", 8, Left, 118, "session, and how often it has started"),
            Self::Load => ("15 MIN", 15, Left, 80, "tasks in each of the last 15 minutes"),
        };
        Layout { title, width, align, from, help }
    }

    /// What to sort by, smallest first: worst, oldest and largest come first. Names sort as text.
    pub(crate) fn rank(self, entry: &AgentEntry) -> (i64, i64) {
        let (vitals, work) = (&entry.vitals, &entry.work);
        let large = |n: u64| -i64::try_from(n).unwrap_or(i64::MAX);
        let latency = |of: fn(&heartline_operator::message::LatencyQuantiles) -> u64| {
            (work.latency.as_ref().map_or(1, |latency| large(of(latency))), 0)
        };
        match self {
            Self::State => (-i64::from(vitals.state.severity()), vitals.since_ms),
            Self::Agent | Self::Host => (0, 0),
            Self::Beat => (vitals.last_beat_ms.unwrap_or(i64::MIN), 0),
            Self::Step => (vitals.progress_ms.unwrap_or(i64::MAX), 0),
            Self::Ok => {
                let total = work.ok.saturating_add(work.failed);
                let share = (work.ok.saturating_mul(1_000_000)).checked_div(total);
                (share.map_or(i64::MAX, |share| i64::try_from(share).unwrap_or(i64::MAX)), 0)
            }
            Self::P50 => latency(|l| l.p50),
            Self::P95 => latency(|l| l.p95),
            Self::P99 => latency(|l| l.p99),
            Self::Tasks => (large((work.rate_of_whole_minutes() * 1_000.0) as u64), 0),
            Self::Cost => (large(work.cost_today_nano_usd), 0),
            Self::Boot => (large(u64::from(vitals.starts)), 0),
            Self::Load => (large(work.per_minute.last().copied().unwrap_or(0).into()), 0),
        }
    }

    /// Whether its order changes as time goes by, without a change of state.
    pub(crate) fn moves(self) -> bool {
        !matches!(self, Self::State | Self::Agent | Self::Host)
    }
}
