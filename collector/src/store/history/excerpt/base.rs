//! What had begun before an excerpt begins: outages that go on, as they were by then.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension as _, params};

use super::ExcerptWriter;
use crate::store::history::checkpoint::PastFleet;
use crate::store::history::code::EventCode;
use crate::store::history::event::{self, EventRow, EventWriter};
use crate::store::history::{StatusCode, outage, strip};
use crate::store::sql::execute;

impl ExcerptWriter<'_> {
    /// Derives the outages that were going on after the event at a cursor from the events of their agents, and
    /// from the times that were not observed.
    pub(super) fn write_open_outages(
        &mut self,
        base: i64,
        fleet: &PastFleet,
    ) -> rusqlite::Result<()> {
        let mut events = BTreeMap::<i64, EventRow>::new();
        let mut writer = EventWriter::new(self.into)?;
        for (&agent, outage) in fleet.iter().filter_map(|(id, agent)| Some((id, agent.outage?))) {
            if !self.collect_outage(agent, outage, base, &mut events)? {
                self.copy_outage(outage, &mut writer)?;
            }
            self.copy_identities(agent, [outage, base])?;
        }
        let Some((&first, _)) = events.first_key_value() else { return Ok(()) };
        let sql = "SELECT cursor FROM gaps WHERE cursor BETWEEN ?1 AND ?2";
        let mut gaps = self.source.prepare(sql)?;
        let gaps = gaps.query_map([first, base], |row| row.get(0))?;
        for cursor in gaps.collect::<rusqlite::Result<Vec<i64>>>()? {
            events.extend(self.read_event(cursor)?.map(|event| (cursor, event)));
        }
        let first_ms = events.values().map(|event| event.at_ms).min().unwrap_or(i64::MAX);
        self.copy_gaps(first_ms, base)?;
        for (cursor, mut event) in events {
            match (event.kind, event.value) {
                (EventCode::Gap, Some(from_ms)) => {
                    outage::skip_gap(self.into, 0, (from_ms, event.at_ms))?;
                }
                _ => {
                    self.texts.map_event(&mut event);
                    self.note_texts(&event);
                    writer.derive_outage(cursor, &event)?;
                }
            }
        }
        Ok(())
    }

    /// Collects the transitions of an agent since its outage began; false where the first is gone.
    fn collect_outage(
        &self,
        agent: i64,
        outage: i64,
        base: i64,
        events: &mut BTreeMap<i64, EventRow>,
    ) -> rusqlite::Result<bool> {
        let Some(first) = self.read_event(outage)? else { return Ok(false) };
        let times_ms = first.at_ms..=i64::MAX;
        events.insert(outage, first);
        for entry in strip::entries(self.source, agent, &times_ms)? {
            let is_of_it =
                entry.kind == EventCode::Transition && (outage + 1..=base).contains(&entry.cursor);
            if is_of_it && let Some(event) = self.read_event(entry.cursor)? {
                events.insert(entry.cursor, event);
            }
        }
        Ok(true)
    }

    /// Copies what an agent was when the events at these cursors were stored.
    fn copy_identities(&self, agent: i64, cursors: [i64; 2]) -> rusqlite::Result<()> {
        let sql =
            "SELECT max(cursor) FROM events WHERE agent_id = ?1 AND kind = 11 AND cursor <= ?2";
        let mut last = self.source.prepare_cached(sql)?;
        for cursor in cursors {
            let found: Option<i64> = last.query_row([agent, cursor], |row| row.get(0))?;
            let Some(cursor) = found else { continue };
            let Some(event) = self.read_event(cursor)? else { continue };
            let EventRow { at_ms, agent, kind, was, value, .. } = event;
            let sql = "INSERT OR IGNORE INTO events (cursor, at_ms, agent_id, kind, was, value) \
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            execute(self.into, sql, params![cursor, at_ms, agent, kind, was, value])?;
        }
        Ok(())
    }

    /// Copies the times that were not observed while outages went on before the excerpt.
    fn copy_gaps(&self, since_ms: i64, base: i64) -> rusqlite::Result<()> {
        let sql =
            "SELECT cursor, from_ms, to_ms, cause FROM gaps WHERE to_ms > ?1 AND cursor <= ?2";
        let mut gaps = self.source.prepare(sql)?;
        let mut rows = gaps.query([since_ms, base])?;
        while let Some(row) = rows.next()? {
            let sql = "INSERT INTO gaps (cursor, from_ms, to_ms, cause) VALUES (?1, ?2, ?3, ?4)";
            let number = |column| row.get::<_, i64>(column);
            execute(self.into, sql, [number(0)?, number(1)?, number(2)?, number(3)?])?;
        }
        Ok(())
    }

    fn read_event(&self, cursor: i64) -> rusqlite::Result<Option<EventRow>> {
        let mut found = None;
        event::visit_between(self.source, cursor - 1, cursor, |_, event| {
            found = Some(event.clone());
            Ok(())
        })?;
        Ok(found)
    }

    /// Copies an outage of which the first events are gone, as one that goes on.
    fn copy_outage(&mut self, outage: i64, writer: &mut EventWriter<'_>) -> rusqlite::Result<()> {
        type Row = (i64, i64, i64, Option<String>, Option<String>);
        let sql = "SELECT agent_id, start_ms, worst, (SELECT text FROM texts WHERE id = cause), \
                      (SELECT text FROM texts WHERE id = step) FROM outages WHERE cursor = ?1";
        let row: Option<Row> = self
            .source
            .prepare_cached(sql)?
            .query_row([outage], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
            })
            .optional()?;
        let Some((agent, start_ms, worst, cause, step)) = row else { return Ok(()) };
        let reason = StatusCode::from_code(worst).and_then(|code| code.0.reason);
        let cause = cause.map(|cause| self.texts.map_cause(reason, &cause));
        let step = step.map(|step| self.texts.map(super::TextKind::Step, &step));
        let mut intern =
            |text: Option<String>| text.map(|text| writer.intern_text(outage, &text)).transpose();
        let (cause, step) = (intern(cause)?, intern(step)?);
        let sql = "INSERT INTO outages (cursor, agent_id, start_ms, worst, cause, step) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        execute(self.into, sql, params![outage, agent, start_ms, worst, cause, step])?;
        Ok(())
    }
}
