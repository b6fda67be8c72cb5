//! Incidents that are over, and what became of notices.

use std::collections::BTreeMap;

use heartline_fleet::{Incident as CoreIncident, Shortage};
use heartline_operator::message::{
    DeliveryReport, INCIDENTS_MAX, Incident, IncidentMember, MemberCounts, NOTICE_MEMBERS_MAX,
    Notice, NoticeReport,
};
use heartline_vocabulary::{AgentRowId, DeliveryState, IncidentId, NoticeKind};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{ReadError, StoreReader};
use crate::alert::incident_message;
use crate::clock::WallClockAnchor;
use crate::store::control::silence;
use crate::store::history::incident;
use crate::store::{StoredSilence, sql};

impl StoreReader {
    /// Returns incidents that ended at or after a time, newest first, and whether there are more.
    ///
    /// # Errors [`ReadError`]
    pub fn ended_incidents(&mut self, since_ms: i64) -> Result<(Vec<Incident>, bool), ReadError> {
        self.history.read("incidents", |conn| {
            let sql = format!(
                "SELECT {} FROM incidents WHERE ended_ms >= ?1 ORDER BY id DESC LIMIT ?2",
                incident::COLUMNS
            );
            let mut statement = conn.prepare_cached(&sql)?;
            let anchor = WallClockAnchor::read();
            let parameters = params![since_ms, i64::from(INCIDENTS_MAX) + 1];
            let rows = statement.query_map(parameters, |row| incident::read(row, anchor))?;
            let mut incidents = Vec::new();
            for incident in rows.filter_map(Result::transpose) {
                incidents.push(message(conn, &incident?, anchor)?);
            }
            let has_more = incidents.len() > INCIDENTS_MAX as usize;
            incidents.truncate(INCIDENTS_MAX as usize);
            Ok((incidents, has_more))
        })
    }

    /// Returns one incident, as it was last recorded.
    ///
    /// # Errors [`ReadError`]
    pub fn incident(&mut self, id: IncidentId) -> Result<Option<Incident>, ReadError> {
        self.history
            .read("an incident", |conn| one(conn, sql::to_bits(id.0), WallClockAnchor::read()))
    }

    /// Returns a page of the incidents that went on, or were told of, in a range of time, from the first number above
    /// `after` on, and whether there are more. The lists of storms are incidents of which only their notices tell.
    ///
    /// # Errors [`ReadError`]
    pub fn incidents_between(
        &mut self,
        since_ms: i64,
        until_ms: i64,
        after: IncidentId,
    ) -> Result<(Vec<Incident>, bool), ReadError> {
        self.history.read("incidents", |conn| {
            let sql = "SELECT id FROM incidents WHERE ended_ms >= ?1 AND opened_ms < ?2 AND id > ?3 \
                UNION SELECT id FROM incidents WHERE ended_ms IS NULL AND opened_ms < ?2 AND id > ?3 \
                UNION SELECT incident FROM notices WHERE at_ms >= ?1 AND at_ms < ?2 AND incident > ?3 \
                ORDER BY 1 LIMIT ?4";
            let limit = i64::from(INCIDENTS_MAX) + 1;
            let parameters = params![since_ms, until_ms, sql::to_bits(after.0), limit];
            let mut statement = conn.prepare_cached(sql)?;
            let ids = statement.query_map(parameters, |row| row.get::<_, i64>(0))?;
            let mut ids = ids.collect::<rusqlite::Result<Vec<_>>>()?;
            let has_more = ids.len() > INCIDENTS_MAX as usize;
            ids.truncate(INCIDENTS_MAX as usize);
            let anchor = WallClockAnchor::read();
            let read = |id| Ok(one(conn, id, anchor)?.or(listed(conn, id)?));
            let incidents = ids.into_iter().map(read);
            Ok((incidents.filter_map(Result::transpose).collect::<rusqlite::Result<_>>()?, has_more))
        })
    }

    /// Returns the silences that operators began which lasted at some time of a range.
    ///
    /// # Errors [`ReadError`]
    pub fn silences_between(
        &mut self,
        since_ms: i64,
        until_ms: i64,
    ) -> Result<Vec<StoredSilence>, ReadError> {
        self.control()?.read("silences", |conn| silence::read_between(conn, since_ms, until_ms))
    }

    /// Returns the notices of incidents, oldest first, with how far each has come.
    ///
    /// # Errors [`ReadError`]
    pub fn notices(
        &mut self,
        incidents: &[IncidentId],
    ) -> Result<BTreeMap<IncidentId, Vec<NoticeReport>>, ReadError> {
        self.history.read("notices", |conn| {
            incidents.iter().map(|&id| Ok((id, notices_of(conn, id)?))).collect()
        })
    }
}

fn one(conn: &Connection, id: i64, anchor: WallClockAnchor) -> rusqlite::Result<Option<Incident>> {
    let sql = format!("SELECT {} FROM incidents WHERE id = ?1", incident::COLUMNS);
    let found =
        conn.prepare_cached(&sql)?.query_row([id], |row| incident::read(row, anchor)).optional()?;
    found.flatten().map(|incident| message(conn, &incident, anchor)).transpose()
}

/// Returns the incident that the newest of some notices tells of.
fn listed(conn: &Connection, id: i64) -> rusqlite::Result<Option<Incident>> {
    let sql = "SELECT body FROM notices WHERE incident = ?1 ORDER BY number DESC LIMIT 1";
    let body: Option<Vec<u8>> =
        conn.prepare_cached(sql)?.query_row([id], |row| row.get(0)).optional()?;
    Ok(body.and_then(|body| rmp_serde::from_slice::<Notice>(&body).ok()).map(|it| it.incident))
}

fn notices_of(conn: &Connection, id: IncidentId) -> rusqlite::Result<Vec<NoticeReport>> {
    let mut statement = conn.prepare_cached(
        "SELECT n.number, n.kind, n.at_ms, d.sink, d.state, d.attempts, d.at_ms, d.answer \
         FROM notices n LEFT JOIN deliveries d USING (incident, number) \
         WHERE n.incident = ?1 ORDER BY n.number, d.sink",
    )?;
    let mut rows = statement.query([sql::to_bits(id.0)])?;
    let mut notices: Vec<NoticeReport> = Vec::new();
    while let Some(row) = rows.next()? {
        let number = row.get(0)?;
        if notices.last().is_none_or(|notice| notice.number != number) {
            notices.push(NoticeReport {
                number,
                kind: sql::read_named(row, 1, NoticeKind::from_name)?,
                at_ms: row.get(2)?,
                deliveries: Vec::new(),
            });
        }
        let state = sql::read_named_or_null(row, 4, DeliveryState::from_name)?;
        if let (Some(state), Some(notice)) = (state, notices.last_mut()) {
            notice.deliveries.push(DeliveryReport {
                sink: row.get(3)?,
                state,
                attempts: row.get(5)?,
                at_ms: row.get(6)?,
                answer: row.get(7)?,
            });
        }
    }
    Ok(notices)
}

/// Returns an incident with the names of its members. What they did then is in their events.
fn message(
    conn: &Connection,
    incident: &CoreIncident,
    anchor: WallClockAnchor,
) -> rusqlite::Result<Incident> {
    let total = u32::try_from(incident.members.len()).unwrap_or(u32::MAX);
    let in_trouble = || incident.members.values().filter(|member| member.left.is_none());
    let affected = in_trouble().filter(|member| member.is_affected).count();
    let total = match &incident.shortage {
        None => total,
        Some(Shortage::Replicas(it)) => it.expect,
        Some(Shortage::NeverSeen(it)) => it.expected,
    };
    let counts = MemberCounts {
        total,
        in_trouble: incident.extent(),
        affected: u32::try_from(affected).unwrap_or(u32::MAX),
        of: total,
    };
    let mut members = Vec::new();
    for (id, member) in incident.members.iter().take(NOTICE_MEMBERS_MAX) {
        let lasted = member.left.map(|left| left.millis_since(member.since));
        members.push(IncidentMember {
            agent: agent_name(conn, *id)?,
            host: None,
            status: member.status,
            since_ms: anchor.wall_ms(member.since),
            lasted_ms: lasted,
            cause: None,
            step: None,
            last_beat_ms: None,
            interval_ms: 0,
            in_flight: 0,
            oldest_task_ms: None,
            is_affected: member.is_affected,
        });
    }
    Ok(Incident { members, ..incident_message(incident, counts, anchor) })
}

fn agent_name(conn: &Connection, id: AgentRowId) -> rusqlite::Result<String> {
    let sql = "SELECT name FROM agents WHERE id = ?1";
    let name = conn.prepare_cached(sql)?.query_row([id.0], |row| row.get(0)).optional()?;
    Ok(name.unwrap_or_else(|| format!("agent {}", id.0)))
}
