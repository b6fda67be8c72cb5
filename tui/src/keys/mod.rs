//! Which keys mean which command: those of the registry, and the overrides of the config file.

mod chord;

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use toml::Spanned;

use crate::commands::{AppCommand, KeyContext, REGISTRY};

pub(crate) use chord::KeySequence;
pub use chord::{KeyChord, KeyCode};

/// The keys of all commands.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyMap {
    bound: Vec<(KeySequence, AppCommand)>,
}

/// The meaning of the keys pressed so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyLookup {
    Command(AppCommand),
    /// The beginning of a longer sequence.
    Prefix,
    Unbound,
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

/// The `[keys]` section of the config file: keys that replace those of the registry.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct KeyOverrides(BTreeMap<Spanned<AppCommand>, KeyList>);

/// One key, or a list of them.
#[derive(Clone, Debug, PartialEq)]
struct KeyList(Vec<KeySequence>);

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

    /// Returns the name and keys of every command, as in the `[keys]` section of the config file.
    pub fn table(&self) -> BTreeMap<String, Vec<String>> {
        let keys_of = |command| self.keys(command).map(ToString::to_string).collect();
        REGISTRY.iter().map(|spec| (spec.name.to_owned(), keys_of(spec.command))).collect()
    }

    /// Returns the keys of a command.
    pub(crate) fn keys(&self, command: AppCommand) -> impl Iterator<Item = &KeySequence> {
        self.bound.iter().filter(move |(_, bound)| *bound == command).map(|(keys, _)| keys)
    }

    /// Returns the keys that mean something with alt.
    pub(crate) fn alt_keys(&self) -> Vec<KeyChord> {
        let chords = self.bound.iter().flat_map(|(keys, _)| keys.0.iter());
        chords.filter(|chord| chord.alt).copied().collect()
    }

    /// Returns what keys mean where they are pressed.
    pub(crate) fn look_up(&self, pressed: &[KeyChord], context: KeyContext) -> KeyLookup {
        let means = |(keys, command): &&(KeySequence, AppCommand)| {
            keys.0.starts_with(pressed) && command.spec().contexts.contains(&context)
        };
        match self.bound.iter().find(means) {
            Some((keys, command)) if keys.0.len() == pressed.len() => KeyLookup::Command(*command),
            Some(_) => KeyLookup::Prefix,
            None => KeyLookup::Unbound,
        }
    }

    fn find_conflict(&self) -> Option<(&KeySequence, AppCommand, AppCommand)> {
        self.bound.iter().enumerate().find_map(|(at, (keys, first))| {
            let clashes =
                |other: &KeySequence| other.0.starts_with(&keys.0) || keys.0.starts_with(&other.0);
            let mut later = self.bound[at + 1..].iter();
            let (_, second) = later.find(|(other, second)| {
                clashes(other) && first != second && first.shares_context(*second)
            })?;
            Some((keys, *first, *second))
        })
    }
}

impl KeyOverrides {
    /// Adds the overrides of another section, which take precedence.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    fn iter(&self) -> impl Iterator<Item = (AppCommand, &[KeySequence])> {
        self.0.iter().map(|(command, keys)| (*command.get_ref(), &*keys.0))
    }

    /// Returns the byte of the config file at which a command is named.
    fn offset_of(&self, command: AppCommand) -> Option<usize> {
        let mut commands = self.0.keys();
        commands.find(|it| *it.get_ref() == command).map(|it| it.span().start)
    }
}

impl<'de> Deserialize<'de> for KeyList {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(KeyListVisitor)
    }
}

struct KeyListVisitor;

impl<'de> Visitor<'de> for KeyListVisitor {
    type Value = KeyList;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key such as \"F5\", or a list of keys")
    }

    fn visit_str<E: de::Error>(self, key: &str) -> Result<KeyList, E> {
        key.parse().map(|key| KeyList(vec![key])).map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<KeyList, A::Error> {
        let mut keys = Vec::new();
        while let Some(key) = list.next_element()? {
            keys.push(key);
        }
        Ok(KeyList(keys))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_overrides(section: &str) -> Result<KeyMap, String> {
        let overrides = toml::from_str(section).map_err(|error| error.message().to_owned())?;
        KeyMap::with_overrides(&overrides).map_err(|error| error.to_string())
    }

    fn press(map: &KeyMap, keys: &str) -> KeyLookup {
        press_on(map, keys, KeyContext::Fleet)
    }

    fn press_on(map: &KeyMap, keys: &str, context: KeyContext) -> KeyLookup {
        map.look_up(&keys.parse::<KeySequence>().unwrap().0, context)
    }

    #[test]
    fn no_default_key_is_bound_twice() {
        assert_eq!(KeyMap::default().find_conflict(), None);
    }

    #[test]
    fn the_first_key_of_a_sequence_waits_for_the_second() {
        let map = KeyMap::default();
        assert_eq!(press(&map, "g"), KeyLookup::Prefix);
        assert_eq!(press(&map, "g g"), KeyLookup::Command(AppCommand::Top));
        assert_eq!(press(&map, "g x"), KeyLookup::Unbound);
    }

    #[test]
    fn a_key_can_mean_different_things_on_different_screens() {
        let map = KeyMap::default();
        assert_eq!(press(&map, "Left"), KeyLookup::Command(AppCommand::FoldClose));
        let on_timeline = press_on(&map, "Left", KeyContext::Timeline);
        assert_eq!(on_timeline, KeyLookup::Command(AppCommand::CursorLeft));
        assert_eq!(press_on(&map, "Left", KeyContext::Dialog), KeyLookup::Unbound);
        assert!(with_overrides("zoom-in = \"K\"").is_ok(), "no kill is given on the timeline");
        assert!(with_overrides("zoom-in = \"j\"").unwrap_err().contains("bound to both"));
    }

    #[test]
    fn an_override_replaces_every_key_of_its_command() {
        let map = with_overrides("freeze = \"F5\"").unwrap();
        assert_eq!(press(&map, "F5"), KeyLookup::Command(AppCommand::Freeze));
        assert_eq!(press(&map, "f"), KeyLookup::Unbound);
        assert_eq!(map.table()["freeze"], ["F5"]);
    }

    #[test]
    fn an_invalid_override_is_an_error_that_says_why() {
        let error = |section| with_overrides(section).unwrap_err();
        assert!(error("frobnicate = \"x\"").contains("no command is called \"frobnicate\""));
        assert!(error("freeze = \"hyper-f\"").starts_with("no key is called"));
        assert!(error("freeze = [\"F5\", \"hyper-f\"]").starts_with("no key is called"));
        assert!(error("freeze = \"K\"").contains("bound to both"));
        assert!(error("freeze = \"g\"").contains("bound to both"));
    }
}
