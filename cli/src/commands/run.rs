//! `heartline run`: any program as an agent.

use std::path::Path;

use heartline::Builder;
use heartline_protocol::AgentName;
use heartline_supervisor::{ExitPolicy, RunConfig, StallWatch};

use crate::args::{OnExit, RunArgs};
use crate::console::Console;
use crate::error::{CliError, CommandExit};

/// Runs the command. It needs no collector: the program runs also while there is none.
pub(crate) fn run(args: RunArgs, console: &mut Console) -> Result<CommandExit, CliError> {
    let agent = match args.agent {
        Some(agent) => agent,
        None => name_of(Path::new(&args.command[0])),
    };
    AgentName::new(&agent).map_err(|error| {
        CliError::Usage(format!("\"{agent}\" is no agent's id: {error}; name it with --agent"))
    })?;
    let mut emitter = Builder::new(&agent);
    if let Some(group) = args.group {
        emitter = emitter.group(group);
    }
    if let Some(interval) = args.interval {
        emitter = emitter.interval(interval);
    }
    for (key, value) in args.label {
        emitter = emitter.label(key, value);
    }
    let stall_watch =
        args.stall_after.map(|after| StallWatch { after, progress_file: args.progress_file });
    let config = RunConfig {
        agent,
        emitter,
        command: args.command,
        on_exit: match args.on_exit {
            OnExit::Stay => ExitPolicy::Stay,
            OnExit::Restart => ExitPolicy::Restart,
        },
        stall_watch,
        kill_grace: args.kill_grace,
        report_stderr: args.report_stderr,
    };
    let ended = heartline_supervisor::run(config, &mut |message| {
        console.say(&format!("heartline: {message}"));
    });
    ended.map(CommandExit::Program).map_err(|error| CliError::NotDone(error.to_string()))
}

/// Returns the name of a program as an id: what ids can't have becomes a dash.
fn name_of(program: &Path) -> String {
    let name = program.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
    let name: String = name.chars().map(|c| if is_plain(c) { c } else { '-' }).take(63).collect();
    name.trim_start_matches(['-', '.']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_gives_its_name() {
        let name = |path: &str| name_of(Path::new(path));
        assert_eq!(name("/usr/bin/python3.11"), "python3");
        assert_eq!(name("./Order Processor.sh"), "order-processor");
        assert_eq!(name("--"), "");
    }
}
