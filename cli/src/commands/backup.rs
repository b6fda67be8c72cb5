//! `heartline backup`: a copy of the collector's databases, which the collector makes.

use std::path::Path;

use heartline_operator::client::ClientError;
use heartline_operator::message::{
    BackupCommand, BackupSummary, BackupUpdate, HistoryHealth, Reply, Request,
};
use heartline_operator::text;

use crate::args::BackupArgs;
use crate::console::Console;
use crate::error::{CliError, CommandExit};
use crate::settings::Settings;

/// Updates between two lines about how far it is; one comes every second.
const SAY_EVERY: u32 = 10;

/// Runs the command.
pub(crate) async fn run(
    args: &BackupArgs,
    settings: &Settings,
    console: &mut Console,
) -> Result<CommandExit, CliError> {
    let dir = resolve(&args.dir, settings)?;
    let client = settings.connect_with_control().await?;
    let command = BackupCommand { dir, has_key: !args.without_key };
    let mut replies = client.stream(Request::Backup(command)).await?;
    for number in 1_u32.. {
        let Reply::Backup(update) = replies.next().await? else {
            return Err(ClientError::Unexpected { what: "backup" }.into());
        };
        match update {
            BackupUpdate::Progress { done, total } if number.is_multiple_of(SAY_EVERY) => {
                let percent = u128::from(done) * 100 / u128::from(total.max(1));
                console
                    .say(&format!("{percent} % of {} copied and checked", text::size(total / 2)));
            }
            BackupUpdate::Progress { .. } => {}
            BackupUpdate::Done(summary) => {
                console.print(&describe(&summary))?;
                if let HistoryHealth::Paused(why) = &summary.history {
                    console.say(&format!(
                        "history is not written at present ({why}): what was judged since then is not in \
                         the backup"
                    ));
                }
                break;
            }
        }
    }
    Ok(CommandExit::Success)
}

/// Returns the directory as the collector has to know it.
fn resolve(dir: &Path, settings: &Settings) -> Result<String, CliError> {
    if settings.is_remote() && !dir.is_absolute() {
        return Err(CliError::Usage(format!(
            "{}: with --ssh the backup is made on the collector's machine: name an absolute path there",
            dir.display()
        )));
    }
    let absolute = std::path::absolute(dir);
    let absolute =
        absolute.map_err(|source| CliError::File { what: "write", path: dir.into(), source })?;
    match absolute.to_str() {
        Some(text) => Ok(text.to_owned()),
        None => Err(CliError::Usage(format!("{}: a name in UTF-8 is needed", dir.display()))),
    }
}

fn describe(summary: &BackupSummary) -> String {
    let mut lines = vec![format!("{}, as of {}", summary.dir, text::timestamp(summary.at_ms))];
    let width = summary.files.iter().map(|file| file.name.len()).max().unwrap_or(0);
    for file in &summary.files {
        lines.push(format!("  {:width$}  {}", file.name, text::size(file.bytes)));
    }
    lines.join("\n")
}
