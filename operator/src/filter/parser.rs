//! Parses tokens into an expression: recursive descent, a function for each rule of the grammar.

use super::error::SyntaxError;
use super::lexer::{FilterToken, FilterTokenKind, tokens};
use super::predicate::FieldPredicate;
use super::{FilterExpression, MAX_NESTING};

/// Parses a whole filter.
pub(super) fn parse(text: &str) -> Result<FilterExpression, SyntaxError> {
    let tokens = tokens(text)?;
    if tokens.is_empty() {
        return Ok(FilterExpression::All(Vec::new()));
    }
    let mut parser = FilterParser { tokens: &tokens, end: text.trim_end().len(), depth: 0 };
    let expression = parser.any()?;
    match parser.tokens.first() {
        None => Ok(expression),
        Some(token) => {
            Err(SyntaxError::new(token.at, "this parenthesis closes nothing: expected ( before it"))
        }
    }
}

struct FilterParser<'t, 'a> {
    tokens: &'t [FilterToken<'a>],
    /// Offset of the end of the text, where a token is missing.
    end: usize,
    depth: usize,
}

impl<'a> FilterParser<'_, 'a> {
    fn next_is(&self, kind: &FilterTokenKind<'_>) -> bool {
        self.tokens.first().is_some_and(|token| token.kind == *kind)
    }

    fn take(&mut self) -> Option<FilterToken<'a>> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(first.clone())
    }

    fn any(&mut self) -> Result<FilterExpression, SyntaxError> {
        let mut parts = vec![self.all()?];
        while self.next_is(&FilterTokenKind::Or) {
            self.take();
            parts.push(self.all()?);
        }
        Ok(single_or(parts, FilterExpression::Any))
    }

    fn all(&mut self) -> Result<FilterExpression, SyntaxError> {
        let mut parts = vec![self.unary()?];
        loop {
            if self.next_is(&FilterTokenKind::And) {
                self.take();
            } else if self.tokens.is_empty()
                || self.next_is(&FilterTokenKind::Or)
                || self.next_is(&FilterTokenKind::Close)
            {
                return Ok(single_or(parts, FilterExpression::All));
            }
            parts.push(self.unary()?);
        }
    }

    fn unary(&mut self) -> Result<FilterExpression, SyntaxError> {
        const EXPECTED: &str = "expected a test such as state:degraded, a name, ! or (";
        let Some(token) = self.take() else { return Err(SyntaxError::new(self.end, EXPECTED)) };
        match token.kind {
            FilterTokenKind::Not => {
                let part = self.nested(token.at, Self::unary)?;
                Ok(FilterExpression::Not(Box::new(part)))
            }
            FilterTokenKind::Open => {
                let part = self.nested(token.at, Self::any)?;
                if !self.next_is(&FilterTokenKind::Close) {
                    let at = token.at;
                    return Err(SyntaxError::new(
                        at,
                        "this parenthesis is never closed: expected )",
                    ));
                }
                self.take();
                Ok(part)
            }
            FilterTokenKind::Word(word) => Ok(FilterExpression::Test(FieldPredicate::name(word))),
            FilterTokenKind::Test { name, operator, value, value_at } => {
                FieldPredicate::field((name, token.at), operator, (value, value_at))
                    .map(FilterExpression::Test)
            }
            FilterTokenKind::And | FilterTokenKind::Or | FilterTokenKind::Close => {
                Err(SyntaxError::new(token.at, EXPECTED))
            }
        }
    }

    fn nested(
        &mut self,
        at: usize,
        rule: impl FnOnce(&mut Self) -> Result<FilterExpression, SyntaxError>,
    ) -> Result<FilterExpression, SyntaxError> {
        if self.depth == MAX_NESTING {
            return Err(SyntaxError::new(at, format!("filters nest at most {MAX_NESTING} deep")));
        }
        self.depth += 1;
        let result = rule(self);
        self.depth -= 1;
        result
    }
}

fn single_or(
    mut parts: Vec<FilterExpression>,
    join: impl FnOnce(Vec<FilterExpression>) -> FilterExpression,
) -> FilterExpression {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        Some(last) => {
            parts.push(last);
            join(parts)
        }
        None => join(parts),
    }
}
