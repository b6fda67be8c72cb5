//! Completion in bash, which splits words at `:` and `=` and completes only the last piece of one.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use clap_complete::engine;
use clap_complete::env::EnvCompleter;

use super::words::{has_open_quote, split};

/// The line up to the cursor.
const LINE: &str = "HEARTLINE_COMPLETE_LINE";
/// The piece that bash replaces.
const PIECE: &str = "HEARTLINE_COMPLETE_PIECE";

/// Characters besides letters and digits that mean nothing to bash.
const PLAIN: &str = "_-./:,=@%+";
/// Characters that mean something to bash within quotes.
const SPECIAL_IN_QUOTES: &[char] = &['\'', '"', '$', '`', '\\'];

/// Ends of what is not a whole word yet.
const UNFINISHED: &[char] = &[':', '=', '>', ','];

pub(super) struct Bash;

impl EnvCompleter for Bash {
    fn name(&self) -> &'static str {
        "bash"
    }

    fn is(&self, name: &str) -> bool {
        name == "bash"
    }

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
            r#"_{name}_complete() {{
    mapfile -t COMPREPLY < <({LINE}="${{COMP_LINE:0:COMP_POINT}}" {PIECE}="$2" {var}=bash \
        {completer} -- {bin} 2>/dev/null)
    if [[ "${{COMPREPLY[0]}}" =~ [/:=\>,]$ ]]; then compopt -o nospace; fi
}}
complete -o bashdefault -o nosort -F _{name}_complete {bin}"#
        )
    }

    fn write_complete(
        &self,
        cmd: &mut clap::Command,
        _args: Vec<OsString>,
        current_dir: Option<&Path>,
        buf: &mut dyn io::Write,
    ) -> io::Result<()> {
        let line = variable(LINE);
        let words = split(&line);
        let (index, typed) = (words.len() - 1, words[words.len() - 1].clone());
        let words = words.into_iter().map(OsString::from).collect();
        let candidates = engine::complete(cmd, words, index, current_dir)?;
        let (piece, is_quoted) = (variable(PIECE), has_open_quote(&line));
        let values: Vec<_> =
            candidates.iter().map(|one| one.get_value().to_string_lossy()).collect();
        let texts = values.iter().filter_map(|value| replacement(value, &typed, &piece));
        // What can't be written within the quote is not offered.
        let texts: Vec<&str> =
            texts.filter(|text| !is_quoted || !text.contains(SPECIAL_IN_QUOTES)).collect();
        for text in &texts {
            writeln!(buf, "{}", if is_quoted { (*text).to_owned() } else { escape(text) })?;
        }
        // Behind a single candidate bash would close the quote, though more must be typed in it.
        match texts.as_slice() {
            [only] if is_quoted && only.ends_with(UNFINISHED) => writeln!(buf, "{only}..."),
            _ => Ok(()),
        }
    }
}

/// Returns the words that bash was typing, if it is what asks.
pub(super) fn typed_words() -> Option<Vec<OsString>> {
    std::env::var_os(LINE)?;
    Some(split(&variable(LINE)).into_iter().map(OsString::from).collect())
}

fn variable(name: &str) -> String {
    std::env::var_os(name).unwrap_or_default().to_string_lossy().into_owned()
}

/// Returns what takes the place of the last piece of a word, so that the word becomes `value`.
fn replacement<'a>(value: &'a str, typed: &str, piece: &str) -> Option<&'a str> {
    let piece = piece.trim_start_matches(['\'', '"']);
    let before = typed.len() - if typed.ends_with(piece) { piece.len() } else { 0 };
    value.get(before..)
}

/// Escapes characters that may mean something to bash: names of files can be anything.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        if !c.is_alphanumeric() && !PLAIN.contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_piece_of_a_word_is_replaced() {
        assert_eq!(replacement("mail.3", "mail", "mail"), Some("mail.3"));
        assert_eq!(replacement("state:degraded", "state:deg", "deg"), Some("degraded"));
        assert_eq!(replacement("state:degraded", "state:", ""), Some("degraded"));
        assert_eq!(
            replacement("state:degraded", "state:deg", "'state:deg"),
            Some("state:degraded")
        );
        assert_eq!(replacement("late,healthy", "late,he", "late,he"), Some("late,healthy"));
    }

    #[test]
    fn what_bash_would_read_otherwise_is_escaped() {
        assert_eq!(escape("p95>"), r"p95\>");
        assert_eq!(escape("mail.3"), "mail.3");
        assert_eq!(escape("$(a) `b`~\\"), r"\$\(a\)\ \`b\`\~\\");
    }
}
