//! Incidents as history keeps them: a row each, with all members and who was told.

use std::collections::BTreeMap;

use heartline_fleet::{
    CauseInterval, Incident, IncidentAck, Member, MonoTime, NeverSeen, ReplicaShortage, Scope,
    Shortage, Told,
};
use heartline_vocabulary::{AgentRowId, AgentStatus, IncidentId, ScopeKind, Severity};
use rusqlite::{Connection, Row, params};
use serde::{Deserialize, Serialize};

use super::code::StatusCode;
use crate::clock::WallClockAnchor;
use crate::store::sql::{self, execute};

/// What only the core and its readers ask of an incident.
#[derive(Debug, Serialize, Deserialize)]
struct IncidentBody {
    cause_from_ms: i64,
    cause_to_ms: i64,
    members: Vec<MemberBody>,
    told: Vec<ToldBody>,
    notices: u32,
    acknowledged: Option<(String, i64)>,
    merged_into: Option<IncidentId>,
    flapping: Option<u32>,
    shortage: Option<ShortageBody>,
    remark: Option<String>,
    is_silenced: bool,
}

/// A member, as an array: there may be many.
#[derive(Debug, Serialize, Deserialize)]
struct MemberBody(i64, AgentStatus, i64, i64, Option<i64>, bool);

/// What a sink was told: its name, first and last notice, members, worst status, escalated, listed.
#[derive(Debug, Serialize, Deserialize)]
struct ToldBody(String, i64, i64, u32, AgentStatus, bool, bool);

/// What there is too little of.
#[derive(Debug, Serialize, Deserialize)]
enum ShortageBody {
    /// Running, expected, the limit, and when all ran.
    Replicas(u32, u32, u32, Option<i64>),
    /// Those that never came, how many they were, and since when they are waited for.
    NeverSeen(Vec<String>, u32, i64),
}

/// Stores an incident as it is now.
pub(super) fn write(
    conn: &Connection,
    incident: &Incident,
    anchor: WallClockAnchor,
) -> rusqlite::Result<()> {
    let Scope { kind, name } = &incident.scope;
    let body = rmp_serde::to_vec(&IncidentBody::of(incident, anchor))
        .expect("texts and numbers can always be encoded");
    execute(
        conn,
        "INSERT OR REPLACE INTO incidents (id, opened_ms, ended_ms, scope, name, severity, worst, \
            members, in_trouble, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            sql::to_bits(incident.id.0),
            anchor.wall_ms(incident.opened),
            incident.ended.map(|at| anchor.wall_ms(at)),
            kind.name(),
            &**name,
            incident.severity.name(),
            StatusCode(incident.worst).code(),
            i64::try_from(incident.members.len()).unwrap_or(i64::MAX),
            incident.in_trouble,
            body,
        ],
    )?;
    Ok(())
}

/// The columns that [`read`] reads.
pub(crate) const COLUMNS: &str =
    "id, opened_ms, ended_ms, scope, name, severity, worst, in_trouble, body";

/// Reads an incident; `None` where its body can't be read.
pub(crate) fn read(row: &Row<'_>, anchor: WallClockAnchor) -> rusqlite::Result<Option<Incident>> {
    let scope = Scope {
        kind: sql::read_named(row, 3, ScopeKind::from_name)?,
        name: row.get_ref(4)?.as_str()?.into(),
    };
    let StatusCode(worst) = row.get(6)?;
    let bytes = row.get_ref(8)?.as_blob()?;
    let Ok(body) = rmp_serde::from_slice::<IncidentBody>(bytes) else { return Ok(None) };
    let mono = |ms: i64| anchor.mono(ms);
    let interval = CauseInterval { from: mono(body.cause_from_ms), to: mono(body.cause_to_ms) };
    let id = IncidentId(sql::from_bits(row.get(0)?));
    let mut incident = Incident::new(id, scope, interval, (mono(row.get(1)?), worst));
    incident.ended = row.get::<_, Option<i64>>(2)?.map(mono);
    incident.severity = sql::read_named(row, 5, Severity::from_name)?;
    incident.in_trouble = row.get(7)?;
    body.fill(&mut incident, mono);
    Ok(Some(incident))
}

/// Returns the incidents that go on, in the order in which they began.
pub(crate) fn read_open(
    conn: &Connection,
    anchor: WallClockAnchor,
) -> rusqlite::Result<Vec<Incident>> {
    let sql = format!("SELECT {COLUMNS} FROM incidents WHERE ended_ms IS NULL ORDER BY id");
    let mut statement = conn.prepare(&sql)?;
    let rows = statement.query_map([], |row| read(row, anchor))?;
    rows.filter_map(Result::transpose).collect()
}

/// Returns the smallest number that no incident, and no notice, has had.
pub(crate) fn next_id(conn: &Connection) -> rusqlite::Result<IncidentId> {
    let sql = "SELECT max(coalesce((SELECT max(id) FROM incidents), 0), \
               coalesce((SELECT max(incident) FROM notices), 0))";
    let last: i64 = conn.query_row(sql, [], |row| row.get(0))?;
    Ok(IncidentId(sql::from_bits(last).saturating_add(1)))
}

impl IncidentBody {
    fn of(incident: &Incident, anchor: WallClockAnchor) -> Self {
        let wall_ms = |at: MonoTime| anchor.wall_ms(at);
        let member = |(id, it): (&AgentRowId, &Member)| {
            let (joined, since, left) = (wall_ms(it.joined), wall_ms(it.since), it.left);
            MemberBody(id.0, it.status, joined, since, left.map(wall_ms), it.is_affected)
        };
        let told = |(sink, it): (&str, &Told)| {
            let (first, last) = (wall_ms(it.first), wall_ms(it.last));
            let (count, worst) = (it.in_trouble, it.worst);
            ToldBody(sink.to_string(), first, last, count, worst, it.is_escalated, it.is_listed)
        };
        let acknowledged = incident.acknowledged.as_ref();
        Self {
            cause_from_ms: wall_ms(incident.interval.from),
            cause_to_ms: wall_ms(incident.interval.to),
            members: incident.members.iter().map(member).collect(),
            told: incident.told.iter().map(|(sink, it)| told((sink, it))).collect(),
            notices: incident.notices,
            acknowledged: acknowledged.map(|ack| (ack.by.to_string(), wall_ms(ack.at))),
            merged_into: incident.merged_into,
            flapping: incident.flapping,
            shortage: incident.shortage.as_ref().map(|it| ShortageBody::of(it, wall_ms)),
            remark: incident.remark.as_deref().map(str::to_owned),
            is_silenced: incident.is_silenced,
        }
    }

    fn fill(self, incident: &mut Incident, mono: impl Fn(i64) -> MonoTime) {
        let member = |MemberBody(id, status, joined, since, left, is_affected)| {
            let (joined, since, left) = (mono(joined), mono(since), left.map(&mono));
            (AgentRowId(id), Member { index: None, joined, status, since, left, is_affected })
        };
        let told = |ToldBody(sink, first, last, in_trouble, worst, is_escalated, is_listed)| {
            let (first, last) = (mono(first), mono(last));
            let told = Told { first, last, in_trouble, worst, is_escalated, is_listed };
            (sink.into_boxed_str(), told)
        };
        incident.members = self.members.into_iter().map(member).collect::<BTreeMap<_, _>>();
        incident.told = self.told.into_iter().map(told).collect();
        incident.notices = self.notices;
        incident.acknowledged =
            self.acknowledged.map(|(by, at)| IncidentAck { by: by.into(), at: mono(at) });
        incident.merged_into = self.merged_into;
        incident.flapping = self.flapping;
        incident.shortage = self.shortage.map(|it| it.shortage(&mono));
        incident.remark = self.remark.map(Into::into);
        incident.is_silenced = self.is_silenced;
    }
}

impl ShortageBody {
    fn of(shortage: &Shortage, wall_ms: impl Fn(MonoTime) -> i64) -> Self {
        match shortage {
            Shortage::Replicas(it) => {
                Self::Replicas(it.running, it.expect, it.alert_below, it.full_at.map(wall_ms))
            }
            Shortage::NeverSeen(it) => {
                let agents = it.agents.iter().map(ToString::to_string).collect();
                Self::NeverSeen(agents, it.expected, wall_ms(it.since))
            }
        }
    }

    fn shortage(self, mono: impl Fn(i64) -> MonoTime) -> Shortage {
        match self {
            Self::Replicas(running, expect, alert_below, full_at) => {
                let full_at = full_at.map(mono);
                Shortage::Replicas(ReplicaShortage { running, expect, alert_below, full_at })
            }
            Self::NeverSeen(agents, expected, since) => {
                let agents = agents.into_iter().map(String::into_boxed_str).collect();
                Shortage::NeverSeen(NeverSeen { agents, expected, since: mono(since) })
            }
        }
    }
}
