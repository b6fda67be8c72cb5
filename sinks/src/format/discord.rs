//! Discord: webhooks, with `wait=true`, without which it also takes what it does not keep.

use heartline_config::Secret;
use serde_json::json;

use super::{FormatInput, HttpFormat};
use crate::Form;
use crate::http::HttpRequest;
use crate::text::{TextFormat, Tone, rfc3339, utf16};

/// Most characters of the content.
const CONTENT_MAX: usize = 2_000;

/// Most characters of a description; with the rest of an embed at most 6,000.
const DESCRIPTION_MAX: usize = 4_096;

/// A webhook of Discord.
pub(crate) struct DiscordFormat {
    pub(crate) url: Secret,
}

impl HttpFormat for DiscordFormat {
    fn requests(&self, input: FormatInput<'_>) -> Vec<HttpRequest> {
        let message = input.message;
        let text = TextFormat { limit: CONTENT_MAX, measure: utf16, escape };
        // Nobody is mentioned, whatever a text contains.
        let mentions = json!({ "parse": [] });
        let body = TextFormat { limit: DESCRIPTION_MAX, ..text }.body(message);
        let body = match input.delivery.form {
            Form::Full if !body.is_empty() => json!({
                "content": text.line(&message.title),
                "embeds": [{
                    "description": body,
                    "color": color(message.tone),
                    "timestamp": rfc3339(message.at_ms),
                    "footer": { "text": message.tone.name() },
                }],
                "allowed_mentions": mentions,
            }),
            _ => json!({ "content": text.whole(message), "allowed_mentions": mentions }),
        };
        let url = self.url.expose();
        let separator = if url.contains('?') { '&' } else { '?' };
        let url = Secret::new(format!("{url}{separator}wait=true"));
        vec![HttpRequest::post_json(url, &body)]
    }
}

const fn color(tone: Tone) -> u32 {
    match tone {
        Tone::Critical => 0xD1_2D_2D,
        Tone::Warning => 0xE0_9B_24,
        Tone::Good => 0x2E_A0_43,
        Tone::Neutral => 0x6E_76_81,
    }
}

/// Escapes what is Markdown.
fn escape(c: char, to: &mut String) {
    if "\\*_~`|<>[]#@".contains(c) {
        to.push('\\');
    }
    to.push(c);
}
