//! `heartline note` and `heartline ack`: notes on outages.

use heartline_operator::client::ClientError;
use heartline_operator::message::{ErrorCode, NoteCommand, Reply, Request};

use crate::args::{AckArgs, NoteArgs, OutageNumber};
use crate::console::Console;
use crate::error::{CliError, CommandExit};
use crate::settings::Settings;

/// Runs `note`.
pub(crate) async fn note(
    args: NoteArgs,
    settings: &Settings,
    console: &mut Console,
) -> Result<CommandExit, CliError> {
    let command = NoteCommand { outage: args.outage.0, acknowledges: false, words: args.text };
    send(command, settings).await?;
    console.say(&format!("noted on outage {}", args.outage));
    Ok(CommandExit::Success)
}

/// Runs `ack`.
pub(crate) async fn ack(
    args: AckArgs,
    settings: &Settings,
    console: &mut Console,
) -> Result<CommandExit, CliError> {
    for OutageNumber(outage) in args.outages {
        let words = args.text.clone().unwrap_or_default();
        send(NoteCommand { outage, acknowledges: true, words }, settings).await?;
        console.say(&format!("acknowledged: outage {}", OutageNumber(outage)));
    }
    Ok(CommandExit::Success)
}

async fn send(command: NoteCommand, settings: &Settings) -> Result<(), CliError> {
    let client = settings.connect_with_control().await?;
    match client.request(Request::Note(command)).await {
        Ok(Reply::Noted) => Ok(()),
        Ok(_) => Err(ClientError::Unexpected { what: "note" }.into()),
        Err(ClientError::Refused { code: ErrorCode::NotFound, message }) => {
            Err(CliError::NotDone(message))
        }
        Err(error) => Err(error.into()),
    }
}
