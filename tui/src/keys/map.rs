//! Which keys mean which command: the registry's, and what the config file overrides.

use std::collections::BTreeMap;

use super::{Chord, KeyOverrides, Sequence};
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

/// Two commands that would have the same keys, or one's keys begin with the other's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("[keys] {keys:?} is bound to both {first} and {second}")]
pub struct KeyConflict {
    keys: String,
    first: &'static str,
    second: &'static str,
    /// Byte of the config file at which one of the two commands is named.
    pub offset: usize,
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
    /// Returns the default keys, where each command named in `overrides` has the given keys instead
    /// of its own.
    ///
    /// # Errors
    /// [`KeyConflict`] when one key would have two meanings.
    pub fn with_overrides(overrides: &KeyOverrides) -> Result<Self, KeyConflict> {
        let mut map = Self::default();
        for (command, keys) in overrides.iter() {
            map.bound.retain(|(_, bound)| *bound != command);
            map.bound.extend(keys.iter().map(|keys| (keys.clone(), command)));
        }
        let Some((keys, first, second)) = map.find_conflict() else { return Ok(map) };
        // Of the two, one may have its default keys.
        let offset = overrides.offset_of(second).or_else(|| overrides.offset_of(first));
        Err(KeyConflict {
            keys: keys.to_string(),
            first: first.name(),
            second: second.name(),
            offset: offset.unwrap_or(0),
        })
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

    fn find_conflict(&self) -> Option<(&Sequence, Command, Command)> {
        self.bound.iter().enumerate().find_map(|(at, (keys, first))| {
            let clashes =
                |other: &Sequence| other.0.starts_with(&keys.0) || keys.0.starts_with(&other.0);
            let mut later = self.bound[at + 1..].iter();
            let (_, second) = later.find(|(other, second)| clashes(other) && first != second)?;
            Some((keys, *first, *second))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_overrides(section: &str) -> Result<KeyMap, String> {
        let overrides = toml::from_str(section).map_err(|error| error.message().to_owned())?;
        KeyMap::with_overrides(&overrides).map_err(|error| error.to_string())
    }

    fn press(map: &KeyMap, keys: &str) -> Lookup {
        map.look_up(&keys.parse::<Sequence>().unwrap().0)
    }

    #[test]
    fn one_key_has_one_meaning_everywhere() {
        assert_eq!(KeyMap::default().find_conflict(), None);
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
        let map = with_overrides("freeze = \"F5\"").unwrap();
        assert_eq!(press(&map, "F5"), Lookup::Command(Command::Freeze));
        assert_eq!(press(&map, "f"), Lookup::Nothing);
        assert_eq!(map.table()["freeze"], ["F5"]);
    }

    #[test]
    fn bad_overrides_are_refused_and_say_why() {
        let error = |section| with_overrides(section).unwrap_err();
        assert!(error("frobnicate = \"x\"").contains("no command is called \"frobnicate\""));
        assert!(error("freeze = \"hyper-f\"").starts_with("no key is called"));
        assert!(error("freeze = [\"F5\", \"hyper-f\"]").starts_with("no key is called"));
        assert!(error("freeze = \"K\"").contains("bound to both"));
        assert!(error("freeze = \"g\"").contains("bound to both"));
    }
}
