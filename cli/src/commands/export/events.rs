//! `heartline export events`.

use heartline_operator::client::ClientError;
use heartline_operator::json;
use heartline_operator::message::{
    EVENTS_MAX, Event, EventKind, EventOrder, EventQuery, Reply, Request,
};
use heartline_operator::text::timestamp;
use heartline_vocabulary::Reason;

use super::Export;
use crate::csv_text::{plain, seconds};
use crate::error::CliError;

/// The columns of CSV. A kind of event has some of them.
const TITLES: [&str; 19] = [
    "cursor",
    "at",
    "agent",
    "kind",
    "from",
    "from_reason",
    "to",
    "reason",
    "lasted_s",
    "by",
    "words",
    "generation",
    "delivered_s",
    "obeyed_s",
    "session",
    "starts",
    "gap_from",
    "gap_to",
    "last_lines",
];

/// Writes the events of the span in the order in which they were stored.
pub(super) async fn write(export: &mut Export<'_>) -> Result<(), CliError> {
    export.write_titles(&TITLES)?;
    let mut query = EventQuery {
        since_ms: Some(export.span.from_ms),
        until_ms: Some(export.span.to_ms),
        agent: export.args.agent.clone(),
        limit: EVENTS_MAX,
        order: EventOrder::OldestFirst,
        filter: export.filter.clone(),
        ..EventQuery::default()
    };
    loop {
        let reply = export.request(Request::Events(query.clone())).await?;
        let Reply::Events { events, next } = reply else {
            return Err(ClientError::Unexpected { what: "events" }.into());
        };
        export.write_rows(events.iter(), |event| json::line(&json::event(event)), csv_row)?;
        match next {
            Some(next) => query = query.following(next),
            None => return Ok(()),
        }
    }
}

/// Returns an event as a row for spreadsheets.
fn csv_row(event: &Event) -> [String; TITLES.len()] {
    let mut row = EventColumns::default();
    match &event.kind {
        EventKind::Transition {
            from,
            from_reason,
            to,
            reason,
            lasted_ms,
            by,
            cause,
            last_lines,
        } => {
            row.from = from.name().to_owned();
            row.from_reason = from_reason.map(Reason::name).unwrap_or_default().to_owned();
            row.to = to.name().to_owned();
            row.reason = reason.map(Reason::name).unwrap_or_default().to_owned();
            row.lasted = lasted_ms.map(seconds).unwrap_or_default();
            row.by = plain(by.as_deref());
            row.words = plain(cause.as_deref());
            row.last_lines = plain(Some(&last_lines.join("\n")));
        }
        EventKind::Command { generation, by, reason, .. } => {
            row.generation = generation.to_string();
            (row.by, row.words) = (plain(Some(by)), plain(Some(reason)));
        }
        EventKind::Obeyed { action, generation, delivered_ms, obeyed_ms } => {
            row.words = action.name().to_owned();
            row.generation = generation.to_string();
            (row.delivered, row.obeyed) = (seconds(*delivered_ms), seconds(*obeyed_ms));
        }
        EventKind::Disobeyed { generation } => row.generation = generation.to_string(),
        EventKind::Session { session, starts } => {
            row.session = heartline_operator::session_text(*session);
            row.starts = starts.to_string();
        }
        EventKind::Gap { from_ms, to_ms, cause } => {
            (row.gap_from, row.gap_to) = (timestamp(*from_ms), timestamp(*to_ms));
            row.words = cause.name().to_owned();
        }
        EventKind::ClockStep { by_ms } => row.words = format!("{by_ms} ms"),
        EventKind::Budget { budget, words, .. } => {
            (row.by, row.words) = (plain(Some(budget)), plain(Some(words)));
        }
        EventKind::Registered => {}
        EventKind::Forgotten { by } => row.by = plain(Some(by)),
    }
    [
        event.cursor.to_string(),
        timestamp(event.at_ms),
        event.agent.clone().unwrap_or_default(),
        event.kind.name().to_owned(),
        row.from,
        row.from_reason,
        row.to,
        row.reason,
        row.lasted,
        row.by,
        row.words,
        row.generation,
        row.delivered,
        row.obeyed,
        row.session,
        row.starts,
        row.gap_from,
        row.gap_to,
        row.last_lines,
    ]
}

/// The columns that only some kinds of events have.
#[derive(Default)]
struct EventColumns {
    from: String,
    from_reason: String,
    to: String,
    reason: String,
    lasted: String,
    by: String,
    words: String,
    generation: String,
    delivered: String,
    obeyed: String,
    session: String,
    starts: String,
    gap_from: String,
    gap_to: String,
    last_lines: String,
}

#[cfg(test)]
mod tests {
    use heartline_operator::sample;

    use super::*;
    use crate::csv_text;

    #[test]
    fn every_kind_of_event_is_a_row() {
        let events = sample::events_of_every_kind();
        insta::assert_snapshot!(csv_text::lines(&TITLES, events.iter().map(csv_row)).unwrap());
    }
}
