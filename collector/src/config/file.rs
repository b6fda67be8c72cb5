//! The config file, as it stands there.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::span::Span;

/// The file, as it stands there. Unknown keys are errors.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FileConfig {
    /// Addresses to receive beats on.
    pub listen: Option<Vec<String>>,
    /// Where the databases and keys are.
    pub data_dir: Option<PathBuf>,
    /// Where the sockets for operators are.
    pub socket_dir: Option<PathBuf>,
    /// How agents are judged.
    pub health: FileHealth,
    /// How some of them are judged.
    pub agent: Vec<FileAgent>,
    /// How long history is kept.
    pub retention: FileRetention,
    /// Who may look, and who may act.
    pub access: FileAccess,
    /// The terminal app's part of a shared file; read by `heartline`.
    pub tui: Option<toml::Table>,
    /// The terminal app's keys; read by `heartline`.
    pub keys: Option<BTreeMap<String, toml::Value>>,
}

/// `[health]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FileHealth {
    /// Intervals without a live beat until degraded.
    pub late_factor: Option<f64>,
    /// Intervals without a live beat until unreachable.
    pub unreachable_factor: Option<f64>,
    /// Time without progress until degraded.
    pub stall_after: Option<Span>,
}

/// `[[agent]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileAgent {
    /// Glob over agent ids.
    #[serde(rename = "match")]
    pub pattern: String,
    /// See [`FileHealth`].
    pub late_factor: Option<f64>,
    /// See [`FileHealth`].
    pub unreachable_factor: Option<f64>,
    /// See [`FileHealth`].
    pub stall_after: Option<Span>,
}

/// `[retention]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FileRetention {
    /// Rollups by minute.
    pub minutes: Option<Span>,
    /// Rollups by hour.
    pub hours: Option<Span>,
}

/// `[access]`: unix users, or groups with an `@` before them.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct FileAccess {
    /// Who may look; absent: the collector's own user and root.
    pub view: Option<Vec<String>>,
    /// Who may act; absent: the collector's own user and root.
    pub control: Option<Vec<String>>,
}
