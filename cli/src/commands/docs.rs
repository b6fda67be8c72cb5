//! `heartline completions` and `heartline man`: texts made from the definition of the command line.

use clap::CommandFactory as _;

use crate::args::{Arguments, CompletionsArgs, ManArgs};
use crate::completion;
use crate::console::Console;
use crate::error::{CliError, CommandExit};

/// Prints the completions for a shell.
pub(super) fn completions(
    args: &CompletionsArgs,
    console: &mut Console,
) -> Result<CommandExit, CliError> {
    let script = completion::script(args.shell)
        .map_err(|source| CliError::System { what: "write the completions", source })?;
    console.print(&String::from_utf8_lossy(&script))?;
    Ok(CommandExit::Success)
}

/// Prints the manual page, or writes the pages of all commands to a directory.
pub(super) fn man(args: &ManArgs, console: &mut Console) -> Result<CommandExit, CliError> {
    let command = Arguments::command();
    match &args.dir {
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(command)
                .render(&mut page)
                .map_err(|source| CliError::System { what: "write the manual page", source })?;
            console.print(&String::from_utf8_lossy(&page))?;
        }
        Some(dir) => {
            clap_mangen::generate_to(command, dir).map_err(|source| CliError::File {
                what: "write",
                path: dir.clone(),
                source,
            })?;
            console.say(&format!("written; read one: man -l {}/heartline.1", dir.display()));
        }
    }
    Ok(CommandExit::Success)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::tests::console;

    #[test]
    fn every_command_that_is_not_hidden_has_a_page() {
        let dir = tempfile::tempdir().unwrap();
        let (mut console, _, said) = console(None);
        man(&ManArgs { dir: Some(dir.path().into()) }, &mut console).unwrap();
        let page = |name: &str| std::fs::read_to_string(dir.path().join(name));
        assert!(page("heartline-kill.1").unwrap().contains("reason"));
        assert!(page("heartline-token-list.1").is_ok());
        assert!(page("heartline-demo-agent.1").is_err());
        assert!(said.text().contains("man -l"));
    }
}
