//! A message cut to what a format takes.

use super::message::Message;

/// What a format takes of a text, and how it is written there.
#[derive(Clone, Copy)]
pub(crate) struct TextFormat {
    /// Most units of [`Self::measure`].
    pub(crate) limit: usize,
    /// Adds up: of two texts together it is the sum.
    pub(crate) measure: fn(&str) -> usize,
    /// Escapes one character after the other.
    pub(crate) escape: fn(char, &mut String),
}

/// The width of the labels in front of lines.
const LABEL_WIDTH: usize = 7;

/// Room that is kept for the line that says what was left off.
const REST_ROOM: usize = 160;

/// Room for an ellipsis, in any measure.
pub(super) const ELLIPSIS_ROOM: usize = 3;

/// Escapes nothing.
pub(crate) fn verbatim(c: char, to: &mut String) {
    to.push(c);
}

/// Counts units of UTF-16, as most services do; never less than characters.
pub(crate) fn utf16(text: &str) -> usize {
    text.encode_utf16().count()
}

impl TextFormat {
    /// Escapes a text, and cuts it with an ellipsis where it is too long.
    pub(crate) fn line(&self, text: &str) -> String {
        let mut whole = String::new();
        let (mut size, mut kept) = (0, 0);
        for c in text.chars() {
            let before = whole.len();
            (self.escape)(c, &mut whole);
            size += (self.measure)(&whole[before..]);
            if size + ELLIPSIS_ROOM <= self.limit {
                kept = whole.len();
            }
        }
        if size > self.limit {
            whole.truncate(kept);
            whole.push('…');
        }
        whole
    }

    /// Returns the first line of a message, or the sink's own.
    pub(crate) fn title(&self, message: &Message) -> String {
        match &message.own_title {
            Some(own) => self.own(own),
            None => self.line(&message.title),
        }
    }

    /// Returns the lines and the list of a message, as many as there is room for. What does not fit is
    /// counted, with the command that shows it: length never loses a notice. Or the sink's own text.
    pub(crate) fn body(&self, message: &Message) -> String {
        if let Some(own) = &message.own_body {
            return self.own(own);
        }
        let mut body = String::new();
        let room = Self { limit: self.limit.saturating_sub(REST_ROOM), ..*self };
        for line in &message.lines {
            let line = room.line(&format!("{:<LABEL_WIDTH$}{}", line.label, line.text));
            if !room.push(&mut body, &line) {
                break;
            }
        }
        let mut left_off = message.list_of.saturating_sub(message.list.len());
        for (at, item) in message.list.iter().enumerate() {
            if !room.push(&mut body, &room.line(&format!("- {item}"))) {
                left_off += message.list.len() - at;
                break;
            }
        }
        if !message.list.is_empty() && left_off > 0 {
            let rest = format!("… and {left_off} more: {}", message.list_command);
            let rest = Self { limit: REST_ROOM - 1, ..*self }.line(&rest);
            self.push(&mut body, &rest);
        }
        body
    }

    /// Returns title and body.
    pub(crate) fn whole(&self, message: &Message) -> String {
        let title = Self { limit: self.limit / 2, ..*self }.title(message);
        let limit = self.limit.saturating_sub((self.measure)(&title) + 1);
        let body = Self { limit, ..*self }.body(message);
        if body.is_empty() { title } else { format!("{title}\n{body}") }
    }

    /// Adds a line if it fits.
    fn push(&self, body: &mut String, line: &str) -> bool {
        let separator = if body.is_empty() { "" } else { "\n" };
        let fits = (self.measure)(body) + separator.len() + (self.measure)(line) <= self.limit;
        if fits {
            body.push_str(separator);
            body.push_str(line);
        }
        fits
    }
}
