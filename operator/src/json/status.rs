//! `heartline status --json`.

use serde_json::{Value, json};

use super::agent::agent_object;
use super::{SCHEMA, rounded};
use crate::message::{AgentEntry, CollectorStatus, HistoryHealth};
use crate::text::timestamp;

/// Returns the document of `status --json` with these agents, at the collector's time `now_ms`. The
/// summary is that of the whole fleet.
pub fn status<'a>(
    entries: impl IntoIterator<Item = &'a AgentEntry>,
    collector: &CollectorStatus,
    now_ms: i64,
) -> Value {
    let agents = entries.into_iter().map(|entry| agent_object(entry, now_ms));
    json!({
        "schema": SCHEMA,
        "at": timestamp(now_ms),
        "collector": collector_object(collector),
        "summary": collector.summary,
        "agents": agents.collect::<Vec<_>>(),
    })
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
    })
}
