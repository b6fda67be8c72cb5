//! `heartline watch --plain`: a line for each event.

use heartline_vocabulary::StateCounts;

use super::parse_filter;
use crate::act::agents;
use crate::args::WatchArgs;
use crate::console::Console;
use crate::error::{CliError, CommandExit};
use crate::event_line::{event_line, note_line};
use crate::event_stream::{EventStream, EventStreamItem};
use crate::settings::{Settings, environment};
use crate::style::StateFormatter;

/// Runs the command; ends with its reader, or by a signal.
pub(crate) async fn run(
    args: &WatchArgs,
    settings: &Settings,
    console: &mut Console,
) -> Result<CommandExit, CliError> {
    let filter = parse_filter(args.filter.as_deref())?;
    let (endpoint, options) =
        (settings.endpoint(&environment)?, settings.client_options(&environment));
    let mut stream = EventStream::open(endpoint, options, filter, None);
    let formatter = console.formatter;
    loop {
        for item in stream.next().await? {
            console.print(&item_line(&item, formatter))?;
        }
    }
}

/// Formats an item as one line, without escape codes.
pub(crate) fn item_line(item: &EventStreamItem, formatter: StateFormatter) -> String {
    match item {
        EventStreamItem::Event(event) => event_line(event, formatter),
        EventStreamItem::LinkUp { at_ms, summary, again } => {
            let what = if *again { "link back" } else { "link up" };
            note_line(*at_ms, &format!("{what}: {}", format_counts(summary)))
        }
        EventStreamItem::LinkLost { at_ms, why } => {
            note_line(*at_ms, &format!("link lost: {why}; trying again"))
        }
    }
}

/// Formats counts: `20 agents, 16 healthy, 2 unknown`.
fn format_counts(summary: &StateCounts) -> String {
    let mut parts = vec![agents(summary.total as usize)];
    let present = summary.present();
    parts.extend(present.map(|(status, count)| format!("{count} {}", status.count_name())));
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use heartline_operator::text::GlyphSet;

    #[test]
    fn a_lost_link_is_a_line_of_its_own() {
        let formatter = StateFormatter(GlyphSet::Ascii);
        let at_ms = heartline_operator::sample::NOW_MS;
        let summary = StateCounts { total: 20, healthy: 18, unknown: 2, ..StateCounts::default() };
        let lines = [
            EventStreamItem::LinkUp { at_ms, summary, again: false },
            EventStreamItem::LinkLost { at_ms, why: "the collector hung up".into() },
            EventStreamItem::LinkUp { at_ms, summary, again: true },
        ]
        .map(|item| item_line(&item, formatter));
        insta::assert_snapshot!(lines.join("\n"));
    }
}
