//! Effects outside the program: requests to the collector, and exported files.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use heartline_operator::client::{ClientError, LinkHandle};
use heartline_operator::message::{
    AgentCommand, AlertQuery, ErrorCode, EventQuery, ForgetCommand, NoteCommand, Reply, Request,
};
use heartline_vocabulary::IncidentId;
use tokio::sync::mpsc;

use crate::state::HistoryRequest;
use crate::terminal::Clipboard;
use crate::update::{AppEffect, AppEvent, ExportFile, ExportFormat};

/// The most file names that are tried.
const MAX_NAMES: u32 = 1_000;

/// Runs effects. Their outcomes go back to the event loop as events.
pub(super) struct EffectRunner {
    link: LinkHandle,
    outcomes: mpsc::Sender<AppEvent>,
    clipboard: Clipboard,
}

impl EffectRunner {
    pub(super) fn new(link: LinkHandle, outcomes: mpsc::Sender<AppEvent>) -> Self {
        Self { link, outcomes, clipboard: Clipboard::of_environment() }
    }

    pub(super) fn run(&self, effect: AppEffect) {
        match effect {
            AppEffect::Reconnect => self.link.reconnect(),
            AppEffect::RequestAgent(id) => self.spawn(request_agent(self.link.clone(), id)),
            AppEffect::RequestEvents(query) => self.spawn(request_events(self.link.clone(), query)),
            AppEffect::SendCommand(command) => self.spawn(send_command(self.link.clone(), command)),
            AppEffect::SendForget(command) => self.spawn(send_forget(self.link.clone(), command)),
            AppEffect::SendNote(note) => self.spawn(send_note(self.link.clone(), note)),
            AppEffect::RequestAlerts(query) => self.spawn(request_alerts(self.link.clone(), query)),
            AppEffect::SendAcknowledgement(incident) => {
                self.spawn(send_acknowledgement(self.link.clone(), incident));
            }
            AppEffect::RequestHistory(request) => {
                self.spawn(request_history(self.link.clone(), request));
            }
            AppEffect::RequestCollectorHealth => {
                self.spawn(request_collector_health(self.link.clone()));
            }
            AppEffect::Export(export) => {
                self.spawn(async move { AppEvent::Exported(write_export(Path::new(""), &export)) });
            }
            AppEffect::CopyToClipboard(text) => {
                let clipboard = self.clipboard;
                self.spawn(async move {
                    let outcome = clipboard.copy(&text).await;
                    AppEvent::Copied { text, outcome }
                });
            }
            // The event loop runs these itself, because they need its terminal.
            AppEffect::Exit
            | AppEffect::Suspend
            | AppEffect::Redraw
            | AppEffect::SendToClipboard(_)
            | AppEffect::SetMouseMode(_)
            | AppEffect::Ring(_) => {}
        }
    }

    fn spawn(&self, outcome: impl Future<Output = AppEvent> + Send + 'static) {
        let outcomes = self.outcomes.clone();
        tokio::spawn(async move {
            // The receiver is gone only when the program ends.
            let _ = outcomes.send(outcome.await).await;
        });
    }
}

async fn request_agent(link: LinkHandle, id: String) -> AppEvent {
    let reply = link.request(Request::Agent { agent: id.clone() }).await;
    let result = match reply {
        Ok(Reply::Agent(detail)) => Ok(detail),
        Ok(other) => Err(unexpected_reply(&other)),
        Err(error) => Err(error.to_string()),
    };
    AppEvent::AgentReceived { id, result }
}

async fn request_events(link: LinkHandle, query: EventQuery) -> AppEvent {
    match link.request(Request::Events(query)).await {
        Ok(Reply::Events { events, next }) => AppEvent::EventsReceived { events, next },
        Ok(other) => AppEvent::RequestFailed(unexpected_reply(&other)),
        // The request is repeated once the connection is back.
        Err(ClientError::Closed { .. }) => {
            AppEvent::EventsReceived { events: Vec::new(), next: None }
        }
        Err(error) => AppEvent::RequestFailed(error.to_string()),
    }
}

async fn send_command(link: LinkHandle, command: AgentCommand) -> AppEvent {
    let request_id = command.request_id;
    match link.request(Request::Command(command)).await {
        Ok(Reply::Command(outcome)) => AppEvent::CommandAnswered(outcome),
        Ok(other) => AppEvent::CommandRefused { request_id, why: unexpected_reply(&other) },
        Err(ClientError::Closed { .. } | ClientError::TimedOut { .. }) => {
            AppEvent::CommandUnanswered
        }
        Err(error) => AppEvent::CommandRefused { request_id, why: error.to_string() },
    }
}

async fn request_history(link: LinkHandle, request: HistoryRequest) -> AppEvent {
    let HistoryRequest { purpose, request } = request;
    let result = match link.request(request).await {
        Ok(reply @ Reply::Error { .. }) => Err(unexpected_reply(&reply)),
        Ok(reply) => Ok(reply),
        Err(ClientError::Refused { message, .. }) => Err(message),
        Err(error) => Err(error.to_string()),
    };
    AppEvent::HistoryAnswered { purpose, result }
}

async fn request_collector_health(link: LinkHandle) -> AppEvent {
    AppEvent::CollectorHealthReceived(match link.request(Request::CollectorHealth).await {
        Ok(Reply::CollectorHealth(health)) => Ok(health),
        Ok(other) => Err(unexpected_reply(&other)),
        Err(ClientError::Refused { message, .. }) => Err(message),
        Err(error) => Err(error.to_string()),
    })
}

async fn request_alerts(link: LinkHandle, query: AlertQuery) -> AppEvent {
    let result = match link.request(Request::Alerts(query)).await {
        Ok(Reply::Alerts(report)) => Ok(report),
        Ok(other) => Err(unexpected_reply(&other)),
        Err(ClientError::Refused { message, .. }) => Err(message),
        Err(error) => Err(error.to_string()),
    };
    AppEvent::AlertsReceived { query, result }
}

async fn send_acknowledgement(link: LinkHandle, incident: IncidentId) -> AppEvent {
    let request = Request::Acknowledge { incidents: vec![incident] };
    AppEvent::AcknowledgementAnswered(match link.request(request).await {
        Ok(Reply::Acknowledged { incidents, is_stored }) => Ok((incidents, is_stored)),
        Ok(other) => Err(unexpected_reply(&other)),
        Err(ClientError::Refused { message, .. }) => Err(message),
        Err(error) => Err(error.to_string()),
    })
}

async fn send_note(link: LinkHandle, note: NoteCommand) -> AppEvent {
    AppEvent::NoteAnswered(match link.request(Request::Note(note)).await {
        Ok(Reply::Noted) => Ok(()),
        Ok(other) => Err(unexpected_reply(&other)),
        Err(error) => Err(error.to_string()),
    })
}

/// A forget that got no answer is not sent again: who is still listed was not forgotten.
async fn send_forget(link: LinkHandle, command: ForgetCommand) -> AppEvent {
    AppEvent::ForgetAnswered(match link.request(Request::Forget(command)).await {
        Ok(Reply::Forgotten { agents }) => Ok(agents),
        Ok(other) => Err(unexpected_reply(&other)),
        Err(ClientError::Refused { code: ErrorCode::BadRequest, message }) => {
            let why = message.strip_prefix("nothing was done: ").unwrap_or(&message);
            Err(format!("REFUSED, nothing was done: {why}"))
        }
        Err(error @ (ClientError::Closed { .. } | ClientError::TimedOut { .. })) => {
            Err(format!("{error}; who is still listed was not forgotten"))
        }
        Err(error) => Err(error.to_string()),
    })
}

fn unexpected_reply(reply: &Reply) -> String {
    match reply {
        Reply::Error { message, .. } => message.clone(),
        _ => "unexpected reply from the collector".to_owned(),
    }
}

/// Writes a new file in a directory (empty: the working directory), never over an existing one.
/// Returns what was written, or why nothing was.
fn write_export(dir: &Path, export: &ExportFile) -> Result<String, String> {
    let extension = match export.format {
        ExportFormat::Json => "json",
        ExportFormat::JsonLines => "jsonl",
    };
    let name_of = |n| format!("heartline-{}-{n}.{extension}", export.stem);
    for n in 1..=MAX_NAMES {
        let name = name_of(n);
        let cannot = |error| format!("can't write {name} here: {error}");
        let file = OpenOptions::new().write(true).create_new(true).open(dir.join(&name));
        let mut file = match file {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
            Err(error) => return Err(cannot(error)),
        };
        file.write_all(export.text.as_bytes()).map_err(cannot)?;
        return Ok(format!("wrote {} to {name}", export.summary));
    }
    Err(format!("{} to -{MAX_NAMES} all exist already", name_of(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_export_is_named_by_its_content_and_overwrites_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let (stem, summary) = ("fleet", "2 agents".to_owned());
        let export =
            ExportFile { stem, format: ExportFormat::Json, text: "{}\n".to_owned(), summary };
        let written = write_export(dir.path(), &export);
        assert_eq!(written, Ok("wrote 2 agents to heartline-fleet-1.json".to_owned()));
        let lines = ExportFile { format: ExportFormat::JsonLines, ..export.clone() };
        let written = write_export(dir.path(), &lines);
        assert_eq!(written, Ok("wrote 2 agents to heartline-fleet-1.jsonl".to_owned()));
        let again = ExportFile { text: "[]\n".to_owned(), ..export };
        assert!(write_export(dir.path(), &again).unwrap().ends_with("fleet-2.json"));
        let first = std::fs::read_to_string(dir.path().join("heartline-fleet-1.json")).unwrap();
        assert_eq!(first, "{}\n");
        let error = write_export(&dir.path().join("none"), &again).unwrap_err();
        assert!(error.contains("can't write heartline-fleet-1.json here: No such"), "{error}");
    }
}
