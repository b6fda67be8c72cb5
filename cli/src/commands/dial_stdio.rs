//! `heartline dial-stdio`: the far side of `--ssh`.

use heartline_operator::client::dial_stdio;

use crate::failure::{Failure, Verdict};
use crate::settings::{Settings, environment};

/// Carries out the command.
pub(crate) async fn run(settings: &Settings) -> Result<Verdict, Failure> {
    let directories = settings.directories(&environment)?;
    dial_stdio(&directories, settings.access).await?;
    Ok(Verdict::Good)
}
