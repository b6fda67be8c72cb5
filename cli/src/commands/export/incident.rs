//! `heartline export --incident`: one file with all that is known of a range of time.

use std::path::Path;

use heartline_operator::client::{Client, ClientError, ReplyStream};
use heartline_operator::message::{
    ErrorCode, IncidentContents, IncidentQuery, IncidentTexts, IncidentUpdate, Reply, Request,
};
use heartline_operator::text::{size, timestamp_s};

use super::output::DraftFile;
use crate::args::ExportArgs;
use crate::console::Console;
use crate::error::{CliError, CommandExit};
use crate::settings::Settings;
use crate::time_lookup::resolve_span;

/// Longest text that is listed whole, in characters.
const LISTED_CHARS: usize = 60;

/// Runs the command.
pub(super) async fn run(
    args: &ExportArgs,
    settings: &Settings,
    console: &mut Console,
) -> Result<CommandExit, CliError> {
    let path = Path::new(&args.what);
    if !args.yes && !console.terminal.is_interactive {
        return Err(CliError::usage(
            "what is in the file is listed before it is written, and nobody can be asked here: add --yes",
        ));
    }
    let client = settings.connect().await?;
    let span = resolve_span("--between", &args.between, &client).await?;
    let query =
        IncidentQuery { since_ms: span.from_ms, until_ms: span.to_ms, is_redacted: args.redact };
    if !args.yes {
        let mut replies = client.stream(Request::IncidentContents(query.clone())).await?;
        let contents = wait_for_contents(&mut replies).await?;
        console.say(&describe(&contents));
        let answer = console.ask(&format!("write it to {}? [y/N] ", path.display()))?;
        if !answer.is_some_and(|answer| matches!(answer.to_lowercase().as_str(), "y" | "yes")) {
            return Err(CliError::NotDone("nothing was written".to_owned()));
        }
    }
    let contents = write(&client, query, path).await?;
    if args.yes {
        console.say(&describe(&contents));
    }
    console.print(&format!("{}, {}", path.display(), size(contents.bytes)))?;
    Ok(CommandExit::Success)
}

/// Writes the file, which is there when it is whole.
async fn write(
    client: &Client,
    query: IncidentQuery,
    path: &Path,
) -> Result<IncidentContents, CliError> {
    let mut draft = DraftFile::create(path)?;
    let mut replies = client.stream(Request::IncidentFile(query)).await?;
    let contents = wait_for_contents(&mut replies).await?;
    loop {
        match next(&mut replies).await? {
            IncidentUpdate::Bytes(bytes) => draft.write(&bytes)?,
            IncidentUpdate::End => break,
            _ => return Err(ClientError::Unexpected { what: "incident file" }.into()),
        }
    }
    draft.put_in_place()?;
    Ok(contents)
}

async fn wait_for_contents(replies: &mut ReplyStream) -> Result<IncidentContents, CliError> {
    loop {
        match next(replies).await? {
            IncidentUpdate::Working => {}
            IncidentUpdate::Contents(contents) => return Ok(*contents),
            _ => return Err(ClientError::Unexpected { what: "incident file" }.into()),
        }
    }
}

async fn next(replies: &mut ReplyStream) -> Result<IncidentUpdate, CliError> {
    match replies.next().await {
        Ok(Reply::Incident(update)) => Ok(update),
        Ok(_) => Err(ClientError::Unexpected { what: "incident file" }.into()),
        Err(ClientError::Refused { code: ErrorCode::NotFound, message }) => {
            Err(CliError::NotDone(message))
        }
        Err(error) => Err(error.into()),
    }
}

/// Lists what is in the file.
fn describe(contents: &IncidentContents) -> String {
    let IncidentContents { since_ms, until_ms, .. } = contents;
    let counts = [
        (contents.events, "event"),
        (contents.outages, "outage"),
        (contents.notes, "note"),
        (contents.gaps, "gap"),
        (contents.sessions, "session"),
        (contents.rollups, "rollup"),
    ];
    let mut lines = vec![
        format!(
            "from {} to {}, {}",
            timestamp_s(*since_ms),
            timestamp_s(*until_ms),
            size(contents.bytes)
        ),
        format!("  {}", counts.map(|(number, what)| counted(number, what)).join(", ")),
    ];
    let texts = [
        ("agents", &contents.agents),
        ("hosts", &contents.hosts),
        ("labels", &contents.labels),
        ("operators", &contents.operators),
        ("texts", &contents.texts),
    ];
    lines.extend(texts.iter().map(|(what, texts)| format!("  {what}: {}", list(texts))));
    lines.push(match contents.is_redacted {
        true => {
            "  names, hosts, labels and texts are replaced by words that stand for them".to_owned()
        }
        false => {
            "  all of it as it is: --redact replaces names, hosts, labels and texts".to_owned()
        }
    });
    lines.push("  no keys and no tokens".to_owned());
    lines.join("\n")
}

fn counted(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn list(texts: &IncidentTexts) -> String {
    if texts.count == 0 {
        return "none".to_owned();
    }
    let shorten = |text: &String| match text.char_indices().nth(LISTED_CHARS) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.clone(),
    };
    let one_line = |text: &String| shorten(text).replace('\n', " ");
    let first = texts.first.iter().map(one_line).collect::<Vec<_>>().join("; ");
    match texts.count.saturating_sub(texts.first.len() as u64) {
        0 => format!("{first} ({} in all)", texts.count),
        more => format!("{first}; and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use heartline_operator::sample;

    use super::*;

    #[test]
    fn what_is_in_a_file_is_listed() {
        let contents = sample::incident_contents();
        let redacted = IncidentContents { is_redacted: true, ..contents.clone() };
        insta::assert_snapshot!(format!("{}\n\n{}", describe(&contents), describe(&redacted)));
    }
}
