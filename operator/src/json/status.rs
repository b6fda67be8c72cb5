//! `heartline status --json`.

use serde::Serialize;

use super::agent::AgentJson;
use super::{SCHEMA, Timestamp, rounded};
use crate::message::{AgentEntry, CollectorStatus, DatagramCounters, HistoryHealth};
use heartline_vocabulary::StateCounts;

/// Returns the document of `status --json` with these agents, at the collector's time `now_ms`. The
/// summary is that of the whole fleet.
pub fn status<'a>(
    entries: impl IntoIterator<Item = &'a AgentEntry>,
    collector: &'a CollectorStatus,
    now_ms: i64,
) -> impl Serialize {
    StatusJson {
        schema: SCHEMA,
        at: Timestamp(now_ms),
        collector: CollectorJson::new(collector),
        summary: &collector.summary,
        agents: entries.into_iter().map(|entry| AgentJson::new(entry, now_ms)).collect(),
    }
}

#[derive(Serialize)]
struct StatusJson<'a> {
    schema: u8,
    at: Timestamp,
    collector: CollectorJson<'a>,
    summary: &'a StateCounts,
    agents: Vec<AgentJson<'a>>,
}

#[derive(Serialize)]
struct CollectorJson<'a> {
    started_at: Timestamp,
    version: &'a str,
    /// The first address it receives on; `listen` has all.
    udp: Option<&'a str>,
    datagrams: &'a DatagramCounters,
    host: &'a str,
    listen: &'a [String],
    beats_per_second: f64,
    /// The reason; null while history is kept.
    history_paused: Option<&'a str>,
    last_gap_at: Option<Timestamp>,
    gaps: u32,
    banners: &'a [String],
}

impl<'a> CollectorJson<'a> {
    fn new(collector: &'a CollectorStatus) -> Self {
        Self {
            started_at: Timestamp(collector.started_ms),
            version: &collector.version,
            udp: collector.udp.first().map(String::as_str),
            datagrams: &collector.datagrams,
            host: &collector.host,
            listen: &collector.udp,
            beats_per_second: rounded(f64::from(collector.beats_per_second)),
            history_paused: match &collector.history {
                HistoryHealth::Kept => None,
                HistoryHealth::Paused(why) => Some(why),
            },
            last_gap_at: collector.last_gap_ms.map(Timestamp),
            gaps: collector.gaps,
            banners: &collector.banners,
        }
    }
}
