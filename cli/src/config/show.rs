//! The settings in force, as a config file that would bring them about.

use std::fmt::Write as _;
use std::time::Duration;

use heartline_collector::config::Config;
use heartline_tui::TuiConfig;

use super::ConfigFile;
use crate::failure::Failure;

/// Everything: the collector's settings, and the terminal app's.
///
/// # Errors
/// [`Failure::Usage`] when the keys can't be used.
pub(crate) fn show(file: &ConfigFile, config: &Config) -> Result<String, Failure> {
    let mut text = String::new();
    match &file.path {
        Some(path) => line(&mut text, &format!("# from {}", path.display())),
        None => line(&mut text, "# defaults: there is no config file"),
    }
    let listen: Vec<_> = config.listen.iter().map(|at| quoted(&at.to_string())).collect();
    line(&mut text, &format!("listen = [{}]", listen.join(", ")));
    line(&mut text, &format!("data_dir = {}", quoted(&config.data_dir.to_string_lossy())));
    line(&mut text, &format!("socket_dir = {}", quoted(&config.socket_dir.to_string_lossy())));
    health(&mut text, config);
    line(&mut text, "\n[retention]");
    line(&mut text, &format!("minutes = {}", span(config.retention.minutes)));
    line(&mut text, &format!("hours = {}", span(config.retention.hours)));
    access(&mut text, config);
    app(&mut text, &file.tui);
    text.push('\n');
    text.push_str(&show_keys(file)?);
    Ok(text)
}

/// The keys of the terminal app, by command.
///
/// # Errors
/// [`Failure::Usage`] when they can't be used.
pub(crate) fn show_keys(file: &ConfigFile) -> Result<String, Failure> {
    let keymap = file.keymap()?;
    let mut text = String::from("[keys]\n");
    for (command, keys) in keymap.table() {
        let keys: Vec<_> = keys.iter().map(|key| quoted(key)).collect();
        line(&mut text, &format!("{command} = [{}]", keys.join(", ")));
    }
    Ok(text)
}

fn health(text: &mut String, config: &Config) {
    let fleet = &config.rules.fleet;
    line(text, "\n[health]");
    line(text, &format!("late_factor = {}", fleet.late_factor));
    line(text, &format!("unreachable_factor = {}", fleet.unreachable_factor));
    line(text, &format!("stall_after = {}", span(fleet.stall_after)));
    for rule in &config.rules.agents {
        line(text, "\n[[agent]]");
        line(text, &format!("match = {}", quoted(&rule.pattern)));
        let factors =
            [("late_factor", rule.late_factor), ("unreachable_factor", rule.unreachable_factor)];
        for (name, factor) in factors {
            if let Some(factor) = factor {
                line(text, &format!("{name} = {factor}"));
            }
        }
        if let Some(after) = rule.stall_after {
            line(text, &format!("stall_after = {}", span(after)));
        }
    }
}

fn access(text: &mut String, config: &Config) {
    line(text, "\n[access]");
    for (name, list) in [("view", &config.access.view), ("control", &config.access.control)] {
        match list {
            Some(list) => {
                let who: Vec<_> = list.iter().map(|one| quoted(one)).collect();
                line(text, &format!("{name} = [{}]", who.join(", ")));
            }
            None => line(text, &format!("# {name}: the collector's own user, and root")),
        }
    }
}

fn app(text: &mut String, tui: &TuiConfig) {
    line(text, "\n[tui]");
    match tui.theme {
        Some(theme) => line(text, &format!("theme = {}", quoted(theme.name()))),
        None => line(text, "# theme: dark, or mono under NO_COLOR"),
    }
    line(text, &format!("ascii = {}", tui.ascii));
    line(text, &format!("utc = {}", tui.utc.unwrap_or(true)));
}

fn line(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("a string takes everything");
}

/// A TOML string.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// A duration in the largest unit that it is a whole number of.
fn span(duration: Duration) -> String {
    const UNITS: [(u128, &str); 4] =
        [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")];
    let ms = duration.as_millis();
    let unit = UNITS.iter().find(|(size, _)| ms > 0 && ms.is_multiple_of(*size));
    quoted(&unit.map_or_else(|| format!("{ms}ms"), |(size, name)| format!("{}{name}", ms / size)))
}

#[cfg(test)]
mod tests {
    use heartline_operator::Directories;

    use super::*;
    use crate::config::parse;

    const FILE: &str = r#"
        [[agent]]
        match = "mail.*"
        stall_after = "20m"
        [access]
        control = ["@ops"]
        [keys]
        freeze = "F5"
    "#;

    #[test]
    fn what_is_shown_is_a_config_file_of_the_same_settings() {
        let directories = || Directories { data: "/d".into(), sockets: "/s".into() };
        let file = parse(FILE).unwrap();
        let config = file.resolve(directories()).unwrap();
        let text = show(&file, &config).unwrap();
        assert!(text.contains("stall_after = \"20m\"") && text.contains("freeze = [\"F5\"]"));
        let again = parse(&text).unwrap();
        let same = again.resolve(directories()).unwrap();
        assert_eq!(show(&again, &same).unwrap(), text);
    }
}
