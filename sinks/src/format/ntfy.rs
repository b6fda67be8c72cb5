//! ntfy. JSON, and not headers, which carry ASCII alone.

use heartline_config::Secret;
use serde_json::json;

use super::{FormatInput, HttpFormat};
use crate::Form;
use crate::http::HttpRequest;
use crate::text::{TextFormat, Tone, verbatim};

/// Most bytes of a message: a longer one becomes an attachment.
const MESSAGE_MAX: usize = 4_096;

/// Most bytes of a title.
const TITLE_MAX: usize = 250;

/// A topic of a server of ntfy.
pub(crate) struct NtfyFormat {
    pub(crate) url: Secret,
    pub(crate) topic: String,
    pub(crate) token: Option<Secret>,
}

impl HttpFormat for NtfyFormat {
    /// Servers from 2.16 on replace the messages of one incident by the newest of them.
    fn requests(&self, input: FormatInput<'_>) -> Vec<HttpRequest> {
        let message = input.message;
        let text = TextFormat { limit: MESSAGE_MAX, measure: str::len, escape: verbatim };
        let title = TextFormat { limit: TITLE_MAX, ..text }.title(message);
        let body = text.body(message);
        let (priority, tag) = match message.tone {
            Tone::Critical => (5, "rotating_light"),
            Tone::Warning => (4, "warning"),
            Tone::Good => (3, "white_check_mark"),
            Tone::Neutral => (2, "information_source"),
        };
        let body = match input.delivery.form {
            Form::Full if !body.is_empty() => json!({
                "topic": self.topic, "title": title, "message": body, "priority": priority,
                "tags": [tag],
            }),
            _ => json!({ "topic": self.topic, "message": text.title(message) }),
        };
        let mut request = HttpRequest::post_json(self.url.clone(), &body)
            .with("x-sequence-id", message.incident_key.clone());
        if let Some(token) = &self.token {
            request = request.with("authorization", format!("Bearer {}", token.expose()));
        }
        vec![request]
    }
}
