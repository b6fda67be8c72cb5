//! Answers to questions about the past, from what is stored: by a collector for its history, and by an incident
//! file for what is in it. A question that is answered by both has a line in [`answer`].

use heartline_operator::message::{
    AgentHistoryQuery, AgentNamesQuery, ErrorCode, FleetHistoryQuery, OUTAGES_MAX, OutageQuery,
    PastFleet, Reply, Request, STEPS_MAX, TIMELINE_AGENTS_MAX, TIMELINE_CELL_MAX_MS,
    TIMELINE_CELLS_MAX, TIMELINE_ROWS_MAX, TimelineQuery,
};
use heartline_operator::{Filter, text};

use crate::store::{HistoryReading, HistoryRefusal, PastReading, ReadError, StoreReader};

/// The reason why a question about the past has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QuestionRefusal {
    UnknownAgent(String),
    Refused(ErrorCode, String),
}

/// An answer, or why there is none, or why nothing can be read.
pub type HistoryReply = Result<Result<Reply, QuestionRefusal>, ReadError>;

/// Answers a question about the past at the time `now_ms`.
///
/// # Errors [`ReadError`]
pub fn answer(reader: &mut StoreReader, request: Request, now_ms: i64) -> HistoryReply {
    match request {
        Request::Outages(query) => outages(reader, query, now_ms),
        Request::AgentHistory(query) => agent_history(reader, &query, now_ms),
        Request::FleetHistory(query) => fleet_history(reader, query, now_ms),
        Request::AgentNames(query) => agent_names(reader, &query),
        Request::Past { at_ms, filter, with_work } => {
            past(reader, (at_ms, with_work), &filter, now_ms)
        }
        Request::Moment { at_ms } => Ok(Ok(Reply::Moment(reader.moment(at_ms)?))),
        Request::Timeline(query) => timeline(reader, query, now_ms),
        _ => Ok(refused("this is no question about the past".to_owned())),
    }
}

fn refused(message: String) -> Result<Reply, QuestionRefusal> {
    Err(QuestionRefusal::Refused(ErrorCode::BadRequest, message))
}

/// Parses the filter of a question.
pub(super) fn parse(filter: &str) -> Result<Filter, QuestionRefusal> {
    Filter::parse(filter)
        .map_err(|error| QuestionRefusal::Refused(ErrorCode::BadRequest, error.to_string()))
}

fn outages(reader: &mut StoreReader, mut query: OutageQuery, now_ms: i64) -> HistoryReply {
    let filter = match parse(&std::mem::take(&mut query.filter)) {
        Ok(filter) => filter,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let query = OutageQuery { limit: query.limit.clamp(1, OUTAGES_MAX), ..query };
    let (mut outages, next) = reader.outages(&query, now_ms)?;
    outages.retain(|outage| filter.matches(&outage.to_entry(), now_ms));
    Ok(Ok(Reply::Outages { outages, next }))
}

fn agent_names(reader: &mut StoreReader, query: &AgentNamesQuery) -> HistoryReply {
    let (names, has_more) = reader.agent_names(query)?;
    Ok(Ok(Reply::AgentNames { names, has_more }))
}

/// Answers with an agent's work and states in steps.
fn agent_history(reader: &mut StoreReader, query: &AgentHistoryQuery, now_ms: i64) -> HistoryReply {
    let reading = reader.agent_history(query, now_ms)?;
    Ok(history(reading, Some(&query.agent)).map(Reply::AgentHistory))
}

/// Answers with the history of the agents that match in steps.
fn fleet_history(
    reader: &mut StoreReader,
    mut query: FleetHistoryQuery,
    now_ms: i64,
) -> HistoryReply {
    let filter = match parse(&std::mem::take(&mut query.filter)) {
        Ok(filter) => filter,
        Err(refusal) => return Ok(Err(refusal)),
    };
    if let Some(field) = filter.find_changing_field() {
        return Ok(refused(format!(
            "{field} changes from moment to moment: a range can be filtered by agent, host, group, version, \
             framework and label; `heartline status --at` shows the fleet at one moment"
        )));
    }
    let reading = reader.fleet_history(&query, &filter, now_ms)?;
    Ok(history(reading, query.agent.as_deref()).map(Reply::FleetHistory))
}

/// Returns a history, or why there is none.
fn history<T>(reading: HistoryReading<T>, agent: Option<&str>) -> Result<Box<T>, QuestionRefusal> {
    let message = match reading {
        HistoryReading::History(history) => return Ok(history),
        HistoryReading::UnknownAgent => {
            return Err(QuestionRefusal::UnknownAgent(agent.unwrap_or_default().to_owned()));
        }
        HistoryReading::Refused(HistoryRefusal::WrongStep) => {
            "a step is whole minutes that divide a day, as 1m, 5m, 15m, 1h or 6h, or whole days"
                .to_owned()
        }
        HistoryReading::Refused(HistoryRefusal::TooManySteps(count)) => format!(
            "{count} steps: at most {STEPS_MAX} are answered at once; use longer ones, or a shorter range"
        ),
        HistoryReading::Refused(HistoryRefusal::TooFine(kept_ms)) => format!(
            "work is kept in such short steps from {} on: use longer ones, or a later begin \
             ([retention] says how long it is kept)",
            text::timestamp(kept_ms)
        ),
    };
    Err(QuestionRefusal::Refused(ErrorCode::BadRequest, message))
}

/// Answers with the agents as they were at a moment.
fn past(
    reader: &mut StoreReader,
    (at_ms, with_work): (i64, bool),
    filter: &str,
    now_ms: i64,
) -> HistoryReply {
    let filter = match parse(filter) {
        Ok(filter) => filter,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let at = text::timestamp(at_ms);
    if at_ms > now_ms {
        let now = text::timestamp(now_ms);
        return Ok(refused(format!("{at} has not come yet: it is {now}")));
    }
    Ok(match reader.past(at_ms, with_work || !filter.is_empty())? {
        PastReading::Fleet(fleet) => {
            let PastFleet { gap, work, mut agents, .. } = fleet;
            agents.retain(|agent| filter.matches(&agent.to_entry(), at_ms));
            Ok(Reply::Past(PastFleet { at_ms, gap, work, agents }))
        }
        PastReading::BeforeFirst(first_ms) => {
            let message = match first_ms {
                Some(first_ms) => format!(
                    "nothing is known of {at}: history begins at {}",
                    text::timestamp(first_ms)
                ),
                None => format!("nothing is known of {at}: history is empty"),
            };
            Err(QuestionRefusal::Refused(ErrorCode::NotFound, message))
        }
    })
}

/// Answers with the states of agents in cells.
fn timeline(reader: &mut StoreReader, query: TimelineQuery, now_ms: i64) -> HistoryReply {
    let agents: usize = query.rows.iter().map(Vec::len).sum();
    if query.rows.len() > TIMELINE_ROWS_MAX || agents > TIMELINE_AGENTS_MAX {
        return Ok(refused(format!(
            "{} rows of {agents} agents: at most {TIMELINE_ROWS_MAX} of {TIMELINE_AGENTS_MAX} are answered \
             at once",
            query.rows.len()
        )));
    }
    if !(1..=TIMELINE_CELLS_MAX).contains(&query.cells)
        || !(1..=TIMELINE_CELL_MAX_MS).contains(&query.cell_ms)
    {
        return Ok(refused(format!(
            "{} cells of {} ms: 1 to {TIMELINE_CELLS_MAX} of 1 to {TIMELINE_CELL_MAX_MS} ms are answered",
            query.cells, query.cell_ms
        )));
    }
    let length_ms = query.cell_ms * i64::from(query.cells);
    // There are no cells outside of the years that can be written.
    let query = TimelineQuery { from_ms: query.from_ms.clamp(-length_ms, now_ms), ..query };
    Ok(Ok(Reply::Timeline(Box::new(reader.timeline(&query, now_ms)?))))
}
