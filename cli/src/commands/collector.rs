//! `heartline collector`: how the collector itself does.

use heartline_operator::client::ClientError;
use heartline_operator::message::{CollectorHealth, Reply, Request};
use heartline_operator::{json, text};

use crate::args::CollectorArgs;
use crate::console::Console;
use crate::error::{CliError, CommandExit};
use crate::settings::Settings;
use crate::style::alert;
use crate::table;

/// Columns of what a line is about, and of the blanks behind that.
const LABEL: usize = 11;

/// Runs the command.
pub(crate) async fn run(
    args: &CollectorArgs,
    settings: &Settings,
    console: &mut Console,
) -> Result<CommandExit, CliError> {
    let client = settings.connect().await?;
    let Reply::CollectorHealth(health) = client.request(Request::CollectorHealth).await? else {
        return Err(ClientError::Unexpected { what: "collector" }.into());
    };
    if args.json {
        console.print_json(&json::collector_health(&health))?;
    } else {
        let text = lines(&health, console.terminal.columns);
        console.print(text.trim_end_matches('\n'))?;
    }
    Ok(CommandExit::Success)
}

/// Returns the lines, broken where they are wider than the terminal.
fn lines(health: &CollectorHealth, columns: Option<usize>) -> String {
    let limit = columns.map(|columns| columns.saturating_sub(LABEL).max(LABEL));
    let mut all = String::new();
    for line in text::collector_lines(health) {
        let words: Vec<String> = line.text.split(' ').map(str::to_owned).collect();
        let wrapped = table::wrap(&words, " ", limit);
        for (number, part) in wrapped.lines().enumerate() {
            let label = if number == 0 { line.label } else { "" };
            let part = if line.is_bad { alert(part) } else { part.to_owned() };
            all.push_str(format!("{label:<LABEL$}{part}").trim_end());
            all.push('\n');
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use anstream::adapter::strip_str;
    use heartline_operator::sample;

    use super::*;

    #[test]
    fn lines_are_broken_beside_what_they_are_about() {
        let draw = |columns| strip_str(&lines(&sample::collector_health(), columns)).to_string();
        let narrow = draw(Some(60));
        assert!(narrow.lines().all(|line| line.chars().count() <= 60), "{narrow}");
        insta::assert_snapshot!(format!("{}\n{narrow}", draw(None)));
    }
}
