//! `heartline status --json`.

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::agent::AgentDocument;
use super::{SCHEMA, rounded};
use crate::message::{AgentEntry, CollectorStatus, HistoryHealth};
use crate::text::timestamp;
use heartline_vocabulary::StateCounts;

/// The document of `status --json`, which is built while it is written.
#[derive(Serialize)]
pub struct StatusDocument<'a> {
    schema: u8,
    at: String,
    collector: Value,
    summary: StateCounts,
    agents: AgentList<'a>,
}

struct AgentList<'a> {
    entries: Vec<&'a AgentEntry>,
    now_ms: i64,
}

/// Returns the document of `status --json` with these agents, at the collector's time `now_ms`. The
/// summary is that of the whole fleet.
pub fn status<'a>(
    entries: impl IntoIterator<Item = &'a AgentEntry>,
    collector: &CollectorStatus,
    now_ms: i64,
) -> StatusDocument<'a> {
    StatusDocument {
        schema: SCHEMA,
        at: timestamp(now_ms),
        collector: collector_object(collector),
        summary: collector.summary,
        agents: AgentList { entries: entries.into_iter().collect(), now_ms },
    }
}

impl Serialize for AgentList<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let documents = self.entries.iter().map(|entry| AgentDocument::new(entry, self.now_ms));
        serializer.collect_seq(documents)
    }
}

fn collector_object(collector: &CollectorStatus) -> Value {
    let history_paused = match &collector.history {
        HistoryHealth::Kept => None,
        HistoryHealth::Paused(why) => Some(why),
    };
    json!({
        "started_at": timestamp(collector.started_ms),
        "version": collector.version,
        // The first address; `listen` has all.
        "udp": collector.udp.first(),
        "datagrams": collector.datagrams,
        "host": collector.host,
        "listen": collector.udp,
        "beats_per_second": rounded(f64::from(collector.beats_per_second)),
        "history_paused": history_paused,
        "last_gap_at": collector.last_gap_ms.map(timestamp),
        "gaps": collector.gaps,
        "banners": collector.banners,
        "connections": collector.connections,
        "incidents": collector.alerts,
    })
}
