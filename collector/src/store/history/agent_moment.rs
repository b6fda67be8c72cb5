//! One agent at a moment, from its own strips: the rest of the fleet is not read.

use std::collections::BTreeMap;

use heartline_vocabulary::AgentStatus;
use rusqlite::Connection;

use super::checkpoint::{self, PastAgent};
use super::code::{EventCode, StatusCode};
use super::outage::is_outage;
use super::strip::{self, StripEntry};

/// What an agent was at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct AgentMoment {
    /// `None`: it was not known yet, or not any more.
    pub(crate) status: Option<AgentStatus>,
    /// The outage that was going on.
    pub(crate) outage: Option<i64>,
    /// Its row of `identities`.
    pub(crate) identity: Option<i64>,
}

impl AgentMoment {
    /// Returns what agents were at a moment; their identities are not looked for.
    pub(crate) fn read_each(
        conn: &Connection,
        agents: impl IntoIterator<Item = i64>,
        at_ms: i64,
    ) -> rusqlite::Result<BTreeMap<i64, Self>> {
        let (mut moments, mut first_fleet) = (BTreeMap::new(), None);
        for agent in agents {
            let entries = strip::entries_back(conn, agent, at_ms, is_end_of_outage)?;
            let mut moment = Self::default();
            // A quiet agent, or one that is out for long: what began that may have been removed.
            if !entries.iter().any(is_end_of_outage) {
                let fleet = match &mut first_fleet {
                    Some(fleet) => fleet,
                    none => none.insert(checkpoint::fleet_before_events(conn)?),
                };
                moment = fleet.get(&agent).map_or(moment, Self::of);
            }
            entries.iter().for_each(|entry| moment.apply(entry));
            moments.insert(agent, Self { identity: None, ..moment });
        }
        Ok(moments)
    }

    /// Returns what an agent was at a moment; its identity is not looked for.
    pub(crate) fn read(conn: &Connection, agent: i64, at_ms: i64) -> rusqlite::Result<Self> {
        Ok(Self::read_each(conn, [agent], at_ms)?.remove(&agent).unwrap_or_default())
    }

    /// Returns an agent of a fleet of then.
    pub(crate) fn of(agent: &PastAgent) -> Self {
        let status = StatusCode::from_code(agent.status).map_or(AgentStatus::UNKNOWN, |it| it.0);
        Self { status: Some(status), outage: agent.outage, identity: agent.identity }
    }

    /// Goes on to the next event.
    pub(crate) fn apply(&mut self, entry: &StripEntry) {
        match entry.kind {
            EventCode::Transition => {
                let status = entry.status.and_then(StatusCode::from_code).map(|code| code.0);
                self.status = Some(status.unwrap_or(AgentStatus::UNKNOWN));
                self.outage = match status.is_some_and(is_outage) {
                    true => self.outage.or(Some(entry.cursor)),
                    false => None,
                };
            }
            EventCode::Registered => {
                self.status.get_or_insert(AgentStatus::UNKNOWN);
            }
            EventCode::Forgotten => *self = Self::default(),
            EventCode::Identity => self.identity = entry.identity,
            EventCode::Session
            | EventCode::Kill
            | EventCode::Resume
            | EventCode::KillObeyed
            | EventCode::ResumeObeyed
            | EventCode::Disobeyed
            | EventCode::Gap
            | EventCode::ClockStep
            | EventCode::Budget => {}
        }
    }
}

/// Returns whether no outage goes on after an event, whatever was before.
fn is_end_of_outage(entry: &StripEntry) -> bool {
    let status = || entry.status.and_then(StatusCode::from_code);
    match entry.kind {
        EventCode::Transition => status().is_none_or(|status| !is_outage(status.0)),
        EventCode::Forgotten | EventCode::Registered => true,
        _ => false,
    }
}
