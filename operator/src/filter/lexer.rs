//! Splits filters into tokens.

use super::MAX_LEN;
use super::error::SyntaxError;

/// A token and its offset in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FilterToken<'a> {
    pub(super) at: usize,
    pub(super) kind: FilterTokenKind<'a>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum FilterTokenKind<'a> {
    Open,
    Close,
    Not,
    And,
    Or,
    /// A bare word: part of an agent id.
    Word(&'a str),
    /// `name operator value`.
    Test {
        name: &'a str,
        operator: ComparisonOperator,
        value: &'a str,
        value_at: usize,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ComparisonOperator {
    Match,
    Equal,
    NotEqual,
    Greater,
    GreaterEqual,
    Less,
    LessEqual,
}

impl ComparisonOperator {
    /// The longer ones first: `>=` starts with `>`.
    const ALL: [(&'static str, Self); 7] = [
        ("!=", Self::NotEqual),
        (">=", Self::GreaterEqual),
        ("<=", Self::LessEqual),
        (":", Self::Match),
        ("=", Self::Equal),
        (">", Self::Greater),
        ("<", Self::Less),
    ];

    pub(super) fn sign(self) -> &'static str {
        let found = Self::ALL.iter().find(|(_, operator)| *operator == self);
        found.map_or("", |(sign, _)| sign)
    }
}

/// Splits a filter into tokens.
pub(super) fn tokens(text: &str) -> Result<Vec<FilterToken<'_>>, SyntaxError> {
    if text.len() > MAX_LEN {
        return Err(SyntaxError::new(0, format!("a filter has at most {MAX_LEN} bytes")));
    }
    let mut cursor = LexerCursor { text, at: 0 };
    let mut tokens = Vec::new();
    loop {
        cursor.skip_spaces();
        let at = cursor.at;
        let Some(first) = cursor.peek() else { return Ok(tokens) };
        let kind = match first {
            '(' => cursor.single(FilterTokenKind::Open),
            ')' => cursor.single(FilterTokenKind::Close),
            '!' if !cursor.rest().starts_with("!=") => cursor.single(FilterTokenKind::Not),
            '"' => FilterTokenKind::Word(cursor.quoted()?),
            _ => cursor.word()?,
        };
        tokens.push(FilterToken { at, kind });
    }
}

struct LexerCursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> LexerCursor<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn skip_spaces(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn single(&mut self, kind: FilterTokenKind<'a>) -> FilterTokenKind<'a> {
        self.at += 1;
        kind
    }

    fn take_until(&mut self, ends: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let taken = &rest[..rest.find(ends).unwrap_or(rest.len())];
        self.at += taken.len();
        taken
    }

    /// Reads a text in double quotes. There is no escape for quotes.
    fn quoted(&mut self) -> Result<&'a str, SyntaxError> {
        let opened = self.at;
        self.at += 1;
        let inner = self.take_until(|c| c == '"');
        if self.peek().is_none() {
            return Err(SyntaxError::new(
                opened,
                "this quote is never closed: expected another \"",
            ));
        }
        self.at += 1;
        Ok(inner)
    }

    /// Reads a bare word, a keyword, or a whole predicate.
    fn word(&mut self) -> Result<FilterTokenKind<'a>, SyntaxError> {
        let at = self.at;
        let name = self.take_until(|c| c.is_whitespace() || "()!:=<>\"".contains(c));
        let after_name = self.at;
        self.skip_spaces();
        let operator =
            ComparisonOperator::ALL.iter().find(|(sign, _)| self.rest().starts_with(sign));
        let Some((sign, operator)) = operator else {
            self.at = after_name;
            return Ok(keyword(name));
        };
        if name.is_empty() {
            return Err(SyntaxError::new(
                at,
                format!("expected the name of a field before {sign}"),
            ));
        }
        self.at += sign.len();
        self.skip_spaces();
        let value_at = self.at;
        let value = match self.peek() {
            Some('"') => self.quoted()?,
            _ => self.take_until(|c| c.is_whitespace() || c == '(' || c == ')'),
        };
        if value.is_empty() {
            return Err(SyntaxError::new(value_at, format!("expected a value after {name}{sign}")));
        }
        Ok(FilterTokenKind::Test { name, operator: *operator, value, value_at })
    }
}

fn keyword(word: &str) -> FilterTokenKind<'_> {
    if word.eq_ignore_ascii_case("and") {
        FilterTokenKind::And
    } else if word.eq_ignore_ascii_case("or") {
        FilterTokenKind::Or
    } else if word.eq_ignore_ascii_case("not") {
        FilterTokenKind::Not
    } else {
        FilterTokenKind::Word(word)
    }
}
