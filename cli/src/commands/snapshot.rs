//! `heartline snapshot`: one screen of the terminal app as text.

use heartline_operator::client::{Client, ClientError};
use heartline_operator::message::{
    AgentSelector, AlertQuery, ErrorCode, EventQuery, Reply, Request,
};
use heartline_tui::{ScreenSnapshot, SnapshotData, SnapshotOptions};

use crate::args::{Screen, SnapshotArgs};
use crate::clock;
use crate::console::Console;
use crate::error::{CliError, CommandExit};
use crate::settings::{Settings, environment};
use crate::time_range::parse_moment;

/// Most events that a screen can show.
const EVENTS: u32 = 300;
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// Runs the command.
pub(crate) async fn run(
    args: &SnapshotArgs,
    settings: &Settings,
    console: &mut Console,
) -> Result<CommandExit, CliError> {
    let tui_settings = settings.config.tui_settings(&environment)?;
    let moment = args.at.as_deref().map(|at| parse_moment("--at", at)).transpose()?;
    let client = settings.connect().await?;
    let at_ms = match moment {
        Some(moment) => Some(moment.lookup(&client).await?),
        None => None,
    };
    let round_trip_ms = measure_round_trip(&client).await?;
    let (entries, collector) = client.snapshot(AgentSelector::All).await?;
    let query = EventQuery { limit: EVENTS, ..EventQuery::default() };
    let Reply::Events { events, .. } = client.request(Request::Events(query)).await? else {
        return Err(ClientError::Unexpected { what: "events" }.into());
    };
    let agent = match (&args.agent, args.screen) {
        (Some(agent), Screen::Agent) => {
            match client.request(Request::Agent { agent: agent.clone() }).await? {
                Reply::Agent(detail) => Some(detail),
                _ => return Err(ClientError::Unexpected { what: "agent" }.into()),
            }
        }
        _ => None,
    };
    let day_ago = AlertQuery::Since(collector.at_ms.saturating_sub(DAY_MS));
    let alerts = match client.request(Request::Alerts(day_ago)).await {
        Ok(Reply::Alerts(report)) => Some(report),
        // An incident file has none.
        Err(ClientError::Refused { code: ErrorCode::NotAllowed, .. }) => None,
        Ok(_) => return Err(ClientError::Unexpected { what: "alerts" }.into()),
        Err(error) => return Err(error.into()),
    };
    let data = SnapshotData {
        entries,
        collector,
        events,
        agent,
        alerts,
        operator: client.greeting().operator.clone(),
        round_trip_ms,
    };
    let screen = match args.screen {
        Screen::Fleet => heartline_tui::Screen::Fleet,
        Screen::Agent => heartline_tui::Screen::Agent,
        Screen::Transitions => heartline_tui::Screen::Transitions,
        Screen::Timeline => heartline_tui::Screen::Timeline,
        Screen::Alerts => heartline_tui::Screen::Alerts,
    };
    let options = SnapshotOptions {
        screen,
        size: (args.size.columns, args.size.rows),
        filter: args.filter.clone().unwrap_or_default(),
        at_ms,
    };
    let mut snapshot = ScreenSnapshot::new(data, &options, tui_settings)?;
    while let Some(request) = snapshot.request().cloned() {
        match client.request(request).await {
            Ok(reply) => snapshot.answer(reply),
            Err(ClientError::Refused { code: ErrorCode::NotFound, message }) => {
                return Err(CliError::NotDone(message));
            }
            Err(error) => return Err(error.into()),
        }
    }
    console.print(&snapshot.into_text())?;
    Ok(CommandExit::Success)
}

/// Returns how long the collector takes to answer, in ms.
async fn measure_round_trip(client: &Client) -> Result<u64, CliError> {
    let asked_at = clock::now();
    match client.request(Request::Ping).await? {
        Reply::Pong { .. } => {}
        _ => return Err(ClientError::Unexpected { what: "ping" }.into()),
    }
    let round_trip = clock::now().saturating_sub(asked_at);
    Ok(u64::try_from(round_trip.as_millis()).unwrap_or(u64::MAX))
}
