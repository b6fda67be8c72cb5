//! A line of a shell as words.

/// Splits a line that is still being typed into its words, without their quotes; a quote may be open
/// at its end. The last word is the one at the cursor, empty behind a blank.
pub(super) fn split(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    let mut chars = line.chars();
    let mut is_word = false;
    while let Some(c) = chars.next() {
        match (c, quote) {
            ('\\', None | Some('"')) => {
                push(&mut words, chars.next());
                is_word = true;
            }
            (_, Some(open)) if c == open => quote = None,
            ('\'' | '"', None) => {
                quote = Some(c);
                is_word = true;
            }
            (_, None) if c.is_whitespace() => {
                if is_word {
                    words.push(String::new());
                }
                is_word = false;
            }
            _ => {
                push(&mut words, Some(c));
                is_word = true;
            }
        }
    }
    words
}

/// Returns whether a quote is open at the end of a line.
pub(super) fn has_open_quote(line: &str) -> bool {
    let mut quote = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (c, quote) {
            ('\\', None | Some('"')) => {
                chars.next();
            }
            ('\'' | '"', None) => quote = Some(c),
            (_, Some(open)) if c == open => quote = None,
            _ => {}
        }
    }
    quote.is_some()
}

fn push(words: &mut [String], c: Option<char>) {
    if let (Some(word), Some(c)) = (words.last_mut(), c) {
        word.push(c);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_split_as_shells_do_it_also_within_a_quote() {
        let table: &[(&str, &[&str])] = &[
            ("heartline", &["heartline"]),
            ("heartline kill ", &["heartline", "kill", ""]),
            ("a  b", &["a", "b"]),
            (r#"a "b c" 'd e'f"#, &["a", "b c", "d ef"]),
            ("a 'state:deg", &["a", "state:deg"]),
            ("a 'state:degraded p9", &["a", "state:degraded p9"]),
            (r"a b\ c", &["a", "b c"]),
            ("a ''", &["a", ""]),
            (r"a \", &["a", ""]),
            ("", &[""]),
        ];
        for (line, words) in table {
            assert_eq!(split(line), *words, "{line}");
        }
    }

    #[test]
    fn open_quotes_are_told_from_closed_ones() {
        for (line, is_open) in
            [("a 'b", true), ("a 'b'", false), (r#"a "it's"#, true), (r"a \'", false), ("", false)]
        {
            assert_eq!(has_open_quote(line), is_open, "{line}");
        }
    }
}
