//! Numbers that stand for names in `history.db`: a year of a large fleet has millions of them. The
//! database has the names too, in its table `names`, for whoever reads it without this program.
//!
//! What a number means is never changed; new ones follow.

use heartline_vocabulary::{AgentStatus, GapCause, Reason, State};
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};
use rusqlite::{Connection, ToSql, params};

/// The kind of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventCode {
    Transition,
    Kill,
    Resume,
    KillObeyed,
    ResumeObeyed,
    Disobeyed,
    Session,
    Gap,
    Registered,
    Forgotten,
    Identity,
    ClockStep,
    Budget,
}

/// A status as one number: the code of its state, and 8 times that of its reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StatusCode(pub(crate) AgentStatus);

/// The cause of a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GapCauseCode(pub(crate) GapCause);

const EVENTS: [(EventCode, i64, &str); 13] = [
    (EventCode::Transition, 1, "transition"),
    (EventCode::Kill, 2, "kill"),
    (EventCode::Resume, 3, "resume"),
    (EventCode::KillObeyed, 4, "kill obeyed"),
    (EventCode::ResumeObeyed, 5, "resume obeyed"),
    (EventCode::Disobeyed, 6, "disobeyed"),
    (EventCode::Session, 7, "session"),
    (EventCode::Gap, 8, "gap"),
    (EventCode::Registered, 9, "registered"),
    (EventCode::Forgotten, 10, "forgotten"),
    (EventCode::Identity, 11, "identity"),
    (EventCode::ClockStep, 12, "clock step"),
    (EventCode::Budget, 13, "budget"),
];

const REASON_STEP: i64 = 8;

const fn state_code(state: State) -> i64 {
    match state {
        State::Unknown => 0,
        State::Healthy => 1,
        State::Degraded => 2,
        State::Unreachable => 3,
        State::Killed => 4,
    }
}

const fn reason_code(reason: Reason) -> i64 {
    match reason {
        Reason::Late => 1,
        Reason::Stalled => 2,
        Reason::Conflict => 3,
        Reason::Blocked => 4,
        Reason::CrashLooping => 5,
        Reason::EmitterSilent => 6,
        Reason::Flooding => 7,
        Reason::Flapping => 8,
        Reason::Silent => 9,
        Reason::OneWay => 10,
        Reason::Crashed => 11,
        Reason::Operator => 12,
        Reason::Policy => 13,
        Reason::Shutdown => 14,
        Reason::Failing => 15,
        Reason::Idle => 16,
        Reason::Slow => 17,
        Reason::Fast => 18,
    }
}

const fn gap_code(cause: GapCause) -> i64 {
    match cause {
        GapCause::Down => 1,
        GapCause::Frozen => 2,
        GapCause::KernelDrops => 3,
    }
}

/// Statuses by their numbers: every event of a long history asks for one.
static STATUSES: [Option<AgentStatus>; 256] = statuses();

const fn statuses() -> [Option<AgentStatus>; 256] {
    let mut statuses = [None; 256];
    let mut states = State::ALL.as_slice();
    while let [state, other_states @ ..] = states {
        let mut status = AgentStatus { state: *state, reason: None };
        statuses[StatusCode(status).code() as usize] = Some(status);
        let mut reasons = Reason::ALL.as_slice();
        while let [reason, other_reasons @ ..] = reasons {
            status.reason = Some(*reason);
            statuses[StatusCode(status).code() as usize] = Some(status);
            reasons = other_reasons;
        }
        states = other_states;
    }
    statuses
}

impl StatusCode {
    /// Returns its number.
    pub(crate) const fn code(self) -> i64 {
        let AgentStatus { state, reason } = self.0;
        match reason {
            Some(reason) => state_code(state) + REASON_STEP * reason_code(reason),
            None => state_code(state),
        }
    }

    /// Returns the status of a number; `None` if it stands for none.
    pub(crate) fn from_code(code: i64) -> Option<Self> {
        let status = usize::try_from(code).ok().and_then(|code| STATUSES.get(code));
        status.copied().flatten().map(Self)
    }
}

impl EventCode {
    /// Returns its number.
    pub(crate) fn code(self) -> i64 {
        self.row().1
    }

    /// Returns the kind of a number; `None` if it stands for none.
    pub(crate) fn from_code(code: i64) -> Option<Self> {
        EVENTS.iter().find(|(_, it, _)| *it == code).map(|(event, ..)| *event)
    }

    fn row(self) -> (Self, i64, &'static str) {
        let row = EVENTS.iter().find(|(code, ..)| *code == self);
        *row.expect("every kind has a row")
    }
}

impl ToSql for EventCode {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.code().into())
    }
}

impl FromSql for EventCode {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let code = value.as_i64()?;
        Self::from_code(code).ok_or(FromSqlError::OutOfRange(code))
    }
}

impl FromSql for StatusCode {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let code = value.as_i64()?;
        Self::from_code(code).ok_or(FromSqlError::OutOfRange(code))
    }
}

impl GapCauseCode {
    /// Returns the cause of a number; `None` if it stands for none.
    pub(crate) fn from_code(code: i64) -> Option<Self> {
        GapCause::ALL.into_iter().find(|it| gap_code(*it) == code).map(Self)
    }

    /// Returns its number.
    pub(crate) const fn code(self) -> i64 {
        gap_code(self.0)
    }
}

impl FromSql for GapCauseCode {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let code = value.as_i64()?;
        Self::from_code(code).ok_or(FromSqlError::OutOfRange(code))
    }
}

/// Writes the names of all numbers, those that an older program did not know included.
pub(super) fn write_names(conn: &Connection) -> rusqlite::Result<()> {
    let events = EVENTS.iter().map(|&(_, code, name)| ("event", code, name.to_owned()));
    let gaps = GapCause::ALL.iter().map(|&it| ("gap", gap_code(it), it.name().to_owned()));
    let statuses = State::ALL.into_iter().flat_map(|state| {
        let reasons = Reason::ALL.into_iter().map(Some);
        std::iter::once(None).chain(reasons).map(move |reason| AgentStatus { state, reason })
    });
    let statuses = statuses.map(|status| {
        let name = match status.reason {
            Some(reason) => format!("{}: {}", status.state.name(), reason.name()),
            None => status.state.name().to_owned(),
        };
        ("status", StatusCode(status).code(), name)
    });
    let sql = "INSERT OR REPLACE INTO names (what, code, name) VALUES (?1, ?2, ?3)";
    let mut insert = conn.prepare(sql)?;
    for (what, code, name) in events.chain(gaps).chain(statuses) {
        insert.execute(params![what, code, name])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers in the SQL of indexes, views and queries, where SQLite wants literals.
    #[test]
    fn numbers_in_sql_are_those_of_the_kinds() {
        let kinds = [EventCode::Transition, EventCode::Kill, EventCode::Resume, EventCode::Gap];
        assert_eq!(kinds.map(EventCode::code), [1, 2, 3, 8]);
        let others = [EventCode::Registered, EventCode::Identity, EventCode::ClockStep];
        assert_eq!(others.map(EventCode::code), [9, 11, 12]);
        assert_eq!(StatusCode(AgentStatus::UNKNOWN).code(), 0, "the default of agents.status");
    }

    #[test]
    fn every_number_leads_back_to_what_it_stands_for() {
        let mut seen = std::collections::BTreeSet::new();
        for state in State::ALL {
            for reason in Reason::ALL.into_iter().map(Some).chain([None]) {
                let code = StatusCode(AgentStatus { state, reason });
                assert_eq!(StatusCode::from_code(code.code()), Some(code));
                assert!(seen.insert(code.code()));
            }
        }
        assert_eq!(StatusCode::from_code(-1), None);
        assert_eq!(StatusCode::from_code(5), None, "no state has this number");
        assert_eq!(StatusCode::from_code(1 + 8 * 99), None, "nor a reason this one");
        for (event, code, _) in EVENTS {
            assert_eq!(EventCode::column_result(ValueRef::Integer(code)).unwrap(), event);
        }
        for cause in GapCause::ALL {
            let stored = ValueRef::Integer(gap_code(cause));
            assert_eq!(GapCauseCode::column_result(stored).unwrap(), GapCauseCode(cause));
        }
    }
}
