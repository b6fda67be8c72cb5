//! `heartline export outages`.

use heartline_operator::client::ClientError;
use heartline_operator::json;
use heartline_operator::message::{EventOrder, OUTAGES_MAX, OutageQuery, Reply, Request};

use super::Export;
use crate::commands::outages::{CSV_TITLES, csv_row};
use crate::error::CliError;

/// Writes the outages that overlap the span, oldest first.
pub(super) async fn write(export: &mut Export<'_>) -> Result<(), CliError> {
    let now_ms = export.client.greeting().collector.at_ms;
    export.write_titles(&CSV_TITLES)?;
    let mut query = OutageQuery {
        since_ms: Some(export.span.from_ms),
        until_ms: Some(export.span.to_ms),
        agent: export.args.agent.clone(),
        limit: OUTAGES_MAX,
        order: EventOrder::OldestFirst,
        filter: export.filter.clone(),
        ..OutageQuery::default()
    };
    loop {
        let reply = export.request(Request::Outages(query.clone())).await?;
        let Reply::Outages { outages, next } = reply else {
            return Err(ClientError::Unexpected { what: "outages" }.into());
        };
        export.write_rows(
            outages.iter(),
            |outage| json::line(&json::outage(outage, now_ms)),
            |outage| csv_row(outage, now_ms),
        )?;
        match next {
            Some(next) => query = query.following(next),
            None => return Ok(()),
        }
    }
}
