//! Which keys mean which command: the registry's, and what the config file overrides.

use std::collections::BTreeMap;

use super::{Chord, ParseKeyError, Sequence};
use crate::commands::{Command, REGISTRY};

/// The keys of every command.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyMap {
    bound: Vec<(Sequence, Command)>,
}

/// What some keys, pressed so far, mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lookup {
    Command(Command),
    /// The beginning of a longer sequence.
    Prefix,
    Nothing,
}

/// A `[keys]` section that can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyMapError {
    /// No command has that name.
    #[error("[keys] {0}: no command has this name; `heartline config show keys` lists them")]
    UnknownCommand(String),
    /// A key can't be understood.
    #[error("[keys] {command}: {source}")]
    Key {
        /// The command it was for.
        command: String,
        /// What is wrong with it.
        source: ParseKeyError,
    },
    /// Two commands would have the same key, or one's keys begin with the other's.
    #[error("[keys] {keys:?} is bound to both {first} and {second}")]
    Clash {
        /// The keys.
        keys: String,
        /// One command.
        first: String,
        /// The other one.
        second: String,
    },
}

impl Default for KeyMap {
    fn default() -> Self {
        let bound = REGISTRY.iter().flat_map(|spec| {
            spec.keys
                .iter()
                .map(|keys| (keys.parse().expect("the registry's keys are tested"), spec.command))
        });
        Self { bound: bound.collect() }
    }
}

impl KeyMap {
    /// The default keys, where each command named in `overrides` has the given keys instead of its
    /// own.
    ///
    /// # Errors
    /// An unknown command, a key that can't be understood, or one key for two commands.
    pub fn with_overrides(overrides: &BTreeMap<String, Vec<String>>) -> Result<Self, KeyMapError> {
        let mut map = Self::default();
        for (name, keys) in overrides {
            let command =
                Command::named(name).ok_or_else(|| KeyMapError::UnknownCommand(name.clone()))?;
            map.bound.retain(|(_, bound)| *bound != command);
            for text in keys {
                let keys = text
                    .parse()
                    .map_err(|source| KeyMapError::Key { command: name.clone(), source })?;
                map.bound.push((keys, command));
            }
        }
        map.check()?;
        Ok(map)
    }

    /// Every command's name and keys, as the `[keys]` section of the config file has them.
    #[must_use]
    pub fn table(&self) -> BTreeMap<String, Vec<String>> {
        let keys_of = |command| self.keys(command).map(ToString::to_string).collect();
        REGISTRY.iter().map(|spec| (spec.name.to_owned(), keys_of(spec.command))).collect()
    }

    /// The keys of one command, the first one first.
    pub(crate) fn keys(&self, command: Command) -> impl Iterator<Item = &Sequence> {
        self.bound.iter().filter(move |(_, bound)| *bound == command).map(|(keys, _)| keys)
    }

    pub(crate) fn look_up(&self, pressed: &[Chord]) -> Lookup {
        let starts = |keys: &Sequence| keys.0.starts_with(pressed);
        match self.bound.iter().find(|(keys, _)| starts(keys)) {
            Some((keys, command)) if keys.0.len() == pressed.len() => Lookup::Command(*command),
            Some(_) => Lookup::Prefix,
            None => Lookup::Nothing,
        }
    }

    fn check(&self) -> Result<(), KeyMapError> {
        for (at, (keys, first)) in self.bound.iter().enumerate() {
            let clashes =
                |other: &Sequence| other.0.starts_with(&keys.0) || keys.0.starts_with(&other.0);
            let clash =
                self.bound[at + 1..].iter().find(|(k, second)| clashes(k) && first != second);
            if let Some((_, second)) = clash {
                return Err(KeyMapError::Clash {
                    keys: keys.to_string(),
                    first: first.name().to_owned(),
                    second: second.name().to_owned(),
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overrides(of: &[(&str, &[&str])]) -> BTreeMap<String, Vec<String>> {
        let owned = |keys: &[&str]| keys.iter().map(|&key| key.to_owned()).collect();
        of.iter().map(|(name, keys)| ((*name).to_owned(), owned(keys))).collect()
    }

    fn press(map: &KeyMap, keys: &str) -> Lookup {
        map.look_up(&keys.parse::<Sequence>().unwrap().0)
    }

    #[test]
    fn one_key_has_one_meaning_everywhere() {
        assert_eq!(KeyMap::default().check(), Ok(()));
    }

    #[test]
    fn two_keys_in_a_row_wait_for_the_second() {
        let map = KeyMap::default();
        assert_eq!(press(&map, "g"), Lookup::Prefix);
        assert_eq!(press(&map, "g g"), Lookup::Command(Command::Top));
        assert_eq!(press(&map, "g x"), Lookup::Nothing);
    }

    #[test]
    fn an_override_replaces_every_key_of_its_command() {
        let map = KeyMap::with_overrides(&overrides(&[("freeze", &["F5"])])).unwrap();
        assert_eq!(press(&map, "F5"), Lookup::Command(Command::Freeze));
        assert_eq!(press(&map, "f"), Lookup::Nothing);
        assert_eq!(map.table()["freeze"], ["F5"]);
    }

    #[test]
    fn bad_overrides_are_refused_and_say_why() {
        let error = |of: &[(&str, &[&str])]| {
            KeyMap::with_overrides(&overrides(of)).unwrap_err().to_string()
        };
        assert!(error(&[("frobnicate", &["x"])]).contains("no command has this name"));
        assert!(error(&[("freeze", &["hyper-f"])]).starts_with("[keys] freeze: no key is called"));
        assert!(error(&[("freeze", &["K"])]).contains("bound to both"));
        assert!(error(&[("freeze", &["g"])]).contains("bound to both"));
    }
}
