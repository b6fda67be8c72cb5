//! The text of a config file, and the errors that name a place in it.

use std::fs::File;
use std::io::{self, Read as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

use heartline_operator::MissingDataDirectory;
use serde::de::DeserializeOwned;

use crate::file::LISTEN_MAX;
use crate::notice_template::{TemplateError, offset_in_toml};

/// Longest config file, in bytes. It also ends the reading of a device.
const LENGTH_MAX: u64 = 1 << 20;

/// The text of a config file.
#[derive(Clone, Debug)]
pub struct ConfigText {
    path: PathBuf,
    text: String,
}

/// A configuration that can't be used. Exit code 2.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("can't read the config file {path}: {source}; expected a TOML file")]
    Unreadable { path: PathBuf, source: io::Error },
    /// Line and column count from 1, columns in characters.
    #[error("{path}, line {line}, column {column}: {message}")]
    Malformed { path: PathBuf, line: usize, column: usize, message: String },
    #[error("--listen: expected at most {LISTEN_MAX} addresses, found {0}")]
    TooManyAddresses(usize),
    #[error(
        "the directory {0:?} is not UTF-8, which a config file must be; choose another one, or set it with \
         a flag or the environment alone"
    )]
    NotText(PathBuf),
    #[error(transparent)]
    NoDirectory(#[from] MissingDataDirectory),
}

impl ConfigText {
    /// Reads a file.
    ///
    /// # Errors
    /// [`ConfigError::Unreadable`]; [`ConfigError::Malformed`] where it is not UTF-8.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(unreadable)?;
        file.take(LENGTH_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 > LENGTH_MAX {
            return Err(unreadable(io::Error::other(format!("longer than {LENGTH_MAX} bytes"))));
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let valid = error.utf8_error().valid_up_to();
            let before = String::from_utf8_lossy(&error.as_bytes()[..valid]).into_owned();
            Self::new(path, before).error_at(valid, "invalid byte, expected UTF-8")
        })?;
        Ok(Self::new(path, text))
    }

    /// Takes the text of a file that has been read.
    pub fn new(path: &Path, text: String) -> Self {
        Self { path: path.to_owned(), text }
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the text as a document of this type.
    pub(crate) fn parse<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        toml::from_str(&self.text).map_err(|error| {
            let offset = error.span().map_or(0, |span| span.start);
            self.error_at(offset, &error.message().trim().replace('\n', "; "))
        })
    }

    /// Returns [`ConfigError::Malformed`] for the byte at `offset`.
    pub fn error_at(&self, offset: usize, message: &str) -> ConfigError {
        let before = self.text.get(..offset).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        ConfigError::Malformed {
            path: self.path.clone(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            message: message.to_owned(),
        }
    }

    /// Returns [`ConfigError::Malformed`] for what is wrong in a template that stands in `span`: at its character,
    /// or else at its begin with the line of the template.
    pub(crate) fn error_in_template(
        &self,
        span: Range<usize>,
        source: &str,
        error: &TemplateError,
    ) -> ConfigError {
        let offset = error
            .offset
            .and_then(|offset| offset_in_toml(&self.text, span.clone(), source, offset));
        match offset {
            Some(offset) => self.error_at(offset, &error.message),
            None => self.error_at(span.start, &error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_in_lines_and_characters_from_one() {
        let text = ConfigText::new(Path::new("f.toml"), "a = 1\n# ü\nüb = 2\n".to_owned());
        let error = |offset| text.error_at(offset, "no").to_string();
        assert_eq!(error(0), "f.toml, line 1, column 1: no");
        assert_eq!(error(13), "f.toml, line 3, column 2: no");
        assert_eq!(error(99), "f.toml, line 4, column 1: no");
    }

    #[test]
    fn what_is_no_text_is_refused_with_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.toml");
        let error = || ConfigText::read(&path).unwrap_err().to_string();
        assert!(error().contains("No such file"));
        std::fs::write(&path, b"# \xc3\xbc\nlisten = [\"\xff\"]\n").unwrap();
        assert!(error().contains("c.toml, line 2, column 12: invalid byte"), "{}", error());
        std::fs::write(&path, vec![b'\n'; 1 << 21]).unwrap();
        assert!(error().contains("longer than"), "{}", error());
        let error = ConfigText::read(dir.path()).unwrap_err().to_string();
        assert!(error.contains("directory") && error.contains("expected"), "{error}");
    }
}
