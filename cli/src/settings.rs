//! The settings in force, of flags, environment, config file and defaults.

use std::path::PathBuf;

use heartline_operator::client::{AccessMode, Client, ClientOptions, Endpoint, SshEndpoint};
use heartline_operator::{CollectorDirectories, DirectoryOverrides};

use crate::args::GlobalArgs;
use crate::config::{LoadedConfig, Lookup};
use crate::error::CliError;
use crate::incident_source::IncidentSource;
use heartline_operator::text::GlyphSet;

/// The settings in force.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) config: LoadedConfig,
    /// `--ssh`.
    ssh: Option<String>,
    /// `--data-dir`
    data_dir: Option<PathBuf>,
    /// `--socket-dir`
    socket_dir: Option<PathBuf>,
    /// `--open`
    incident: Option<IncidentSource>,
    /// `--read-only`.
    pub(crate) access: AccessMode,
    /// `--ascii`, here or in the config file.
    pub(crate) charset: GlyphSet,
}

impl Settings {
    /// Reads the config file, over which flags and environment have precedence.
    ///
    /// # Errors
    /// [`CliError::Usage`] with file, line and column of what is wrong in it.
    pub(crate) fn resolve(global: &GlobalArgs, lookup: Lookup<'_>) -> Result<Self, CliError> {
        let config = LoadedConfig::load(global, lookup)?;
        let charset = if config.tui.ascii { GlyphSet::Ascii } else { GlyphSet::Unicode };
        let access = if global.read_only { AccessMode::View } else { AccessMode::Control };
        let ssh = global.ssh.clone().filter(|host| !host.is_empty());
        let (data_dir, socket_dir) = (global.data_dir.clone(), global.socket_dir.clone());
        let incident = IncidentSource::of(global);
        Ok(Self { config, ssh, data_dir, socket_dir, incident, access, charset })
    }

    /// Returns the directories of the collector on this machine.
    ///
    /// # Errors
    /// [`CliError::Usage`] when there is no home directory.
    pub(crate) fn directories(&self, lookup: Lookup<'_>) -> Result<CollectorDirectories, CliError> {
        let flags = DirectoryOverrides {
            data: self.data_dir.as_deref(),
            sockets: self.socket_dir.as_deref(),
        };
        self.config.file.directories(flags, lookup).map_err(CliError::usage)
    }

    /// Returns the address of the collector.
    ///
    /// # Errors
    /// As [`Settings::directories`].
    pub(crate) fn endpoint(&self, lookup: Lookup<'_>) -> Result<Endpoint, CliError> {
        if let Some(incident) = &self.incident {
            return Ok(Endpoint::Local(incident.server()?));
        }
        let Some(host) = &self.ssh else {
            return Ok(Endpoint::Unix(self.directories(lookup)?));
        };
        let text =
            |path: &Option<PathBuf>| path.as_ref().map(|path| path.to_string_lossy().into_owned());
        Ok(Endpoint::Ssh(SshEndpoint {
            data_dir: text(&self.data_dir),
            socket_dir: text(&self.socket_dir),
            ..SshEndpoint::new(host)
        }))
    }

    /// Returns whether an incident file is looked at.
    pub(crate) fn is_incident(&self) -> bool {
        self.incident.is_some()
    }

    /// Returns whether the collector is on another machine.
    pub(crate) fn is_remote(&self) -> bool {
        self.ssh.is_some()
    }

    pub(crate) fn client_options(&self, lookup: Lookup<'_>) -> ClientOptions {
        ClientOptions {
            access: self.access,
            client: concat!("heartline ", env!("CARGO_PKG_VERSION")).to_owned(),
            origin: self.ssh.is_some().then(|| origin(lookup)),
            ..ClientOptions::default()
        }
    }

    /// Connects to the collector.
    ///
    /// # Errors
    /// [`CliError::Client`].
    pub(crate) async fn connect(&self) -> Result<Client, CliError> {
        let endpoint = self.endpoint(&environment)?;
        Ok(Client::connect(&endpoint, &self.client_options(&environment)).await?)
    }

    /// Connects to the collector with control.
    ///
    /// # Errors
    /// [`CliError::Usage`] under `--read-only`, [`CliError::NotDone`] on a read-only connection.
    pub(crate) async fn connect_with_control(&self) -> Result<Client, CliError> {
        if self.access == AccessMode::View {
            return Err(CliError::Usage("--read-only: nothing can be changed".to_owned()));
        }
        let client = self.connect().await?;
        let greeting = client.greeting();
        if !greeting.may_control {
            return Err(CliError::NotDone(format!(
                "{} has a read-only connection: ask to be named under [access] control in the \
                 collector's config",
                greeting.operator
            )));
        }
        Ok(client)
    }
}

/// Looks up a variable of this process's environment.
pub(crate) fn environment(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name)
}

/// Returns the operator at this end of an ssh connection: `ops@bastion`.
fn origin(lookup: Lookup<'_>) -> String {
    let user = ["USER", "LOGNAME"].iter().find_map(|name| lookup(name));
    let user = user.map_or_else(
        || format!("uid {}", rustix::process::getuid().as_raw()),
        |user| user.to_string_lossy().into_owned(),
    );
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("{user}@{host}")
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    fn resolve(global: &GlobalArgs, environment: &[(&str, &str)]) -> Endpoint {
        let lookup = |name: &str| {
            let found = environment.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| OsString::from(value))
        };
        Settings::resolve(global, &lookup).unwrap().endpoint(&lookup).unwrap()
    }

    fn data_of(endpoint: Endpoint) -> String {
        match endpoint {
            Endpoint::Unix(directories) => directories.data.display().to_string(),
            Endpoint::Ssh(ssh) => format!("{}:{}", ssh.host, ssh.data_dir.unwrap_or_default()),
            Endpoint::Local(server) => panic!("{server:?}"),
        }
    }

    #[test]
    fn flags_win_over_the_environment_and_that_over_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("c.toml");
        std::fs::write(&config, "data_dir = \"/file\"\n").unwrap();
        let file = GlobalArgs { config: Some(config), ..GlobalArgs::default() };
        let flag = GlobalArgs { data_dir: Some("/flag".into()), ..file.clone() };
        let env = [("HEARTLINE_DATA_DIR", "/env"), ("HOME", "/home/u")];
        assert_eq!(data_of(resolve(&flag, &env)), "/flag");
        assert_eq!(data_of(resolve(&file, &env)), "/env");
        assert_eq!(data_of(resolve(&file, &env[1..])), "/file");
        let none = GlobalArgs::default();
        assert_eq!(data_of(resolve(&none, &env[1..])), "/home/u/.local/state/heartline");
    }

    #[test]
    fn only_flags_are_sent_to_the_far_side_of_an_ssh() {
        let global = GlobalArgs { ssh: Some("ops@m3".into()), ..GlobalArgs::default() };
        let env = [("HEARTLINE_DATA_DIR", "/here"), ("HOME", "/home/u")];
        assert_eq!(data_of(resolve(&global, &env)), "ops@m3:");
        let global = GlobalArgs { data_dir: Some("/there".into()), ..global };
        assert_eq!(data_of(resolve(&global, &env)), "ops@m3:/there");
    }
}
