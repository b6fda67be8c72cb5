//! Reading the config file: the collector's part by the collector's rules, the terminal app's by
//! those of the app.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use heartline_collector::config::{Config, ConfigError, ConfigText, FileConfig, Overrides, Place};
use heartline_operator::Directories;
use heartline_tui::{Colour, KeyMap, KeyMapError, Keys, Look, ThemeName, TuiConfig};
use serde::Deserialize;

use super::Lookup;
use crate::args::GlobalArgs;
use crate::failure::Failure;

/// A config file that has been read and checked, or the defaults when there is none.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConfigFile {
    /// Where it is, if it is there.
    pub(crate) path: Option<PathBuf>,
    /// The collector's part.
    pub(crate) collector: FileConfig,
    /// The terminal app's, with the keys.
    pub(crate) tui: TuiConfig,
}

/// The parts that the collector leaves to others, as they stand in the file.
#[derive(Default, Deserialize)]
#[serde(default)]
struct AppSections {
    tui: TuiConfig,
    keys: BTreeMap<String, Keys>,
}

/// Where the config file is, or would be: `--config`, `$XDG_CONFIG_HOME/heartline/heartline.toml`,
/// `~/.config/heartline/heartline.toml`.
///
/// # Errors
/// [`Failure::Usage`] when there is no home to look in.
pub(crate) fn path_of(given: Option<&Path>, lookup: Lookup<'_>) -> Result<PathBuf, Failure> {
    let set = |name| lookup(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    given
        .map(Path::to_owned)
        .or_else(|| set("XDG_CONFIG_HOME").map(|home| home.join("heartline/heartline.toml")))
        .or_else(|| set("HOME").map(|home| home.join(".config/heartline/heartline.toml")))
        .ok_or_else(|| Failure::Usage("no config file: HOME is not set; pass --config".to_owned()))
}

impl ConfigFile {
    /// Reads the file that was given, or the default one if it is there.
    ///
    /// # Errors
    /// [`Failure::Usage`], with file, line and column where it is about its text.
    pub(crate) fn find(given: Option<&Path>, lookup: Lookup<'_>) -> Result<Self, Failure> {
        let Ok(path) = path_of(given, lookup) else { return Ok(Self::default()) };
        match ConfigText::read(&path) {
            Ok(text) => Self::parse(&text).map_err(|error| usage(&error)),
            Err(ConfigError::Unreadable { source, .. })
                if given.is_none() && source.kind() == ErrorKind::NotFound =>
            {
                Ok(Self::default())
            }
            Err(error) => Err(usage(&error)),
        }
    }

    /// Reads and checks the text of a file.
    ///
    /// # Errors
    /// [`ConfigError::Malformed`], with the place and what was expected.
    pub(crate) fn parse(text: &ConfigText) -> Result<Self, ConfigError> {
        let collector = FileConfig::of(text)?;
        let sections: AppSections = text.parse()?;
        let mut tui = sections.tui;
        tui.keys.extend(sections.keys);
        let file = Self { path: Some(text.path().to_owned()), collector, tui };
        file.look().map_err(|error| text.wrong(&places_of(&error), error.to_string()))?;
        Ok(file)
    }

    /// The collector's settings.
    ///
    /// # Errors
    /// As [`FileConfig::resolve`].
    pub(crate) fn resolve(&self, directories: Directories) -> Result<Config, ConfigError> {
        let places = (directories.data, directories.sockets);
        self.collector.clone().resolve(&Overrides::default(), places)
    }

    /// How the terminal app looks.
    pub(crate) fn look(&self) -> Result<Look, KeyMapError> {
        self.tui.resolve(Colour::from_env())
    }

    /// The keys of the terminal app.
    ///
    /// # Errors
    /// [`Failure::Usage`] when they can't be used.
    pub(crate) fn keymap(&self) -> Result<KeyMap, Failure> {
        let list = |keys: &Keys| match keys {
            Keys::One(key) => vec![key.clone()],
            Keys::Several(keys) => keys.clone(),
        };
        let own = self.tui.keys.iter().map(|(name, keys)| (name.clone(), list(keys))).collect();
        KeyMap::with_overrides(&own).map_err(|error| Failure::Usage(error.to_string()))
    }

    /// Lets `--theme` and `--ascii` win over the file.
    ///
    /// # Errors
    /// [`Failure::Usage`] when there is no such theme.
    pub(crate) fn apply_look(&mut self, global: &GlobalArgs) -> Result<(), Failure> {
        self.tui.ascii |= global.ascii;
        if let Some(name) = &global.theme {
            let theme = ThemeName::parse(name);
            self.tui.theme =
                Some(theme.map_err(|error| Failure::Usage(format!("--theme: {error}")))?);
        }
        Ok(())
    }
}

fn usage(error: &ConfigError) -> Failure {
    Failure::Usage(error.to_string())
}

/// The keys of the file that an error may be about. Of two that clash, one may be a default.
fn places_of(error: &KeyMapError) -> Vec<Place<'_>> {
    let commands: &[&String] = match error {
        KeyMapError::UnknownCommand(command) | KeyMapError::Key { command, .. } => &[command],
        KeyMapError::Clash { first, second, .. } => &[second, first],
    };
    let in_table = |table| commands.iter().map(move |key| Place { table, nth: 0, key });
    in_table("keys").chain(in_table("tui.keys")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    #[test]
    fn errors_of_every_part_name_file_line_and_what_was_expected() {
        let table = [
            ("[health]\nlate = 3\n", "line 2, column 1: unknown key `late`, expected one of"),
            ("[health]\nlate_factor = 20\n", "line 2, column 1: [health]: expected 1 <="),
            ("[tui]\n\ntheme = \"solarized\"\n", "line 3, column 9: expected one of dark, light"),
            ("[tui]\ntheme = 3\n", "line 2, column 9: expected a text in quotes"),
            ("[tui]\nthem = \"dark\"\n", "line 2, column 1: unknown key `them`, expected one of"),
            ("[tui]\nascii = \"yes\"\n", "line 2, column 9: expected a boolean"),
            ("[keys]\n# mine\nfrieze = \"f\"\n", "line 3, column 1: [keys] frieze: no command"),
            ("[keys]\n\nfreeze = 3\n", "line 3, column 10: expected a key such as \"F5\""),
            ("[keys]\nfreeze = \"q\"\n", "line 2, column 1: [keys] \"q\" is bound to both"),
            ("[tui.keys]\nquit = \"f\"\n", "line 2, column 1: [keys] \"f\" is bound to both"),
        ];
        for (text, said) in table {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.starts_with(&format!("h.toml, {said}")), "{error}");
        }
    }

    #[test]
    fn flags_win_over_the_look_of_the_file() {
        let mut file = parse("[tui]\ntheme = \"light\"\n").unwrap();
        let theme = |name: &str| GlobalArgs { theme: Some(name.into()), ..GlobalArgs::default() };
        file.apply_look(&theme("mono")).unwrap();
        assert_eq!(file.tui.theme, Some(ThemeName::MonoTime));
        let error = file.apply_look(&theme("pink")).unwrap_err().to_string();
        assert!(error.contains("colour-blind"), "{error}");
    }

    #[test]
    fn a_missing_file_is_an_error_only_if_it_was_asked_for() {
        let lookup = |_: &str| Some("/nonexistent".into());
        assert!(ConfigFile::find(None, &lookup).unwrap().path.is_none());
        assert!(ConfigFile::find(Some(Path::new("/nonexistent/h.toml")), &lookup).is_err());
        let dir = tempfile::tempdir().unwrap();
        let error = ConfigFile::find(Some(dir.path()), &lookup).unwrap_err().to_string();
        assert!(error.contains("directory"), "{error}");
    }
}
