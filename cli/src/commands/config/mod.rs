//! `heartline config`: checks, makes and shows the config file.

mod check;

use std::fs::OpenOptions;
use std::io::Write as _;

use heartline_config::{ConfigFile, template};
use heartline_operator::DirectoryOverrides;

use crate::args::{ConfigCommand, ConfigSection, GlobalArgs};
use crate::config::path_of;
use crate::console::Console;
use crate::error::{CliError, CommandExit};
use crate::settings::{Settings, environment};

/// Runs the command.
pub(crate) fn run(
    command: &ConfigCommand,
    global: &GlobalArgs,
    console: &mut Console,
) -> Result<CommandExit, CliError> {
    match command {
        ConfigCommand::Path => {
            let path = path_of(global.config.as_deref(), &environment)?;
            console.print(&path.to_string_lossy())?;
        }
        ConfigCommand::Check(args) => {
            let settings = Settings::resolve(global, &environment)?;
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(|source| CliError::System { what: "start", source })?;
            let result = runtime.block_on(check::run(args, &settings, console));
            runtime.shutdown_background();
            return result;
        }
        ConfigCommand::Init => init(global, console)?,
        ConfigCommand::Show(args) => {
            let settings = Settings::resolve(global, &environment)?;
            let text = match args.section {
                Some(ConfigSection::Keys) => settings.config.show_keys()?,
                None => settings.config.show(settings.directories(&environment)?)?,
            };
            console.print(&text)?;
        }
    }
    Ok(CommandExit::Success)
}

/// Writes the template, unless there is a file.
fn init(global: &GlobalArgs, console: &mut Console) -> Result<(), CliError> {
    let path = path_of(global.config.as_deref(), &environment)?;
    let defaults = <ConfigFile>::default().directories(DirectoryOverrides::default(), environment);
    let text = template(&defaults.map_err(CliError::usage)?);
    let cannot = |source| CliError::File { what: "write", path: path.clone(), source };
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(cannot)?;
    }
    let opened = OpenOptions::new().write(true).create_new(true).open(&path);
    let mut file = opened.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            CliError::Usage(format!("{} already exists; it was not overwritten", path.display()))
        }
        _ => cannot(error),
    })?;
    file.write_all(text.as_bytes()).map_err(cannot)?;
    console.say(&format!("written: {}", path.display()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::ConfigCheckArgs;
    use crate::console::tests::console;

    #[test]
    fn init_writes_once_and_never_overwrites() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new/heartline.toml");
        let global = GlobalArgs { config: Some(path.clone()), ..GlobalArgs::default() };
        let (mut console, out, said) = console(None);
        run(&ConfigCommand::Init, &global, &mut console).unwrap();
        run(&ConfigCommand::Check(ConfigCheckArgs::default()), &global, &mut console).unwrap();
        std::fs::write(&path, "[tui]\nascii = true\n").unwrap();
        let error = run(&ConfigCommand::Init, &global, &mut console).unwrap_err().to_string();
        assert!(error.contains("already exists"), "{error}");
        assert!(std::fs::read_to_string(&path).unwrap().contains("ascii"));
        assert!(said.text().contains("valid") && out.text().is_empty());
    }
}
