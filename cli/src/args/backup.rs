//! `heartline backup`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

/// `backup`
#[derive(Args, Debug)]
pub(crate) struct BackupArgs {
    /// The directory to be made; with --ssh an absolute path on that host
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) dir: PathBuf,
    /// Leave out master.key: then every token must be handed out anew after a restore, unless you keep
    /// the key elsewhere
    #[arg(long)]
    pub(crate) without_key: bool,
}
