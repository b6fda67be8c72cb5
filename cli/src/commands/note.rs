//! `heartline note` and `heartline ack`: notes on outages, and acknowledgements.

use heartline_operator::client::ClientError;
use heartline_operator::message::{ErrorCode, NoteCommand, Reply, Request};

use super::alert;
use crate::args::{AckArgs, AckTarget, NoteArgs};
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
    let mut incidents = Vec::new();
    for target in args.targets {
        match target {
            AckTarget::Incident(id) => incidents.push(id),
            AckTarget::Outage(number) => {
                let words = args.text.clone().unwrap_or_default();
                let command = NoteCommand { outage: number.0, acknowledges: true, words };
                send(command, settings).await?;
                console.say(&format!("acknowledged: outage {number}"));
            }
        }
    }
    if !incidents.is_empty() {
        alert::acknowledge(incidents, settings, console).await?;
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
