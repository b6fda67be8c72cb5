//! Questions about the past, and notes on it.

use std::time::Duration;

use heartline_operator::message::{ErrorCode, NoteCommand, Reply, Request};
use tokio::time::timeout;

use super::ServerContext;
use super::answer::{
    OperatorIdentity, REASON_MAX, RequestError, flush_history, scrubbed, unavailable,
};
use super::history_reply::{self, QuestionRefusal};
use super::selection;
use crate::clock;
use crate::store::{NewNote, NoteError};

/// Longest wait for a note to be on disk; a client waits a little longer.
const NOTE_WITHIN: Duration = Duration::from_secs(8);
/// For how long what happened may not be on disk yet.
const FRESH_MS: i64 = 60_000;

/// Answers a question about the past. What was judged before it is in the answer.
pub(super) async fn answer(
    request: Request,
    context: &ServerContext,
) -> Result<Reply, RequestError> {
    let is_old = match &request {
        Request::Timeline(query) => query.until_ms() < clock::wall_ms() - FRESH_MS,
        _ => false,
    };
    if !is_old {
        flush_history(context).await?;
    }
    let now_ms = clock::wall_ms();
    let read = context.readers.read(move |reader| history_reply::answer(reader, request, now_ms));
    match read.await.map_err(|error| unavailable(&error))? {
        Ok(reply) => Ok(reply),
        Err(QuestionRefusal::Refused(code, message)) => Err((code, message)),
        Err(QuestionRefusal::UnknownAgent(agent)) => {
            let unknown = selection::with_similar(vec![agent], context).await?;
            let message = unknown.into_iter().map(|unknown| unknown.to_string()).collect();
            Err((ErrorCode::NotFound, message))
        }
    }
}

/// Stores a note on an outage.
pub(super) async fn note(
    command: NoteCommand,
    operator: &OperatorIdentity,
    context: &ServerContext,
) -> Result<Reply, RequestError> {
    let NoteCommand { outage, acknowledges, words } = command;
    let refused = |message: String| Err((ErrorCode::BadRequest, message));
    if words.len() > REASON_MAX {
        let len = words.len();
        return refused(format!("a note has at most {REASON_MAX} bytes, this one has {len}"));
    }
    let words = scrubbed(words.trim());
    if words.is_empty() && !acknowledges {
        return refused("the note is empty".to_owned());
    }
    // An outage that the operator was shown is known to the writer, too.
    flush_history(context).await?;
    let (by, at_ms) = (operator.name.clone(), clock::wall_ms());
    let note = NewNote { outage, at_ms, by, acknowledges, words };
    match timeout(NOTE_WITHIN, context.store.add_note(note)).await {
        Ok(Ok(())) => Ok(Reply::Noted),
        Ok(Err(error @ NoteError::UnknownOutage(_))) => {
            Err((ErrorCode::NotFound, error.to_string()))
        }
        Ok(Err(error)) => Err((ErrorCode::Unavailable, error.to_string())),
        Err(_) => {
            let message = "the note is not stored: history is not written at present; try again";
            Err((ErrorCode::Unavailable, message.to_owned()))
        }
    }
}
