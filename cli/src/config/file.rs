//! Reading the config file: the collector's part by the collector's rules, the terminal app's by
//! those of the app.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use heartline_collector::config::{Config, ConfigError, FileConfig, Overrides};
use heartline_operator::Directories;
use heartline_tui::{Colour, KeyMap, KeyMapError, Keys, Look, ThemeName, TuiConfig};
use serde::Deserialize;

use super::Lookup;
use super::place::{complaint, key_span};
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

/// The parts that the collector leaves to others; read once more for their places.
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
        match std::fs::read_to_string(&path) {
            Ok(text) => Self::parse(&text, &path),
            Err(error) if given.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
                Ok(Self::default())
            }
            Err(error) => Err(Failure::Usage(format!(
                "can't read the config file {}: {error}",
                path.display()
            ))),
        }
    }

    /// Reads and checks the text of a file.
    ///
    /// # Errors
    /// [`Failure::Usage`]: `file:line:column: what was expected`.
    pub(crate) fn parse(text: &str, path: &Path) -> Result<Self, Failure> {
        let collector: FileConfig = toml::from_str(text).map_err(|e| malformed(path, text, &e))?;
        let sections: AppSections = toml::from_str(text).map_err(|e| malformed(path, text, &e))?;
        let mut tui = sections.tui;
        tui.keys.extend(sections.keys);
        let file = Self { path: Some(path.to_owned()), collector, tui };
        let nowhere = Directories { data: PathBuf::new(), sockets: PathBuf::new() };
        file.resolve(nowhere).map_err(|error| {
            Failure::Usage(match &error {
                ConfigError::Malformed { .. } => error.to_string(),
                _ => format!("{}: {error}", path.display()),
            })
        })?;
        file.look().map_err(|error| {
            let span = key_of(&error).and_then(|key| key_span(text, "keys", key));
            Failure::Usage(complaint(path, text, span, &error.to_string()))
        })?;
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
            self.tui.theme = Some(ThemeName::parse(name).ok_or_else(|| {
                let names = ThemeName::ALL.map(ThemeName::name).join(", ");
                Failure::Usage(format!("--theme \"{name}\": expected one of {names}"))
            })?);
        }
        Ok(())
    }
}

fn malformed(path: &Path, text: &str, error: &toml::de::Error) -> Failure {
    Failure::Usage(complaint(path, text, error.span(), error.message()))
}

/// The key of `[keys]` that an error is about.
fn key_of(error: &KeyMapError) -> Option<&str> {
    match error {
        KeyMapError::UnknownCommand(command)
        | KeyMapError::Key { command, .. }
        | KeyMapError::Clash { second: command, .. } => Some(command),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        ConfigFile::parse(text, Path::new("h.toml")).unwrap_err().to_string()
    }

    #[test]
    fn errors_of_every_part_name_file_line_and_column() {
        assert!(error("[health]\nlate = 3\n").starts_with("h.toml:2:1: "));
        assert!(error("listen = [\n").starts_with("h.toml:1:"));
        let theme = error("[tui]\n\ntheme = \"solarized\"\n");
        assert!(theme.starts_with("h.toml:3:9: "), "{theme}");
        let unknown = error("[tui]\nthem = \"dark\"\n");
        assert!(unknown.starts_with("h.toml:2:1: ") && unknown.contains("theme"), "{unknown}");
        let command = error("[keys]\n# mine\nfrieze = \"f\"\n");
        assert!(command.starts_with("h.toml:3:1: "), "{command}");
    }

    #[test]
    fn values_out_of_range_are_refused() {
        let factor = error("[health]\nlate_factor = 20\n");
        assert!(factor.starts_with("h.toml: ") && factor.contains("unreachable_factor"));
    }

    #[test]
    fn flags_win_over_the_look_of_the_file() {
        let mut file = ConfigFile::parse("[tui]\ntheme = \"light\"\n", Path::new("h")).unwrap();
        let theme = |name: &str| GlobalArgs { theme: Some(name.into()), ..GlobalArgs::default() };
        file.apply_look(&theme("mono")).unwrap();
        assert_eq!(file.tui.theme, Some(ThemeName::Mono));
        let error = file.apply_look(&theme("pink")).unwrap_err().to_string();
        assert!(error.contains("colour-blind"), "{error}");
    }

    #[test]
    fn a_missing_file_is_an_error_only_if_it_was_asked_for() {
        let lookup = |_: &str| Some("/nonexistent".into());
        assert!(ConfigFile::find(None, &lookup).unwrap().path.is_none());
        assert!(ConfigFile::find(Some(Path::new("/nonexistent/h.toml")), &lookup).is_err());
    }
}
