//! `heartline export`: events, outages or rollups of a range of time, page by page.

mod events;
mod incident;
mod outages;
mod output;
mod rollups;

use heartline_operator::client::{Client, ClientError};
use heartline_operator::message::{ErrorCode, Reply, Request};
use heartline_operator::time::TimeSpan;

use super::parse_filter;
use crate::args::{ExportArgs, ExportFormat, ExportTable};
use crate::console::Console;
use crate::error::{CliError, CommandExit};
use crate::settings::Settings;
use crate::time_lookup::resolve_span;
use output::ExportOutput;

/// Runs the command.
pub(crate) async fn run(
    args: &ExportArgs,
    settings: &Settings,
    console: &mut Console,
) -> Result<CommandExit, CliError> {
    if args.incident {
        return incident::run(args, settings, console).await;
    }
    let table: ExportTable =
        args.what.parse().map_err(|why| CliError::Usage(format!("{}: {why}", args.what)))?;
    let filter = parse_filter(args.filter.as_deref())?.as_str().to_owned();
    check(args, table)?;
    let client = settings.connect().await?;
    let span = resolve_span("--between", &args.between, &client).await?;
    let output = ExportOutput::open(args.output.as_deref(), console)?;
    let mut export = Export { client: &client, span, args, filter, output };
    match table {
        ExportTable::Events => events::write(&mut export).await?,
        ExportTable::Outages => outages::write(&mut export).await?,
        ExportTable::Rollups => rollups::write(&mut export).await?,
    }
    export.output.finish()?;
    Ok(CommandExit::Success)
}

/// Refuses flags that would be ignored.
fn check(args: &ExportArgs, table: ExportTable) -> Result<(), CliError> {
    let ignored = match table {
        ExportTable::Rollups => args.filter.as_ref().map(
            |_| "--filter: rollups are of all agents that were known; choose one with --agent",
        ),
        ExportTable::Events | ExportTable::Outages => {
            args.step.map(|_| "--step: only rollups have steps")
        }
    };
    ignored.map_or(Ok(()), |why| Err(CliError::usage(why)))
}

/// An export under way.
struct Export<'a> {
    client: &'a Client,
    span: TimeSpan,
    args: &'a ExportArgs,
    filter: String,
    output: ExportOutput<'a>,
}

impl Export<'_> {
    async fn request(&self, request: Request) -> Result<Reply, CliError> {
        match self.client.request(request).await {
            Err(ClientError::Refused { code: ErrorCode::NotFound, message }) => {
                Err(CliError::NotDone(message))
            }
            Err(ClientError::Refused { code: ErrorCode::BadRequest, message }) => {
                Err(CliError::Usage(message))
            }
            reply => Ok(reply?),
        }
    }

    /// Writes a line of titles, where the format has one.
    fn write_titles<const N: usize>(&mut self, titles: &[&str; N]) -> Result<(), CliError> {
        match self.args.format {
            ExportFormat::Jsonl => Ok(()),
            ExportFormat::Csv => {
                let titles = crate::csv_text::lines(titles, []).map_err(CliError::Output)?;
                self.output.write(&titles)
            }
        }
    }

    /// Writes rows in the format.
    fn write_rows<'rows, T: 'rows, const N: usize>(
        &mut self,
        rows: impl Iterator<Item = &'rows T>,
        json_line: impl Fn(&T) -> String,
        csv_row: impl Fn(&T) -> [String; N],
    ) -> Result<(), CliError> {
        let text = match self.args.format {
            ExportFormat::Jsonl => rows.map(|row| json_line(row) + "\n").collect(),
            ExportFormat::Csv => {
                crate::csv_text::rows_only(rows.map(csv_row)).map_err(CliError::Output)?
            }
        };
        self.output.write(&text)
    }
}
