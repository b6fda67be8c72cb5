//! A text of a template, escaped and cut to what a format takes.

use heartline_config::{RenderedText, TextSegment};

use super::fit::{ELLIPSIS_ROOM, TextFormat};

/// Room for a line end before an ellipsis, in any measure.
const LINE_END_ROOM: usize = 4;

impl TextFormat {
    /// Escapes the values of a text, and cuts it where it is too long.
    ///
    /// 1. Text of the template stays as it was written: by it mentions and links are made.
    /// 2. A parenthesis of the template that follows a value is escaped as one of the value: with its end it could
    ///    make a link.
    /// 3. What is too long ends at the end of a line; in the first line at a blank, or else behind a character, and never
    ///    within what one is escaped to.
    pub(super) fn own(&self, text: &RenderedText) -> String {
        let mut whole = String::new();
        let (mut size, mut cut) = (0, Cut::default());
        let mut follows_value = false;
        for segment in text.segments() {
            let is_value = matches!(segment, TextSegment::Value(_));
            for c in segment.text().chars() {
                let before = whole.len();
                if c == '\n' && size + LINE_END_ROOM + ELLIPSIS_ROOM <= self.limit {
                    cut.line = Some(before);
                }
                if is_value && c != '\n' || follows_value && c == '(' {
                    (self.escape)(c, &mut whole);
                } else {
                    whole.push(c);
                }
                follows_value = is_value;
                if c == ' ' && size + ELLIPSIS_ROOM <= self.limit {
                    cut.blank = Some(before);
                }
                size += (self.measure)(&whole[before..]);
                if size + ELLIPSIS_ROOM <= self.limit {
                    cut.character = whole.len();
                }
            }
        }
        if size > self.limit {
            cut.apply(&mut whole);
        }
        whole
    }
}

/// Where a text may be cut.
#[derive(Default)]
struct Cut {
    line: Option<usize>,
    blank: Option<usize>,
    character: usize,
}

impl Cut {
    fn apply(&self, text: &mut String) {
        match (self.line, self.blank) {
            (Some(line), _) => {
                text.truncate(line);
                text.push_str("\n…");
            }
            (None, Some(blank)) if blank > self.character / 2 => {
                text.truncate(blank);
                text.push_str(" …");
            }
            _ => {
                text.truncate(self.character);
                text.push('…');
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use heartline_config::TextTemplate;
    use heartline_vocabulary::NoticeKind;
    use jiff::tz::TimeZone;

    use super::*;
    use crate::text::{Message, facts, utf16};
    use crate::{Delivery, Form, sample};

    fn escape(c: char, to: &mut String) {
        match c {
            '<' => to.push_str("&lt;"),
            '(' if to.ends_with(']') => to.push_str(" ("),
            _ => to.push(c),
        }
    }

    fn rendered(template: &str, name: &str) -> RenderedText {
        let notices = [sample::notice(NoticeKind::Opened)];
        let (form, is_repeat, is_stored) = (Form::Full, false, true);
        let (now_ms, zone) = (sample::NOW_MS, &TimeZone::UTC);
        let delivery = Delivery { notices: &notices, form, is_repeat, is_stored, now_ms, zone };
        let label = sample::label();
        let message = Message::of(&delivery, &label).unwrap();
        let mut facts = facts::of(&delivery, &message, &label, "ops").unwrap();
        facts.incident.name = name.to_owned();
        TextTemplate::parse(template).unwrap().render(&(&facts).into()).unwrap()
    }

    fn fitted(template: &str, name: &str, limit: usize) -> String {
        TextFormat { limit, measure: utf16, escape }.own(&rendered(template, name))
    }

    #[test]
    fn values_are_escaped_and_text_is_not() {
        for (template, name, expected) in [
            ("<!here> {{ name }} <b>", "<!here>", "<!here> &lt;!here> <b>"),
            ("[{{ name }}](https://x)", "[a](b)", "[[a] (b)](https://x)"),
            ("{{ name }}({{ host }})", "[a]", "[a] (m3)"),
            ("[a]{{ name }}", "(b)", "[a] (b)"),
            ("{{ name }}{{ name }}", "](", "] (] ("),
        ] {
            assert_eq!(fitted(template, name, 1_000), expected, "{template}");
        }
    }

    #[test]
    fn what_is_too_long_ends_at_a_line_and_never_within_an_escape() {
        let lines = "one\n{{ name }}\nthree three three";
        assert_eq!(fitted(lines, "two", 25), "one\ntwo\nthree three three");
        assert_eq!(fitted(lines, "two", 24), "one\ntwo\n…");
        assert_eq!(fitted("one two three four", "", 16), "one two three …");
        for limit in 4..60 {
            let text = fitted("{{ name }}", "<<<<<<<<<<<<<<<<<<<<", limit);
            let escapes = text.trim_end_matches('…');
            assert!(escapes.len().is_multiple_of(4) && utf16(&text) <= limit, "{limit}: {text}");
            for template in ["a {{ name }}\n{{ name }}\nb", "{{ name }} {{ name }}", lines] {
                let text = fitted(template, "<a\u{1f600}> ]", limit);
                assert!(utf16(&text) <= limit, "{limit}: {text}");
            }
        }
    }
}
