//! `heartline agent`: everything known of one agent.

use std::fmt::Write as _;

use heartline_operator::client::ClientError;
use heartline_operator::message::{
    AgentDetail, CommandStatus, ErrorCode, Reply, Request, SessionSummary,
};
use heartline_operator::text::{self, EventText, span};
use heartline_operator::{json, session_text};
use heartline_vocabulary::{Action, Identity, Reason};

use super::budgets::agent_budget;
use crate::act::tasks;
use crate::args::AgentArgs;
use crate::console::Console;
use crate::error::{CliError, CommandExit};
use crate::event_line::event_line;
use crate::settings::Settings;
use crate::style::StateFormatter;

/// Most events and sessions that are shown.
const NEWEST: usize = 10;

/// Runs the command.
pub(crate) async fn run(
    args: &AgentArgs,
    settings: &Settings,
    console: &mut Console,
) -> Result<CommandExit, CliError> {
    let client = settings.connect().await?;
    let asked = client.request(Request::Agent { agent: args.name.clone() }).await;
    let detail = match asked {
        Ok(Reply::Agent(detail)) => detail,
        Ok(_) => return Err(ClientError::Unexpected { what: "agent" }.into()),
        Err(ClientError::Refused { code: ErrorCode::NotFound, message }) => {
            return Err(CliError::NotDone(message));
        }
        Err(error) => return Err(error.into()),
    };
    let Reply::Pong { at_ms: now_ms } = client.request(Request::Ping).await? else {
        return Err(ClientError::Unexpected { what: "ping" }.into());
    };
    if args.json {
        console.print_json(&json::agent(&detail, now_ms))?;
    } else {
        let formatter = console.formatter;
        console.print(&describe(&detail, now_ms, formatter))?;
    }
    Ok(CommandExit::Success)
}

fn describe(detail: &AgentDetail, now_ms: i64, formatter: StateFormatter) -> String {
    let mut text = String::new();
    let vitals = &detail.entry.vitals;
    let since = text::age(vitals.state_age_ms(now_ms));
    line(&mut text, &format!("{}  {}  for {since}", detail.entry.agent, formatter.vitals(vitals)));
    if let Some(command) = &vitals.command {
        line(&mut text, &format!("  {}", command_line(command)));
    }
    for (name, value) in identity(detail).into_iter().chain(pulse(detail, now_ms)) {
        line(&mut text, &format!("  {name:<10} {value}"));
    }
    for (name, value) in work(detail) {
        line(&mut text, &format!("  {name:<10} {value}"));
    }
    if !detail.budgets.is_empty() {
        line(&mut text, "\nbudgets");
        for budget in &detail.budgets {
            let words = agent_budget(budget, formatter);
            line(&mut text, &format!("  {:<10} {words}", budget.terms.name));
        }
    }
    if let Some(crash) = detail.last_crash() {
        let words = EventText::of(crash);
        if !words.last_lines.is_empty() {
            let at = text::timestamp(crash.at_ms);
            line(&mut text, &format!("\nlast lines before the crash at {at}, {}", words.cause));
        }
        for last in &words.last_lines {
            line(&mut text, &format!("  {last}"));
        }
    }
    if !detail.sessions.is_empty() {
        line(&mut text, "\nsessions, newest first");
        for session in detail.sessions.iter().take(NEWEST) {
            line(&mut text, &format!("  {}", session_line(session)));
        }
    }
    if !detail.events.is_empty() {
        line(&mut text, "\nevents, newest first");
        for event in detail.events.iter().take(NEWEST) {
            line(&mut text, &format!("  {}", event_line(event, formatter)));
        }
    }
    text
}

fn identity(detail: &AgentDetail) -> Vec<(&'static str, String)> {
    let mut rows = identity_rows(&detail.entry.identity);
    rows.extend(detail.address.clone().map(|address| ("address", address)));
    rows
}

/// Returns what an agent said of itself, as names and values.
pub(super) fn identity_rows(identity: &Identity) -> Vec<(&'static str, String)> {
    let text = |text: &Option<std::sync::Arc<str>>| text.as_deref().map(ToOwned::to_owned);
    let labels: Vec<_> = identity.shared.labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
    let rows = [
        ("host", text(&identity.shared.host)),
        ("pid", identity.pid.map(|pid| pid.to_string())),
        ("group", text(&identity.shared.group)),
        ("version", text(&identity.shared.version)),
        ("framework", text(&identity.shared.framework)),
        ("emitter", text(&identity.shared.sdk)),
        ("labels", Some(labels.join(" "))),
        ("needs", Some(identity.shared.depends.join(" "))),
    ];
    rows.into_iter()
        .filter_map(|(name, value)| Some((name, value.filter(|text| !text.is_empty())?)))
        .collect()
}

fn pulse(detail: &AgentDetail, now_ms: i64) -> Vec<(&'static str, String)> {
    let vitals = &detail.entry.vitals;
    let age = |ms: Option<u64>| ms.map_or_else(|| "never".to_owned(), |ms| text::age(ms) + " ago");
    let not_heard = || "not heard since the collector's start".to_owned();
    let key = detail.key.as_ref().map_or_else(not_heard, |key| match key.scope.as_str() {
        "" => format!("for the whole fleet, epoch {}", key.epoch),
        scope => format!("for \"{scope}\", epoch {}", key.epoch),
    });
    let mut rows = vec![
        (
            "beat",
            format!(
                "{}, every {}",
                age(vitals.beat_age_ms(now_ms)),
                span(u64::from(vitals.interval_ms))
            ),
        ),
        ("progress", age(vitals.progress_age_ms(now_ms))),
        ("phase", vitals.phase.map_or_else(not_heard, |phase| phase.name().to_owned())),
        ("in flight", vitals.in_flight.to_string()),
        (
            "beats",
            format!(
                "{} of this session since the collector's start, {} lost",
                vitals.beats, vitals.lost
            ),
        ),
        (
            "uncounted",
            vitals.lost_observations.map_or_else(not_heard, |lost| {
                format!("{lost} observations that its emitter had no room for, since it started")
            }),
        ),
        ("starts", vitals.starts.to_string()),
        ("first seen", text::timestamp(detail.first_seen_ms)),
        ("key", key),
    ];
    if let Some(oldest) = vitals.oldest_task_age_ms(now_ms) {
        rows.insert(4, ("oldest", format!("{} in flight", text::age(oldest))));
    }
    if let Some(step) = &vitals.step {
        rows.insert(3, ("step", step.clone()));
    }
    if let Some(queue) = vitals.queue {
        rows.insert(4, ("queue", queue.to_string()));
    }
    if let Some(process) = process_text(detail) {
        rows.insert(1, ("process", process));
    }
    rows
}

/// Describes what a supervisor sees of the process; `None` without a supervisor.
fn process_text(detail: &AgentDetail) -> Option<String> {
    let vitals = &detail.entry.vitals;
    if vitals.reason == Some(Reason::Crashed) {
        let cause = detail.last_crash().map(|crash| EventText::of(crash).cause);
        return Some(cause.map_or_else(|| "gone".to_owned(), |cause| format!("gone: {cause}")));
    }
    let usage = vitals.process.as_ref()?;
    let (cpu, memory) = (text::cpu_share(usage.cpu_permille), text::size(usage.memory_bytes));
    let silent = usage
        .emitter_silent_ms
        .map(|ms| format!("; its own emitter has been silent for {}", span(ms)));
    Some(format!("runs, CPU {cpu} of a core, memory {memory}{}", silent.unwrap_or_default()))
}

fn work(detail: &AgentDetail) -> Vec<(&'static str, String)> {
    let (work, total) = (&detail.entry.work, &detail.entry.vitals.total);
    let mut rows = vec![(
        "last hour",
        format!(
            "{} ok, {} failed, {}, tokens {} in {} out",
            work.ok,
            work.failed,
            text::money(work.cost_nano_usd),
            text::count(work.tokens_in),
            text::count(work.tokens_out)
        ),
    )];
    if let Some(latency) = &work.latency {
        let at = |(name, us)| format!("{name} {}", text::latency(us));
        let quantiles = [
            ("p50", latency.p50),
            ("p90", latency.p90),
            ("p95", latency.p95),
            ("p99", latency.p99),
            ("max", latency.max),
        ];
        rows.push(("latency", quantiles.map(at).join("  ")));
    }
    if !detail.learning.is_empty() {
        rows.push(("learning", text::learning(&detail.learning)));
    }
    rows.push((
        "all time",
        format!(
            "{} ok, {} failed, {}, tokens {} in {} out",
            total.ok,
            total.failed,
            text::money(total.cost_nano_usd),
            text::count(total.tokens_in),
            text::count(total.tokens_out)
        ),
    ));
    rows
}

/// Formats a command with its operator, reason and progress.
pub(crate) fn command_line(command: &CommandStatus) -> String {
    let what = match command.action {
        Action::Kill => "killed",
        Action::Resume => "resumed",
    };
    let reason = match command.reason.as_str() {
        "" => String::new(),
        reason => format!(": \"{reason}\""),
    };
    let progress = match (command.delivered_ms, command.obeyed_ms) {
        _ if command.disobeyed => "DISOBEYED: it goes on completing work".to_owned(),
        (_, Some(obeyed_ms)) => format!("obeyed in {}", span(obeyed_ms)),
        (Some(delivered_ms), None) => {
            format!("delivered in {}, draining {}", span(delivered_ms), tasks(command.draining))
        }
        (None, None) => "pending: not delivered yet".to_owned(),
    };
    format!(
        "{what} by {} at {}{reason} (#{}, {progress})",
        command.by,
        text::timestamp(command.at_ms),
        command.generation
    )
}

fn session_line(session: &SessionSummary) -> String {
    let last = session.last_beat_ms.map_or_else(|| "-".to_owned(), text::timestamp);
    let ended = session.ended.as_deref().unwrap_or("current");
    format!(
        "{}  from {}  last beat {last}  {ended}",
        session_text(session.session),
        text::timestamp(session.started_ms)
    )
}

fn line(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("a string takes everything");
}

#[cfg(test)]
mod tests {
    use anstream::adapter::strip_str;

    use super::*;
    use heartline_operator::message::AgentKeyInfo;
    use heartline_operator::sample;
    use heartline_operator::text::GlyphSet;

    #[test]
    fn everything_known_is_said() {
        let mut entry = sample::killed_agent(3, "mail.7");
        let kill = entry.vitals.command.as_mut().unwrap();
        (kill.delivered_ms, kill.obeyed_ms) = (None, None);
        let detail = AgentDetail {
            entry,
            key: Some(AgentKeyInfo { scope: "mail.".into(), epoch: 1 }),
            events: sample::events_of_every_kind(),
            ..sample::agent_detail("scraper-eu")
        };
        let formatter = StateFormatter(GlyphSet::Unicode);
        let text = describe(&detail, sample::NOW_MS, formatter);
        insta::assert_snapshot!(strip_str(&text));
    }

    #[test]
    fn a_silent_emitter_and_a_process_that_is_gone_are_told_apart() {
        let formatter = StateFormatter(GlyphSet::Unicode);
        let crash = sample::events_of_every_kind().into_iter().find(|event| event.kind.is_crash());
        let described = |entry| {
            let events = crash.clone().into_iter().collect();
            let detail = AgentDetail { entry, events, ..sample::agent_detail("scraper-eu") };
            let text = strip_str(&describe(&detail, sample::NOW_MS, formatter)).to_string();
            assert!(text.contains("last lines before the crash at "), "{text}");
            let is_about = |line: &&str| line.starts_with("mail.7") || line.contains("  process");
            text.lines().filter(is_about).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(
            described(sample::emitter_silent_agent(3, "mail.7")),
            [
                "mail.7  ◐ EMITTER  for 50s",
                "  process    runs, CPU 100.4 % of a core, memory 1.2 GiB; its own emitter has been silent for \
             1m35s",
            ]
        );
        assert_eq!(
            described(sample::crashed_agent(3, "mail.7")),
            ["mail.7  ✖ CRASHED  for 1m01s", "  process    gone: exit code 1: KeyError: 'total'",]
        );
    }
}
