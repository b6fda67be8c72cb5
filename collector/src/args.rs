//! `heartlined` on the command line: raw arguments, and the configuration that they resolve to.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use heartline_config::{Config, ConfigError, ConfigFile, LISTEN_MAX, parse_address};
use heartline_operator::DirectoryOverrides;

/// Receives the heartbeats of AI agents, keeps their health and history, and serves operators.
#[derive(Clone, Debug, Parser)]
#[command(name = "heartlined", version, about, args_conflicts_with_subcommands = true)]
pub struct Args {
    /// What to run with.
    #[command(flatten)]
    pub run: RunArgs,
    /// What to do instead.
    #[command(subcommand)]
    pub command: Option<CollectorCommand>,
}

/// What to run with.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct RunArgs {
    /// Config file (TOML)
    #[arg(long, value_name = "FILE", env = "HEARTLINE_CONFIG")]
    pub config: Option<PathBuf>,
    /// Address to receive heartbeats on; may be repeated [default: 127.0.0.1:4327]
    #[arg(
        long, value_name = "ADDR:PORT", env = "HEARTLINE_LISTEN", value_delimiter = ',',
        value_parser = parse_address
    )]
    pub listen: Vec<SocketAddr>,
    /// Where keys and databases are [default: ~/.local/state/heartline]
    #[arg(long, value_name = "DIR", env = "HEARTLINE_DATA_DIR")]
    pub data_dir: Option<PathBuf>,
    /// Where the operators' sockets are
    #[arg(long, value_name = "DIR", env = "HEARTLINE_SOCKET_DIR")]
    pub socket_dir: Option<PathBuf>,
    /// Format of the log on standard error
    #[arg(long, value_name = "FORMAT", env = "HEARTLINE_LOG_FORMAT", default_value = "text")]
    pub log_format: LogFormat,
    /// Log more; twice for everything
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// Format of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// A line for people.
    #[default]
    Text,
    /// An object a line.
    Json,
}

/// What to do instead of running.
#[derive(Clone, Debug, Subcommand)]
pub enum CollectorCommand {
    /// Check the config file and print the resulting settings
    Check {
        /// Config file (TOML)
        #[arg(long, value_name = "FILE", env = "HEARTLINE_CONFIG")]
        config: Option<PathBuf>,
    },
}

impl RunArgs {
    /// Resolves flags, environment and file to the settings in force.
    ///
    /// # Errors
    /// [`ConfigError`]: exit code 2.
    pub fn resolve(&self) -> Result<Config, ConfigError> {
        let file = match &self.config {
            Some(path) => <ConfigFile>::read(path)?,
            None => ConfigFile::default(),
        };
        if self.listen.len() > LISTEN_MAX {
            return Err(ConfigError::TooManyAddresses(self.listen.len()));
        }
        let flags = DirectoryOverrides {
            data: self.data_dir.as_deref(),
            sockets: self.socket_dir.as_deref(),
        };
        let directories = file.directories(flags, |name| std::env::var_os(name))?;
        Ok(file.resolve(&self.listen, directories))
    }

    /// Prints the settings in force as a config file.
    ///
    /// # Errors
    /// [`ConfigError`]: exit code 2.
    pub fn check(&self) -> Result<String, ConfigError> {
        let config = self.resolve()?;
        let mut directories = [&config.data_dir, &config.socket_dir].into_iter();
        if let Some(path) = directories.find(|path| path.to_str().is_none()) {
            return Err(ConfigError::NotText(path.clone()));
        }
        let file: ConfigFile = config.to_file();
        Ok(format!("# valid; resulting settings:\n{}", file.to_toml()))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn flags_win_over_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("heartline.toml");
        fs::write(&config, "listen = [\"0.0.0.0:1\"]\ndata_dir = \"/file\"\n").unwrap();
        let args = |more: &[&str]| {
            let args = ["heartlined", "--config", config.to_str().unwrap()];
            Args::try_parse_from(args.iter().chain(more))
        };
        let resolve = |more: &[&str]| args(more).unwrap().run.resolve().unwrap();
        let flags = resolve(&["--listen", "127.0.0.1:2,127.0.0.1:3", "--data-dir", "/flag"]);
        assert_eq!(flags.listen, ["127.0.0.1:2", "127.0.0.1:3"].map(|it| it.parse().unwrap()));
        assert_eq!(flags.data_dir.to_str(), Some("/flag"));
        let file = resolve(&[]);
        assert_eq!(file.listen, ["0.0.0.0:1".parse().unwrap()]);
        assert_eq!(file.data_dir.to_str(), Some("/file"));
        let error = args(&["--listen", "nowhere"]).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("expected ADDRESS:PORT such as 127.0.0.1:4327"));
        let many = ["127.0.0.1:2"; 17].join(",");
        let error = args(&["--listen", &many]).unwrap().run.resolve().unwrap_err().to_string();
        assert_eq!(error, "--listen: expected at most 16 addresses, found 17");
    }

    #[test]
    fn printed_settings_round_trip() {
        let dir = tempfile::tempdir().unwrap();
        let run = |text: &str| {
            let config = dir.path().join("heartline.toml");
            fs::write(&config, text).unwrap();
            let data_dir = Some("/d \" \\".into());
            let run = RunArgs { config: Some(config), data_dir, ..RunArgs::default() };
            (run.resolve().unwrap(), run.check().unwrap())
        };
        for text in [
            "",
            "listen = [\"[::]:1\", \"0.0.0.0:2\"]\nsocket_dir = \"/s\"\n[tui]\nascii = true\n",
            "[health]\nlate_factor = 1.1\nunreachable_factor = 2e3\nstall_after = \"1500ms\"\n",
            "[retention]\nminutes = \"150m\"\nhours = \"49h30m1s\"\n",
            "[[agent]]\nmatch = \"a*\"\nlate_factor = 2\n[[agent]]\nmatch = \"?\"\nstall_after = \"1.5h\"",
            "[access]\nview = [\"@ops\", \"dev\"]\n",
        ] {
            let (config, printed) = run(text);
            let (again, same) = run(&printed);
            assert_eq!(again, config, "{printed}");
            assert_eq!(same, printed);
        }
    }

    #[test]
    fn what_a_config_file_cannot_say_is_not_printed_as_something_else() {
        use std::os::unix::ffi::OsStringExt as _;
        let data_dir = std::ffi::OsString::from_vec(b"/d\xff".to_vec());
        let run = RunArgs { data_dir: Some(data_dir.into()), ..RunArgs::default() };
        assert!(run.resolve().is_ok());
        let error = run.check().unwrap_err().to_string();
        assert!(error.contains("not UTF-8"), "{error}");
    }
}
