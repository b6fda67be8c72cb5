//! Sending a command exactly once, also over lost connections.

use std::time::Duration;

use heartline_operator::client::{Client, ClientError};
use heartline_operator::message::{AgentCommand, CommandOutcome, Reply, Request};
use tokio::time::sleep;

use crate::error::CliError;
use crate::settings::Settings;

/// How often a request is retried.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RetryPolicy {
    pub(crate) attempts: u32,
    /// Before the second attempt; doubled for each further one.
    pub(crate) wait: Duration,
}

impl Default for RetryPolicy {
    /// Retries for eight seconds: a collector that is restarted is back by then.
    fn default() -> Self {
        Self { attempts: 6, wait: Duration::from_millis(250) }
    }
}

/// Sends a command, and retries with the same request id after a lost connection. Returns the answer
/// and its connection.
///
/// # Errors
/// [`CliError::Client`] when it was refused, or no attempt was answered.
pub(crate) async fn send(
    mut client: Client,
    command: &AgentCommand,
    settings: &Settings,
    policy: RetryPolicy,
) -> Result<(CommandOutcome, Client), CliError> {
    let mut wait = policy.wait;
    for attempt in 1.. {
        let lost = match client.request(Request::Command(command.clone())).await {
            Ok(Reply::Command(outcome)) => return Ok((outcome, client)),
            Ok(_) => return Err(ClientError::Unexpected { what: "the command" }.into()),
            // It may have been carried out: the request id makes the retry idempotent.
            Err(error @ (ClientError::Closed { .. } | ClientError::TimedOut { .. })) => error,
            Err(error) => return Err(error.into()),
        };
        if attempt >= policy.attempts {
            return Err(lost.into());
        }
        sleep(wait).await;
        wait *= 2;
        match settings.connect_with_control().await {
            Ok(again) => client = again,
            // The next request says that this connection is closed, and it is tried once more.
            Err(CliError::Client(error)) if error.is_no_collector() => {}
            Err(error) => return Err(error),
        }
    }
    unreachable!("the attempts are counted above")
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::ExitCode;

    use heartline_operator::frame::{self, FrameReader};
    use heartline_operator::message::{AgentSelector, ClientFrame, ServerFrame, VERSION};
    use heartline_vocabulary::Action;
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::UnixListener;

    use super::*;
    use crate::args::GlobalArgs;
    use crate::settings::environment;
    use heartline_operator::sample;

    const FAST: RetryPolicy = RetryPolicy { attempts: 4, wait: Duration::from_millis(1) };

    fn kill() -> AgentCommand {
        AgentCommand {
            request_id: 77,
            action: Action::Kill,
            agents: AgentSelector::Names(vec!["mail".into()]),
            reason: "test".into(),
            expect: None,
            fingerprint: None,
        }
    }

    fn outcome(request_id: u64) -> CommandOutcome {
        CommandOutcome { request_id, at_ms: sample::NOW_MS, targets: Vec::new(), refused: None }
    }

    /// Closes the connection instead of answering the first `losses` commands. Returns the request
    /// ids of all commands when one was answered.
    async fn collector(listener: UnixListener, losses: usize) -> Vec<u64> {
        let mut numbers = Vec::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (reader, mut writer) = stream.into_split();
            let mut frames = FrameReader::new(reader);
            while let Ok(Some(ClientFrame { id, request })) = frames.next().await {
                let reply = match request {
                    Request::Hello { .. } => Reply::Hello {
                        version: VERSION,
                        operator: "ops@test".into(),
                        may_control: true,
                        collector: Box::new(sample::collector(&[])),
                    },
                    Request::Command(command) => {
                        numbers.push(command.request_id);
                        if numbers.len() <= losses {
                            break;
                        }
                        Reply::Command(outcome(command.request_id))
                    }
                    other => panic!("not asked for: {other:?}"),
                };
                writer
                    .write_all(&frame::encode(&ServerFrame { id, reply }).unwrap())
                    .await
                    .unwrap();
                if numbers.len() > losses {
                    return numbers;
                }
            }
        }
    }

    fn settings(dir: &Path) -> Settings {
        let global = GlobalArgs { data_dir: Some(dir.to_owned()), ..GlobalArgs::default() };
        let lookup = |name: &str| environment(name).filter(|_| name != "HEARTLINE_SOCKET_DIR");
        Settings::resolve(&global, &lookup).unwrap()
    }

    #[tokio::test]
    async fn a_command_whose_answer_got_lost_is_retried_with_the_same_request_id() {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join("ctl.sock")).unwrap();
        let server = tokio::spawn(collector(listener, 2));
        let settings = settings(dir.path());
        let client = settings.connect_with_control().await.unwrap();
        let (answer, _client) = send(client, &kill(), &settings, FAST).await.unwrap();
        assert_eq!(answer, outcome(77));
        assert_eq!(server.await.unwrap(), [77, 77, 77]);
    }

    #[tokio::test]
    async fn a_collector_that_is_gone_is_an_error_in_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join("ctl.sock")).unwrap();
        let server = tokio::spawn(collector(listener, usize::MAX));
        let settings = settings(dir.path());
        let client = settings.connect_with_control().await.unwrap();
        server.abort();
        let error = send(client, &kill(), &settings, FAST).await.err().unwrap();
        assert_eq!(format!("{:?}", error.exit_code()), format!("{:?}", ExitCode::from(3)));
    }
}
