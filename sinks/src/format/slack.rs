//! Slack: incoming webhooks.

use heartline_config::Secret;
use serde_json::{Value, json};

use super::{FormatInput, HttpFormat};
use crate::http::{HttpAnswer, HttpRequest, classify};
use crate::text::{Message, TextFormat, cut, rfc3339, utf16};
use crate::{Form, Outcome};

/// Most characters of the text that notifications show.
const TEXT_MAX: usize = 4_000;

/// Most characters of a section.
const SECTION_MAX: usize = 3_000;

/// Most characters of a header, which is plain text.
const HEADER_MAX: usize = 150;

/// A webhook of Slack.
pub(crate) struct SlackFormat {
    pub(crate) url: Secret,
}

impl HttpFormat for SlackFormat {
    /// One block that is too long would have the whole message refused, so each is cut.
    fn requests(&self, input: FormatInput<'_>) -> Vec<HttpRequest> {
        let message = input.message;
        let text = TextFormat { limit: TEXT_MAX, measure: utf16, escape };
        let whole = text.whole(message);
        let mut body = json!({ "text": whole });
        let section = TextFormat { limit: SECTION_MAX, ..text }.body(message);
        if input.delivery.form == Form::Full && !section.is_empty() {
            let at_s = message.at_ms.div_euclid(1_000);
            let date = format!(
                "{} · <!date^{at_s}^{{date_short_pretty}} {{time_secs}}|{}>",
                message.tone.name(),
                rfc3339(message.at_ms)
            );
            // `verbatim`: nothing in it becomes a link or a mention that is not written as one.
            body["blocks"] = json!([
                title(message),
                { "type": "section", "text": { "type": "mrkdwn", "text": section, "verbatim": true } },
                { "type": "context", "elements": [{ "type": "mrkdwn", "text": date }] },
            ]);
        }
        vec![HttpRequest::post_json(self.url.clone(), &body)]
    }

    /// Slack says `ok`, and nothing else is a success.
    fn outcome(&self, answer: &HttpAnswer, now_ms: i64) -> Outcome {
        match classify(answer, now_ms) {
            Outcome::Delivered { .. } if answer.body.trim() != "ok" => Outcome::unknown(format!(
                "expected Slack to say ok, found {}",
                cut(&answer.kept(), 100)
            )),
            outcome => outcome,
        }
    }
}

/// Returns the block of the title. A header is plain text; an own title may have mentions and links, which a section
/// takes.
fn title(message: &Message) -> Value {
    if message.own_title.is_some() {
        let text = TextFormat { limit: SECTION_MAX, measure: utf16, escape }.title(message);
        return json!({ "type": "section", "text": { "type": "mrkdwn", "text": text, "verbatim": true } });
    }
    let header = TextFormat { limit: HEADER_MAX, measure: utf16, escape: keep }.title(message);
    json!({ "type": "header", "text": { "type": "plain_text", "text": header, "emoji": false } })
}

fn escape(c: char, to: &mut String) {
    match c {
        '&' => to.push_str("&amp;"),
        '<' => to.push_str("&lt;"),
        '>' => to.push_str("&gt;"),
        _ => to.push(c),
    }
}

fn keep(c: char, to: &mut String) {
    to.push(c);
}
