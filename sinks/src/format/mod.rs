//! The formats of services that speak HTTP: what they are sent, and what they count as success. Pure.

mod alertmanager;
mod discord;
mod ntfy;
mod opsgenie;
mod pagerduty;
mod slack;
mod teams;
mod webhook;

pub(crate) use alertmanager::AlertmanagerFormat;
pub(crate) use discord::DiscordFormat;
pub(crate) use ntfy::NtfyFormat;
pub(crate) use opsgenie::OpsgenieFormat;
pub(crate) use pagerduty::{AcknowledgementQuestion, PagerDutyFormat};
pub(crate) use slack::SlackFormat;
pub(crate) use teams::TeamsFormat;
pub use webhook::WebhookSecretError;
pub(crate) use webhook::{WebhookFormat, WebhookSecrets, document_bytes};

use heartline_operator::message::Notice;
use heartline_vocabulary::NoticeKind;

use crate::http::{HttpAnswer, HttpRequest, classify};
use crate::text::Message;
use crate::{CollectorLabel, Delivery, Outcome};

/// What a message is rendered from.
#[derive(Clone, Copy)]
pub(crate) struct FormatInput<'a> {
    pub(crate) message: &'a Message,
    pub(crate) delivery: &'a Delivery<'a>,
    pub(crate) label: &'a CollectorLabel,
}

/// A service's format.
pub(crate) trait HttpFormat: Send {
    /// Returns the requests that deliver a message, to be sent in this order; none where the service
    /// does by itself what the message would do.
    fn requests(&self, input: FormatInput<'_>) -> Vec<HttpRequest>;

    /// Returns what an answer means.
    fn outcome(&self, answer: &HttpAnswer, now_ms: i64) -> Outcome {
        classify(answer, now_ms)
    }
}

/// Returns whether all that a delivery tells of is over before it was told at all.
pub(crate) fn is_over_untold(delivery: &Delivery<'_>) -> bool {
    let begins = |it: &Notice| it.kind == NoticeKind::Opened;
    let ends = |it: &Notice| it.kind == NoticeKind::Resolved;
    delivery.notices.first().is_some_and(begins) && delivery.notices.last().is_some_and(ends)
}

#[cfg(test)]
mod own_text_tests;
#[cfg(test)]
mod tests;
