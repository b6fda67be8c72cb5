//! `heartline config check`: whether the config file is valid, what looks wrong in its alerts, and which way an alert
//! would take.

use std::time::Duration;

use heartline_config::Config;
use heartline_operator::client::{Client, ClientError};
use heartline_operator::message::{
    AgentEntry, AgentSelector, AlertQuery, ErrorCode, Reply, Request, Silence,
};
use heartline_operator::{json, text};
use serde::Serialize;

use crate::alert_check::{
    CheckedAgent, Explanation, RouteVerdict, Unmatched, parse_status, suspicions,
};
use crate::args::ConfigCheckArgs;
use crate::clock;
use crate::config::path_of;
use crate::console::Console;
use crate::error::{CliError, CommandExit};
use crate::settings::{Settings, environment};
use crate::table::{Table, TableColumn};

/// Longest wait for a collector that is not needed.
const PATIENCE: Duration = Duration::from_secs(5);

/// The document of `config check --json`.
#[derive(Serialize)]
struct CheckDocument {
    schema: u8,
    /// `None`: there is none, and the defaults are in force.
    file: Option<String>,
    /// What looks wrong.
    warnings: Vec<String>,
}

/// Runs the command.
pub(super) async fn run(
    args: &ConfigCheckArgs,
    settings: &Settings,
    console: &mut Console,
) -> Result<CommandExit, CliError> {
    let config = settings.config.file.resolve(&[], settings.directories(&environment)?);
    let client = connect(settings).await;
    match &args.agent {
        Some(agent) => explain(agent, args, &config, client, console).await?,
        None => check(args, &config, client.ok(), settings, console).await?,
    }
    Ok(CommandExit::Success)
}

/// There is no collector to ask, which the command does without.
struct NoCollector;

async fn connect(settings: &Settings) -> Result<Client, NoCollector> {
    match tokio::time::timeout(PATIENCE, settings.connect()).await {
        Ok(Ok(client)) => Ok(client),
        Ok(Err(_)) | Err(_) => Err(NoCollector),
    }
}

async fn check(
    args: &ConfigCheckArgs,
    config: &Config,
    client: Option<Client>,
    settings: &Settings,
    console: &mut Console,
) -> Result<(), CliError> {
    let path = &settings.config.path;
    let mut warnings = suspicions(&config.alerts);
    if let Some(client) = client {
        let mut unmatched = Unmatched::new(config);
        let seen = tokio::time::timeout(PATIENCE, see_all(&client, &mut unmatched)).await;
        // What was not asked to its end is not certain.
        if matches!(seen, Ok(Ok(()))) {
            warnings.extend(unmatched.suspicions());
        }
    }
    if args.json {
        let file = path.as_ref().map(|path| path.display().to_string());
        return console.print(&json::pretty(&CheckDocument { schema: 1, file, warnings }));
    }
    match path {
        Some(path) => console.say(&format!("{}: valid", path.display())),
        None => {
            let path = path_of(None, &environment)?;
            console.say(&format!("there is no {}; the defaults are in force", path.display()));
        }
    }
    warnings.iter().for_each(|warning| console.say(&format!("warning: {warning}")));
    Ok(())
}

/// Shows the agents of the collector to what looks for matches, until nothing is left.
async fn see_all(client: &Client, unmatched: &mut Unmatched) -> Result<(), ClientError> {
    if unmatched.is_empty() {
        return Ok(());
    }
    let mut pages = client.snapshot_pages(AgentSelector::All).await?;
    loop {
        let page = pages.next().await?;
        page.entries.iter().for_each(|entry| unmatched.see(entry));
        if page.is_last || unmatched.is_empty() {
            return Ok(());
        }
    }
}

async fn explain(
    name: &str,
    args: &ConfigCheckArgs,
    config: &Config,
    client: Result<Client, NoCollector>,
    console: &mut Console,
) -> Result<(), CliError> {
    let status = parse_status(args.state.as_deref().unwrap_or("unreachable"))
        .map_err(|expected| CliError::Usage(format!("--state: {expected}")))?;
    let (agent, silences, now_ms) = match client {
        Err(NoCollector) => {
            let agent = CheckedAgent::of_flags(name, args, "no collector answers");
            (agent, Vec::new(), clock::wall_ms())
        }
        Ok(client) => {
            let now_ms = client.greeting().collector.at_ms;
            let agent = match find(&client, name).await? {
                Ok(entry) => CheckedAgent::of_collector(entry, args),
                Err(_) if args.says_what_it_is() => {
                    CheckedAgent::of_flags(name, args, "the collector has no such agent")
                }
                Err(unknown) => {
                    return Err(CliError::NotDone(format!(
                        "{unknown} (--host, --group and --label say what one will be)"
                    )));
                }
            };
            (agent, silences(&client).await?, now_ms)
        }
    };
    let explanation = Explanation::new(&config.alerts, &agent, status, &silences, now_ms);
    if args.json {
        return console.print(&json::pretty(&explanation));
    }
    print(&explanation, console)
}

/// Returns the agent of a name, or why there is none.
async fn find(client: &Client, name: &str) -> Result<Result<AgentEntry, String>, CliError> {
    match client.request(Request::Agent { agent: name.to_owned() }).await {
        Ok(Reply::Agent(detail)) => Ok(Ok(detail.entry)),
        Ok(_) => Err(ClientError::Unexpected { what: "agent" }.into()),
        Err(ClientError::Refused { code: ErrorCode::NotFound, message }) => Ok(Err(message)),
        Err(error) => Err(error.into()),
    }
}

async fn silences(client: &Client) -> Result<Vec<Silence>, CliError> {
    match client.request(Request::Alerts(AlertQuery::Open)).await {
        Ok(Reply::Alerts(report)) => Ok(report.silences),
        Ok(_) => Err(ClientError::Unexpected { what: "alerts" }.into()),
        // An incident file has none.
        Err(ClientError::Refused { .. }) => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

const SINK_COLUMNS: [TableColumn; 5] = [
    TableColumn::left("SINK", 0),
    TableColumn::left("TYPE", 3),
    TableColumn::left("TOLD", 0),
    TableColumn::left("REMINDER", 1),
    TableColumn::left("ESCALATION", 2),
];

fn print(explanation: &Explanation, console: &mut Console) -> Result<(), CliError> {
    let mut agent = explanation.agent.clone();
    let host = explanation.host.iter().map(|host| format!(" on {host}"));
    let group = explanation.group.iter().map(|group| format!(", group {group}"));
    agent.extend(host.chain(group));
    agent.extend(explanation.labels.iter().map(|(key, value)| format!(", {key}:{value}")));
    let reason = explanation.reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
    let mut lines = vec![
        format!("agent      {agent} ({})", explanation.source),
        format!("state      {}{reason}", explanation.state),
    ];
    lines.extend(explanation.routes.iter().map(route_line));
    for quiet in &explanation.quiet {
        let what = quiet.silence.map_or("window".to_owned(), |id| format!("silence {id}"));
        lines.push(format!(
            "quiet      nobody is told until {}: {what} of {} ({})",
            text::timestamp_s(quiet.until_ms),
            quiet.filter,
            quiet.reason
        ));
    }
    match &explanation.message {
        Some(message) => lines.push(format!("message    {message}")),
        None => lines.push("nobody is told".to_owned()),
    }
    console.print(&lines.join("\n"))?;
    if explanation.sinks.is_empty() {
        return Ok(());
    }
    let mut table = Table::new(&SINK_COLUMNS);
    for sink in &explanation.sinks {
        let repeat = sink.repeat_ms.map(|ms| format!("every {}", duration(ms)));
        table.push(&[
            sink.name.clone(),
            sink.kind.to_owned(),
            after(sink.hold_ms),
            match sink.reminds {
                true => "by itself".to_owned(),
                false => repeat.unwrap_or_else(|| "-".to_owned()),
            },
            escalation(sink.escalate_after_ms, &sink.escalate_to).unwrap_or_else(|| "-".to_owned()),
        ]);
    }
    console.print("")?;
    let rows = 0..explanation.sinks.len();
    let drawn: String = table.lines(rows, console.terminal.columns).collect();
    console.print(drawn.trim_end_matches('\n'))
}

fn route_line(route: &RouteVerdict) -> String {
    let number = format!("route {}", route.number);
    if let Some(why) = &route.why {
        return format!("{number:<10} no: {why}");
    }
    let mut parts = vec![format!("{} {}", route.to.join(", "), after(route.hold_ms))];
    parts.extend(route.repeat_ms.map(|ms| format!("again every {}", duration(ms))));
    parts.extend(escalation(route.escalate_after_ms, &route.escalate_to));
    let stop = if route.stop { "; no route after it" } else { "" };
    format!("{number:<10} yes: {}{stop}", parts.join("; "))
}

fn after(hold_ms: u128) -> String {
    if hold_ms == 0 { "at once".to_owned() } else { format!("after {}", duration(hold_ms)) }
}

fn escalation(after_ms: Option<u128>, to: &[String]) -> Option<String> {
    Some(format!("{} after {}", to.join(", "), duration(after_ms?)))
}

fn duration(ms: u128) -> String {
    text::format_duration(Duration::from_millis(u64::try_from(ms).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use heartline_config::{ConfigFile, ConfigText};
    use heartline_operator::CollectorDirectories;
    use heartline_operator::sample::{self, NOW_MS};

    use super::*;
    use crate::console::tests::console;

    const CONFIG: &str = r#"
        [[sink]]
        name = "chat"
        type = "command"
        command = ["/bin/true"]
        [[sink]]
        name = "pager"
        type = "pagerduty"
        key_file = "/etc/heartline/pagerduty"
        [[sink]]
        name = "phone"
        type = "command"
        command = ["/bin/true"]
        [[route]]
        match = "group:nobody"
        to = ["chat"]
        [[route]]
        states = ["late", "unreachable"]
        to = ["chat", "pager"]
        hold = "5m"
        repeat = "4h"
        escalate = { after = "15m", to = ["phone"] }
        [[route]]
        states = ["stalled"]
        to = ["chat"]
        [[route]]
        match = "label.env:prod"
        to = ["pager"]
        stop = true
        [[route]]
        to = ["phone"]
        [[window]]
        match = "host:m*"
        from = "00:00"
        to = "00:00"
        reason = "image builds"
    "#;

    fn explained(args: &ConfigCheckArgs, silences: &[Silence]) -> Explanation {
        let text = ConfigText::new(Path::new("h.toml"), CONFIG.to_owned());
        let file = <ConfigFile>::parse(&text).unwrap();
        let directories = CollectorDirectories { data: "/d".into(), sockets: "/s".into() };
        let config = file.resolve(&[], directories);
        let name = args.agent.as_deref().unwrap();
        let agent = CheckedAgent::of_flags(name, args, "no collector answers");
        let status = parse_status(args.state.as_deref().unwrap_or("unreachable")).unwrap();
        Explanation::new(&config.alerts, &agent, status, silences, NOW_MS)
    }

    #[test]
    fn every_route_says_whether_it_is_taken_and_why_not() {
        let prod = ConfigCheckArgs {
            agent: Some("mail.7".to_owned()),
            host: Some("m3".to_owned()),
            group: Some("mail".to_owned()),
            label: vec![("env".to_owned(), "prod".to_owned())],
            ..ConfigCheckArgs::default()
        };
        let silences = sample::alert_report().silences;
        let mut texts = Vec::new();
        for state in ["unreachable", "slow"] {
            let args = ConfigCheckArgs {
                state: Some(state.to_owned()),
                label: prod.label.iter().filter(|_| state == "unreachable").cloned().collect(),
                agent: prod.agent.clone(),
                host: prod.host.clone(),
                group: prod.group.clone(),
                json: false,
            };
            let (mut console, out, _) = console(None);
            print(&explained(&args, &silences), &mut console).unwrap();
            texts.push(out.text());
        }
        texts.push(json::pretty(&explained(&prod, &silences)));
        insta::assert_snapshot!(texts.join("\n"));
    }
}
