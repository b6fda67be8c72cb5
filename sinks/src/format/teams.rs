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
            "type": "TextBlock", "text": text.line(&message.title), "wrap": true, "weight": "Bolder",
            "size": "Medium", "color": color,
        })];
        let body = text.body(message);
        if input.delivery.form == Form::Full {
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

/// Text blocks are Markdown: a text can't make a link where no bracket is followed by a parenthesis.
fn escape(c: char, to: &mut String) {
    if c == '(' && to.ends_with(']') {
        to.push(' ');
    }
    to.push(c);
}
