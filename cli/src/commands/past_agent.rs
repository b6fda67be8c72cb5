//! `heartline agent NAME --at T`: one agent as it was.

use heartline_operator::client::{Client, ClientError};
use heartline_operator::json;
use heartline_operator::message::{
    ErrorCode, Event, EventOrder, EventQuery, Outage, OutageQuery, PastFleet, PastWork, Reply,
    Request,
};
use heartline_operator::text;
use heartline_operator::time::{TimeContext, describe};

use super::agent::identity_rows;
use crate::args::AgentArgs;
use crate::console::Console;
use crate::error::{CliError, CommandExit};
use crate::event_line::event_line;
use crate::settings::Settings;
use crate::style::StateFormatter;
use crate::time_range::parse_moment;

/// Most events that are shown.
const EVENTS: u32 = 10;

/// An agent as it was at a moment.
struct PastAgentDetail {
    /// With this agent only.
    fleet: PastFleet,
    /// That was going on.
    outage: Option<Outage>,
    /// Until then, newest first.
    events: Vec<Event>,
}

/// Runs the command.
pub(crate) async fn run(
    args: &AgentArgs,
    at: &str,
    settings: &Settings,
    console: &mut Console,
) -> Result<CommandExit, CliError> {
    let moment = parse_moment("--at", at)?;
    let client = settings.connect().await?;
    // By the collector's clock: the one of this machine may be wrong.
    let now_ms = client.greeting().collector.at_ms;
    let detail = request(&client, &args.name, moment.lookup(&client).await?).await?;
    if args.json {
        let PastAgentDetail { fleet, outage, events } = &detail;
        let document = json::past_agent(fleet, outage.as_ref(), events);
        console.print_json(&document.expect("the agent was found"))?;
    } else {
        let formatter = console.formatter;
        console.print(&describe_agent(&detail, now_ms, formatter))?;
    }
    Ok(CommandExit::Success)
}

async fn request(client: &Client, name: &str, at_ms: i64) -> Result<PastAgentDetail, CliError> {
    // Names are matched one by one: a filter would read a pattern in them.
    let mut fleet =
        match client.request(Request::Past { at_ms, filter: String::new(), with_work: true }).await
        {
            Ok(Reply::Past(fleet)) => fleet,
            Ok(_) => return Err(ClientError::Unexpected { what: "past" }.into()),
            Err(ClientError::Refused { code: ErrorCode::NotFound, message }) => {
                return Err(CliError::NotDone(message));
            }
            Err(error) => return Err(error.into()),
        };
    fleet.agents.retain(|agent| agent.agent == name);
    if fleet.agents.is_empty() {
        let at = text::timestamp(at_ms);
        return Err(CliError::NotDone(format!(
            "no agent {name:?} was known at {at}; `heartline status --at {at}` lists those that were"
        )));
    }
    let query = OutageQuery {
        since_ms: Some(at_ms),
        until_ms: Some(at_ms + 1),
        as_of_ms: Some(at_ms),
        agent: Some(name.to_owned()),
        limit: 1,
        order: EventOrder::NewestFirst,
        ..OutageQuery::default()
    };
    let Reply::Outages { outages, .. } = client.request(Request::Outages(query)).await? else {
        return Err(ClientError::Unexpected { what: "outages" }.into());
    };
    let query = EventQuery {
        agent: Some(name.to_owned()),
        until_ms: Some(at_ms + 1),
        limit: EVENTS,
        order: EventOrder::NewestFirst,
        ..EventQuery::default()
    };
    let Reply::Events { mut events, .. } = client.request(Request::Events(query)).await? else {
        return Err(ClientError::Unexpected { what: "events" }.into());
    };
    events.reverse();
    Ok(PastAgentDetail { fleet, outage: outages.into_iter().next(), events })
}

fn describe_agent(detail: &PastAgentDetail, now_ms: i64, formatter: StateFormatter) -> String {
    let PastFleet { at_ms, gap, work: of, agents } = &detail.fleet;
    let Some(agent) = agents.first() else { return String::new() };
    let for_ms = at_ms.saturating_sub(agent.since_ms).max(0).cast_unsigned();
    let mut lines = vec![
        format!("{}  {}  for {}", agent.agent, formatter.status(agent.status), text::age(for_ms)),
        format!("  as it was on {}", describe(*at_ms, &TimeContext::utc(now_ms))),
    ];
    if let Some(gap) = gap {
        let cause = text::gap_cause_text(gap.cause);
        lines
            .push(format!("  ! this moment was not observed ({cause}): this is how it was before"));
    }
    if let Some(outage) = &detail.outage {
        let since = text::timestamp(outage.start_ms);
        let cause = outage.cause.as_deref().unwrap_or("its cause is not known any more");
        lines.push(format!("  outage {} since {since}: {cause}", outage.id));
    }
    let mut rows = identity_rows(&agent.identity);
    rows.push(("starts", agent.starts.to_string()));
    let work = &agent.work;
    let of = match of {
        PastWork::HourOf => " in the whole hour (finer work is not kept)",
        PastWork::HourUntil | PastWork::NotRead => "",
    };
    rows.push((
        "last hour",
        format!("{} ok, {} failed, {}{of}", work.ok, work.failed, text::money(work.cost_nano_usd)),
    ));
    if let Some(latency) = &work.latency {
        let at = |(name, us)| format!("{name} {}", text::latency(us));
        let quantiles = [("p50", latency.p50), ("p95", latency.p95), ("p99", latency.p99)];
        rows.push(("latency", quantiles.map(at).join("  ")));
    }
    lines.extend(rows.into_iter().map(|(name, value)| format!("  {name:<10} {value}")));
    if !detail.events.is_empty() {
        lines.push("\nevents until then, newest first".to_owned());
        let events = detail.events.iter();
        lines.extend(events.map(|event| format!("  {}", event_line(event, formatter))));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use anstream::adapter::strip_str;
    use heartline_operator::sample::{self, NOW_MS};
    use heartline_operator::text::GlyphSet;

    use super::*;

    #[test]
    fn an_agent_of_the_past_is_told_with_its_outage_and_what_came_before() {
        let mut fleet = sample::past_fleet();
        fleet.agents.retain(|agent| agent.agent == "report-generator");
        let outage = sample::outages().pop();
        let detail = PastAgentDetail { fleet, outage, events: sample::events_of_every_kind() };
        let text = describe_agent(&detail, NOW_MS, StateFormatter(GlyphSet::Unicode));
        insta::assert_snapshot!(strip_str(&text));
    }
}
