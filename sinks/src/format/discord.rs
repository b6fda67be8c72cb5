//! Discord: webhooks, with `wait=true`, without which it also takes what it does not keep.

use std::collections::BTreeSet;

use heartline_config::{RenderedText, Secret, TextSegment};
use serde_json::{Value, json};

use super::{FormatInput, HttpFormat};
use crate::Form;
use crate::http::HttpRequest;
use crate::text::{Message, TextFormat, Tone, rfc3339, utf16};

/// Most characters of the content.
const CONTENT_MAX: usize = 2_000;

/// Most characters of a description; with the rest of an embed at most 6,000.
const DESCRIPTION_MAX: usize = 4_096;

/// Most users, and most roles, that one message may mention.
const MENTIONS_MAX: usize = 100;

/// A webhook of Discord.
pub(crate) struct DiscordFormat {
    pub(crate) url: Secret,
}

impl HttpFormat for DiscordFormat {
    fn requests(&self, input: FormatInput<'_>) -> Vec<HttpRequest> {
        let message = input.message;
        let text = TextFormat { limit: CONTENT_MAX, measure: utf16, escape };
        let mentions = allowed_mentions(message);
        let body = TextFormat { limit: DESCRIPTION_MAX, ..text }.body(message);
        let body = match input.delivery.form {
            Form::Full if !body.is_empty() => json!({
                "content": text.title(message),
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

/// Allows nobody to be mentioned but the users and roles that stand in the template of the title: what a value
/// contains mentions nobody. `@everyone` can't be allowed for the template alone, so it never is.
fn allowed_mentions(message: &Message) -> Value {
    let (mut users, mut roles) = (BTreeSet::new(), BTreeSet::new());
    let segments = message.own_title.iter().flat_map(RenderedText::segments);
    for segment in segments {
        let TextSegment::Literal(text) = segment else { continue };
        for rest in text.split("<@").skip(1) {
            let Some((id, _)) = rest.split_once('>') else { continue };
            let (ids, id) = match id.strip_prefix('&') {
                Some(role) => (&mut roles, role),
                None => (&mut users, id.trim_start_matches('!')),
            };
            let is_id =
                !id.is_empty() && id.len() <= 20 && id.bytes().all(|it| it.is_ascii_digit());
            if is_id && ids.len() < MENTIONS_MAX {
                ids.insert(id.to_owned());
            }
        }
    }
    let mut allowed = json!({ "parse": [] });
    if !users.is_empty() {
        allowed["users"] = json!(users);
    }
    if !roles.is_empty() {
        allowed["roles"] = json!(roles);
    }
    allowed
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
