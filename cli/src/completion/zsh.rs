//! Completion in zsh, whose words come with the quotes that were typed.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use clap_complete::engine;
use clap_complete::env::EnvCompleter;

pub(super) struct Zsh;

impl EnvCompleter for Zsh {
    fn name(&self) -> &'static str {
        "zsh"
    }

    fn is(&self, name: &str) -> bool {
        name == "zsh"
    }

    /// Writes a script that asks for lines of a value, a tab and its help. What ends in `:` and the
    /// like is not a whole word yet: no blank follows it. The script is sourced, or loaded by zsh as the
    /// function that it defines.
    fn write_registration(
        &self,
        var: &str,
        name: &str,
        bin: &str,
        completer: &str,
        buf: &mut dyn io::Write,
    ) -> io::Result<()> {
        writeln!(
            buf,
            r#"#compdef {bin}
_{name}() {{
    local -a begun begun_texts whole whole_texts
    local line value
    for line in "${{(@f)$({var}=zsh {completer} -- "${{(@Q)words[1,CURRENT]}}" 2>/dev/null)}}"; do
        value="${{line%%$'\t'*}}"
        case "$value" in
            '') ;;
            *[:=\>,/]) begun+=("$value"); begun_texts+=("${{line//$'\t'/  -- }}") ;;
            *) whole+=("$value"); whole_texts+=("${{line//$'\t'/  -- }}") ;;
        esac
    done
    (( $#begun )) && compadd -l -V begun -S '' -d begun_texts -a begun
    (( $#whole )) && compadd -l -V whole -d whole_texts -a whole
}}
if [[ "$funcstack[1]" == _{name} ]]; then _{name} "$@"; else compdef _{name} {bin}; fi"#
        )
    }

    fn write_complete(
        &self,
        cmd: &mut clap::Command,
        args: Vec<OsString>,
        current_dir: Option<&Path>,
        buf: &mut dyn io::Write,
    ) -> io::Result<()> {
        let cursor = args.len() - 1;
        for candidate in engine::complete(cmd, args, cursor, current_dir)? {
            let help = candidate.get_help().map(ToString::to_string).unwrap_or_default();
            let help = help.lines().next().unwrap_or_default();
            let tab = if help.is_empty() { "" } else { "\t" };
            writeln!(buf, "{}{tab}{help}", candidate.get_value().to_string_lossy())?;
        }
        Ok(())
    }
}
