//! Completion of a filter that is being typed: fields, words, and values that agents have.

use std::collections::BTreeSet;

use super::field::{FilterFieldHelp, FilterFieldKind, fields};
use crate::message::AgentEntry;

/// What may stand at the end of a filter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilterCompletion {
    /// Where what is completed begins, in bytes.
    pub begins_at: usize,
    /// What may stand there, from [`Self::begins_at`] on, in order.
    pub choices: Vec<FilterChoice>,
}

/// A field with the operator that goes with most of its tests, or a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterChoice {
    pub text: String,
    /// Of a field.
    pub help: Option<&'static str>,
}

/// Completes the last test of a filter. `values` returns those of a text field, as [`field_values`] does; it is called
/// only where one is typed.
pub fn complete(
    typed: &str,
    values: impl FnOnce(&'static str) -> BTreeSet<String>,
) -> FilterCompletion {
    let last_word = typed.rfind([' ', '(']).map_or(0, |at| at + 1);
    let test = typed[last_word..].trim_start_matches('!');
    let Some(operator_at) = test.find([':', '=', '!', '<', '>']) else {
        let fitting = fields().filter(|field| field.name.starts_with(test));
        let choices = fitting.map(field_choice).collect();
        return FilterCompletion { begins_at: typed.len() - test.len(), choices };
    };
    let (name, rest) = test.split_at(operator_at);
    let value = rest.trim_start_matches([':', '=', '!', '<', '>']);
    let known = match fields().find(|field| has_name(field, name)) {
        Some(FilterFieldHelp { kind: FilterFieldKind::Word(words), .. }) => {
            words.iter().map(|word| (*word).to_owned()).collect()
        }
        Some(FilterFieldHelp { kind: FilterFieldKind::Text, name, .. }) => values(name),
        Some(_) | None => BTreeSet::new(),
    };
    let fitting = known.into_iter().filter(|one| one.starts_with(value));
    let choices = fitting.map(|text| FilterChoice { text, help: None }).collect();
    FilterCompletion { begins_at: typed.len() - value.len(), choices }
}

/// Returns the values of a field among agents, for fields with few of them. None needs quotes, neither in a filter nor
/// in a shell.
pub fn field_values<'a>(
    field: &str,
    agents: impl IntoIterator<Item = &'a AgentEntry>,
) -> BTreeSet<String> {
    let value = |agent: &'a AgentEntry| match field {
        "agent" => Some(agent.agent.as_str()),
        "host" => agent.identity.shared.host.as_deref(),
        "group" => agent.identity.shared.group.as_deref(),
        "version" => agent.identity.shared.version.as_deref(),
        "framework" => agent.identity.shared.framework.as_deref(),
        _ => None,
    };
    let values = agents.into_iter().filter_map(value).filter(|value| is_one_word(value));
    values.map(str::to_owned).collect()
}

fn field_choice(field: FilterFieldHelp) -> FilterChoice {
    let operator = if field.kind == FilterFieldKind::Number { '>' } else { ':' };
    FilterChoice { text: format!("{}{operator}", field.name), help: Some(field.help) }
}

fn has_name(field: &FilterFieldHelp, name: &str) -> bool {
    field.name == name || field.aliases.contains(&name)
}

fn is_one_word(value: &str) -> bool {
    value.chars().all(|c| c.is_alphanumeric() || "_-./:@+".contains(c))
}
