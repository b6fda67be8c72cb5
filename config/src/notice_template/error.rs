//! What is wrong with a template, and where.

use minijinja::{Error, ErrorKind};

/// A template that can't be used, or a text that could not be rendered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the text: {message}")]
pub struct TemplateError {
    /// From 1.
    pub(crate) line: usize,
    /// In bytes of the template, where it is known.
    pub(crate) offset: Option<usize>,
    pub(crate) message: String,
}

impl TemplateError {
    /// Says in the words of a config file what the engine has found.
    pub(super) fn of(error: &Error, source: &str) -> Self {
        let range = error.range().filter(|it| it.start <= source.len());
        let line = error.line().unwrap_or(1);
        let at = range.clone().and_then(|it| source.get(it)).unwrap_or_default().trim();
        let message = match (error.kind(), error.detail()) {
            (ErrorKind::OutOfFuel, _) => "it takes too many steps".to_owned(),
            (kind, None) => kind.to_string(),
            (ErrorKind::SyntaxError | ErrorKind::UndefinedError, Some(detail)) => detail.to_owned(),
            (_, Some(detail)) if at.is_empty() => detail.to_owned(),
            (_, Some(detail)) => format!("{detail}, in {at}"),
        };
        let offset = range.map(|it| it.start).or_else(|| line_start(source, line));
        Self { line, offset, message: message.replace('\n', " ") }
    }
}

/// Returns where a line begins.
fn line_start(source: &str, line: usize) -> Option<usize> {
    let newlines = source.match_indices('\n').map(|(at, _)| at + 1);
    std::iter::once(0).chain(newlines).nth(line.checked_sub(1)?)
}

/// Returns the line of a byte, from 1.
pub(super) fn line_of(source: &str, at: usize) -> usize {
    source.get(..at).unwrap_or(source).matches('\n').count() + 1
}

/// Returns where a name stands that is written once. Of one that is written twice it is not known which is meant.
pub(super) fn find_word(source: &str, name: &str) -> Option<usize> {
    let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let is_word = |at: &usize| {
        let (before, after) = (&source[..*at], &source[at + name.len()..]);
        !is_part(before.chars().next_back()) && !is_part(after.chars().next())
    };
    let mut found = source.match_indices(name).map(|it| it.0).filter(is_word);
    match (found.next(), found.next()) {
        (Some(at), None) => Some(at),
        _ => None,
    }
}
