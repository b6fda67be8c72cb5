//! Events as rows; `read/event.rs` reads them. What only some of a kind have is in `event_details`.
//! Each kind sets some columns:
//!
//! | kind | columns | details |
//! |---|---|---|
//! | `transition` | was, status; value: how long the state before had lasted, in ms | words: the cause, unless it is a live beat; by; step; missed, interval_ms; last_lines: of a crash, joined by line feeds |
//! | `kill`, `resume` | value: the generation | by; words: the reason |
//! | `kill obeyed`, `resume obeyed` | value: the generation | delivered_ms, obeyed_ms |
//! | `disobeyed` | value: the generation | |
//! | `session` | value: the number of starts | session |
//! | `gap` | status: its cause; value: its begin; at_ms is its end | |
//! | `registered` | | |
//! | `forgotten` | | by |
//! | `clock step` | value: by how much the wall clock was set, in ms; at_ms is its time then | |
//! | `budget` | value: the level that was reached, in percent; no agent: a shared one | by: the budget; words: the sums, and what follows; step |
//! | `identity` | was: the process id; value: a row of `identities` | |

use std::collections::BTreeMap;

use heartline_fleet::{HistoryDbRow, Transition, TransitionCause};
use heartline_vocabulary::{Action, AgentRowId, AgentStatus, Identity};
use rusqlite::{CachedStatement, Connection, Row, Transaction, params};

use super::code::{EventCode, GapCauseCode, StatusCode};
use super::outage::OutageWriter;
use super::strip::StripWriter;
use super::text::TextTable;
use super::{identity, outage};
use crate::clock::WallClockAnchor;
use crate::store::sql::{self, execute};

/// The most frequent cause has no words.
pub(crate) const UNWRITTEN_CAUSE: TransitionCause = TransitionCause::Beat;

/// An event as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct EventRow {
    pub(super) at_ms: i64,
    pub(super) agent: Option<i64>,
    pub(super) kind: EventCode,
    pub(super) was: Option<i64>,
    pub(super) status: Option<i64>,
    pub(super) value: Option<i64>,
    pub(super) details: EventDetails,
}

/// The columns of `event_details`, with their texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct EventDetails {
    pub(super) by: Option<String>,
    pub(super) words: Option<String>,
    pub(super) step: Option<String>,
    /// Beats that were missing, and the time between two.
    pub(super) missed: Option<u32>,
    pub(super) interval_ms: Option<u32>,
    pub(super) session: Option<i64>,
    pub(super) delivered_ms: Option<i64>,
    pub(super) obeyed_ms: Option<i64>,
    pub(super) last_lines: Option<String>,
}

/// Writes events in one transaction, with all that follows from them.
pub(super) struct EventWriter<'a> {
    tx: &'a Connection,
    insert: CachedStatement<'a>,
    insert_details: CachedStatement<'a>,
    texts: TextTable,
    strips: StripWriter<'a>,
    outages: OutageWriter<'a>,
    /// The first event that anything follows from that is not stored yet…
    first: i64,
    /// …and the outages of agents that began before it: what follows for those is stored, until their end.
    settled: BTreeMap<i64, i64>,
}

impl<'a> EventWriter<'a> {
    pub(super) fn new(tx: &'a Transaction<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            tx,
            insert: tx.prepare_cached(
                "INSERT INTO events (at_ms, agent_id, kind, was, status, value, cursor) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?,
            insert_details: tx.prepare_cached(
                "INSERT INTO event_details (cursor, \"by\", words, step, missed, interval_ms, \
                    session, delivered_ms, obeyed_ms, last_lines) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            )?,
            texts: TextTable::default(),
            strips: StripWriter::new(tx)?,
            outages: OutageWriter::new(tx)?,
            first: 0,
            settled: BTreeMap::new(),
        })
    }

    /// Derives anew what follows from the events from a cursor on, but for the outages of agents that had
    /// one before, each until its end.
    pub(super) fn deriving(
        tx: &'a Transaction<'_>,
        first: i64,
        settled: BTreeMap<i64, i64>,
    ) -> rusqlite::Result<Self> {
        Ok(Self { first, settled, ..Self::new(tx)? })
    }

    /// Writes a row of the fleet as an event, if it is one.
    pub(super) fn write(
        &mut self,
        row: &HistoryDbRow,
        anchor: WallClockAnchor,
    ) -> rusqlite::Result<()> {
        let event = match row {
            HistoryDbRow::Identity { id, at, identity: Identity { pid, shared } } => EventRow {
                was: pid.map(i64::from),
                value: Some(identity::intern(self.tx, shared)?),
                ..EventRow::of_agent(EventCode::Identity, id.0, anchor.wall_ms(*at))
            },
            row => match EventRow::of(row, anchor) {
                Some(event) => event,
                None => return Ok(()),
            },
        };
        self.append(&event)
    }

    /// Appends an event.
    pub(super) fn append(&mut self, event: &EventRow) -> rusqlite::Result<()> {
        self.append_at(None, event)
    }

    /// Appends an event with the cursor that it has in another database.
    pub(super) fn append_at(
        &mut self,
        cursor: Option<i64>,
        event: &EventRow,
    ) -> rusqlite::Result<()> {
        let EventRow { at_ms, agent, kind, was, status, value, details } = event;
        self.insert.execute(params![at_ms, agent, kind, was, status, value, cursor])?;
        let cursor = self.tx.last_insert_rowid();
        let texts = self.intern(cursor, details)?;
        if *details != EventDetails::default() {
            self.write_details(cursor, details, &texts)?;
        }
        if *kind == EventCode::Identity {
            let sql = "UPDATE agents SET pid = ?2, identity = ?3 WHERE id = ?1";
            execute(self.tx, sql, params![agent, was, value])?;
        }
        self.derive_with(cursor, event, &texts)
    }

    /// Derives what follows from an event that is stored.
    pub(super) fn derive(&mut self, cursor: i64, event: &EventRow) -> rusqlite::Result<()> {
        let texts = self.intern(cursor, &event.details)?;
        self.derive_with(cursor, event, &texts)
    }

    /// Derives what follows for the outage of its agent from an event that is not stored here.
    pub(super) fn derive_outage(&mut self, cursor: i64, event: &EventRow) -> rusqlite::Result<()> {
        let texts = self.intern(cursor, &event.details)?;
        self.outages.apply(cursor, event, &texts)?;
        Ok(())
    }

    /// Returns the number of a text of the event at a cursor.
    pub(super) fn intern_text(&mut self, cursor: i64, text: &str) -> rusqlite::Result<i64> {
        self.texts.intern(self.tx, text, cursor)
    }

    fn derive_with(
        &mut self,
        cursor: i64,
        event: &EventRow,
        texts: &DetailTexts,
    ) -> rusqlite::Result<()> {
        if let (EventCode::Gap, Some(from_ms)) = (event.kind, event.value) {
            let sql = "INSERT INTO gaps (cursor, from_ms, to_ms, cause) VALUES (?1, ?2, ?3, ?4)";
            execute(self.tx, sql, params![cursor, from_ms, event.at_ms, event.status])?;
            return outage::skip_gap(self.tx, self.first, (from_ms, event.at_ms));
        }
        let settled = event.agent.and_then(|agent| self.settled.get(&agent).copied());
        let ended = match settled {
            None => self.outages.apply(cursor, event, texts)?,
            Some(outage) if outage::is_end(event) => {
                event.agent.and_then(|agent| self.settled.remove(&agent));
                outage::read_ended(self.tx, outage)?
            }
            Some(_) => None,
        };
        self.strips.append(cursor, event, ended)
    }

    fn write_details(
        &mut self,
        cursor: i64,
        details: &EventDetails,
        texts: &DetailTexts,
    ) -> rusqlite::Result<usize> {
        self.insert_details.execute(params![
            cursor,
            texts.by,
            texts.words,
            texts.step,
            details.missed,
            details.interval_ms,
            details.session,
            details.delivered_ms,
            details.obeyed_ms,
            details.last_lines,
        ])
    }

    fn intern(&mut self, cursor: i64, details: &EventDetails) -> rusqlite::Result<DetailTexts> {
        let mut intern = |text: &Option<String>| {
            let text = text.as_deref();
            text.map(|text| self.texts.intern(self.tx, text, cursor)).transpose()
        };
        Ok(DetailTexts {
            by: intern(&details.by)?,
            words: intern(&details.words)?,
            step: intern(&details.step)?,
        })
    }
}

/// The rows of `texts` of an event.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct DetailTexts {
    pub(super) by: Option<i64>,
    pub(super) words: Option<i64>,
    pub(super) step: Option<i64>,
}

/// Calls `visit` with every event after a cursor, in order.
pub(super) fn visit_after(
    conn: &Connection,
    cursor: i64,
    visit: impl FnMut(i64, &EventRow) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    visit_between(conn, cursor, i64::MAX, visit)
}

/// Calls `visit` with every event after a cursor and up to another one, in order.
pub(super) fn visit_between(
    conn: &Connection,
    after: i64,
    through: i64,
    mut visit: impl FnMut(i64, &EventRow) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let mut statement = conn.prepare_cached(
        "SELECT events.cursor, at_ms, agent_id, kind, was, status, value, \
            (SELECT text FROM texts WHERE id = \"by\"), (SELECT text FROM texts WHERE id = words), \
            (SELECT text FROM texts WHERE id = step), missed, interval_ms, session, delivered_ms, \
            obeyed_ms, last_lines \
         FROM events LEFT JOIN event_details USING (cursor) WHERE events.cursor > ?1 \
            AND events.cursor <= ?2 ORDER BY events.cursor",
    )?;
    let mut rows = statement.query([after, through])?;
    while let Some(row) = rows.next()? {
        visit(row.get(0)?, &EventRow::read(row)?)?;
    }
    Ok(())
}

impl EventRow {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            at_ms: row.get(1)?,
            agent: row.get(2)?,
            kind: row.get(3)?,
            was: row.get(4)?,
            status: row.get(5)?,
            value: row.get(6)?,
            details: EventDetails {
                by: row.get(7)?,
                words: row.get(8)?,
                step: row.get(9)?,
                missed: row.get(10)?,
                interval_ms: row.get(11)?,
                session: row.get(12)?,
                delivered_ms: row.get(13)?,
                obeyed_ms: row.get(14)?,
                last_lines: row.get(15)?,
            },
        })
    }

    /// Returns an event of which nothing else is known.
    pub(super) fn of_agent(kind: EventCode, agent: i64, at_ms: i64) -> Self {
        let details = EventDetails::default();
        Self { at_ms, agent: Some(agent), kind, was: None, status: None, value: None, details }
    }

    /// Returns a step of the wall clock, whose time afterwards is `at_ms`.
    pub(super) fn of_clock_step(at_ms: i64, by_ms: i64) -> Self {
        let event = Self::of_agent(EventCode::ClockStep, 0, at_ms);
        Self { agent: None, value: Some(by_ms), ..event }
    }

    /// Converts a row of the fleet that is an event, but for identities, which have a table.
    fn of(row: &HistoryDbRow, anchor: WallClockAnchor) -> Option<Self> {
        let event = |kind, id: &AgentRowId, at| Self::of_agent(kind, id.0, anchor.wall_ms(at));
        let count = |number: u64| Some(sql::to_count(number));
        Some(match row {
            HistoryDbRow::Registered { id, at, .. } => event(EventCode::Registered, id, *at),
            HistoryDbRow::Forgotten { id, at, by } => Self {
                details: EventDetails { by: Some(by.to_string()), ..EventDetails::default() },
                ..event(EventCode::Forgotten, id, *at)
            },
            HistoryDbRow::Session { id, session, at, starts } => Self {
                value: Some(i64::from(*starts)),
                details: EventDetails {
                    session: Some(sql::to_bits(*session)),
                    ..EventDetails::default()
                },
                ..event(EventCode::Session, id, *at)
            },
            HistoryDbRow::Transition(transition) => {
                let Transition { id, at, from, to, lasted, .. } = transition;
                let lasted = lasted.map(|it| i64::try_from(it.as_millis()).unwrap_or(i64::MAX));
                Self {
                    was: Some(StatusCode(*from).code()),
                    status: Some(StatusCode(*to).code()),
                    value: lasted,
                    details: transition_details(transition),
                    ..event(EventCode::Transition, id, *at)
                }
            }
            HistoryDbRow::Budget(reached) => Self {
                agent: reached.agent.map(|id| id.0),
                value: Some(i64::from(reached.percent)),
                details: EventDetails {
                    by: Some(reached.budget.to_string()),
                    words: Some(reached.to_string()),
                    step: reached.step.as_deref().map(str::to_owned),
                    ..EventDetails::default()
                },
                ..event(EventCode::Budget, &AgentRowId::default(), reached.at)
            },
            HistoryDbRow::Commanded { id, at, action, generation, by, reason } => Self {
                value: count(*generation),
                details: EventDetails {
                    by: Some(by.to_string()),
                    words: Some(reason.to_string()),
                    ..EventDetails::default()
                },
                ..event(by_action(*action, EventCode::Kill, EventCode::Resume), id, *at)
            },
            HistoryDbRow::Obeyed { id, at, action, generation, delivered_ms, obeyed_ms } => Self {
                value: count(*generation),
                details: EventDetails {
                    delivered_ms: count(*delivered_ms),
                    obeyed_ms: count(*obeyed_ms),
                    ..EventDetails::default()
                },
                ..event(by_action(*action, EventCode::KillObeyed, EventCode::ResumeObeyed), id, *at)
            },
            HistoryDbRow::Disobeyed { id, at, generation } => {
                Self { value: count(*generation), ..event(EventCode::Disobeyed, id, *at) }
            }
            HistoryDbRow::Gap { from, to, cause } => Self {
                agent: None,
                status: Some(GapCauseCode(*cause).code()),
                value: Some(anchor.wall_ms(*from)),
                ..event(EventCode::Gap, &AgentRowId::default(), *to)
            },
            HistoryDbRow::Identity { .. }
            | HistoryDbRow::SessionEnded { .. }
            | HistoryDbRow::Work(_)
            | HistoryDbRow::Incident(_)
            | HistoryDbRow::Notice(_)
            | HistoryDbRow::LastBeat { .. } => return None,
        })
    }

    /// Returns the status that a transition led to.
    pub(super) fn to_status(&self) -> Option<AgentStatus> {
        let is_transition = self.kind == EventCode::Transition;
        let code = self.status.filter(|_| is_transition)?;
        StatusCode::from_code(code).map(|code| code.0)
    }
}

fn by_action(action: Action, kill: EventCode, resume: EventCode) -> EventCode {
    match action {
        Action::Kill => kill,
        Action::Resume => resume,
    }
}

fn transition_details(Transition { cause, step, .. }: &Transition) -> EventDetails {
    let (missed, interval_ms) = match cause {
        TransitionCause::Missed { beats, interval_ms } => (Some(*beats), Some(*interval_ms)),
        _ => (None, None),
    };
    EventDetails {
        by: match cause {
            TransitionCause::Command { by, .. } => Some(by.to_string()),
            _ => None,
        },
        words: Some(cause).filter(|it| **it != UNWRITTEN_CAUSE).map(ToString::to_string),
        step: step.as_ref().map(ToString::to_string),
        missed,
        interval_ms,
        // No line has a line feed: it is hostile.
        last_lines: Some(cause.last_lines().join("\n")).filter(|lines| !lines.is_empty()),
        ..EventDetails::default()
    }
}
