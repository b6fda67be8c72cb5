//! What times that have a name mean to a collector: `first`, and `#7` for the begin of an outage.

use heartline_operator::client::{Client, ClientError};
use heartline_operator::message::{EventOrder, EventQuery, OutageQuery, Reply, Request};
use heartline_operator::time::{TimeContext, TimeError, TimeExpression, TimeSpan, parse_span};

use crate::error::CliError;

/// Returns the context of these times, by the collector's clock: the one of this machine may be wrong.
///
/// # Errors
/// [`CliError::NotDone`] for an outage that there is not; [`CliError::Client`] without an answer.
pub(crate) async fn context_of(
    client: &Client,
    times: impl IntoIterator<Item = &TimeExpression>,
) -> Result<TimeContext, CliError> {
    let mut context = TimeContext::utc(client.greeting().collector.at_ms);
    for number in times.into_iter().filter_map(TimeExpression::outage) {
        context.outages.push((number, outage_start_ms(client, number).await?));
    }
    Ok(context)
}

/// Returns the span that is meant.
///
/// # Errors
/// As [`context_of`], and [`CliError::Time`] for what is no span.
pub(crate) async fn resolve_span(
    flags: &'static str,
    text: &str,
    client: &Client,
) -> Result<TimeSpan, CliError> {
    let mut context = TimeContext::utc(client.greeting().collector.at_ms);
    loop {
        match parse_span(text, &context) {
            Err(TimeError::FirstUnknown) if context.first_record_ms.is_none() => {
                context.first_record_ms = first_record_ms(client).await?;
                if context.first_record_ms.is_none() {
                    return Err(CliError::Time { flags, error: TimeError::FirstUnknown });
                }
            }
            Err(TimeError::OutageUnknown(number)) => {
                context.outages.push((number, outage_start_ms(client, number).await?));
            }
            span => return span.map_err(|error| CliError::Time { flags, error }),
        }
    }
}

/// Returns the time of the first record; `None` where there is none.
pub(crate) async fn first_record_ms(client: &Client) -> Result<Option<i64>, CliError> {
    let order = EventOrder::OldestFirst;
    let query = EventQuery { limit: 1, order, ..EventQuery::default() };
    match client.request(Request::Events(query)).await? {
        Reply::Events { events, .. } => Ok(events.first().map(|event| event.at_ms)),
        _ => Err(ClientError::Unexpected { what: "events" }.into()),
    }
}

async fn outage_start_ms(client: &Client, number: u64) -> Result<i64, CliError> {
    let missing = || {
        CliError::NotDone(format!("there is no outage #{number}: `heartline outages` lists them"))
    };
    let id = i64::try_from(number).map_err(|_| missing())?;
    let (after, before) = (Some(id.saturating_sub(1)), Some(id.saturating_add(1)));
    let query = OutageQuery { after, before, limit: 1, ..OutageQuery::default() };
    match client.request(Request::Outages(query)).await? {
        Reply::Outages { outages, .. } => {
            outages.first().map(|outage| outage.start_ms).ok_or_else(missing)
        }
        _ => Err(ClientError::Unexpected { what: "outages" }.into()),
    }
}
