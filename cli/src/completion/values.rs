//! What can be written for an argument.

use std::ffi::OsStr;

use clap_complete::{ArgValueCandidates, ArgValueCompleter, CompletionCandidate};
use heartline_operator::message::{AgentEntry, AlertReport, IncidentReport, Silence, SinkReport};
use heartline_operator::text::{natural_order, notice, vitals_word};
use heartline_operator::{FilterChoice, FilterCompletion, complete_filter, field_values};
use heartline_tui::ThemeName;
use heartline_vocabulary::State;

use super::fleet;
use crate::args::COLLECTOR;

/// Most names that are offered: a shell asks before it lists more than some hundred.
const NAMES_MAX: usize = 500;

/// Offers the ids of agents, each with its state.
pub(crate) fn agent_names() -> ArgValueCompleter {
    ArgValueCompleter::new(names)
}

/// Offers the incidents that go on, each with what it is about.
pub(crate) fn incident_ids() -> ArgValueCandidates {
    ArgValueCandidates::new(|| incidents(&fleet::alerts()))
}

/// Offers the names of sinks, each with its type.
pub(crate) fn sink_names() -> ArgValueCandidates {
    ArgValueCandidates::new(|| sinks(&fleet::alerts()))
}

/// Offers the numbers of silences, each with its filter.
pub(crate) fn silence_numbers() -> ArgValueCandidates {
    ArgValueCandidates::new(|| silences(&fleet::alerts()))
}

/// Offers the themes of the terminal app.
pub(crate) fn theme_names() -> ArgValueCandidates {
    ArgValueCandidates::new(|| candidates(ThemeName::ALL.map(ThemeName::name)))
}

/// Offers what `--fail-on` takes.
pub(crate) fn failures() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        candidates(State::ALL.into_iter().map(State::name).chain([COLLECTOR]))
    })
}

/// Offers what can be exported.
pub(crate) fn export_tables() -> ArgValueCandidates {
    ArgValueCandidates::new(|| candidates(["events", "outages", "rollups"]))
}

/// Offers the fields of filters, and the values of those whose values are known.
pub(crate) fn filter_parts() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &OsStr| {
        typed.to_str().map(|typed| filter_candidates(typed, fleet::agents)).unwrap_or_default()
    })
}

fn names(typed: &OsStr) -> Vec<CompletionCandidate> {
    let Some(typed) = typed.to_str() else { return Vec::new() };
    let mut agents = fleet::agents();
    agents.retain(|agent| agent.agent.starts_with(typed));
    agents.sort_unstable_by(|a, b| natural_order(&a.agent, &b.agent));
    let candidate = |agent: &AgentEntry| {
        CompletionCandidate::new(&agent.agent).help(Some(vitals_word(&agent.vitals).into()))
    };
    agents.iter().take(NAMES_MAX).map(candidate).collect()
}

fn incidents(report: &AlertReport) -> Vec<CompletionCandidate> {
    let offer = |report: &IncidentReport| {
        let incident = &report.incident;
        let (what, wrong) = (notice::scope(incident), notice::trouble(incident));
        CompletionCandidate::new(incident.id.to_string())
            .help(Some(format!("{what}: {wrong}").into()))
    };
    report.incidents.iter().take(NAMES_MAX).map(offer).collect()
}

fn sinks(report: &AlertReport) -> Vec<CompletionCandidate> {
    let offer = |sink: &SinkReport| {
        CompletionCandidate::new(&sink.name).help(Some(sink.kind.clone().into()))
    };
    report.sinks.iter().map(offer).collect()
}

/// Windows of maintenance have no number, and are ended by nobody.
fn silences(report: &AlertReport) -> Vec<CompletionCandidate> {
    let offer = |silence: &Silence| {
        let candidate = CompletionCandidate::new(silence.id?.to_string());
        Some(candidate.help(Some(notice::clean(&silence.filter).into())))
    };
    report.silences.iter().filter_map(offer).take(NAMES_MAX).collect()
}

fn candidates(names: impl IntoIterator<Item = &'static str>) -> Vec<CompletionCandidate> {
    names.into_iter().map(CompletionCandidate::new).collect()
}

/// Completes the last test of a filter.
fn filter_candidates(
    typed: &str,
    agents: impl FnOnce() -> Vec<AgentEntry>,
) -> Vec<CompletionCandidate> {
    // Shells keep an open quote around the word that is typed, or not.
    let typed = typed.trim_start_matches(['\'', '"']);
    let values = |field: &'static str| field_values(field, &agents());
    let FilterCompletion { begins_at, choices } = complete_filter(typed, values);
    let before = &typed[..begins_at];
    let offer = |choice: FilterChoice| {
        let candidate = CompletionCandidate::new(format!("{before}{}", choice.text));
        candidate.help(choice.help.map(Into::into))
    };
    choices.into_iter().take(NAMES_MAX).map(offer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use heartline_operator::sample;

    #[test]
    fn incidents_sinks_and_silences_are_offered_with_what_they_are() {
        let report = sample::alert_report();
        let told = |found: Vec<CompletionCandidate>| -> Vec<String> {
            let help = |one: &CompletionCandidate| one.get_help().map(ToString::to_string);
            let text = |one: &CompletionCandidate| {
                let value = one.get_value().to_string_lossy().into_owned();
                format!("{value}  {}", help(one).unwrap_or_default())
            };
            found.iter().map(text).collect()
        };
        let all = [incidents(&report), sinks(&report), silences(&report)].map(told);
        insta::assert_snapshot!(all.map(|part| part.join("\n")).join("\n\n"));
    }

    fn offered(typed: &str) -> Vec<String> {
        let found = filter_candidates(typed, sample::fleet);
        found.iter().map(|one| one.get_value().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn fields_of_filters_and_their_values_are_offered() {
        assert_eq!(offered("sta"), ["state:", "starts>"]);
        assert_eq!(offered("state:deg"), ["state:degraded"]);
        assert_eq!(offered("'state:deg"), ["state:degraded"]);
        assert_eq!(offered("state!=h"), ["state!=healthy"]);
        assert_eq!(offered("host:m3 and (!phase:w"), ["host:m3 and (!phase:waiting"]);
        assert_eq!(offered("p95>2s kill"), ["p95>2s killed_by:"]);
        assert_eq!(offered("agent:scraper-"), ["agent:scraper-eu"]);
        assert_eq!(offered("p95>"), [""; 0]);
        assert_eq!(offered("nothing:"), [""; 0]);
        assert!(offered("").len() > 20);
        let mut nasty = sample::healthy_agent(1, "a");
        std::sync::Arc::make_mut(&mut nasty.identity.shared).host = Some("$(reboot) x".into());
        assert_eq!(filter_candidates("host:", || vec![nasty]), []);
    }
}
