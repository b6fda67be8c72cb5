//! What the messages of a collector say of it.

/// Names a collector to those who read its messages, and to what collects messages of several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectorLabel {
    /// Where operators reach it from their own machine: `heartline --ssh` with this.
    pub ssh: Option<String>,
    /// Unique to the collector: part of every key by which receivers tell incidents and messages apart. Of
    /// `a-z 0-9 -` alone.
    pub key_prefix: String,
    /// The collector's own host.
    pub host: String,
}

impl CollectorLabel {
    /// Returns the command line of a subcommand.
    pub(crate) fn command(&self, arguments: &str) -> String {
        match &self.ssh {
            Some(ssh) => format!("heartline --ssh {ssh} {arguments}"),
            None => format!("heartline {arguments}"),
        }
    }
}
