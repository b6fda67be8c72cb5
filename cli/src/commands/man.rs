//! `heartline man`: the manual.

use clap::CommandFactory as _;

use crate::args::{Arguments, ManArgs};
use crate::console::Console;
use crate::failure::{Failure, Verdict};

/// Carries out the command.
pub(crate) fn run(args: &ManArgs, console: &mut Console) -> Result<Verdict, Failure> {
    let command = Arguments::command();
    let Some(dir) = &args.dir else {
        console.print(&String::from_utf8_lossy(&page(command)?))?;
        return Ok(Verdict::Good);
    };
    clap_mangen::generate_to(command, dir).map_err(|source| Failure::File {
        what: "write",
        path: dir.clone(),
        source,
    })?;
    console.say(&format!("written; read one: man -l {}/heartline.1", dir.display()));
    Ok(Verdict::Good)
}

fn page(command: clap::Command) -> Result<Vec<u8>, Failure> {
    let mut text = Vec::new();
    clap_mangen::Man::new(command)
        .render(&mut text)
        .map_err(|source| Failure::System { what: "write the manual page", source })?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::tests::console;

    #[test]
    fn every_command_that_is_not_hidden_has_a_page() {
        let dir = tempfile::tempdir().unwrap();
        let (mut console, _, said) = console(None);
        run(&ManArgs { dir: Some(dir.path().into()) }, &mut console).unwrap();
        let page = |name: &str| std::fs::read_to_string(dir.path().join(name));
        assert!(page("heartline-kill.1").unwrap().contains("reason"));
        assert!(page("heartline-token-list.1").is_ok());
        assert!(page("heartline-demo-agent.1").is_err());
        assert!(said.text().contains("man -l"));
    }
}
