//! `heartline demo`: prints what happens in a demo, or opens the terminal app on it.

use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use heartline_demo::{Demo, DemoError, DemoProcesses, ScriptedEvent};
use heartline_operator::Filter;
use heartline_operator::client::{ClientOptions, Endpoint};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::Receiver;
use tokio::time::sleep;

use super::tui;
use super::watch::item_line;
use crate::args::DemoRunArgs;
use crate::console::Console;
use crate::error::{CliError, CommandExit};
use crate::event_stream::EventStream;
use crate::settings::Settings;

/// How long it lasts without a terminal, unless `--for` says otherwise.
const HEADLESS: Duration = Duration::from_secs(60);

const AFTERWARDS: &str = "\
Do it for real, each in a shell of its own:
  heartlined                           the collector; no key, port or file to set up
  cargo run --example minimal_agent    an agent
  heartline                            the terminal app
Then: heartline status, heartline kill NAME --reason TEXT, heartline watch --plain, heartline doctor.";

impl From<DemoError> for CliError {
    fn from(error: DemoError) -> Self {
        match error {
            DemoError::Client(error) => Self::Client(error),
            DemoError::Config(error) => Self::Usage(error.to_string()),
            other => Self::NotDone(other.to_string()),
        }
    }
}

/// Runs the command.
pub(crate) async fn run(
    args: &DemoRunArgs,
    settings: &Settings,
    console: &mut Console,
) -> Result<CommandExit, CliError> {
    if let Some(why) = console.terminal.refusal().filter(|_| !args.headless) {
        return Err(CliError::Usage(format!("{why}; try `heartline demo --headless`")));
    }
    let processes = DemoProcesses::start_collector()?;
    let endpoint = Endpoint::Unix(processes.directories());
    console.say(&introduction(args.agents, processes.path()));
    let (demo, mut events) = Demo::start(processes, args.agents)?;
    let ended = if args.headless {
        print_events(endpoint, args.lasting.unwrap_or(HEADLESS), &mut events, console).await
    } else {
        let shown = open_app(endpoint, args.lasting, settings).await;
        shown.map(|()| std::iter::from_fn(|| events.try_recv().ok()).collect())
    };
    drop(demo);
    console.say(&closing(&ended?));
    Ok(CommandExit::Success)
}

/// Opens the app on a collector, for this long at most.
async fn open_app(
    endpoint: Endpoint,
    lasting: Option<Duration>,
    settings: &Settings,
) -> Result<(), CliError> {
    let app = heartline_tui::run(tui::options(endpoint, settings)?);
    match lasting {
        // The app gives the terminal back when it is dropped, too.
        Some(lasting) => match tokio::time::timeout(lasting, app).await {
            Ok(ended) => ended.map(drop).map_err(tui::failure),
            Err(_over) => Ok(()),
        },
        None => app.await.map(drop).map_err(tui::failure),
    }
}

/// Prints what happens until the time is over, or a signal comes.
async fn print_events(
    endpoint: Endpoint,
    lasting: Duration,
    events: &mut Receiver<ScriptedEvent>,
    console: &mut Console,
) -> Result<Vec<ScriptedEvent>, CliError> {
    let (mut term, mut int) =
        (signals(SignalKind::terminate())?, signals(SignalKind::interrupt())?);
    let everything = Filter::parse("")?;
    let mut stream = EventStream::open(endpoint, ClientOptions::default(), everything, Some(0));
    let mut over = pin!(sleep(lasting));
    let mut done = Vec::new();
    loop {
        tokio::select! {
            items = stream.next() => {
                for item in items? {
                    console.print(&item_line(&item, console.formatter))?;
                }
            }
            Some(event) = events.recv() => {
                console.say(&event_line(&event));
                done.push(event);
            }
            () = &mut over => return Ok(done),
            _ = term.recv() => return Ok(done),
            _ = int.recv() => return Ok(done),
        }
    }
}

fn signals(kind: SignalKind) -> Result<Signal, CliError> {
    signal(kind).map_err(|source| CliError::System { what: "watch for signals", source })
}

fn introduction(agents: u16, dir: &Path) -> String {
    format!(
        "A collector and {agents} agents on 4 pretend hosts, all real processes, in {dir}.\n\
         Look at it from another terminal too: heartline --data-dir {dir} status\n",
        dir = dir.display()
    )
}

fn event_line(ScriptedEvent { at, agent, story, .. }: &ScriptedEvent) -> String {
    format!("  {:>3} s  {agent} {story}", at.as_secs())
}

/// Returns what was done, and what to do next.
fn closing(done: &[ScriptedEvent]) -> String {
    let mut text = String::from("\nWhat happened:\n");
    for event in done {
        text.push_str(&event_line(event));
        text.push('\n');
    }
    if done.is_empty() {
        text.push_str("  nothing yet: the first agent dies after 15 s\n");
    }
    text.push_str("Everything was stopped and its directory removed.\n\n");
    text.push_str(AFTERWARDS);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_says_what_happened_and_what_to_do() {
        let events: Vec<_> = ScriptedEvent::all().take(5).collect();
        insta::assert_snapshot!(closing(&events));
        assert!(closing(&[]).contains("nothing yet"));
    }
}
