//! The directories of a collector, resolved by one rule for the collector and its clients.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Name of the socket for operators with control.
pub const CONTROL_SOCKET: &str = "ctl.sock";
/// Name of the socket for read-only connections.
pub const VIEW_SOCKET: &str = "view.sock";

/// The directories of one collector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectorDirectories {
    /// Keys and databases.
    pub data: PathBuf,
    /// The sockets for operators.
    pub sockets: PathBuf,
}

/// The directories that flags or a config file give.
#[derive(Clone, Copy, Debug, Default)]
pub struct DirectoryOverrides<'a> {
    pub data: Option<&'a Path>,
    pub sockets: Option<&'a Path>,
}

/// No rule gives a data directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no data directory: neither HOME nor XDG_STATE_HOME is set; pass --data-dir")]
pub struct MissingDataDirectory;

impl CollectorDirectories {
    /// Resolves both directories. `variable` looks up an environment variable (an empty one counts
    /// as unset); of those that systemd sets to a list, the first entry counts.
    ///
    /// Data, first match:
    /// 1. `--data-dir`, `$HEARTLINE_DATA_DIR`
    /// 2. `$STATE_DIRECTORY`
    /// 3. `$XDG_STATE_HOME/heartline`, `~/.local/state/heartline`
    ///
    /// Sockets, first match:
    /// 1. `--socket-dir`, `$HEARTLINE_SOCKET_DIR`
    /// 2. the data directory, if it was chosen by rule 1: a collector started with
    ///    `--data-dir X` is reached with `--data-dir X`, whatever else is in either environment
    /// 3. `$RUNTIME_DIRECTORY`
    /// 4. `$XDG_RUNTIME_DIR/heartline`
    /// 5. the data directory
    ///
    /// # Errors
    /// [`MissingDataDirectory`] when no rule for the data matches.
    pub fn resolve(
        given: DirectoryOverrides<'_>,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, MissingDataDirectory> {
        let set = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let below = |name, rest: &str| set(name).map(|path: PathBuf| path.join(rest));

        let chosen = given.data.map(Path::to_owned).or_else(|| set("HEARTLINE_DATA_DIR"));
        let data = chosen
            .clone()
            .or_else(|| set("STATE_DIRECTORY").map(first_of_list))
            .or_else(|| below("XDG_STATE_HOME", "heartline"))
            .or_else(|| below("HOME", ".local/state/heartline"))
            .ok_or(MissingDataDirectory)?;
        let sockets = given
            .sockets
            .map(Path::to_owned)
            .or_else(|| set("HEARTLINE_SOCKET_DIR"))
            .or(chosen)
            .or_else(|| set("RUNTIME_DIRECTORY").map(first_of_list))
            .or_else(|| below("XDG_RUNTIME_DIR", "heartline"))
            .unwrap_or_else(|| data.clone());
        Ok(Self { data, sockets })
    }

    pub fn control_socket(&self) -> PathBuf {
        self.sockets.join(CONTROL_SOCKET)
    }

    pub fn view_socket(&self) -> PathBuf {
        self.sockets.join(VIEW_SOCKET)
    }
}

fn first_of_list(list: PathBuf) -> PathBuf {
    let first = list.to_str().and_then(|text| text.split(':').next()).map(PathBuf::from);
    first.unwrap_or(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(given: DirectoryOverrides<'_>, environment: &[(&str, &str)]) -> (String, String) {
        let variable = |name: &str| {
            environment.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into())
        };
        let found = CollectorDirectories::resolve(given, variable).unwrap();
        (found.data.to_str().unwrap().into(), found.sockets.to_str().unwrap().into())
    }

    fn pair(data: &str, sockets: &str) -> (String, String) {
        (data.into(), sockets.into())
    }

    const SYSTEMD: [(&str, &str); 2] =
        [("STATE_DIRECTORY", "/s/one:/s/two"), ("RUNTIME_DIRECTORY", "/run/heartline")];
    const LOGIN: [(&str, &str); 3] =
        [("HOME", "/home/ann"), ("XDG_RUNTIME_DIR", "/run/user/7"), ("XDG_STATE_HOME", "")];

    #[test]
    fn the_environment_decides_when_nothing_is_given() {
        let none = DirectoryOverrides::default();
        assert_eq!(resolve(none, &SYSTEMD), pair("/s/one", "/run/heartline"));
        assert_eq!(
            resolve(none, &LOGIN),
            pair("/home/ann/.local/state/heartline", "/run/user/7/heartline")
        );
        assert_eq!(
            resolve(none, &[("XDG_STATE_HOME", "/x"), ("HOME", "/h")]),
            pair("/x/heartline", "/x/heartline")
        );
    }

    #[test]
    fn a_chosen_data_directory_has_the_sockets_whatever_the_environment() {
        let given = DirectoryOverrides { data: Some(Path::new("/d")), sockets: None };
        assert_eq!(resolve(given, &SYSTEMD), pair("/d", "/d"));
        assert_eq!(resolve(given, &LOGIN), pair("/d", "/d"));
        let mut environment = LOGIN.to_vec();
        environment.push(("HEARTLINE_DATA_DIR", "/e"));
        assert_eq!(resolve(DirectoryOverrides::default(), &environment), pair("/e", "/e"));
        assert_eq!(resolve(given, &environment), pair("/d", "/d"));
    }

    #[test]
    fn a_chosen_socket_directory_wins() {
        let given =
            DirectoryOverrides { data: Some(Path::new("/d")), sockets: Some(Path::new("/k")) };
        assert_eq!(resolve(given, &SYSTEMD), pair("/d", "/k"));
        let mut environment = SYSTEMD.to_vec();
        environment.push(("HEARTLINE_SOCKET_DIR", "/e"));
        assert_eq!(resolve(DirectoryOverrides::default(), &environment), pair("/s/one", "/e"));
        assert_eq!(resolve(given, &environment), pair("/d", "/k"));
    }

    #[test]
    fn nowhere_to_look_is_an_error() {
        assert_eq!(
            CollectorDirectories::resolve(DirectoryOverrides::default(), |_| None),
            Err(MissingDataDirectory)
        );
    }
}
