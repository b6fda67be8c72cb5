//! What the TOML reader says, in the words of whoever wrote the file.

/// A message of the reader, on one line. `snippet` is the text that it is about.
pub(super) fn in_words(message: &str, snippet: &str) -> String {
    let message = message.trim().replace('\n', "; ");
    if let Some((found, expected)) = message
        .strip_prefix("invalid type: ")
        .and_then(|mismatch| mismatch.split_once(", expected "))
    {
        return format!("expected {}, found {}", kind(expected), kind(found));
    }
    if let Some(unknown) = message.strip_prefix("unknown field ") {
        return format!("unknown key {unknown}");
    }
    if let Some(missing) = message.strip_prefix("missing field ") {
        return format!("expected a key {missing}");
    }
    if message == "duplicate key" {
        return format!("duplicate key `{}`: expected once", snippet.trim());
    }
    message
}

/// A type by the name that the manual of TOML gives it.
fn kind(name: &str) -> &str {
    match name {
        "f64" => "a number",
        "sequence" | "a sequence" => "a list",
        "map" | "a map" => "a table",
        "path string" => "a path in quotes",
        "a string" => "a text in quotes",
        name if name.starts_with("struct ") => "a table",
        name => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_program_is_said() {
        let table = [
            ("invalid type: string \"x\", expected f64", "expected a number, found string \"x\""),
            ("invalid type: map, expected a sequence", "expected a list, found a table"),
            (
                "invalid type: integer `3`, expected struct FileHealth",
                "expected a table, found integer `3`",
            ),
            (
                "unknown field `a`, expected one of `b`, `c`",
                "unknown key `a`, expected one of `b`, `c`",
            ),
            ("missing field `match`", "expected a key `match`"),
            ("duplicate key", "duplicate key `listen`: expected once"),
            ("invalid date\nexpected one", "invalid date; expected one"),
        ];
        for (message, said) in table {
            assert_eq!(in_words(message, "listen "), said);
        }
    }
}
