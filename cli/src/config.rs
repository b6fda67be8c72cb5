//! The config file, as `heartline` uses it: the collector's settings and the terminal app's.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use heartline_config::{ConfigError, ConfigFile, ConfigText};
use heartline_operator::CollectorDirectories;
use heartline_operator::text::GlyphSet;
use heartline_tui::{ColourPreference, KeyMap, KeyOverrides, ThemeName, TuiConfig, TuiSettings};

use crate::args::GlobalArgs;
use crate::error::CliError;
use crate::terminal::{self, TerminalKind};

/// Looks up a variable of the environment.
pub(crate) type Lookup<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// A config file that has been read and checked, or the defaults where there is none.
#[derive(Debug, Default)]
pub(crate) struct LoadedConfig {
    /// `None`: there is no file.
    pub(crate) path: Option<PathBuf>,
    pub(crate) file: ConfigFile<TuiConfig, KeyOverrides>,
    /// `[tui]` and `[keys]`, below `--theme` and `--ascii`.
    pub(crate) tui: TuiConfig,
}

/// Returns where the config file is, or would be: `--config`,
/// `$XDG_CONFIG_HOME/heartline/heartline.toml`, `~/.config/heartline/heartline.toml`.
///
/// # Errors
/// [`CliError::Usage`] when there is no home directory.
pub(crate) fn path_of(flag: Option<&Path>, lookup: Lookup<'_>) -> Result<PathBuf, CliError> {
    let set = |name| lookup(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    flag.map(Path::to_owned)
        .or_else(|| set("XDG_CONFIG_HOME").map(|home| home.join("heartline/heartline.toml")))
        .or_else(|| set("HOME").map(|home| home.join(".config/heartline/heartline.toml")))
        .ok_or_else(|| CliError::Usage("no config file: HOME is not set; pass --config".to_owned()))
}

impl LoadedConfig {
    /// Reads the file that `--config` names, or the default one if it is there. `--theme`, `--ascii`
    /// and `--unicode` win over it.
    ///
    /// # Errors
    /// [`CliError::Usage`], with file, line and column where it is about its text.
    pub(crate) fn load(global: &GlobalArgs, lookup: Lookup<'_>) -> Result<Self, CliError> {
        let flag = global.config.as_deref();
        let mut config = match path_of(flag, lookup).map(|path| ConfigText::read(&path)) {
            Ok(Ok(text)) => Self::parse(&text).map_err(CliError::usage)?,
            Ok(Err(ConfigError::Unreadable { source, .. }))
                if flag.is_none() && source.kind() == ErrorKind::NotFound =>
            {
                Self::default()
            }
            Ok(Err(error)) => return Err(CliError::usage(error)),
            Err(_no_home) => Self::default(),
        };
        let is_ascii = config.tui.ascii || terminal::glyph_set(lookup) == GlyphSet::Ascii;
        config.tui.ascii = global.ascii || (is_ascii && !global.unicode);
        if let Some(name) = &global.theme {
            let theme = ThemeName::parse(name);
            config.tui.theme =
                Some(theme.map_err(|error| CliError::Usage(format!("--theme: {error}")))?);
        }
        Ok(config)
    }

    fn parse(text: &ConfigText) -> Result<Self, ConfigError> {
        let mut file = ConfigFile::<TuiConfig, KeyOverrides>::parse(text)?;
        let mut tui = file.tui.take().unwrap_or_default();
        tui.keys.extend(file.keys.take().unwrap_or_default());
        KeyMap::with_overrides(&tui.keys)
            .map_err(|error| text.error_at(error.offset, &error.to_string()))?;
        Ok(Self { path: Some(text.path().to_owned()), file, tui })
    }

    /// Returns the resolved settings of the terminal app.
    ///
    /// # Errors
    /// [`CliError::Usage`] when the keys can't be used.
    pub(crate) fn tui_settings(&self, lookup: Lookup<'_>) -> Result<TuiSettings, CliError> {
        let colour = match TerminalKind::of(lookup).has_colours() {
            true => ColourPreference::from_env(),
            false => ColourPreference::Unwanted,
        };
        self.tui.resolve(colour).map_err(CliError::usage)
    }

    /// Prints the settings in force, as a config file that would bring them about.
    ///
    /// # Errors
    /// As [`LoadedConfig::key_table`].
    pub(crate) fn show(&self, directories: CollectorDirectories) -> Result<String, CliError> {
        let mut file = self.file.resolve(&[], directories).to_file();
        file.tui = Some(&self.tui);
        file.keys = Some(self.key_table()?);
        let from = match &self.path {
            Some(path) => format!("from {}", path.display()),
            None => "defaults: there is no config file".to_owned(),
        };
        Ok(format!("# {from}\n{}", file.to_toml()))
    }

    /// Prints the keys of the terminal app, by command.
    ///
    /// # Errors
    /// As [`LoadedConfig::key_table`].
    pub(crate) fn show_keys(&self) -> Result<String, CliError> {
        let keys = toml::to_string(&self.key_table()?).expect("lists of strings are TOML");
        Ok(format!("[keys]\n{keys}"))
    }

    /// Returns the keys of every command of the terminal app.
    ///
    /// # Errors
    /// [`CliError::Usage`] when they can't be used.
    fn key_table(&self) -> Result<BTreeMap<String, Vec<String>>, CliError> {
        Ok(KeyMap::with_overrides(&self.tui.keys).map_err(CliError::usage)?.table())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use heartline_operator::DirectoryOverrides;

    use super::*;

    fn parse(text: &str) -> Result<LoadedConfig, ConfigError> {
        LoadedConfig::parse(&ConfigText::new(Path::new("h.toml"), text.to_owned()))
    }

    fn directories() -> CollectorDirectories {
        CollectorDirectories { data: "/home/ann/d".into(), sockets: "/run/\"s\"".into() }
    }

    #[test]
    fn errors_of_every_part_name_file_line_and_what_was_expected() {
        let table = [
            ("[health]\nlate = 3\n", "line 2, column 1: unknown field `late`, expected one of"),
            ("[health]\nlate_factor = 20\n", "line 2, column 15: expected late_factor <"),
            ("[tui]\n\ntheme = \"solarized\"\n", "line 3, column 9: expected one of dark, light"),
            (
                "[tui]\ntheme = 3\n",
                "line 2, column 9: invalid type: integer `3`, expected a string",
            ),
            ("[tui]\nnotify = \"dbus\"\n", "line 2, column 10: expected off, osc9 or osc777"),
            ("[tui]\nthem = \"dark\"\n", "line 2, column 1: unknown field `them`, expected one of"),
            (
                "[tui]\nascii = \"yes\"\n",
                "line 2, column 9: invalid type: string \"yes\", expected a boolean",
            ),
            (
                "[keys]\n# mine\nfrieze = \"f\"\n",
                "line 3, column 1: no command is called \"frieze\"",
            ),
            (
                "[keys]\n\nfreeze = 3\n",
                "line 3, column 10: invalid type: integer `3`, expected a key such as \"F5\"",
            ),
            ("[keys]\nfreeze = \"hyper-f\"\n", "line 2, column 10: no key is called \"hyper-f\""),
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
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("h.toml");
        fs::write(&config, "[tui]\ntheme = \"light\"\n").unwrap();
        let load = |theme: &str| {
            let (config, theme) = (Some(config.clone()), Some(theme.to_owned()));
            let global = GlobalArgs { config, theme, ascii: true, ..GlobalArgs::default() };
            LoadedConfig::load(&global, &|_| None)
        };
        let tui = load("mono").unwrap().tui;
        assert_eq!((tui.theme, tui.ascii), (Some(ThemeName::Mono), true));
        let error = load("pink").unwrap_err().to_string();
        assert!(error.contains("colour-blind"), "{error}");
    }

    #[test]
    fn terminal_and_locale_choose_the_characters_unless_a_flag_does() {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("h.toml");
        let is_ascii = |file: &str, locale: &str, flags: (bool, bool)| {
            fs::write(&config, file).unwrap();
            let (ascii, unicode) = flags;
            let config = Some(config.clone());
            let global = GlobalArgs { config, ascii, unicode, ..GlobalArgs::default() };
            let lookup = |name: &str| match name {
                "TERM" => Some("xterm".into()),
                "LANG" => Some(locale.into()),
                _ => None,
            };
            LoadedConfig::load(&global, &lookup).unwrap().tui.ascii
        };
        let (none, ascii, unicode) = ((false, false), (true, false), (false, true));
        assert!(!is_ascii("", "C.UTF-8", none) && is_ascii("", "C", none));
        assert!(is_ascii("[tui]\nascii = true\n", "C.UTF-8", none));
        assert!(is_ascii("", "C.UTF-8", ascii));
        assert!(!is_ascii("[tui]\nascii = true\n", "C", unicode));
    }

    #[test]
    fn a_missing_file_is_an_error_only_if_it_was_asked_for() {
        let load = |config: Option<&Path>| {
            let config = config.map(Path::to_owned);
            let global = GlobalArgs { config, ..GlobalArgs::default() };
            LoadedConfig::load(&global, &|_| Some("/nonexistent".into()))
        };
        assert!(load(None).unwrap().path.is_none());
        assert!(load(Some(Path::new("/nonexistent/h.toml"))).is_err());
        let dir = tempfile::tempdir().unwrap();
        let error = load(Some(dir.path())).unwrap_err().to_string();
        assert!(error.contains("directory"), "{error}");
    }

    #[test]
    fn what_is_shown_is_a_config_file_of_the_same_settings() {
        let full = r#"
            [health]
            stall_after = "1500ms"
            [[agent]]
            match = "mail.*"
            stall_after = "20m"
            [access]
            control = ["@ops"]
            [tui]
            theme = "colour-blind"
            utc = false
            [keys]
            freeze = "F5"
            kill = ["X", "alt-\\"]
        "#;
        for text in ["", full] {
            let config = parse(text).unwrap();
            let shown = config.show(directories()).unwrap();
            let again = parse(&shown).unwrap();
            assert_eq!(
                again.file.resolve(&[], directories()),
                config.file.resolve(&[], directories())
            );
            assert_eq!((again.tui.theme, again.tui.utc), (config.tui.theme, config.tui.utc));
            assert_eq!(again.show(directories()).unwrap(), shown);
            let keys = parse(&config.show_keys().unwrap()).unwrap();
            assert_eq!(keys.key_table().unwrap(), config.key_table().unwrap());
        }
    }

    /// The lines behind these marks, where a blank behind it makes a line prose.
    fn uncommented(text: &str, mark: &str) -> String {
        let lines = text.lines().filter_map(|line| line.strip_prefix(mark));
        lines.filter(|line| !line.starts_with(' ')).map(|line| format!("{line}\n")).collect()
    }

    #[test]
    fn the_template_has_every_setting_with_its_default() {
        let template = heartline_config::template(&directories());
        let untouched = parse(&template).unwrap();
        let settings = uncommented(&template, "#");
        let config = parse(&settings).unwrap();
        let found = config.file.directories(DirectoryOverrides::default(), |_| None).unwrap();
        assert_eq!(config.file.resolve(&[], found), untouched.file.resolve(&[], directories()));
        assert_eq!((config.tui.theme, untouched.tui.theme), (Some(ThemeName::default()), None));
        assert_eq!((config.tui.ascii, config.tui.utc), (untouched.tui.ascii, untouched.tui.utc));
        assert_eq!(config.key_table().unwrap(), untouched.key_table().unwrap());

        let settings: toml::Table = settings.parse().unwrap();
        let shown: toml::Table = untouched.show(directories()).unwrap().parse().unwrap();
        for (section, value) in shown.iter().filter(|(section, _)| *section != "keys") {
            for key in value.as_table().iter().flat_map(|table| table.keys()) {
                assert!(settings[section].get(key).is_some(), "[{section}] {key}");
            }
            assert!(settings.contains_key(section), "{section}");
        }
        let example = parse(&uncommented(&template, "#  ")).unwrap().file;
        let agent = &example.resolve(&[], directories()).rules.agents[0];
        assert!(agent.late_factor.and(agent.unreachable_factor).is_some());
        assert!(agent.stall_after.is_some());
    }

    #[test]
    fn examples_in_documents_are_valid() {
        let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md"));
        let readme = readme.unwrap();
        let examples = readme.split("```").filter_map(|block| block.strip_prefix("toml\n"));
        let read = examples.map(|example| parse(example).unwrap_or_else(|error| panic!("{error}")));
        assert_eq!(read.count(), 1);
    }
}
