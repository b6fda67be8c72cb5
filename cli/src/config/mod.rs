//! The config file, as `heartline` uses it: one file for collector and operator, each with its own
//! part, both checked.

mod file;
mod show;
mod template;

pub(crate) use file::{ConfigFile, path_of};
pub(crate) use show::{show, show_keys};
pub(crate) use template::TEMPLATE;

use std::ffi::OsString;

/// Looks up a variable of the environment.
pub(crate) type Lookup<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// Reads the text of a file `h.toml`.
#[cfg(test)]
fn parse(text: &str) -> Result<ConfigFile, heartline_collector::config::ConfigError> {
    use heartline_collector::config::ConfigText;
    ConfigFile::parse(&ConfigText::of(std::path::Path::new("h.toml"), text.to_owned()))
}
