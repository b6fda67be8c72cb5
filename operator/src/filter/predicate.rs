//! A predicate of a filter: a field, compared with a value.

use super::error::{SyntaxError, closest};
use super::field::{
    FieldAccessor, FilterField, NumberAccessor, NumberUnit, TextAccessor, field_of_word, find,
    names,
};
use super::input::FilterInput;
use super::lexer::ComparisonOperator;
use super::pattern::TextPattern;
use crate::text::{parse_duration, parse_size};

/// A field, compared with a value. `negated` is `!=`, which an absent value fulfils.
#[derive(Clone, Debug)]
pub(super) struct FieldPredicate {
    pub(super) field: &'static str,
    negated: bool,
    matcher: FieldMatcher,
}

#[derive(Clone, Debug)]
enum FieldMatcher {
    Text(TextAccessor, TextPattern),
    Label { key: Option<String>, pattern: TextPattern },
    Number(NumberAccessor, ComparisonOperator, f64),
}

impl FieldPredicate {
    /// Creates the predicate of a bare word: part of an agent id, or a glob for all of it.
    pub(super) fn name(word: &str) -> Self {
        let matcher =
            FieldMatcher::Text(|input| input.name().map(Into::into), TextPattern::loose(word));
        Self { field: "agent", negated: false, matcher }
    }

    /// Creates the predicate of `name operator value`; names and values come with their offsets.
    pub(super) fn field(
        (name, name_at): (&str, usize),
        operator: ComparisonOperator,
        (value, value_at): (&str, usize),
    ) -> Result<Self, SyntaxError> {
        let (name, key) = match name.split_once('.') {
            Some((name, key)) => (name, Some(key)),
            None => (name, None),
        };
        let field = find(name).ok_or_else(|| unknown_field(name, name_at))?;
        if key.is_some() && !matches!(field.read, FieldAccessor::Labels) {
            let message = format!("{name} has no parts: only labels do, as in label.env:prod");
            return Err(SyntaxError::new(name_at, message));
        }
        let matcher = match field.read {
            FieldAccessor::Text(read) => {
                FieldMatcher::Text(read, text_pattern(field, operator, value, value_at)?)
            }
            FieldAccessor::OneOf(read, words) => {
                one_of(field, words, value, value_at)?;
                let pattern = text_pattern(field, operator, value, value_at)?;
                FieldMatcher::Text(read, exact(pattern))
            }
            FieldAccessor::Labels => FieldMatcher::Label {
                key: key.map(str::to_owned),
                pattern: text_pattern(field, operator, value, value_at)?,
            },
            FieldAccessor::Number(unit, read) => {
                FieldMatcher::Number(read, operator, number(field, unit, value, value_at)?)
            }
        };
        let negated = operator == ComparisonOperator::NotEqual;
        Ok(Self { field: field.name, negated, matcher })
    }

    pub(super) fn matches(&self, input: &FilterInput<'_>) -> bool {
        let equal = match &self.matcher {
            FieldMatcher::Text(read, pattern) => {
                read(input).is_some_and(|text| pattern.matches(&text))
            }
            FieldMatcher::Label { key, pattern } => label_matches(key.as_deref(), pattern, input),
            FieldMatcher::Number(read, operator, value) => {
                read(input).is_some_and(|number| compare(number, *operator, *value))
            }
        };
        equal != self.negated
    }
}

fn label_matches(key: Option<&str>, pattern: &TextPattern, input: &FilterInput<'_>) -> bool {
    let labels = input.entry.map_or(&[][..], |entry| &entry.identity.shared.labels);
    labels.iter().any(|(name, value)| match key {
        Some(key) => name.eq_ignore_ascii_case(key) && pattern.matches(value),
        None => pattern.matches(name) || pattern.matches(value),
    })
}

fn compare(number: f64, operator: ComparisonOperator, value: f64) -> bool {
    match operator {
        ComparisonOperator::Match | ComparisonOperator::Equal | ComparisonOperator::NotEqual => {
            number == value
        }
        ComparisonOperator::Greater => number > value,
        ComparisonOperator::GreaterEqual => number >= value,
        ComparisonOperator::Less => number < value,
        ComparisonOperator::LessEqual => number <= value,
    }
}

fn text_pattern(
    field: &FilterField,
    operator: ComparisonOperator,
    value: &str,
    at: usize,
) -> Result<TextPattern, SyntaxError> {
    match operator {
        ComparisonOperator::Match => Ok(TextPattern::loose(value)),
        ComparisonOperator::Equal | ComparisonOperator::NotEqual => Ok(TextPattern::whole(value)),
        ComparisonOperator::Greater
        | ComparisonOperator::GreaterEqual
        | ComparisonOperator::Less
        | ComparisonOperator::LessEqual => {
            let (name, sign) = (field.name, operator.sign());
            let message = format!("{name} is text: expected {name}:{value}, = or !=, not {sign}");
            Err(SyntaxError::new(at.saturating_sub(sign.len()), message))
        }
    }
}

/// Returns the pattern of a word of a fixed set, which must match whole.
fn exact(pattern: TextPattern) -> TextPattern {
    match pattern {
        TextPattern::Part(word) => TextPattern::Whole(word),
        other => other,
    }
}

/// Checks that a value is a word of a fixed set, or a glob that matches one.
fn one_of(field: &FilterField, words: &[&str], value: &str, at: usize) -> Result<(), SyntaxError> {
    let pattern = exact(TextPattern::loose(value));
    if words.iter().any(|word| pattern.matches(word)) {
        return Ok(());
    }
    let hint = match (field_of_word(value), closest(value, words.iter().copied())) {
        (Some(other), _) => format!("did you mean {other}:{value}?"),
        (None, Some(word)) => format!("did you mean {word}?"),
        (None, None) => format!("expected one of {}", words.join(", ")),
    };
    Err(SyntaxError::new(at, format!("unknown {} \"{value}\": {hint}", field.name)))
}

fn number(
    field: &FilterField,
    unit: NumberUnit,
    value: &str,
    at: usize,
) -> Result<f64, SyntaxError> {
    let read = match unit {
        NumberUnit::Duration => {
            parse_duration(value).ok().map(|duration| duration.as_micros() as f64)
        }
        NumberUnit::Count => value.parse().ok(),
        NumberUnit::Percent => value.strip_suffix('%').unwrap_or(value).parse().ok(),
        NumberUnit::Size => parse_size(value),
        NumberUnit::Dollars => value.strip_prefix('$').unwrap_or(value).parse().ok(),
    };
    read.filter(|number: &f64| number.is_finite()).ok_or_else(|| {
        let FilterField { name, help, .. } = field;
        let expected = unit.expected();
        SyntaxError::new(
            at,
            format!("{name} ({help}) is compared with {expected}, not \"{value}\""),
        )
    })
}

fn unknown_field(name: &str, at: usize) -> SyntaxError {
    let hint = match closest(name, names()) {
        Some(field) => format!("did you mean {field}?"),
        None => format!("expected one of {}", names().collect::<Vec<_>>().join(", ")),
    };
    SyntaxError::new(at, format!("unknown field \"{name}\": {hint}"))
}
