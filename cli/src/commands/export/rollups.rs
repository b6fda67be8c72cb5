//! `heartline export rollups`: the history of one agent after the other, in steps.

use heartline_operator::client::ClientError;
use heartline_operator::json;
use heartline_operator::message::{
    AGENT_NAMES_MAX, AgentHistory, AgentHistoryQuery, AgentNamesQuery, HistoryStep, Reply, Request,
    STEPS_MAX,
};
use heartline_operator::time::TimeSpan;

use super::Export;
use crate::commands::history::{CSV_TITLES, csv_row, is_known};
use crate::error::CliError;

/// The default of `--step`.
const STEP_MS: i64 = 3_600_000;

/// Columns before those of a step.
const AGENT_COLUMNS: usize = 2;
const TITLES: [&str; AGENT_COLUMNS + CSV_TITLES.len()] = {
    let mut titles = ["agent"; AGENT_COLUMNS + CSV_TITLES.len()];
    titles[1] = "step_ms";
    let mut at = 0;
    while at < CSV_TITLES.len() {
        titles[AGENT_COLUMNS + at] = CSV_TITLES[at];
        at += 1;
    }
    titles
};

/// Writes the rollups of every agent that was known in the span, by their names, each in the order of time.
pub(super) async fn write(export: &mut Export<'_>) -> Result<(), CliError> {
    export.write_titles(&TITLES)?;
    if let Some(agent) = export.args.agent.clone() {
        return write_agent(export, &agent).await;
    }
    let mut query = AgentNamesQuery {
        since_ms: export.span.from_ms,
        until_ms: export.span.to_ms,
        after: String::new(),
        limit: AGENT_NAMES_MAX,
    };
    loop {
        let reply = export.request(Request::AgentNames(query.clone())).await?;
        let Reply::AgentNames { names, has_more } = reply else {
            return Err(ClientError::Unexpected { what: "agent names" }.into());
        };
        for agent in &names {
            write_agent(export, agent).await?;
        }
        match names.into_iter().next_back() {
            Some(last) if has_more => query.after = last,
            _ => return Ok(()),
        }
    }
}

/// Writes the steps of an agent of which anything is known.
async fn write_agent(export: &mut Export<'_>, agent: &str) -> Result<(), CliError> {
    let step = export.args.step.map(|step| i64::try_from(step.as_millis()).unwrap_or(i64::MAX));
    let step_ms = step.unwrap_or(STEP_MS);
    for part in parts(export.span, step_ms) {
        let query = AgentHistoryQuery {
            agent: agent.to_owned(),
            since_ms: Some(part.from_ms),
            until_ms: part.to_ms,
            step_ms: Some(step_ms),
            chart: None,
        };
        let reply = export.request(Request::AgentHistory(query)).await?;
        let Reply::AgentHistory(history) = reply else {
            return Err(ClientError::Unexpected { what: "history" }.into());
        };
        let AgentHistory { steps, .. } = *history;
        export.write_rows(
            steps.iter().filter(|step| is_known(step)),
            |step| json::line(&json::rollup(agent, step_ms, step)),
            |step| row(agent, step_ms, step),
        )?;
    }
    Ok(())
}

/// Returns the parts of a span that are asked for one by one. All but the last end with a step.
fn parts(span: TimeSpan, step_ms: i64) -> impl Iterator<Item = TimeSpan> {
    // A step that is none is refused by the collector.
    let step_ms = step_ms.max(1);
    let length_ms = step_ms.saturating_mul(STEPS_MAX as i64);
    let begin_ms = span.from_ms.div_euclid(step_ms).saturating_mul(step_ms);
    let begins = std::iter::successors(Some(begin_ms), move |at| at.checked_add(length_ms));
    begins.take_while(move |at| *at < span.to_ms).map(move |from_ms| TimeSpan {
        from_ms,
        to_ms: from_ms.saturating_add(length_ms).min(span.to_ms),
    })
}

fn row(agent: &str, step_ms: i64, step: &HistoryStep) -> [String; TITLES.len()] {
    let mut row = std::array::from_fn(|_| String::new());
    (row[0], row[1]) = (agent.to_owned(), step_ms.to_string());
    for (column, value) in row[AGENT_COLUMNS..].iter_mut().zip(csv_row(step)) {
        *column = value;
    }
    row
}

#[cfg(test)]
mod tests {
    use heartline_operator::sample;

    use super::*;
    use crate::csv_text;

    #[test]
    fn a_step_is_a_row_with_its_agent() {
        let history = sample::agent_history();
        let rows = history.steps.iter().map(|step| row(&history.agent, history.step_ms, step));
        insta::assert_snapshot!(csv_text::lines(&TITLES, rows).unwrap());
    }

    #[test]
    fn parts_meet_each_other_and_cover_the_span() {
        for (from_ms, to_ms, step_ms) in [
            (61_000, 62_000, 60_000),
            (90_000, 3 * 86_400_000, 60_000),
            (1, 400 * 86_400_000, 60_000),
            (0, 5_000 * 60_000, 60_000),
            (1, 5_000 * 60_000 + 1, 60_000),
        ] {
            let parts: Vec<_> = parts(TimeSpan { from_ms, to_ms }, step_ms).collect();
            assert_eq!(parts[0].from_ms, from_ms / step_ms * step_ms);
            assert_eq!(parts[parts.len() - 1].to_ms, to_ms);
            assert!(parts.windows(2).all(|pair| pair[0].to_ms == pair[1].from_ms));
            let most = STEPS_MAX as i64 * step_ms;
            assert!(parts.iter().all(|part| (1..=most).contains(&(part.to_ms - part.from_ms))));
        }
    }
}
