//! The JSON that scripts rely on: the output of `--json`. Names and order of the fields are a
//! contract (snapshot-tested); fields may be added at the end of an object.

mod agent;
mod alert;
mod budget;
mod command;
mod event;
mod health;
mod history;
mod outage;
mod past;
mod roster;
mod status;

pub use agent::agent;
pub use alert::{alerts, incident, silences};
pub use budget::budgets;
pub use command::{CommandProgress, CommandReport, command_outcome, tokens};
pub use event::event;
pub use health::collector_health;
pub use history::{agent_history, fleet_history, rollup};
pub use outage::outage;
pub use past::{past, past_agent};
pub use roster::roster;
pub use status::{StatusDocument, status};

use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Map, Value};

/// The `schema` of every document.
const SCHEMA: u8 = 1;

/// Prints a document on one line, without its line feed.
pub fn line(document: &impl Serialize) -> String {
    serde_json::to_string(document).expect("documents have texts for keys")
}

/// Prints a document over several lines.
pub fn pretty(document: &impl Serialize) -> String {
    serde_json::to_string_pretty(document).expect("documents have texts for keys")
}

/// Writes a document over several lines.
///
/// # Errors
/// That of the writer.
pub fn write_pretty(document: &impl Serialize, out: &mut impl Write) -> io::Result<()> {
    Ok(serde_json::to_writer_pretty(out, document)?)
}

/// Joins the fields of objects, in their order.
fn joined<const N: usize>(objects: [Value; N]) -> Value {
    let fields = objects.into_iter().filter_map(|object| match object {
        Value::Object(fields) => Some(fields),
        _ => None,
    });
    Value::Object(fields.flatten().collect::<Map<_, _>>())
}

/// Rounds a share to six decimals, so that it is printed short.
fn rounded(share: f64) -> f64 {
    (share * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{self, NOW_MS};

    #[test]
    fn status_is_the_contract() {
        let (busy, killed) = (sample::busy_agent(), sample::draining_agent());
        let collector = sample::paused_collector();
        let document = status([&busy, &killed], &collector, NOW_MS);
        insta::assert_snapshot!(pretty(&document));
    }

    #[test]
    fn agent_is_the_contract() {
        insta::assert_snapshot!(pretty(&agent(&sample::busy_agent_detail(), NOW_MS)));
    }

    #[test]
    fn the_health_of_a_collector_is_the_contract() {
        insta::assert_snapshot!(pretty(&collector_health(&sample::collector_health())));
    }

    #[test]
    fn every_event_is_one_line() {
        let lines: Vec<_> =
            sample::events_of_every_kind().iter().map(|one| line(&event(one))).collect();
        assert!(lines.iter().all(|line| !line.contains('\n')));
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn outages_are_one_line_each_and_the_past_is_a_document() {
        let lines =
            sample::outages().iter().map(|it| line(&outage(it, NOW_MS))).collect::<Vec<_>>();
        let past = pretty(&past(&sample::past_fleet()));
        let history = pretty(&agent_history(&sample::fleet_history(), "order-processor"));
        let fleet = pretty(&fleet_history(&sample::fleet_history(), "host:m3*"));
        insta::assert_snapshot!(format!("{}\n{past}\n{history}\n{fleet}", lines.join("\n")));
    }

    #[test]
    fn commands_and_their_refusals_are_documents() {
        let obeyed = CommandProgress::obeyed(3, 8);
        let mut documents = vec![line(&command_outcome(CommandReport {
            action: heartline_vocabulary::Action::Kill,
            outcome: &sample::command_outcome(),
            progress: &[obeyed],
        }))];
        for refusal in sample::refusals() {
            let outcome = crate::message::CommandOutcome {
                refused: Some(refusal),
                targets: Vec::new(),
                ..sample::command_outcome()
            };
            documents.push(line(&command_outcome(CommandReport {
                action: heartline_vocabulary::Action::Resume,
                outcome: &outcome,
                progress: &[],
            })));
        }
        insta::assert_snapshot!(documents.join("\n"));
    }

    #[test]
    fn out_of_range_times_are_serialized() {
        let mut entry = sample::idle_agent(1, "a");
        entry.vitals.since_ms = i64::MIN;
        entry.vitals.last_beat_ms = Some(i64::MAX);
        assert!(
            line(&status([&entry], &sample::paused_collector(), NOW_MS))
                .contains("\"beat_age_ms\":0")
        );
    }
}
