//! The address of a collector.

use std::path::PathBuf;

use super::local::LocalServer;
use crate::CollectorDirectories;

/// The address of a collector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    Unix(CollectorDirectories),
    Ssh(SshEndpoint),
    /// A server in this process.
    Local(LocalServer),
}

/// A collector that is reached by running `heartline dial-stdio` on its machine through ssh.
///
/// Identity, keys and encryption are ssh's, and so is its configuration: no option is set here but
/// those that carry frames need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SshEndpoint {
    /// The program: `ssh`, found in `PATH`.
    pub program: PathBuf,
    /// Host as ssh takes it: `host`, `user@host`, or a name in its configuration.
    pub host: String,
    /// `--data-dir` on that machine.
    pub data_dir: Option<String>,
    /// `--socket-dir` on that machine.
    pub socket_dir: Option<String>,
    pub prompts: SshPrompts,
}

/// Permission for ssh to prompt for a passphrase on the terminal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SshPrompts {
    #[default]
    Allowed,
    /// `BatchMode=yes`: the terminal is in use, or there is none.
    Never,
}

/// The rights that a connection asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccessMode {
    /// Control, if the collector grants it; else a read-only connection.
    #[default]
    Control,
    /// A read-only connection.
    View,
}

impl Endpoint {
    /// Returns the same collector, without prompts on the terminal.
    pub fn without_prompts(&self) -> Self {
        match self.clone() {
            Self::Ssh(ssh) => Self::Ssh(SshEndpoint { prompts: SshPrompts::Never, ..ssh }),
            other @ (Self::Unix(_) | Self::Local(_)) => other,
        }
    }
}

impl SshEndpoint {
    /// Returns the collector in the default directories of `host`, by way of the `ssh` in `PATH`.
    pub fn new(host: &str) -> Self {
        Self {
            program: "ssh".into(),
            host: host.into(),
            data_dir: None,
            socket_dir: None,
            prompts: SshPrompts::Allowed,
        }
    }

    /// Returns the arguments of the ssh program.
    pub(super) fn arguments(&self, access: AccessMode) -> Vec<String> {
        let mut words: Vec<String> = vec!["-T".into()];
        if self.prompts == SshPrompts::Never {
            words.extend(["-o".into(), "BatchMode=yes".into()]);
        }
        words.extend([self.host.clone(), "heartline".into()]);
        for (flag, value) in [("--data-dir", &self.data_dir), ("--socket-dir", &self.socket_dir)] {
            if let Some(value) = value {
                words.extend([flag.into(), quote(value)]);
            }
        }
        if access == AccessMode::View {
            words.push("--read-only".into());
        }
        words.push("dial-stdio".into());
        words
    }
}

/// Quotes a word for the shell that sshd hands the command line to.
fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-~+:@,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.into();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_remote_command_has_the_local_flags() {
        let mut ssh = SshEndpoint::new("ops@bastion");
        assert_eq!(
            ssh.arguments(AccessMode::Control),
            ["-T", "ops@bastion", "heartline", "dial-stdio"]
        );
        ssh.data_dir = Some("/srv/it's here".into());
        ssh.prompts = SshPrompts::Never;
        assert_eq!(
            ssh.arguments(AccessMode::View).join(" "),
            r"-T -o BatchMode=yes ops@bastion heartline --data-dir '/srv/it'\''s here' --read-only dial-stdio"
        );
    }

    #[test]
    fn only_words_that_a_shell_would_change_are_quoted() {
        assert_eq!(quote("~/state"), "~/state");
        assert_eq!(quote("a;rm -r b"), "'a;rm -r b'");
        assert_eq!(quote("$HOME"), "'$HOME'");
        assert_eq!(quote(""), "''");
    }
}
