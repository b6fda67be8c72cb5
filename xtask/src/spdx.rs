//! Licence expressions (SPDX, annex D), as far as crates use them: `OR`, the older `/`, `AND`,
//! `WITH` and parentheses.

/// Whether what an expression asks for is covered by licences of the list.
pub(crate) fn is_covered(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut words = spaced.split_ascii_whitespace().peekable();
    let covered = either(&mut words, allowed);
    covered == Some(true) && words.next().is_none()
}

type Words<'a> = std::iter::Peekable<std::str::SplitAsciiWhitespace<'a>>;

/// `None` throughout: not an expression.
fn either(words: &mut Words<'_>, allowed: &[String]) -> Option<bool> {
    let mut covered = both(words, allowed)?;
    while words.next_if_eq(&"OR").is_some() {
        covered |= both(words, allowed)?;
    }
    Some(covered)
}

fn both(words: &mut Words<'_>, allowed: &[String]) -> Option<bool> {
    let mut covered = one(words, allowed)?;
    while words.next_if_eq(&"AND").is_some() {
        covered &= one(words, allowed)?;
    }
    Some(covered)
}

fn one(words: &mut Words<'_>, allowed: &[String]) -> Option<bool> {
    let word = words.next()?;
    if word == "(" {
        let covered = either(words, allowed)?;
        return (words.next()? == ")").then_some(covered);
    }
    let mut licence = word.to_owned();
    if words.next_if_eq(&"WITH").is_some() {
        licence = format!("{licence} WITH {}", words.next()?);
    }
    Some(allowed.contains(&licence))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_judged() {
        let allowed = ["MIT", "Unicode-3.0"].map(String::from);
        for (expression, covered) in [
            ("MIT", true),
            ("GPL-3.0-only", false),
            ("Apache-2.0 OR MIT", true),
            ("Apache-2.0/MIT", true),
            ("MIT AND Apache-2.0", false),
            ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
            ("MIT OR (Apache-2.0 AND ISC)", true),
            ("MIT WITH some-exception", false),
            ("MIT OR", false),
            ("MIT)", false),
            ("", false),
        ] {
            assert_eq!(is_covered(expression, &allowed), covered, "{expression}");
        }
    }
}
