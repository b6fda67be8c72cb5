//! One test of a filter: a field, compared with a value.

use super::error::{Problem, closest};
use super::field::{Field, Labels, Number, Read, Unit, Word, field_of_word, find, names};
use super::lexer::Operator;
use super::pattern::Pattern;
use super::subject::Subject;
use crate::text::parse_duration;

/// A field, compared with a value. `negated` is `!=`: whatever does not equal, also by being absent.
#[derive(Clone, Debug)]
pub(super) struct Test {
    negated: bool,
    check: Check,
}

#[derive(Clone, Debug)]
enum Check {
    Text(Word, Pattern),
    Label { key: Option<String>, pattern: Pattern },
    Number(Number, Operator, f64),
}

impl Test {
    /// A bare word: part of an agent id, or a glob for all of it.
    pub(super) fn name(word: &str) -> Self {
        let check = Check::Text(|subject| subject.name().map(Into::into), Pattern::loose(word));
        Self { negated: false, check }
    }

    /// `name operator value`, each name and value with its place.
    pub(super) fn field(
        (name, name_at): (&str, usize),
        operator: Operator,
        (value, value_at): (&str, usize),
    ) -> Result<Self, Problem> {
        let (name, key) = match name.split_once('.') {
            Some((name, key)) => (name, Some(key)),
            None => (name, None),
        };
        let field = find(name).ok_or_else(|| unknown_field(name, name_at))?;
        if key.is_some() && !matches!(field.read, Read::Labels(_)) {
            let message = format!("{name} has no parts: only labels do, as in label.env:prod");
            return Err(Problem::new(name_at, message));
        }
        let check = match field.read {
            Read::Text(read) => Check::Text(read, text_pattern(field, operator, value, value_at)?),
            Read::OneOf(read, words) => {
                one_of(field, words, value, value_at)?;
                let pattern = text_pattern(field, operator, value, value_at)?;
                Check::Text(read, exact(pattern))
            }
            Read::Labels(Labels) => Check::Label {
                key: key.map(str::to_owned),
                pattern: text_pattern(field, operator, value, value_at)?,
            },
            Read::Number(unit, read) => {
                Check::Number(read, operator, number(field, unit, value, value_at)?)
            }
        };
        Ok(Self { negated: operator == Operator::NotEqual, check })
    }

    pub(super) fn holds(&self, subject: &Subject<'_>) -> bool {
        let equal = match &self.check {
            Check::Text(read, pattern) => read(subject).is_some_and(|text| pattern.matches(&text)),
            Check::Label { key, pattern } => label_holds(key.as_deref(), pattern, subject),
            Check::Number(read, operator, value) => {
                read(subject).is_some_and(|number| compare(number, *operator, *value))
            }
        };
        equal != self.negated
    }
}

fn label_holds(key: Option<&str>, pattern: &Pattern, subject: &Subject<'_>) -> bool {
    let labels = subject.entry.map_or(&[][..], |entry| &entry.identity.shared.labels);
    labels.iter().any(|(name, value)| match key {
        Some(key) => name.eq_ignore_ascii_case(key) && pattern.matches(value),
        None => pattern.matches(name) || pattern.matches(value),
    })
}

fn compare(number: f64, operator: Operator, value: f64) -> bool {
    match operator {
        Operator::Match | Operator::Equal | Operator::NotEqual => number == value,
        Operator::Greater => number > value,
        Operator::GreaterEqual => number >= value,
        Operator::Less => number < value,
        Operator::LessEqual => number <= value,
    }
}

fn text_pattern(
    field: &Field,
    operator: Operator,
    value: &str,
    at: usize,
) -> Result<Pattern, Problem> {
    match operator {
        Operator::Match => Ok(Pattern::loose(value)),
        Operator::Equal | Operator::NotEqual => Ok(Pattern::whole(value)),
        Operator::Greater | Operator::GreaterEqual | Operator::Less | Operator::LessEqual => {
            let (name, sign) = (field.name, operator.sign());
            let message = format!("{name} is text: expected {name}:{value}, = or !=, not {sign}");
            Err(Problem::new(at.saturating_sub(sign.len()), message))
        }
    }
}

/// Words of a fixed set are meant whole.
fn exact(pattern: Pattern) -> Pattern {
    match pattern {
        Pattern::Part(word) => Pattern::Whole(word),
        other => other,
    }
}

/// Checks that a value is, or as a glob matches, a word of a fixed set.
fn one_of(field: &Field, words: &[&str], value: &str, at: usize) -> Result<(), Problem> {
    let pattern = exact(Pattern::loose(value));
    if words.iter().any(|word| pattern.matches(word)) {
        return Ok(());
    }
    let hint = match (field_of_word(value), closest(value, words.iter().copied())) {
        (Some(other), _) => format!("did you mean {other}:{value}?"),
        (None, Some(word)) => format!("did you mean {word}?"),
        (None, None) => format!("expected one of {}", words.join(", ")),
    };
    Err(Problem::new(at, format!("unknown {} \"{value}\": {hint}", field.name)))
}

fn number(field: &Field, unit: Unit, value: &str, at: usize) -> Result<f64, Problem> {
    let read = match unit {
        Unit::Duration => parse_duration(value).ok().map(|duration| duration.as_micros() as f64),
        Unit::Count => value.parse().ok(),
        Unit::Percent => value.strip_suffix('%').unwrap_or(value).parse().ok(),
        Unit::Dollars => value.strip_prefix('$').unwrap_or(value).parse().ok(),
    };
    read.filter(|number: &f64| number.is_finite()).ok_or_else(|| {
        let Field { name, help, .. } = field;
        let expected = unit.expected();
        Problem::new(at, format!("{name} ({help}) is compared with {expected}, not \"{value}\""))
    })
}

fn unknown_field(name: &str, at: usize) -> Problem {
    let hint = match closest(name, names()) {
        Some(field) => format!("did you mean {field}?"),
        None => format!("expected one of {}", names().collect::<Vec<_>>().join(", ")),
    };
    Problem::new(at, format!("unknown field \"{name}\": {hint}"))
}
