//! What is read of the past to judge it again.

use std::collections::BTreeMap;
use std::sync::Arc;

use heartline_operator::client::{Client, ClientError};
use heartline_operator::message::{
    AgentSelector, AlertQuery, AlertReport, EVENTS_MAX, ErrorCode, Event, EventOrder, EventQuery,
    IncidentReport, PastAgent, Reply, Request, Silence,
};
use heartline_vocabulary::{IncidentId, SharedIdentity};

use crate::error::CliError;
use crate::time_lookup::first_record_ms;

/// So much before the range is judged, too, so that what went on at its begin is not told there anew.
const LEAD_MS: i64 = 24 * 3_600_000;
/// How far apart the moments are for which the identities of agents are read…
const SAMPLE_EVERY_MS: i64 = 24 * 3_600_000;
/// …and how many there are at most.
const SAMPLES_MAX: i64 = 60;

/// The past of a fleet, as far as alerts go by it.
#[derive(Clone, Debug, Default)]
pub(crate) struct AlertHistory {
    /// The range that is asked about.
    pub(crate) since_ms: i64,
    pub(crate) until_ms: i64,
    /// Where judging begins.
    pub(crate) from_ms: i64,
    /// Time of the first record.
    pub(crate) first_ms: Option<i64>,
    /// The agents at the begin, and at moments after it those that are new or have become others.
    pub(crate) samples: Vec<(i64, Vec<PastAgent>)>,
    /// Time between the beats of agents, as it is now.
    pub(crate) intervals_ms: BTreeMap<String, u32>,
    /// Of the fleet and the collector, in the order in which they were stored.
    pub(crate) events: Vec<Event>,
    /// What was told; `None`: it is not known, because a file is looked at.
    pub(crate) told: Option<ToldAlerts>,
}

/// What was told in a range of time.
#[derive(Clone, Debug, Default)]
pub(crate) struct ToldAlerts {
    /// In the order in which they began.
    pub(crate) incidents: Vec<IncidentReport>,
    /// Those that operators began.
    pub(crate) silences: Vec<Silence>,
}

impl AlertHistory {
    /// Reads the past of a range; `since_ms`, `None`: from the first record on.
    ///
    /// # Errors
    /// [`CliError::NotDone`] where there is no history; [`CliError::Client`] without an answer.
    pub(crate) async fn read(
        client: &Client,
        (since_ms, until_ms): (Option<i64>, i64),
        is_incident_file: bool,
    ) -> Result<Self, CliError> {
        let Some(first_ms) = first_record_ms(client).await? else {
            return Err(CliError::NotDone("there is no history yet: nothing to replay".to_owned()));
        };
        let since_ms = since_ms.unwrap_or(first_ms);
        let from_ms = since_ms.saturating_sub(LEAD_MS).max(first_ms).min(since_ms);
        let mut history =
            Self { since_ms, until_ms, from_ms, first_ms: Some(first_ms), ..Self::default() };
        let (agents, _) = client.snapshot(AgentSelector::All).await?;
        history.intervals_ms =
            agents.into_iter().map(|it| (it.agent, it.vitals.interval_ms)).collect();
        history.read_samples(client).await?;
        history.read_events(client).await?;
        if !is_incident_file {
            history.told = Some(history.read_told(client).await?);
        }
        Ok(history)
    }

    async fn read_samples(&mut self, client: &Client) -> Result<(), CliError> {
        let length_ms = self.until_ms.saturating_sub(self.from_ms).max(0);
        let step_ms = SAMPLE_EVERY_MS.max(length_ms / SAMPLES_MAX);
        let mut at_ms = self.from_ms;
        let mut known: BTreeMap<String, Arc<SharedIdentity>> = BTreeMap::new();
        loop {
            let mut agents = agents_at(client, at_ms).await?;
            agents.retain(|it| {
                let shared = Arc::clone(&it.identity.shared);
                known.insert(it.agent.clone(), shared).as_ref() != Some(&it.identity.shared)
            });
            self.samples.push((at_ms, agents));
            if at_ms >= self.until_ms {
                return Ok(());
            }
            at_ms = at_ms.saturating_add(step_ms).min(self.until_ms);
        }
    }

    async fn read_events(&mut self, client: &Client) -> Result<(), CliError> {
        let mut query = EventQuery {
            since_ms: Some(self.from_ms),
            until_ms: Some(self.until_ms),
            limit: EVENTS_MAX,
            order: EventOrder::OldestFirst,
            ..EventQuery::default()
        };
        loop {
            let reply = client.request(Request::Events(query.clone())).await?;
            let Reply::Events { events, next } = reply else {
                return Err(ClientError::Unexpected { what: "events" }.into());
            };
            self.events.extend(events);
            let Some(next) = next else { return Ok(()) };
            query = query.following(next);
        }
    }

    async fn read_told(&self, client: &Client) -> Result<ToldAlerts, CliError> {
        let (since_ms, until_ms) = (self.from_ms, self.until_ms);
        let mut told = ToldAlerts::default();
        let mut after = IncidentId(0);
        loop {
            let query = AlertQuery::Range { since_ms, until_ms, after };
            let Reply::Alerts(report) = client.request(Request::Alerts(query)).await? else {
                return Err(ClientError::Unexpected { what: "alerts" }.into());
            };
            let AlertReport { incidents, has_more, silences, .. } = *report;
            after = incidents.last().map_or(after, |it| it.incident.id);
            told.incidents.extend(incidents);
            told.silences = silences;
            if !has_more {
                return Ok(told);
            }
        }
    }
}

/// Returns the agents at a moment; none before the first record.
async fn agents_at(client: &Client, at_ms: i64) -> Result<Vec<PastAgent>, CliError> {
    let request = Request::Past { at_ms, filter: String::new(), with_work: false };
    match client.request(request).await {
        Ok(Reply::Past(fleet)) => Ok(fleet.agents),
        Ok(_) => Err(ClientError::Unexpected { what: "past" }.into()),
        Err(ClientError::Refused { code: ErrorCode::NotFound, .. }) => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}
