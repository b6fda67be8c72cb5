//! `heartline` without a command: the terminal app.

use heartline_operator::client::Endpoint;
use heartline_tui::{Options, RunError};

use super::parse_filter;
use crate::args::TuiArgs;
use crate::console::Console;
use crate::failure::{Failure, Verdict};
use crate::settings::{Settings, environment};

/// Carries out the command.
pub(crate) async fn run(
    args: &TuiArgs,
    settings: &Settings,
    console: &mut Console,
) -> Result<Verdict, Failure> {
    if !console.terminal.is_screen {
        return Err(Failure::Usage(
            "there is no terminal to open the app on; try `heartline status`, `heartline watch \
             --plain` or `heartline snapshot`"
                .to_owned(),
        ));
    }
    let filter = parse_filter(args.filter.as_deref())?;
    let options = Options {
        filter: filter.as_str().to_owned(),
        ..options(settings.endpoint(&environment)?, settings)?
    };
    heartline_tui::run(options).await.map_err(failure)?;
    Ok(Verdict::Good)
}

pub(super) fn options(endpoint: Endpoint, settings: &Settings) -> Result<Options, Failure> {
    Ok(Options {
        endpoint,
        client: settings.client_options(&environment),
        look: settings.config.look()?,
        filter: String::new(),
    })
}

pub(super) fn failure(error: RunError) -> Failure {
    match error {
        RunError::Filter(error) => Failure::Filter(error),
        RunError::Terminal(error) => Failure::Usage(format!("the terminal can't be used: {error}")),
    }
}
