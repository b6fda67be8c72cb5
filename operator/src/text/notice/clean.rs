//! Text of agents and servers, made fit for a message.

use heartline_vocabulary::text::scrub;

/// Most characters of one text of an agent.
pub const AGENT_TEXT_MAX: usize = 300;

/// Returns a text on one line, without characters that change how others are shown, and cut to
/// [`AGENT_TEXT_MAX`].
pub fn clean(text: &str) -> String {
    clean_to(text, AGENT_TEXT_MAX)
}

/// As [`clean`], with another limit in characters.
pub fn clean_to(text: &str, limit: usize) -> String {
    let spaced = text.replace(['\n', '\r', '\t'], " ");
    // Enough of it: a long text of others is not walked through to its end.
    let scrubbed: String = scrub(spaced.trim()).take(limit + 1).collect();
    cut(&scrubbed, limit)
}

/// Returns the begin of a text, with an ellipsis where it was longer than `limit` characters.
pub fn cut(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let kept: String = text.chars().take(limit.saturating_sub(1)).collect();
    kept + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_agents_say_is_one_line_of_plain_characters() {
        assert_eq!(clean("a\r\nBcc: x\u{202e}\u{200d}\u{1b}[2J"), "a  Bcc: x\u{fffd}\u{fffd}[2J");
        assert_eq!(clean(&"ä".repeat(400)).chars().count(), 300);
        assert!(clean(&"ä".repeat(301)).ends_with("ä…"));
        assert_eq!(clean(&"ä".repeat(300)), "ä".repeat(300));
    }
}
