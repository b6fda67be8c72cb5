//! Templates of texts: their language, what they see, and how they are tried before they are used.
//!
//! The language is that of Jinja2, without anything by which a template could read a file, include another, define a
//! macro, or run for long. Values that it prints are told apart from its own text, so that a sink escapes the one and
//! not the other: no filter and no block changes that.

mod engine;
mod error;
mod facts;
mod place;
mod rendered;
mod sample;

pub(crate) use place::offset_in_toml;

pub use error::TemplateError;
pub use facts::{IncidentFacts, MemberFacts, NoticeFacts, TemplateFacts};
pub use rendered::{RenderedText, TextSegment};

use std::sync::Arc;

use engine::{ENGINE, GLOBALS};
use error::{find_word, line_of};

/// Longest template, in bytes.
const LENGTH_MAX: usize = 16 << 10;

/// A template of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextTemplate(Arc<str>);

impl TextTemplate {
    /// Parses a template, and tries it on every kind of notice.
    ///
    /// 1. It is no longer than 16 KiB, and has no control characters.
    /// 2. It parses.
    /// 3. Each name is known, also in branches that no notice takes.
    /// 4. It renders every kind of notice of every scope, with and without what may be missing.
    ///
    /// # Errors
    /// [`TemplateError`] with the place.
    pub fn parse(source: &str) -> Result<Self, TemplateError> {
        if source.len() > LENGTH_MAX {
            let message = format!("expected at most {LENGTH_MAX} bytes, found {}", source.len());
            return Err(TemplateError { line: 1, offset: Some(0), message });
        }
        let is_control = |c: char| c.is_control() && !"\n\r\t".contains(c);
        if let Some(at) = source.find(is_control) {
            let message = "expected no control characters".to_owned();
            return Err(TemplateError { line: line_of(source, at), offset: Some(at), message });
        }
        let template = Self::of_checked(source);
        template.check_names()?;
        sample::samples().iter().try_for_each(|facts| template.render(facts).map(drop))?;
        Ok(template)
    }

    /// Takes a template that [`TextTemplate::parse`] has taken before.
    pub(crate) fn of_checked(source: &str) -> Self {
        Self(source.into())
    }

    /// Renders a text; it may be blank.
    ///
    /// # Errors
    /// [`TemplateError`] when it does not parse, takes too many steps, or does what can't be done with a value.
    pub fn render(&self, facts: &TemplateFacts) -> Result<RenderedText, TemplateError> {
        let error = |error: minijinja::Error| TemplateError::of(&error, &self.0);
        let template = ENGINE.template_from_named_str("text", &self.0).map_err(error)?;
        let (output, spans) = template.render_with_spans(facts.0.clone()).map_err(error)?;
        Ok(RenderedText::new(&output, &spans))
    }

    fn check_names(&self) -> Result<(), TemplateError> {
        let source = &*self.0;
        let error = |error: minijinja::Error| TemplateError::of(&error, source);
        let template = ENGINE.template_from_named_str("text", source).map_err(error)?;
        let mut used: Vec<String> = template.undeclared_variables(true).into_iter().collect();
        used.sort_unstable();
        let known = known_names();
        for name in used {
            let first = name.split('.').next().unwrap_or_default();
            let is_known = known.iter().any(|it| it == first) || GLOBALS.contains(&first);
            if is_known && first == name {
                continue;
            }
            let message = match is_known {
                true => format!("{first} has no parts, found {name}"),
                false => format!("there is no {name}; expected one of {}", known.join(", ")),
            };
            let offset = find_word(source, &name).or_else(|| self.place_of_undefined(&name));
            let line = offset.map_or(1, |at| line_of(source, at));
            return Err(TemplateError { line, offset, message });
        }
        Ok(())
    }

    /// Returns where the samples find that a name is not known; `None` where they do not come to it.
    fn place_of_undefined(&self, name: &str) -> Option<usize> {
        let errors = sample::samples().iter().filter_map(|facts| self.render(facts).err());
        let is_name = |at: &usize| self.0.get(*at..).is_some_and(|it| it.starts_with(name));
        errors.filter_map(|error| error.offset).find(is_name)
    }
}

/// Returns the names that a template sees.
fn known_names() -> Vec<String> {
    let facts = &sample::samples()[0];
    let names = facts.0.try_iter().into_iter().flatten();
    names.filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests;
