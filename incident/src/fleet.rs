//! The fleet of an incident file: as it was at its end.

use std::collections::BTreeMap;

use heartline_collector::store::{PastReading, ReadError, StoreReader};
use heartline_operator::message::{
    AgentDetail, AgentEntry, AgentSelector, CollectorStatus, ErrorCode, EventQuery, PastAgent,
    Reply, UnknownName, is_pattern, is_similar,
};
use heartline_operator::{Filter, FilterError};
use heartline_vocabulary::StateCounts;
use heartline_vocabulary::text::glob_matches;

/// Ids that are suggested for an unknown one.
const SIMILAR_MAX: usize = 3;
/// Sessions and events of an agent, as a collector shows them.
const SESSIONS: u32 = 20;
const EVENTS: u32 = 50;

/// The fleet at the end of a file.
#[derive(Clone, Debug, Default)]
pub(crate) struct FinalFleet {
    /// By name, in natural order.
    pub(crate) entries: Vec<AgentEntry>,
    pub(crate) summary: StateCounts,
}

impl FinalFleet {
    pub(crate) fn read(reader: &mut StoreReader, at_ms: i64) -> Result<Self, ReadError> {
        Ok(match reader.past(at_ms, true)? {
            PastReading::Fleet(fleet) => Self {
                summary: fleet.summary(),
                entries: fleet.agents.iter().map(PastAgent::to_entry).collect(),
            },
            PastReading::BeforeFirst(_) => Self::default(),
        })
    }

    /// Returns the agents of a selector. What is not known is left out.
    pub(crate) fn select(
        &self,
        selector: &AgentSelector,
        at_ms: i64,
    ) -> Result<Vec<AgentEntry>, FilterError> {
        let filter = match selector {
            AgentSelector::Filter(filter) => Some(Filter::parse(filter)?),
            AgentSelector::All | AgentSelector::Names(_) => None,
        };
        let is_wanted = |entry: &&AgentEntry| match (&filter, selector) {
            (Some(filter), _) => filter.matches(entry, at_ms),
            (None, AgentSelector::Names(names)) => {
                names.iter().any(|name| match is_pattern(name) {
                    true => glob_matches(name, &entry.agent),
                    false => *name == entry.agent,
                })
            }
            (None, _) => true,
        };
        Ok(self.entries.iter().filter(is_wanted).cloned().collect())
    }

    /// Returns the agents by name.
    pub(crate) fn by_name(&self) -> BTreeMap<&str, &AgentEntry> {
        self.entries.iter().map(|entry| (&*entry.agent, entry)).collect()
    }

    /// Returns the reply that there is no such agent.
    pub(crate) fn unknown(&self, name: &str) -> Reply {
        let names = self.entries.iter().map(|entry| &entry.agent);
        let similar = names.filter(|id| is_similar(id, name)).take(SIMILAR_MAX).cloned();
        let unknown = UnknownName { name: name.to_owned(), similar: similar.collect() };
        Reply::Error { code: ErrorCode::NotFound, message: unknown.to_string() }
    }
}

/// Reads what a file has of an agent.
pub(crate) fn read_detail(
    reader: &mut StoreReader,
    entry: AgentEntry,
) -> Result<AgentDetail, ReadError> {
    let id = entry.id;
    let query =
        EventQuery { agent: Some(entry.agent.clone()), limit: EVENTS, ..EventQuery::default() };
    let (mut events, _) = reader.events(&query)?;
    events.reverse();
    Ok(AgentDetail {
        first_seen_ms: reader.first_seen_ms(id)?.unwrap_or(entry.vitals.since_ms),
        sessions: reader.sessions(id, SESSIONS)?,
        events,
        address: None,
        key: None,
        budgets: Vec::new(),
        learning: Vec::new(),
        entry,
    })
}

/// Returns the status of a collector that is a file.
pub(crate) fn status(
    info: &heartline_collector::store::IncidentInfo,
    fleet: &FinalFleet,
    name: &str,
) -> CollectorStatus {
    let (since, until) = (
        heartline_operator::text::timestamp_s(info.since_ms),
        heartline_operator::text::timestamp_s(info.until_ms),
    );
    CollectorStatus {
        at_ms: info.until_ms,
        started_ms: info.since_ms,
        version: info.version.clone(),
        host: info.host.clone(),
        summary: fleet.summary,
        banners: vec![format!(
            "{name}: an incident file, from {since} to {until}; what is shown is how it was at the end"
        )],
        ..CollectorStatus::default()
    }
}
