//! Completion in shells: a script, printed by `heartline completions`, asks this program at each Tab.
//!
//! - `values`: what can be written for an argument; `fleet`: what the collector knows of it
//! - `bash`, `zsh`: the scripts of shells whose words need care; `words`: a line as words

mod bash;
mod fleet;
mod values;
mod words;
mod zsh;

pub(crate) use values::{
    agent_names, export_tables, failures, filter_parts, incident_ids, silence_numbers, sink_names,
    theme_names,
};

use std::ffi::OsString;
use std::io;

use clap::CommandFactory as _;
use clap_complete::Shell;
use clap_complete::env::{CompleteEnv, Elvish, EnvCompleter, Fish, Powershell, Shells};

use crate::args::Arguments;

/// The program in scripts, which find it on the `PATH`.
const PROGRAM: &str = "heartline";
/// The variable by which a script asks; its value is the name of the shell.
const VARIABLE: &str = "HEARTLINE_COMPLETE";

const SHELLS: Shells<'static> = Shells(&[&bash::Bash, &zsh::Zsh, &Fish, &Elvish, &Powershell]);

/// Answers the script of a shell and ends the process, if that is what asks.
pub(crate) fn answer_shell() {
    CompleteEnv::with_factory(Arguments::command).var(VARIABLE).shells(SHELLS).complete();
}

/// Returns the script that makes a shell ask.
///
/// # Errors
/// None of writing to memory; the trait of the scripts knows no other.
pub(crate) fn script(shell: Shell) -> io::Result<Vec<u8>> {
    let name = shell.to_string();
    let completer: &dyn EnvCompleter =
        SHELLS.completer(&name).ok_or_else(|| io::Error::other("no script for this shell"))?;
    let mut script = Vec::new();
    completer.write_registration(VARIABLE, PROGRAM, PROGRAM, PROGRAM, &mut script)?;
    Ok(script)
}

/// Returns the words of the command line that is completed, up to the cursor.
fn typed_words() -> Vec<OsString> {
    bash::typed_words().unwrap_or_else(|| {
        let arguments = std::env::args_os().skip_while(|argument| argument != "--");
        arguments.skip(1).collect()
    })
}
