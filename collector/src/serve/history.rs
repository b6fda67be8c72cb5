//! Questions about the past, and notes on it.

use std::time::Duration;

use heartline_operator::message::{
    AgentHistoryQuery, ErrorCode, FleetHistoryQuery, NoteCommand, OUTAGES_MAX, OutageQuery,
    PastFleet, Reply, STEPS_MAX, TIMELINE_AGENTS_MAX, TIMELINE_CELL_MAX_MS, TIMELINE_CELLS_MAX,
    TIMELINE_ROWS_MAX, TimelineQuery,
};
use heartline_operator::{Filter, text};
use tokio::time::timeout;

use super::ServerContext;
use super::answer::{
    OperatorIdentity, REASON_MAX, RequestError, flush_history, scrubbed, unavailable,
};
use super::selection;
use crate::clock;
use crate::store::{HistoryReading, HistoryRefusal, NewNote, NoteError, PastReading};

/// Longest wait for a note to be on disk; a client waits a little longer.
const NOTE_WITHIN: Duration = Duration::from_secs(8);

/// For how long what happened may not be on disk yet.
const FRESH_MS: i64 = 60_000;

/// Answers with one page of outages.
pub(super) async fn outages(
    mut query: OutageQuery,
    context: &ServerContext,
) -> Result<Reply, RequestError> {
    let filter = parse(&std::mem::take(&mut query.filter))?;
    flush_history(context).await?;
    let (query, now_ms) =
        (OutageQuery { limit: query.limit.clamp(1, OUTAGES_MAX), ..query }, clock::wall_ms());
    let read = context.readers.read(move |reader| reader.outages(&query, now_ms));
    let (mut outages, next) = read.await.map_err(|error| unavailable(&error))?;
    outages.retain(|outage| filter.matches(&outage.to_entry(), now_ms));
    Ok(Reply::Outages { outages, next })
}

/// Stores a note on an outage.
pub(super) async fn note(
    command: NoteCommand,
    operator: &OperatorIdentity,
    context: &ServerContext,
) -> Result<Reply, RequestError> {
    let NoteCommand { outage, acknowledges, words } = command;
    let refused = |message: String| Err((ErrorCode::BadRequest, message));
    if words.len() > REASON_MAX {
        let len = words.len();
        return refused(format!("a note has at most {REASON_MAX} bytes, this one has {len}"));
    }
    let words = scrubbed(words.trim());
    if words.is_empty() && !acknowledges {
        return refused("the note is empty".to_owned());
    }
    // An outage that the operator was shown is known to the writer, too.
    flush_history(context).await?;
    let (by, at_ms) = (operator.name.clone(), clock::wall_ms());
    let note = NewNote { outage, at_ms, by, acknowledges, words };
    match timeout(NOTE_WITHIN, context.store.add_note(note)).await {
        Ok(Ok(())) => Ok(Reply::Noted),
        Ok(Err(error @ NoteError::UnknownOutage(_))) => {
            Err((ErrorCode::NotFound, error.to_string()))
        }
        Ok(Err(error)) => Err((ErrorCode::Unavailable, error.to_string())),
        Err(_) => {
            let message = "the note is not stored: history is not written at present; try again";
            Err((ErrorCode::Unavailable, message.to_owned()))
        }
    }
}

/// Answers with an agent's work and states in steps.
pub(super) async fn of_agent(
    query: AgentHistoryQuery,
    context: &ServerContext,
) -> Result<Reply, RequestError> {
    flush_history(context).await?;
    let (name, now_ms) = (query.agent.clone(), clock::wall_ms());
    let read = context.readers.read(move |reader| reader.agent_history(&query, now_ms));
    let reading = read.await.map_err(|error| unavailable(&error))?;
    Ok(Reply::AgentHistory(answer(reading, Some(name), context).await?))
}

/// Answers with the history of the agents that match in steps.
pub(super) async fn of_fleet(
    mut query: FleetHistoryQuery,
    context: &ServerContext,
) -> Result<Reply, RequestError> {
    let filter = parse(&std::mem::take(&mut query.filter))?;
    if let Some(field) = filter.find_changing_field() {
        let message = format!(
            "{field} changes from moment to moment: a range can be filtered by agent, host, group, version, \
             framework and label; `heartline status --at` shows the fleet at one moment"
        );
        return Err((ErrorCode::BadRequest, message));
    }
    flush_history(context).await?;
    let (name, now_ms) = (query.agent.clone(), clock::wall_ms());
    let read = context.readers.read(move |reader| reader.fleet_history(&query, &filter, now_ms));
    let reading = read.await.map_err(|error| unavailable(&error))?;
    Ok(Reply::FleetHistory(answer(reading, name, context).await?))
}

/// Returns a history, or why there is none.
async fn answer<T>(
    reading: HistoryReading<T>,
    name: Option<String>,
    context: &ServerContext,
) -> Result<Box<T>, RequestError> {
    match reading {
        HistoryReading::History(history) => Ok(history),
        HistoryReading::UnknownAgent => {
            let names = name.into_iter().collect();
            let unknown = selection::with_similar(names, context).await?;
            let message = unknown.into_iter().map(|unknown| unknown.to_string()).collect();
            Err((ErrorCode::NotFound, message))
        }
        HistoryReading::Refused(refusal) => Err((ErrorCode::BadRequest, refusal_message(refusal))),
    }
}

fn refusal_message(refusal: HistoryRefusal) -> String {
    match refusal {
        HistoryRefusal::WrongStep => {
            "a step is whole minutes that divide a day, as 1m, 5m, 15m, 1h or 6h, or whole days"
                .to_owned()
        }
        HistoryRefusal::TooManySteps(count) => format!(
            "{count} steps: at most {STEPS_MAX} are answered at once; use longer ones, or a shorter range"
        ),
        HistoryRefusal::TooFine(kept_ms) => format!(
            "work is kept in such short steps from {} on: use longer ones, or a later begin \
             ([retention] says how long it is kept)",
            text::timestamp(kept_ms)
        ),
    }
}

/// Answers with the agents as they were at a moment.
pub(super) async fn past(
    at_ms: i64,
    filter: &str,
    context: &ServerContext,
) -> Result<Reply, RequestError> {
    let filter = parse(filter)?;
    let now_ms = clock::wall_ms();
    if at_ms > now_ms {
        let (at, now) = (text::timestamp(at_ms), text::timestamp(now_ms));
        let message = format!("{at} has not come yet: it is {now}");
        return Err((ErrorCode::BadRequest, message));
    }
    flush_history(context).await?;
    let read = context.readers.read(move |reader| reader.past(at_ms));
    match read.await.map_err(|error| unavailable(&error))? {
        PastReading::Fleet(fleet) => {
            let PastFleet { gap, mut agents, .. } = fleet;
            agents.retain(|agent| filter.matches(&agent.to_entry(), at_ms));
            Ok(Reply::Past(PastFleet { at_ms, gap, agents }))
        }
        PastReading::BeforeFirst(first_ms) => {
            let at = text::timestamp(at_ms);
            let message = match first_ms {
                Some(first_ms) => format!(
                    "nothing is known of {at}: history begins at {}",
                    text::timestamp(first_ms)
                ),
                None => format!("nothing is known of {at}: history is empty"),
            };
            Err((ErrorCode::NotFound, message))
        }
    }
}

/// Answers with what is known of a moment.
pub(super) async fn moment(at_ms: i64, context: &ServerContext) -> Result<Reply, RequestError> {
    flush_history(context).await?;
    let read = context.readers.read(move |reader| reader.moment(at_ms));
    read.await.map(Reply::Moment).map_err(|error| unavailable(&error))
}

/// Answers with the states of agents in cells.
pub(super) async fn timeline(
    query: TimelineQuery,
    context: &ServerContext,
) -> Result<Reply, RequestError> {
    let refused = |message: String| Err((ErrorCode::BadRequest, message));
    let agents: usize = query.rows.iter().map(Vec::len).sum();
    if query.rows.len() > TIMELINE_ROWS_MAX || agents > TIMELINE_AGENTS_MAX {
        return refused(format!(
            "{} rows of {agents} agents: at most {TIMELINE_ROWS_MAX} of {TIMELINE_AGENTS_MAX} are answered \
             at once",
            query.rows.len()
        ));
    }
    if !(1..=TIMELINE_CELLS_MAX).contains(&query.cells)
        || !(1..=TIMELINE_CELL_MAX_MS).contains(&query.cell_ms)
    {
        return refused(format!(
            "{} cells of {} ms: 1 to {TIMELINE_CELLS_MAX} of 1 to {TIMELINE_CELL_MAX_MS} ms are answered",
            query.cells, query.cell_ms
        ));
    }
    let now_ms = clock::wall_ms();
    let length_ms = query.cell_ms * i64::from(query.cells);
    // There are no cells outside of the years that can be written.
    let query = TimelineQuery { from_ms: query.from_ms.clamp(-length_ms, now_ms), ..query };
    if query.from_ms + length_ms >= now_ms - FRESH_MS {
        flush_history(context).await?;
    }
    let read = context.readers.read(move |reader| reader.timeline(&query, now_ms));
    let timeline = read.await.map_err(|error| unavailable(&error))?;
    Ok(Reply::Timeline(Box::new(timeline)))
}

fn parse(filter: &str) -> Result<Filter, RequestError> {
    Filter::parse(filter).map_err(|error| (ErrorCode::BadRequest, error.to_string()))
}
