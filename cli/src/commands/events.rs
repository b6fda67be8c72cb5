//! `heartline events`: events oldest first, and with `--follow` new ones.

use heartline_operator::client::{Client, ClientError};
use heartline_operator::message::{EVENTS_MAX, Event, EventOrder, EventQuery, Reply, Request};
use heartline_operator::{Filter, json};

use super::parse_filter;
use super::watch::item_line;
use crate::args::EventsArgs;
use crate::console::Console;
use crate::error::{CliError, CommandExit};
use crate::event_line::event_line;
use crate::event_stream::{EventStream, EventStreamItem};
use crate::settings::{Settings, environment};
use crate::time_range::{TimeRange, TimeRangeExpression};

/// The default of `--since`.
const SINCE_MS: i64 = 24 * 3_600_000;

/// Runs the command.
pub(crate) async fn run(
    args: &EventsArgs,
    settings: &Settings,
    console: &mut Console,
) -> Result<CommandExit, CliError> {
    let filter = parse_filter(args.filter.as_deref())?;
    let range = TimeRangeExpression::parse(args.since.as_deref(), args.until.as_deref())?;
    let client = settings.connect().await?;
    let mut cursor = None;
    if args.since.is_some() || !args.follow {
        // By the collector's clock: the one of this machine may be wrong.
        let range = range.lookup(&client, SINCE_MS).await?;
        let past = EventHistory { client: &client, filter: &filter, range };
        cursor = past.print(args, console).await?;
    }
    drop(client);
    if !args.follow {
        return Ok(CommandExit::Success);
    }
    let endpoint = settings.endpoint(&environment)?;
    let mut stream =
        EventStream::open(endpoint, settings.client_options(&environment), filter, cursor);
    loop {
        for item in stream.next().await? {
            match &item {
                EventStreamItem::Event(event) => print(event, args, console)?,
                // Lines about the link are no events.
                item => console.say(&item_line(item, console.formatter)),
            }
        }
    }
}

/// Past events.
struct EventHistory<'a> {
    client: &'a Client,
    filter: &'a Filter,
    range: TimeRange,
}

impl EventHistory<'_> {
    /// Prints them page by page. Returns the cursor to follow from, with `--follow`.
    async fn print(
        &self,
        args: &EventsArgs,
        console: &mut Console,
    ) -> Result<Option<i64>, CliError> {
        let mut query = EventQuery {
            since_ms: self.range.since_ms,
            until_ms: self.range.until_ms,
            limit: EVENTS_MAX,
            order: EventOrder::OldestFirst,
            filter: self.filter.as_str().to_owned(),
            ..EventQuery::default()
        };
        // The end of history before it is read: the cursor if no event is that recent.
        let mut last = match args.follow {
            true => {
                let end = EventQuery { limit: 1, ..EventQuery::default() };
                Some(self.page(end).await?.0.last().map_or(0, |event| event.cursor))
            }
            false => None,
        };
        loop {
            let (events, next) = self.page(query.clone()).await?;
            for event in &events {
                last = last.max(Some(event.cursor));
                print(event, args, console)?;
            }
            match next {
                Some(next) => {
                    last = last.max(Some(next));
                    query = query.following(next);
                }
                None => return Ok(last),
            }
        }
    }

    /// Requests a page of events. Returns it with the cursor of the next one.
    async fn page(&self, query: EventQuery) -> Result<(Vec<Event>, Option<i64>), CliError> {
        match self.client.request(Request::Events(query)).await? {
            Reply::Events { events, next } => Ok((events, next)),
            _ => Err(ClientError::Unexpected { what: "events" }.into()),
        }
    }
}

fn print(event: &Event, args: &EventsArgs, console: &mut Console) -> Result<(), CliError> {
    let formatter = console.formatter;
    match args.json {
        true => console.print(&json::line(&json::event(event))),
        false => console.print(&event_line(event, formatter)),
    }
}
