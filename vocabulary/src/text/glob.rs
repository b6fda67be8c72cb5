//! Globs, in filters and in health rules.

use std::str::Chars;

/// Returns whether a glob matches a whole text: `*` matches any characters, `?` any one. ASCII
/// letters match in either case.
///
/// Backtracks to the last `*` only, so that it takes at most glob times text steps.
pub fn glob_matches(glob: &str, text: &str) -> bool {
    let (mut glob, mut text) = (glob.chars(), text.chars());
    // Behind the last `*`, and the text from where it stopped.
    let mut retry: Option<(Chars<'_>, Chars<'_>)> = None;
    loop {
        let before = text.clone();
        match (glob.next(), text.next()) {
            (Some('*'), _) => {
                text = before;
                retry = Some((glob.clone(), text.clone()));
            }
            (None, None) => return true,
            (Some(wanted), Some(c)) if wanted == '?' || wanted.eq_ignore_ascii_case(&c) => {}
            _ => {
                // The last `*` takes one character more, if there is one.
                let Some((after_star, from)) = &mut retry else { return false };
                if from.next().is_none() {
                    return false;
                }
                glob = after_star.clone();
                text = from.clone();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn globs_match_the_whole_text() {
        let matching = [
            ("mail.*", "mail.3"),
            ("*", ""),
            ("m?il*er", "mailer"),
            ("*a*b*", "xxaxxbxx"),
            ("m3*", "m3-gpu-01"),
            ("*gpu*", "M3-GPU-01"),
            ("M3", "m3"),
            ("a*b*c", "axxbxbc"),
            ("m?", "mé"),
            ("**x", "xx"),
            ("", ""),
        ];
        for (glob, text) in matching {
            assert!(glob_matches(glob, text), "{glob} on {text}");
        }
        let others = [
            ("mail.*", "mailer"),
            ("m?il*er", "mail"),
            ("*a*b*", "xxbxxaxx"),
            ("m3*", "am3"),
            ("m?", "m"),
            ("a*b", "abc"),
            ("?", ""),
            ("*a?", "a"),
            ("É", "é"),
            ("", "a"),
        ];
        for (glob, text) in others {
            assert!(!glob_matches(glob, text), "{glob} on {text}");
        }
    }

    #[test]
    fn many_stars_take_no_exponential_time() {
        assert!(!glob_matches(&"*a".repeat(500), &"a".repeat(499)));
        assert!(!glob_matches(&("*a".repeat(500) + "b"), &"a".repeat(5_000)));
    }

    /// Matches by the definition of a glob, in exponential time.
    fn reference_match(glob: &[char], text: &[char]) -> bool {
        match glob.split_first() {
            None => text.is_empty(),
            Some(('*', rest)) => (0..=text.len()).any(|at| reference_match(rest, &text[at..])),
            Some(('?', rest)) => !text.is_empty() && reference_match(rest, &text[1..]),
            Some((c, rest)) => text.first() == Some(c) && reference_match(rest, &text[1..]),
        }
    }

    proptest! {
        #[test]
        fn globs_agree_with_their_definition(glob in "[ab*?]{0,8}", text in "[ab]{0,10}") {
            let [glob_chars, text_chars] = [&glob, &text].map(|it| Vec::from_iter(it.chars()));
            let expected = reference_match(&glob_chars, &text_chars);
            prop_assert_eq!(glob_matches(&glob, &text), expected);
        }
    }
}
