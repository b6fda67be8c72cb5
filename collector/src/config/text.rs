//! The text of a config file, and where in it things stand. `heartlined` and `heartline` read the
//! same file and complain about it in the same words.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use toml::de::{DeTable, DeValue};

use super::error::ConfigError;
use super::words::in_words;

/// Longest config file, in bytes. It also ends the reading of a device.
const LENGTH_MAX: u64 = 1 << 20;

/// The text of a config file.
#[derive(Clone, Debug)]
pub struct ConfigText {
    path: PathBuf,
    text: String,
}

/// A key of a config file.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Its table, with dots between nested ones; empty: none.
    pub table: &'a str,
    /// Which of the tables of that name, from 0.
    pub nth: usize,
    /// The key itself.
    pub key: &'a str,
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
            let message = "expected UTF-8, found a byte that is none".to_owned();
            Self::of(path, before).at(valid, message)
        })?;
        Ok(Self::of(path, text))
    }

    /// The text of a file that has been read.
    #[must_use]
    pub fn of(path: &Path, text: String) -> Self {
        Self { path: path.to_owned(), text }
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the text as a document of this type.
    ///
    /// # Errors
    /// [`ConfigError::Malformed`], with the place and what was expected.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        toml::from_str(&self.text).map_err(|error| {
            let span = error.span().unwrap_or(0..0);
            let snippet = self.text.get(span.clone()).unwrap_or_default();
            self.at(span.start, in_words(error.message(), snippet))
        })
    }

    /// What is wrong about a value: at the first of these keys that the file has.
    #[must_use]
    pub fn wrong(&self, places: &[Place<'_>], message: String) -> ConfigError {
        let offset = DeTable::parse(&self.text)
            .ok()
            .and_then(|document| places.iter().find_map(|place| place.offset(document.get_ref())));
        self.at(offset.unwrap_or(0), message)
    }

    /// [`ConfigError::Malformed`] at a byte of the text.
    fn at(&self, offset: usize, message: String) -> ConfigError {
        let before = self.text.get(..offset).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        ConfigError::Malformed {
            path: self.path.clone(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            message,
        }
    }
}

impl Place<'_> {
    fn offset(&self, root: &DeTable<'_>) -> Option<usize> {
        let mut table = root;
        for name in self.table.split('.').filter(|name| !name.is_empty()) {
            let mut value = table.get(name)?.get_ref();
            if let DeValue::Array(tables) = value {
                value = tables.get(self.nth)?.get_ref();
            }
            let DeValue::Table(inner) = value else { return None };
            table = inner;
        }
        let (key, _) = table.get_key_value(self.key)?;
        Some(key.span().start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place<'a>(table: &'a str, nth: usize, key: &'a str) -> Place<'a> {
        Place { table, nth, key }
    }

    #[test]
    fn places_are_counted_in_lines_and_characters_from_one() {
        let text = "a = 1\n# ü\n\"ü\" = 1\nb.c = 2\n[[t]]\n[[t]]\n  d = 3\n";
        let file = ConfigText::of(Path::new("f.toml"), text.to_owned());
        let said = |places: &[Place<'_>]| file.wrong(places, "no".to_owned()).to_string();
        assert_eq!(said(&[place("", 0, "ü")]), "f.toml, line 3, column 1: no");
        assert_eq!(said(&[place("b", 0, "c")]), "f.toml, line 4, column 3: no");
        assert_eq!(said(&[place("t", 1, "d")]), "f.toml, line 7, column 3: no");
        assert_eq!(said(&[place("t", 0, "d"), place("", 0, "a")]), "f.toml, line 1, column 1: no");
        assert_eq!(said(&[place("none", 0, "d")]), "f.toml, line 1, column 1: no");
    }

    #[test]
    fn what_is_no_text_is_refused_with_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.toml");
        let error = || ConfigText::read(&path).unwrap_err().to_string();
        assert!(error().contains("No such file"));
        std::fs::write(&path, b"# \xc3\xbc\nlisten = [\"\xff\"]\n").unwrap();
        assert!(error().contains("c.toml, line 2, column 12: expected UTF-8"), "{}", error());
        std::fs::write(&path, vec![b'\n'; 1 << 21]).unwrap();
        assert!(error().contains("longer than"), "{}", error());
        let error = ConfigText::read(dir.path()).unwrap_err().to_string();
        assert!(error.contains("directory") && error.contains("expected"), "{error}");
    }
}
