//! Backups of the databases.

use heartline_operator::message::{BackupCommand, BackupSummary, BackupUpdate, ErrorCode, Reply};

use super::ServerContext;
use super::answer::{OperatorIdentity, RequestError, ending, flush_history, may_control};
use super::connection::ReplyWriter;
use super::subscription::ClientGone;
use crate::clock;
use crate::driver::DriverRequest;
use crate::store::{BackupError, BackupJob};

/// Makes a backup, and tells its client how far it is.
pub async fn send(
    command: BackupCommand,
    writer: &ReplyWriter,
    operator: &OperatorIdentity,
    context: &ServerContext,
) -> Result<Result<(), ClientGone>, RequestError> {
    may_control(operator)?;
    if !operator.is_owner {
        let message = "a backup is made as the user of heartlined, with all of its rights and keys: \
                       only that user and root may ask for one";
        return Err((ErrorCode::NotAllowed, message.to_owned()));
    }
    // What was shown before the backup is in it.
    flush_history(context).await?;
    let status = context.driver.request(DriverRequest::Status).await.ok_or_else(ending)?;
    let (dir, at_ms) = (command.dir, clock::wall_ms());
    let job = BackupJob {
        data_dir: context.data_dir.to_path_buf(),
        dir: dir.clone().into(),
        at_ms,
        master_keys: command.has_key.then(|| context.keys.master_lines()),
    };
    let running = context.backups.start(move |progress| job.run(progress))?;
    let update = |progress: &crate::store::JobProgress| {
        let (done, total) = progress.bytes();
        Reply::Backup(BackupUpdate::Progress { done, total })
    };
    let Ok(made) = running.finish(writer, update).await? else { return Ok(Err(ClientGone)) };
    let files = made.map_err(|error| (code_of(&error), error.to_string()))?;
    tracing::info!(dir, by = operator.name, "a backup was made");
    let summary = BackupSummary { dir, at_ms, files, history: status.history };
    Ok(writer.send(Reply::Backup(BackupUpdate::Done(summary))).await)
}

fn code_of(error: &BackupError) -> ErrorCode {
    match error {
        BackupError::Relative { .. }
        | BackupError::NotEmpty { .. }
        | BackupError::NotADirectory { .. }
        | BackupError::MountPoint { .. }
        | BackupError::InDataDir { .. } => ErrorCode::BadRequest,
        _ => ErrorCode::Unavailable,
    }
}
