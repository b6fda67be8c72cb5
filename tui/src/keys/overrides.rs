//! The `[keys]` section of the config file.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use toml::Spanned;

use super::Sequence;
use crate::commands::Command;

/// The keys that a config file gives to commands, instead of their own.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct KeyOverrides(BTreeMap<Spanned<Command>, KeyList>);

/// One key, or a list of them.
#[derive(Clone, Debug, PartialEq)]
struct KeyList(Vec<Sequence>);

impl KeyOverrides {
    /// Adds the overrides of another section, which win.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Command, &[Sequence])> {
        self.0.iter().map(|(command, keys)| (*command.get_ref(), &*keys.0))
    }

    /// Byte of the text at which this command is named.
    pub(super) fn offset_of(&self, command: Command) -> Option<usize> {
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
