//! `heartline` without a command: the terminal app.

use heartline_operator::client::Endpoint;
use heartline_tui::{RunError, RunOptions};

use super::parse_filter;
use crate::args::TuiArgs;
use crate::console::Console;
use crate::error::{CliError, CommandExit};
use crate::settings::{Settings, environment};

/// Runs the command.
pub(crate) async fn run(
    args: &TuiArgs,
    settings: &Settings,
    console: &mut Console,
) -> Result<CommandExit, CliError> {
    if let Some(why) = console.terminal.refusal() {
        return Err(CliError::Usage(format!(
            "{why}; try `heartline status`, `heartline watch --plain` or `heartline snapshot`"
        )));
    }
    let filter = parse_filter(args.filter.as_deref())?;
    let options = RunOptions {
        filter: filter.as_str().to_owned(),
        ..options(settings.endpoint(&environment)?, settings)?
    };
    heartline_tui::run(options).await.map_err(failure)?;
    Ok(CommandExit::Success)
}

pub(super) fn options(endpoint: Endpoint, settings: &Settings) -> Result<RunOptions, CliError> {
    Ok(RunOptions {
        endpoint,
        client: settings.client_options(&environment),
        settings: settings.config.tui_settings(&environment)?,
        filter: String::new(),
    })
}

pub(super) fn failure(error: RunError) -> CliError {
    match error {
        RunError::Filter(error) => CliError::Filter(error),
        RunError::Terminal(error) => {
            CliError::Usage(format!("the terminal can't be used: {error}"))
        }
    }
}
