//! Filters as tokens.

use super::MAX_LEN;
use super::error::Problem;

/// A token, and the byte at which it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) at: usize,
    pub(super) kind: TokenKind<'a>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TokenKind<'a> {
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
        operator: Operator,
        value: &'a str,
        value_at: usize,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Match,
    Equal,
    NotEqual,
    Greater,
    GreaterEqual,
    Less,
    LessEqual,
}

impl Operator {
    /// The longer ones first: `>=` begins with `>`.
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
pub(super) fn tokens(text: &str) -> Result<Vec<Token<'_>>, Problem> {
    if text.len() > MAX_LEN {
        return Err(Problem::new(0, format!("a filter has at most {MAX_LEN} bytes")));
    }
    let mut cursor = Cursor { text, at: 0 };
    let mut tokens = Vec::new();
    loop {
        cursor.skip_spaces();
        let at = cursor.at;
        let Some(first) = cursor.peek() else { return Ok(tokens) };
        let kind = match first {
            '(' => cursor.single(TokenKind::Open),
            ')' => cursor.single(TokenKind::Close),
            '!' if !cursor.rest().starts_with("!=") => cursor.single(TokenKind::Not),
            '"' => TokenKind::Word(cursor.quoted()?),
            _ => cursor.word()?,
        };
        tokens.push(Token { at, kind });
    }
}

struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn skip_spaces(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn single(&mut self, kind: TokenKind<'a>) -> TokenKind<'a> {
        self.at += 1;
        kind
    }

    fn take_until(&mut self, ends: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let taken = &rest[..rest.find(ends).unwrap_or(rest.len())];
        self.at += taken.len();
        taken
    }

    /// A text in double quotes; there is no escape, since no text that is compared has quotes that
    /// matter.
    fn quoted(&mut self) -> Result<&'a str, Problem> {
        let opened = self.at;
        self.at += 1;
        let inner = self.take_until(|c| c == '"');
        if self.peek().is_none() {
            return Err(Problem::new(opened, "this quote is never closed: expected another \""));
        }
        self.at += 1;
        Ok(inner)
    }

    /// A bare word, a keyword, or a whole test.
    fn word(&mut self) -> Result<TokenKind<'a>, Problem> {
        let at = self.at;
        let name = self.take_until(|c| c.is_whitespace() || "()!:=<>\"".contains(c));
        let after_name = self.at;
        self.skip_spaces();
        let operator = Operator::ALL.iter().find(|(sign, _)| self.rest().starts_with(sign));
        let Some((sign, operator)) = operator else {
            self.at = after_name;
            return Ok(keyword(name));
        };
        if name.is_empty() {
            return Err(Problem::new(at, format!("expected the name of a field before {sign}")));
        }
        self.at += sign.len();
        self.skip_spaces();
        let value_at = self.at;
        let value = match self.peek() {
            Some('"') => self.quoted()?,
            _ => self.take_until(|c| c.is_whitespace() || c == '(' || c == ')'),
        };
        if value.is_empty() {
            return Err(Problem::new(value_at, format!("expected a value after {name}{sign}")));
        }
        Ok(TokenKind::Test { name, operator: *operator, value, value_at })
    }
}

fn keyword(word: &str) -> TokenKind<'_> {
    if word.eq_ignore_ascii_case("and") {
        TokenKind::And
    } else if word.eq_ignore_ascii_case("or") {
        TokenKind::Or
    } else if word.eq_ignore_ascii_case("not") {
        TokenKind::Not
    } else {
        TokenKind::Word(word)
    }
}
