//! `heartline completions`: for the shell to read.

use clap::CommandFactory as _;

use crate::args::{Arguments, CompletionsArgs};
use crate::console::Console;
use crate::failure::{Failure, Verdict};

/// Carries out the command.
pub(crate) fn run(args: &CompletionsArgs, console: &mut Console) -> Result<Verdict, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Arguments::command(), "heartline", &mut script);
    console.print(&String::from_utf8_lossy(&script))?;
    Ok(Verdict::Good)
}
