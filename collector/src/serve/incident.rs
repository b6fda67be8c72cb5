//! Incident files, made for a client that writes them.

use std::fs::File;
use std::io::Read as _;

use heartline_operator::message::{
    ErrorCode, INCIDENT_CHUNK, IncidentQuery, IncidentUpdate, Reply,
};

use super::ServerContext;
use super::answer::{RequestError, flush_history};
use super::connection::ReplyWriter;
use super::subscription::ClientGone;
use crate::clock;
use crate::store::{IncidentError, IncidentJob};

/// What a client wants of an incident file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IncidentPart {
    /// What is in it.
    Contents,
    /// That, and the file itself.
    File,
}

/// Makes an incident file, and sends what is wanted of it.
pub async fn send(
    query: IncidentQuery,
    part: IncidentPart,
    writer: &ReplyWriter,
    context: &ServerContext,
) -> Result<Result<(), ClientGone>, RequestError> {
    let IncidentQuery { since_ms, until_ms, is_redacted } = query;
    let made_ms = clock::wall_ms();
    if since_ms >= until_ms || until_ms > made_ms {
        let message = "an incident file is of a range that is over and not empty".to_owned();
        return Err((ErrorCode::BadRequest, message));
    }
    flush_history(context).await?;
    let job = IncidentJob {
        data_dir: context.data_dir.to_path_buf(),
        since_ms,
        until_ms,
        made_ms,
        host: context.host.clone(),
        is_redacted,
    };
    let running = context.incidents.start(move |progress| job.run(progress))?;
    let working = |_: &_| Reply::Incident(IncidentUpdate::Working);
    let Ok(made) = running.finish(writer, working).await? else { return Ok(Err(ClientGone)) };
    let (file, contents) = made.map_err(|error| (code_of(&error), error.to_string()))?;
    let contents = Reply::Incident(IncidentUpdate::Contents(Box::new(contents)));
    if writer.send(contents).await.is_err() {
        return Ok(Err(ClientGone));
    }
    match part {
        IncidentPart::Contents => Ok(Ok(())),
        IncidentPart::File => send_file(file, writer).await,
    }
}

async fn send_file(
    mut file: File,
    writer: &ReplyWriter,
) -> Result<Result<(), ClientGone>, RequestError> {
    loop {
        let mut chunk = Vec::with_capacity(INCIDENT_CHUNK);
        // It was just written, and is in memory.
        let read = file.by_ref().take(INCIDENT_CHUNK as u64).read_to_end(&mut chunk);
        read.map_err(|error| {
            (ErrorCode::Unavailable, format!("the incident file can't be read: {error}"))
        })?;
        let update =
            if chunk.is_empty() { IncidentUpdate::End } else { IncidentUpdate::Bytes(chunk) };
        let is_end = update == IncidentUpdate::End;
        let sent = writer.send(Reply::Incident(update)).await;
        if is_end || sent.is_err() {
            return Ok(sent);
        }
    }
}

fn code_of(error: &IncidentError) -> ErrorCode {
    match error {
        IncidentError::Empty | IncidentError::BeforeFirst { .. } => ErrorCode::NotFound,
        _ => ErrorCode::Unavailable,
    }
}
