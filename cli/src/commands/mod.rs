//! The commands, one a file.

mod agent;
mod alert;
mod backup;
mod budgets;
mod collector;
mod config;
#[cfg(feature = "demo")]
mod demo;
mod docs;
mod events;
mod export;
mod forget;
mod history;
mod kill;
mod note;
mod outages;
mod past;
mod past_agent;
mod roster;
mod run;
mod snapshot;
mod status;
mod token;
mod tui;
mod watch;

use heartline_operator::Filter;
use heartline_operator::client::dial_stdio;

use crate::args::{AlertsCommand, Arguments, Command, TuiArgs};
use crate::console::Console;
use crate::error::{CliError, CommandExit};
use crate::settings::{Settings, environment};
use crate::style::StateFormatter;

/// Runs the command line.
///
/// # Errors
/// [`CliError`], with its exit code.
pub(crate) fn run(arguments: Arguments, console: &mut Console) -> Result<CommandExit, CliError> {
    let Arguments { global, filter, command } = arguments;
    let global_filter = GlobalFilter(filter);
    // These need no settings, and must work with a config file that does not.
    match command {
        Some(Command::Completions(args)) => return docs::completions(&args, console),
        Some(Command::Man(args)) => return docs::man(&args, console),
        #[cfg(feature = "demo")]
        Some(Command::DemoAgent(args)) => {
            heartline_demo::run_agent(&args)?;
            return Ok(CommandExit::Success);
        }
        #[cfg(feature = "demo")]
        Some(Command::DemoCollector(args)) => {
            heartline_demo::run_collector(&args)?;
            return Ok(CommandExit::Success);
        }
        Some(Command::Run(args)) => {
            global_filter.require_none()?;
            return run::run(args, console);
        }
        Some(Command::Config(args)) => return config::run(&args, &global, console),
        _ => {}
    }
    let settings = Settings::resolve(&global, &environment)?;
    console.formatter = StateFormatter(settings.charset);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| CliError::System { what: "start", source })?;
    let result = runtime.block_on(dispatch(command, global_filter, &settings, console));
    // Reading standard input takes a thread that can't be stopped.
    runtime.shutdown_background();
    result
}

async fn dispatch(
    command: Option<Command>,
    global_filter: GlobalFilter,
    settings: &Settings,
    console: &mut Console,
) -> Result<CommandExit, CliError> {
    if settings.is_incident() && !can_open(command.as_ref()) {
        return Err(CliError::usage(
            "--open: this command is about a collector; an incident file is only looked at",
        ));
    }
    match command {
        None => tui::run(&TuiArgs { filter: global_filter.0 }, settings, console).await,
        Some(Command::Tui(args)) => {
            let filter = global_filter.or(args.filter)?;
            tui::run(&TuiArgs { filter }, settings, console).await
        }
        Some(Command::Status(mut args)) => {
            args.filter = global_filter.or(args.filter)?;
            match args.at.clone() {
                Some(at) => past::run(&args, &at, settings, console).await,
                None => status::run(&args, settings, console).await,
            }
        }
        Some(Command::Outages(mut args)) => {
            args.filter = global_filter.or(args.filter)?;
            outages::run(&args, settings, console).await
        }
        Some(Command::History(mut args)) => {
            args.filter = global_filter.or(args.filter)?;
            history::run(&args, settings, console).await
        }
        Some(Command::Events(mut args)) => {
            args.filter = global_filter.or(args.filter)?;
            events::run(&args, settings, console).await
        }
        Some(Command::Export(mut args)) => {
            args.filter = global_filter.or(args.filter)?;
            export::run(&args, settings, console).await
        }
        Some(Command::Watch(mut args)) => {
            args.filter = global_filter.or(args.filter)?;
            watch::run(&args, settings, console).await
        }
        Some(Command::Snapshot(mut args)) => {
            args.filter = global_filter.or(args.filter)?;
            snapshot::run(&args, settings, console).await
        }
        Some(command) => {
            global_filter.require_none()?;
            without_filter(command, settings, console).await
        }
    }
}

async fn without_filter(
    command: Command,
    settings: &Settings,
    console: &mut Console,
) -> Result<CommandExit, CliError> {
    match command {
        Command::Agent(args) => match args.at.clone() {
            Some(at) => past_agent::run(&args, &at, settings, console).await,
            None => agent::run(&args, settings, console).await,
        },
        Command::Kill(args) => kill::kill(args, settings, console).await,
        Command::Resume(args) => kill::resume(args, settings, console).await,
        Command::Forget(args) => forget::run(&args, settings, console).await,
        Command::Note(args) => note::note(args, settings, console).await,
        Command::Ack(args) => note::ack(args, settings, console).await,
        Command::Alerts(args) => alert::alerts(args, settings, console).await,
        Command::Incidents(args) => alert::incidents(&args, settings, console).await,
        Command::Silence(args) => alert::silence(args, settings, console).await,
        Command::Token(args) => token::run(args, settings, console).await,
        Command::Budgets(args) => budgets::run(&args, settings, console).await,
        Command::Collector(args) => collector::run(&args, settings, console).await,
        Command::Roster(args) => roster::run(&args, settings, console).await,
        Command::Backup(args) => backup::run(&args, settings, console).await,
        Command::Doctor(args) => crate::doctor::run(&args, settings, console).await,
        #[cfg(feature = "demo")]
        Command::Demo(args) => demo::run(&args, settings, console).await,
        Command::DialStdio => {
            let directories = settings.directories(&environment)?;
            dial_stdio(&directories, settings.access).await?;
            Ok(CommandExit::Success)
        }
        Command::Tui(_)
        | Command::Status(_)
        | Command::Events(_)
        | Command::Outages(_)
        | Command::History(_)
        | Command::Export(_)
        | Command::Watch(_)
        | Command::Snapshot(_)
        | Command::Run(_)
        | Command::Config(_)
        | Command::Completions(_)
        | Command::Man(_) => unreachable!("dispatched before"),
        #[cfg(feature = "demo")]
        Command::DemoAgent(_) | Command::DemoCollector(_) => unreachable!("dispatched before"),
    }
}

/// Returns whether a command can be about an incident file.
fn can_open(command: Option<&Command>) -> bool {
    match command {
        None
        | Some(
            Command::Tui(_)
            | Command::Status(_)
            | Command::Agent(_)
            | Command::History(_)
            | Command::Outages(_)
            | Command::Snapshot(_),
        ) => true,
        Some(Command::Events(args)) => !args.follow,
        Some(Command::Export(args)) => !args.incident,
        Some(Command::Alerts(args)) => matches!(args.command, Some(AlertsCommand::Replay(_))),
        Some(_) => false,
    }
}

/// `--filter` before the command.
struct GlobalFilter(Option<String>);

impl GlobalFilter {
    /// Returns the filter of a command that takes one.
    fn or(self, after: Option<String>) -> Result<Option<String>, CliError> {
        match (self.0, after) {
            (Some(_), Some(_)) => {
                Err(CliError::Usage("--filter is given twice; join them with `and`".to_owned()))
            }
            (before, after) => Ok(before.or(after)),
        }
    }

    /// Refuses a filter that the command would ignore; for `kill` that would be dangerous.
    fn require_none(self) -> Result<(), CliError> {
        match self.0 {
            None => Ok(()),
            Some(_) => Err(CliError::Usage(
                "--filter before this command means nothing; give it after the command, if it \
                 takes one"
                    .to_owned(),
            )),
        }
    }
}

/// Parses a filter; none matches everything.
fn parse_filter(text: Option<&str>) -> Result<Filter, CliError> {
    Ok(Filter::parse(text.unwrap_or_default())?)
}
