//! Tokens as an expression: recursive descent, a function for each rule of the grammar.

use super::error::Problem;
use super::lexer::{Token, TokenKind, tokens};
use super::test::Test;
use super::{Expression, MAX_NESTING};

/// Reads a whole filter.
pub(super) fn parse(text: &str) -> Result<Expression, Problem> {
    let tokens = tokens(text)?;
    if tokens.is_empty() {
        return Ok(Expression::All(Vec::new()));
    }
    let mut parser = Parser { tokens: &tokens, end: text.trim_end().len(), depth: 0 };
    let expression = parser.any()?;
    match parser.tokens.first() {
        None => Ok(expression),
        Some(token) => {
            Err(Problem::new(token.at, "this parenthesis closes nothing: expected ( before it"))
        }
    }
}

struct Parser<'t, 'a> {
    tokens: &'t [Token<'a>],
    /// Where the text ends: the place of what is missing there.
    end: usize,
    depth: usize,
}

impl<'a> Parser<'_, 'a> {
    fn next_is(&self, kind: &TokenKind<'_>) -> bool {
        self.tokens.first().is_some_and(|token| token.kind == *kind)
    }

    fn take(&mut self) -> Option<Token<'a>> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(first.clone())
    }

    fn any(&mut self) -> Result<Expression, Problem> {
        let mut parts = vec![self.all()?];
        while self.next_is(&TokenKind::Or) {
            self.take();
            parts.push(self.all()?);
        }
        Ok(single_or(parts, Expression::Any))
    }

    fn all(&mut self) -> Result<Expression, Problem> {
        let mut parts = vec![self.unary()?];
        loop {
            if self.next_is(&TokenKind::And) {
                self.take();
            } else if self.tokens.is_empty()
                || self.next_is(&TokenKind::Or)
                || self.next_is(&TokenKind::Close)
            {
                return Ok(single_or(parts, Expression::All));
            }
            parts.push(self.unary()?);
        }
    }

    fn unary(&mut self) -> Result<Expression, Problem> {
        const EXPECTED: &str = "expected a test such as state:degraded, a name, ! or (";
        let Some(token) = self.take() else { return Err(Problem::new(self.end, EXPECTED)) };
        match token.kind {
            TokenKind::Not => {
                let part = self.nested(token.at, Self::unary)?;
                Ok(Expression::Not(Box::new(part)))
            }
            TokenKind::Open => {
                let part = self.nested(token.at, Self::any)?;
                if !self.next_is(&TokenKind::Close) {
                    let at = token.at;
                    return Err(Problem::new(at, "this parenthesis is never closed: expected )"));
                }
                self.take();
                Ok(part)
            }
            TokenKind::Word(word) => Ok(Expression::Test(Test::name(word))),
            TokenKind::Test { name, operator, value, value_at } => {
                Test::field((name, token.at), operator, (value, value_at)).map(Expression::Test)
            }
            TokenKind::And | TokenKind::Or | TokenKind::Close => {
                Err(Problem::new(token.at, EXPECTED))
            }
        }
    }

    fn nested(
        &mut self,
        at: usize,
        rule: impl FnOnce(&mut Self) -> Result<Expression, Problem>,
    ) -> Result<Expression, Problem> {
        if self.depth == MAX_NESTING {
            return Err(Problem::new(at, format!("filters nest at most {MAX_NESTING} deep")));
        }
        self.depth += 1;
        let result = rule(self);
        self.depth -= 1;
        result
    }
}

fn single_or(
    mut parts: Vec<Expression>,
    join: impl FnOnce(Vec<Expression>) -> Expression,
) -> Expression {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        Some(last) => {
            parts.push(last);
            join(parts)
        }
        None => join(parts),
    }
}
