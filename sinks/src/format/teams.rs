//! Microsoft Teams: the webhook of a flow of Workflows. That it was taken means that the flow was queued,
//! not that anybody saw it.

use heartline_config::Secret;
use serde_json::{Value, json};

use super::{FormatInput, HttpFormat};
use crate::http::{HttpAnswer, HttpRequest, classify};
use crate::text::{TextFormat, Tone};
use crate::{Form, Outcome};

/// Most bytes of the text: a message takes about 28 KB, and JSON makes some characters six times as long.
const TEXT_MAX: usize = 10_000;

/// Most bytes of a title.
const TITLE_MAX: usize = 2_000;

/// Most bytes of an own text, as it stands in JSON.
const OWN_TEXT_MAX: usize = 20_000;

/// A flow of Teams.
pub(crate) struct TeamsFormat {
    pub(crate) url: Secret,
}

impl HttpFormat for TeamsFormat {
    fn requests(&self, input: FormatInput<'_>) -> Vec<HttpRequest> {
        let message = input.message;
        let text = TextFormat { limit: TEXT_MAX, measure: str::len, escape };
        let color = match message.tone {
            Tone::Critical => "Attention",
            Tone::Warning => "Warning",
            Tone::Good => "Good",
            Tone::Neutral => "Default",
        };
        let mut blocks = vec![json!({
            "type": "TextBlock", "text": TextFormat { limit: TITLE_MAX, ..text }.title(message),
            "wrap": true, "weight": "Bolder", "size": "Medium", "color": color,
        })];
        if message.own_body.is_some() {
            // One block, whose paragraphs are the lines.
            let own = TextFormat { limit: OWN_TEXT_MAX, measure: own_size, escape };
            let text = own.body(message).replace('\n', "\n\n");
            blocks.push(json!({ "type": "TextBlock", "text": text, "wrap": true }));
        } else if input.delivery.form == Form::Full {
            let body = text.body(message);
            blocks.extend(body.lines().map(|line| {
                json!({
                    "type": "TextBlock", "text": line, "wrap": true, "spacing": "None",
                    "fontType": "Monospace",
                })
            }));
        }
        vec![HttpRequest::post_json(self.url.clone(), &card(&blocks))]
    }

    /// The connectors of old answered 200, with the error in the body.
    fn outcome(&self, answer: &HttpAnswer, now_ms: i64) -> Outcome {
        match classify(answer, now_ms) {
            Outcome::Delivered { .. } if answer.body.contains("HTTP error") => {
                Outcome::retry(format!("an error in its answer: {}", answer.kept()))
            }
            outcome => outcome,
        }
    }
}

fn card(blocks: &[Value]) -> Value {
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "msteams": { "width": "Full" },
                "body": blocks,
            },
        }],
    })
}

/// Counts bytes of JSON, where a line end is two.
fn own_size(text: &str) -> usize {
    let size = |c: char| match c {
        '\n' => 4,
        '"' | '\\' => 2,
        _ => c.len_utf8(),
    };
    text.chars().map(size).sum()
}

/// Text blocks are Markdown: a text can't make a link where no bracket is followed by a parenthesis.
fn escape(c: char, to: &mut String) {
    if c == '(' && to.ends_with(']') {
        to.push(' ');
    }
    to.push(c);
}
