//! What `heartline config init` writes.

/// Every setting with its default, commented out.
pub(crate) const TEMPLATE: &str = r##"# Heartline's config file, for `heartlined` and `heartline`. Every setting is shown with its
# default. Unknown keys are errors: check with `heartline config check`.

# Addresses to receive beats on. "0.0.0.0:4327" for agents on other machines.
#listen = ["127.0.0.1:4327"]

# Keys and databases; the sockets for operators.
#data_dir = "~/.local/state/heartline"
#socket_dir = "/run/user/1000/heartline"

# How agents are judged.
#[health]
#late_factor = 3            # intervals without a live beat until degraded
#unreachable_factor = 10    # ... until unreachable
#stall_after = "5m"         # time without progress until degraded

# Other rules for some agents; for each setting the first match wins.
#[[agent]]
#match = "mail.*"
#stall_after = "20m"

# How long history is kept.
#[retention]
#minutes = "48h"
#hours = "90d"

# Who may look and who may act: unix users, or groups with an @ before them.
#[access]
#view = ["@ops", "@dev"]
#control = ["@ops"]

# The terminal app.
#[tui]
#theme = "dark"             # dark, light, mono, colour-blind
#ascii = false
#utc = true

# Keys of the terminal app, by command: `heartline config show keys` lists them all.
#[keys]
#freeze = "f"
#kill = ["K"]
"##;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    #[test]
    fn the_template_is_valid_with_and_without_its_comments() {
        parse(TEMPLATE).unwrap();
        let is_setting = |line: &&str| !line.starts_with("# ");
        let settings: Vec<&str> = TEMPLATE
            .lines()
            .filter(is_setting)
            .map(|line| line.strip_prefix('#').unwrap_or(line))
            .collect();
        parse(&settings.join("\n")).unwrap();
    }
}
