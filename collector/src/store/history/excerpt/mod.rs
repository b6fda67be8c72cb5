//! An excerpt: the history between two moments, as a history of its own. It begins with a checkpoint, and what
//! is derived from events is derived anew from those that are in it, so that it knows nothing of later.

mod base;
mod rows;
mod text_map;

use std::collections::{BTreeMap, BTreeSet};

use heartline_vocabulary::SharedIdentity;
use rusqlite::{Connection, Transaction, params};

use super::checkpoint::{self, PastFleet};
use super::code::{self, EventCode};
use super::event::{self, EventRow, EventWriter};
use super::outage;
use crate::store::sql::{self, execute};

/// Events between two checkpoints.
const CHECKPOINT_EVENTS: u64 = 20_000;

pub(crate) use text_map::{TextKind, TextMap};

/// The history between two moments.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Excerpt {
    /// Its begin, not before the first record.
    pub(crate) since_ms: i64,
    /// The first moment behind it.
    pub(crate) until_ms: i64,
}

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ExcerptContents {
    pub(crate) events: u64,
    pub(crate) outages: u64,
    pub(crate) notes: u64,
    pub(crate) gaps: u64,
    pub(crate) sessions: u64,
    pub(crate) rollups: u64,
    /// Texts that agents and operators wrote freely, each counted once.
    pub(crate) texts: BTreeSet<String>,
    pub(crate) agents: BTreeSet<String>,
    pub(crate) hosts: BTreeSet<String>,
    pub(crate) labels: BTreeSet<String>,
    pub(crate) operators: BTreeSet<String>,
}

impl Excerpt {
    /// Writes the excerpt of a history, which is held at a moment, into an empty one.
    pub(crate) fn write(
        &self,
        source: &Connection,
        into: &Transaction<'_>,
        texts: &mut TextMap,
    ) -> rusqlite::Result<ExcerptContents> {
        let mut writer = ExcerptWriter {
            excerpt: *self,
            source,
            into,
            texts,
            contents: ExcerptContents::default(),
        };
        code::write_names(into)?;
        outage::mark_derived(into)?;
        let (base, fleet) = match checkpoint::fleet_before(source, self.since_ms)? {
            Some((base, fleet)) => (base, fleet),
            None => (0, PastFleet::new()),
        };
        writer.write_open_outages(base, &fleet)?;
        if base > 0 {
            checkpoint::write_first(into, base, &fleet, self.since_ms)?;
        }
        writer.write_events(base)?;
        writer.write_last_gap()?;
        let names = writer.write_agents(&fleet)?;
        writer.write_identities(&fleet)?;
        writer.write_sessions(names.keys().copied())?;
        writer.write_notes()?;
        writer.write_rollups()?;
        writer.count()?;
        Ok(writer.contents)
    }
}

struct ExcerptWriter<'a> {
    excerpt: Excerpt,
    source: &'a Connection,
    into: &'a Transaction<'a>,
    texts: &'a mut TextMap,
    contents: ExcerptContents,
}

impl ExcerptWriter<'_> {
    /// Writes the events after the base, and what is derived from them.
    fn write_events(&mut self, base: i64) -> rusqlite::Result<()> {
        let through = checkpoint::last_until(self.source, self.excerpt.until_ms)?;
        let (source, mut count, mut checkpoints) = (self.source, 0_u64, Vec::new());
        let mut writer = EventWriter::new(self.into)?;
        event::visit_between(source, base, through, |cursor, event| {
            if event.at_ms >= self.excerpt.until_ms {
                return Ok(());
            }
            let mut event = event.clone();
            self.texts.map_event(&mut event);
            self.note_texts(&event);
            count += 1;
            if count.is_multiple_of(CHECKPOINT_EVENTS) {
                checkpoints.push((cursor, event.at_ms));
            }
            writer.append_at(Some(cursor), &event)
        })?;
        drop(writer);
        for (cursor, at_ms) in checkpoints {
            checkpoint::write_at(self.into, cursor, at_ms)?;
        }
        Ok(())
    }

    fn note_texts(&mut self, event: &EventRow) {
        let details = &event.details;
        self.contents.operators.extend(details.by.clone());
        let is_quoted = details.missed.is_none() && event.kind != EventCode::Identity;
        let words = details.words.clone().filter(|_| is_quoted);
        let texts = [words, details.step.clone(), details.last_lines.clone()];
        self.contents.texts.extend(texts.into_iter().flatten());
    }

    /// Cuts the time that was not observed at the end.
    fn write_last_gap(&self) -> rusqlite::Result<()> {
        let until_ms = self.excerpt.until_ms;
        let mut statement = self.source.prepare(
            "SELECT cursor, from_ms, cause FROM gaps WHERE from_ms < ?1 AND to_ms >= ?1",
        )?;
        let mut rows = statement.query([until_ms])?;
        while let Some(row) = rows.next()? {
            let (cursor, from_ms, cause): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let sql = "INSERT OR IGNORE INTO gaps (cursor, from_ms, to_ms, cause) \
                       VALUES (?1, ?2, ?3, ?4)";
            execute(self.into, sql, params![cursor, from_ms, until_ms, cause])?;
            outage::skip_gap(self.into, 0, (from_ms, until_ms))?;
        }
        Ok(())
    }

    /// Writes the agents that are known at the begin, or that anything happened to, as they are at the end.
    /// Returns them with their names.
    fn write_agents(&mut self, base: &PastFleet) -> rusqlite::Result<BTreeMap<i64, String>> {
        let until_ms = self.excerpt.until_ms;
        let at_end = checkpoint::fleet_at(self.into, until_ms)?;
        let mut ids: BTreeSet<i64> = base.keys().copied().collect();
        let mut seen = self.into.prepare(
            "SELECT DISTINCT agent_id FROM events WHERE agent_id IS NOT NULL \
             UNION SELECT agent_id FROM outages",
        )?;
        for id in seen.query_map([], |row| row.get(0))? {
            ids.insert(id?);
        }
        let mut names = BTreeMap::new();
        let sql = "SELECT name, first_seen_ms, forgotten_ms FROM agents WHERE id = ?1";
        let mut known = self.source.prepare(sql)?;
        for id in ids {
            let mut rows = known.query([id])?;
            let Some(row) = rows.next()? else { continue };
            let forgotten_ms: Option<i64> = row.get(2)?;
            let name = self.texts.map(TextKind::Agent, row.get_ref(0)?.as_str()?);
            let last = at_end.get(&id).copied().unwrap_or_default();
            let sql = "INSERT INTO agents (id, name, first_seen_ms, forgotten_ms, status, since_ms, \
                          starts, pid, identity) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) \
                       ON CONFLICT (id) DO NOTHING";
            let parameters = params![
                id,
                name,
                row.get::<_, i64>(1)?,
                forgotten_ms.filter(|at_ms| *at_ms < until_ms),
                last.status,
                last.since_ms,
                last.starts,
                last.pid,
                last.identity
            ];
            execute(self.into, sql, parameters)?;
            self.contents.agents.insert(name.clone());
            names.insert(id, name);
        }
        Ok(names)
    }

    /// Writes the identities that agents had.
    fn write_identities(&mut self, base: &PastFleet) -> rusqlite::Result<()> {
        let mut ids: BTreeSet<i64> = base.values().filter_map(|agent| agent.identity).collect();
        let mut changed = self.into.prepare("SELECT DISTINCT value FROM events WHERE kind = 11")?;
        for id in changed.query_map([], |row| row.get::<_, Option<i64>>(0))? {
            ids.extend(id?);
        }
        let mut body = self.source.prepare("SELECT body FROM identities WHERE id = ?1")?;
        for id in ids {
            let mut rows = body.query([id])?;
            let Some(row) = rows.next()? else { continue };
            let bytes = row.get_ref(0)?.as_blob()?;
            // One that can't be read has no meaning for anybody, and could hide anything.
            let Ok(mut identity) = rmp_serde::from_slice::<SharedIdentity>(bytes) else { continue };
            self.texts.map_identity(&mut identity);
            self.contents.hosts.extend(identity.host.as_deref().map(str::to_owned));
            let labels = identity.labels.iter().map(|(key, value)| format!("{key}:{value}"));
            self.contents.labels.extend(labels);
            let sql = "INSERT OR IGNORE INTO identities (id, body) VALUES (?1, ?2)";
            execute(self.into, sql, params![id, sql::encode(&identity)])?;
        }
        Ok(())
    }

    fn count(&mut self) -> rusqlite::Result<()> {
        let count = |table: &str| -> rusqlite::Result<u64> {
            let sql = format!("SELECT count(*) FROM {table}");
            self.into.query_row(&sql, [], |row| row.get(0)).map(sql::from_count)
        };
        self.contents.events = count("events WHERE kind != 11")?;
        self.contents.outages = count("outages")?;
        self.contents.notes = count("notes")?;
        self.contents.gaps = count("gaps")?;
        self.contents.sessions = count("sessions")?;
        self.contents.rollups = count("minutes")? + count("hours")? + count("days")?;
        Ok(())
    }
}
