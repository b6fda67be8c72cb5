//! Sending a command so that it is carried out once, whatever happens to the link.

use std::time::Duration;

use heartline_operator::client::{Client, ClientError};
use heartline_operator::message::{Command, CommandOutcome, Reply, Request};
use tokio::time::sleep;

use crate::failure::Failure;
use crate::settings::Settings;

/// How often it is tried.
const ATTEMPTS: u32 = 6;
/// Wait before the second attempt; doubled for each further one.
const RETRY: Duration = Duration::from_millis(250);

/// Sends a command, again with the same number after a lost connection. Gives the answer, and the
/// connection that it came over.
///
/// # Errors
/// [`Failure::Client`] when it was refused, or no attempt was answered.
pub(crate) async fn send(
    mut client: Client,
    command: &Command,
    settings: &Settings,
) -> Result<(CommandOutcome, Client), Failure> {
    let mut wait = RETRY;
    for attempt in 1.. {
        let lost = match client.request(Request::Command(command.clone())).await {
            Ok(Reply::Command(outcome)) => return Ok((outcome, client)),
            Ok(_) => return Err(ClientError::Unexpected { what: "the command" }.into()),
            // Whether it was carried out is not known: the number makes asking again harmless.
            Err(error @ (ClientError::Closed { .. } | ClientError::TimedOut { .. })) => error,
            Err(error) => return Err(error.into()),
        };
        if attempt >= ATTEMPTS {
            return Err(lost.into());
        }
        sleep(wait).await;
        wait *= 2;
        match settings.connect_to_act().await {
            Ok(again) => client = again,
            // The next request says that this connection is closed, and it is tried once more.
            Err(Failure::Client(error)) if error.is_no_collector() => {}
            Err(error) => return Err(error),
        }
    }
    unreachable!("the attempts are counted above")
}
