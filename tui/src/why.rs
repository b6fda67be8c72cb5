//! Why an agent is in its state, in a few words: the WHY column, and what announces a failure.

use heartline_operator::message::AgentEntry;
use heartline_vocabulary::{Reason, State};

use crate::text::{age, count};

/// Returns why an agent is in its state, with what grows while it lasts. `cause`: what its newest transition said. Of
/// one that is well it is what it does; empty where nothing is known.
pub(crate) fn why(entry: &AgentEntry, cause: Option<&str>, now_ms: i64) -> String {
    let vitals = &entry.vitals;
    match (vitals.state, vitals.reason) {
        (State::Healthy, _) => vitals.step.clone().unwrap_or_default(),
        (State::Killed, Some(Reason::Operator | Reason::Policy)) => killed(entry),
        (_, Some(Reason::Late | Reason::Silent | Reason::OneWay))
            if vitals.interval_ms > 0 && vitals.last_beat_ms.is_some() =>
        {
            missed(entry, now_ms)
        }
        (_, Some(Reason::Stalled | Reason::Blocked)) => stuck(entry, now_ms),
        (_, Some(Reason::Failing)) if entry.work.is_known() => failed(entry),
        (_, reason) => {
            let named = reason.map(|it| it.name().to_owned());
            cause.map(str::to_owned).or(named).unwrap_or_default()
        }
    }
}

/// Returns who killed it, and with which words.
fn killed(entry: &AgentEntry) -> String {
    let Some(command) = &entry.vitals.command else { return String::new() };
    let who = command.by.split('@').next().unwrap_or(&command.by);
    format!("{who}: {}", command.reason)
}

/// Returns how many beats are missed, and where the agent was.
fn missed(entry: &AgentEntry, now_ms: i64) -> String {
    let vitals = &entry.vitals;
    let silent_ms = vitals.last_beat_ms.map_or(0, |last_ms| now_ms - last_ms);
    let interval_ms = u64::from(vitals.interval_ms).max(1);
    let beats = match u64::try_from(silent_ms).unwrap_or(0) / interval_ms {
        1 => "1 beat missed".to_owned(),
        more => format!("{} beats missed", count(more)),
    };
    match &vitals.step {
        Some(step) => format!("{beats}, at {step}"),
        None => beats,
    }
}

/// Returns the step that takes so long.
fn stuck(entry: &AgentEntry, now_ms: i64) -> String {
    let vitals = &entry.vitals;
    let since = [vitals.progress_ms, vitals.oldest_task_ms].into_iter().flatten().min();
    let lasted = since.map(|at| age(u64::try_from(now_ms - at).unwrap_or(0)));
    match (&vitals.step, lasted) {
        (Some(step), Some(lasted)) => format!("step: {step} {lasted}"),
        (Some(step), None) => format!("step: {step}"),
        (None, Some(lasted)) => format!("no progress for {lasted}"),
        (None, None) => "no progress".to_owned(),
    }
}

fn failed(entry: &AgentEntry) -> String {
    let (ok, failed) = (entry.work.ok, entry.work.failed);
    format!("{} of {} failed", count(failed), count(ok.saturating_add(failed)))
}

#[cfg(test)]
mod tests {
    use heartline_operator::sample::{NOW_MS, fleet};

    use super::*;

    #[test]
    fn each_kind_of_trouble_has_its_words() {
        let fleet = fleet();
        let of = |name: &str, cause| {
            let entry = fleet.iter().find(|it| it.agent == name).expect("the sample has it");
            why(entry, cause, NOW_MS)
        };
        let all: Vec<String> = fleet
            .iter()
            .filter(|it| it.vitals.state != State::Healthy)
            .map(|it| format!("{} {}", it.agent, of(&it.agent, Some("said then"))))
            .collect();
        insta::assert_snapshot!(all.join("\n"));
    }
}
