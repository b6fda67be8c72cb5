//! What the next start of the collector needs. Everything is durable at once.

use std::collections::BTreeMap;

use heartline_fleet::{
    CommandRecord, CommandRow, ControlDbRow, HistoryDbRow, Incident, MonoTime, QualityRecord,
    RestoredAgent, RestoredSession, WorkRow, WriteTicket,
};
use heartline_vocabulary::{AgentRowId, AgentStatus, IncidentId, WorkTotals};

/// Both databases.
#[derive(Default)]
pub(super) struct YearStore {
    agents: BTreeMap<AgentRowId, RestoredAgent>,
    /// Incidents that go on, as they were recorded last.
    incidents: BTreeMap<IncidentId, Incident>,
    last_incident: u64,
    /// The newest row of work.
    pub(super) last_ticket: WriteTicket,
    pub(super) last_alive: Option<MonoTime>,
}

/// Sessions of an agent that are kept.
const SESSIONS: usize = 4;

impl YearStore {
    pub(super) fn agents(&self) -> impl Iterator<Item = &RestoredAgent> {
        self.agents.values()
    }

    pub(super) fn agent(&self, id: AgentRowId) -> Option<&RestoredAgent> {
        self.agents.get(&id)
    }

    pub(super) fn open_incidents(&self) -> impl Iterator<Item = Incident> {
        self.incidents.values().map(Incident::as_stored)
    }

    pub(super) fn next_incident(&self) -> IncidentId {
        IncidentId(self.last_incident + 1)
    }

    pub(super) fn next_id(&self) -> AgentRowId {
        AgentRowId(self.agents.keys().next_back().map_or(1, |id| id.0 + 1))
    }

    pub(super) fn write_control(&mut self, row: ControlDbRow, now: MonoTime) {
        match row {
            ControlDbRow::Registered { id, agent, at } => {
                self.agents.insert(id, registered(id, agent, at));
            }
            ControlDbRow::Profile { id, interval_ms, identity } => {
                let Some(agent) = self.agents.get_mut(&id) else { return };
                (agent.interval_ms, agent.identity) = (interval_ms, identity);
            }
            ControlDbRow::Command(row) => self.command(row, now),
            ControlDbRow::Progress { .. } | ControlDbRow::Forgotten { .. } => {}
        }
    }

    fn command(&mut self, row: CommandRow, now: MonoTime) {
        let CommandRow { action, cause, by, reason, targets, .. } = row;
        for target in targets {
            let Some(agent) = self.agents.get_mut(&target.id) else { continue };
            agent.desired = Some(Box::new(CommandRecord {
                generation: target.target.generation,
                killed: action.kills(),
                cause,
                by: by.clone(),
                reason: reason.clone(),
                at: now,
                delivered_ms: None,
                obeyed_ms: None,
                last_segment: u64::MAX,
                disobeyed: false,
                lifts: target.lifts,
            }));
        }
    }

    pub(super) fn write_history(&mut self, row: &HistoryDbRow) {
        match row {
            HistoryDbRow::Session { id, session, starts, .. } => {
                let Some(agent) = self.agents.get_mut(id) else { return };
                agent.starts = *starts;
                let begun = RestoredSession { session: *session, applied_segment: 0, ended: None };
                agent.sessions.insert(0, begun);
                agent.sessions.truncate(SESSIONS);
            }
            HistoryDbRow::SessionEnded { id, session, end, .. } => {
                let Some(agent) = self.agents.get_mut(id) else { return };
                let ended = agent.sessions.iter_mut().filter(|it| it.session == *session);
                ended.for_each(|it| it.ended = Some(*end));
            }
            HistoryDbRow::LastBeat { id, at, .. } => {
                let Some(agent) = self.agents.get_mut(id) else { return };
                agent.last_live = Some(*at);
            }
            HistoryDbRow::Incident(incident) => {
                self.last_incident = self.last_incident.max(incident.id.0);
                if incident.ended.is_some() {
                    self.incidents.remove(&incident.id);
                } else {
                    self.incidents.insert(incident.id, (**incident).clone());
                }
            }
            HistoryDbRow::Work(work) => self.add_work(work),
            _ => {}
        }
    }

    pub(super) fn set_status(&mut self, id: AgentRowId, status: AgentStatus, at: MonoTime) {
        let Some(agent) = self.agents.get_mut(&id) else { return };
        (agent.status, agent.since) = (status, at);
    }

    fn add_work(&mut self, work: &WorkRow) {
        self.last_ticket = work.ticket;
        let Some(agent) = self.agents.get_mut(&work.id) else { return };
        let session = agent.sessions.iter_mut().find(|it| it.session == work.session);
        if let Some(session) = session {
            session.applied_segment = session.applied_segment.max(work.segment);
        }
        agent.totals = agent.totals.saturating_add(&work.work);
        agent.quality = work.quality;
        // The time of its rollup.
        agent.last_live = agent.last_live.max(Some(work.at));
    }
}

fn registered(id: AgentRowId, agent: Box<str>, at: MonoTime) -> RestoredAgent {
    RestoredAgent {
        id,
        agent,
        first_seen: at,
        identity: None,
        interval_ms: heartline_protocol::limits::INTERVAL_DEFAULT_MS,
        status: AgentStatus::UNKNOWN,
        since: at,
        last_live: None,
        starts: 0,
        sessions: Vec::new(),
        totals: WorkTotals::default(),
        quality: QualityRecord::default(),
        desired: None,
    }
}
