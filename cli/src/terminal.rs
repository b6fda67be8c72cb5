//! The terminal as its environment describes it: what it can draw, and how wide it is.

use std::ffi::OsString;

use heartline_operator::text::GlyphSet;

use crate::config::Lookup;

/// What the terminal can do, by `TERM`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TerminalKind {
    /// `dumb`, or no `TERM` at all: lines of text, as in an editor's shell or the log of a build.
    Dumb,
    /// `vt100` and its kin: a screen without colours.
    Monochrome,
    /// `linux`: colours, and a font that lacks most glyphs.
    Console,
    /// Colours and Unicode, like all others of today.
    Full,
}

impl TerminalKind {
    /// Returns the kind of terminal that `TERM` names.
    pub(crate) fn of(lookup: Lookup<'_>) -> Self {
        match text(lookup, "TERM").as_deref() {
            None | Some("dumb" | "unknown") => Self::Dumb,
            Some(name) if name.starts_with("vt") => Self::Monochrome,
            Some(name) if name == "linux" || name.starts_with("linux-") => Self::Console,
            Some(_) => Self::Full,
        }
    }

    /// Returns whether it shows colours.
    pub(crate) fn has_colours(self) -> bool {
        matches!(self, Self::Console | Self::Full)
    }

    /// Returns whether an app can take over its screen.
    pub(crate) fn has_screen(self) -> bool {
        self != Self::Dumb
    }
}

/// Returns the glyphs that terminal and locale can show.
pub(crate) fn glyph_set(lookup: Lookup<'_>) -> GlyphSet {
    let has_font = match TerminalKind::of(lookup) {
        TerminalKind::Monochrome | TerminalKind::Console => false,
        TerminalKind::Dumb | TerminalKind::Full => true,
    };
    match has_font && is_utf8_locale(lookup) {
        true => GlyphSet::Unicode,
        false => GlyphSet::Ascii,
    }
}

/// Returns whether the characters of the locale are encoded in UTF-8. As in libc the first of these
/// variables that is not empty decides, and without any the locale is `C`, which is ASCII.
fn is_utf8_locale(lookup: Lookup<'_>) -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| text(lookup, name));
    let Some(locale) = locale else { return false };
    let without_modifier = locale.split('@').next().unwrap_or_default();
    let encoding = without_modifier.rsplit('.').next().unwrap_or_default();
    ["utf-8", "utf8"].iter().any(|utf8| encoding.eq_ignore_ascii_case(utf8))
}

/// Returns the width that `COLUMNS` gives, as `watch` sets it for what it runs.
pub(crate) fn columns(lookup: Lookup<'_>) -> Option<usize> {
    text(lookup, "COLUMNS")?.parse().ok().filter(|columns| *columns > 0)
}

/// Returns the value of a variable that is set and not empty.
fn text(lookup: Lookup<'_>, name: &str) -> Option<String> {
    let value: OsString = lookup(name).filter(|value| !value.is_empty())?;
    Some(value.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with<T>(environment: &[(&str, &str)], ask: impl Fn(Lookup<'_>) -> T) -> T {
        ask(&|name| {
            let found = environment.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn terminals_are_known_by_their_names() {
        let table = [
            ("", TerminalKind::Dumb),
            ("dumb", TerminalKind::Dumb),
            ("unknown", TerminalKind::Dumb),
            ("vt52", TerminalKind::Monochrome),
            ("vt220", TerminalKind::Monochrome),
            ("linux", TerminalKind::Console),
            ("linux-16color", TerminalKind::Console),
            ("xterm-256color", TerminalKind::Full),
            ("tmux", TerminalKind::Full),
        ];
        for (term, kind) in table {
            assert_eq!(with(&[("TERM", term)], TerminalKind::of), kind, "{term:?}");
        }
        assert_eq!(with(&[], TerminalKind::of), TerminalKind::Dumb);
    }

    #[test]
    fn glyphs_need_a_locale_in_utf_8_and_a_terminal_with_a_font() {
        let (full, utf8) = (("TERM", "xterm"), ("LANG", "en_US.UTF-8"));
        let table: &[(&[(&str, &str)], GlyphSet)] = &[
            (&[full, utf8], GlyphSet::Unicode),
            (&[full, ("LC_CTYPE", "C.utf8"), ("LANG", "C")], GlyphSet::Unicode),
            (&[full, ("LANG", "de_DE.UTF-8@euro")], GlyphSet::Unicode),
            (&[full, ("LC_ALL", ""), utf8], GlyphSet::Unicode),
            (&[("TERM", "dumb"), utf8], GlyphSet::Unicode),
            (&[full, ("LC_ALL", "POSIX"), utf8], GlyphSet::Ascii),
            (&[full, ("LC_CTYPE", "C"), utf8], GlyphSet::Ascii),
            (&[full, ("LANG", "en_US.ISO-8859-1")], GlyphSet::Ascii),
            (&[full, ("LANG", "en_US")], GlyphSet::Ascii),
            (&[full], GlyphSet::Ascii),
            (&[("TERM", "linux"), utf8], GlyphSet::Ascii),
            (&[("TERM", "vt100"), utf8], GlyphSet::Ascii),
        ];
        for (environment, glyphs) in table {
            assert_eq!(with(environment, glyph_set), *glyphs, "{environment:?}");
        }
    }

    #[test]
    fn only_a_positive_number_is_a_width() {
        for (value, width) in [("80", Some(80)), ("0", None), ("", None), ("wide", None)] {
            assert_eq!(with(&[("COLUMNS", value)], columns), width);
        }
    }
}
