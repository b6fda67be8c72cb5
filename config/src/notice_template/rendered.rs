//! A text that a template has made: what stands in the template as it was written, and what values have become of.

use heartline_vocabulary::text::is_hostile;
use minijinja::{OutputSpan, OutputSpanKind};

/// A text in segments, of which a sink escapes the values alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RenderedText(Vec<TextSegment>);

/// A part of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextSegment {
    /// It stands in the template.
    Literal(String),
    /// An expression has printed it.
    Value(String),
}

impl TextSegment {
    pub fn text(&self) -> &str {
        match self {
            Self::Literal(text) | Self::Value(text) => text,
        }
    }

    fn text_mut(&mut self) -> &mut String {
        match self {
            Self::Literal(text) | Self::Value(text) => text,
        }
    }
}

impl RenderedText {
    /// Takes an output with the spans that literal text and expressions have printed.
    pub(super) fn new(output: &str, spans: &[OutputSpan]) -> Self {
        let mut text = Self::default();
        let mut at = 0;
        for span in spans {
            let range = span.output_range();
            text.push_value(output.get(at..range.start).unwrap_or_default());
            let printed = output.get(range.clone()).unwrap_or_default();
            match span.kind() {
                OutputSpanKind::Raw => text.push_literal(printed),
                // Whatever else prints is no text of the template's author.
                _ => text.push_value(printed),
            }
            at = range.end;
        }
        text.push_value(output.get(at..).unwrap_or_default());
        text.trim();
        text
    }

    pub fn segments(&self) -> &[TextSegment] {
        &self.0
    }

    /// Returns whether it says nothing.
    pub fn is_blank(&self) -> bool {
        self.0.iter().all(|segment| segment.text().trim().is_empty())
    }

    /// Returns the text on one line.
    #[must_use]
    pub fn one_line(mut self) -> Self {
        for segment in &mut self.0 {
            let text = segment.text_mut();
            *text = text.replace('\n', " ");
        }
        self
    }

    fn push_literal(&mut self, text: &str) {
        if !text.is_empty() {
            self.0.push(TextSegment::Literal(text.replace('\r', "").replace('\t', " ")));
        }
    }

    /// Facts are cleaned; what a template makes of them may have other characters.
    fn push_value(&mut self, text: &str) {
        let clean = |c: char| match c {
            '\n' => '\n',
            '\t' => ' ',
            _ if is_hostile(c) => char::REPLACEMENT_CHARACTER,
            _ => c,
        };
        if !text.is_empty() {
            self.0.push(TextSegment::Value(text.chars().map(clean).collect()));
        }
    }

    /// Removes blanks and empty lines at both ends.
    fn trim(&mut self) {
        while self.0.first().is_some_and(|it| it.text().trim().is_empty()) {
            self.0.remove(0);
        }
        while self.0.last().is_some_and(|it| it.text().trim().is_empty()) {
            self.0.pop();
        }
        if let Some(first) = self.0.first_mut().map(TextSegment::text_mut) {
            *first = first.trim_start().to_owned();
        }
        if let Some(last) = self.0.last_mut().map(TextSegment::text_mut) {
            *last = last.trim_end().to_owned();
        }
    }
}
