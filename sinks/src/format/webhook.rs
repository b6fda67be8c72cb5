//! A webhook, signed by Standard Webhooks 1.0.
//!
//! The id is the same for every attempt, the time is that of the attempt, and the signature covers id,
//! time and body. Two secrets sign while they are rotated.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use heartline_config::Secret;
use heartline_operator::message::{Incident, IncidentMember, Shortage};
use heartline_vocabulary::{NoticeKind, Reason};
use ring::hmac;
use serde_json::{Value, json};

use super::{FormatInput, HttpFormat};
use crate::Form;
use crate::http::HttpRequest;
use crate::text::{clean, member_count, rfc3339, scope, trouble};

/// Most bytes of a body, as Standard Webhooks recommends.
const BODY_MAX: usize = 20 << 10;

/// Most agents or incidents that are listed.
const LISTED_MAX: usize = 50;

/// Bytes of a secret.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// Most secrets that sign: two while they are rotated, and one to spare.
const SECRETS_MAX: usize = 3;

/// The secrets that sign, the newest first.
#[derive(Clone)]
pub(crate) struct WebhookSecrets(Vec<hmac::Key>);

/// Secrets that can't sign. Says nothing of them.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebhookSecretError {
    #[error("secret {0} is malformed: expected whsec_ and the base64 of 24 to 64 random bytes")]
    Malformed(usize),
    #[error("expected at most {SECRETS_MAX} secrets, separated by blanks, found {0}")]
    TooMany(usize),
}

impl WebhookSecrets {
    /// Parses secrets that are separated by blanks.
    ///
    /// # Errors
    /// [`WebhookSecretError`].
    pub(crate) fn parse(text: &str) -> Result<Self, WebhookSecretError> {
        let secrets: Vec<&str> = text.split_whitespace().collect();
        if secrets.len() > SECRETS_MAX {
            return Err(WebhookSecretError::TooMany(secrets.len()));
        }
        let key = |(number, secret): (usize, &&str)| {
            let bytes = secret.strip_prefix("whsec_").and_then(|it| STANDARD.decode(it).ok());
            let bytes = bytes.filter(|it| SECRET_BYTES.contains(&it.len()));
            let bytes = bytes.ok_or(WebhookSecretError::Malformed(number))?;
            Ok(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
        };
        (1..).zip(&secrets).map(key).collect::<Result<_, _>>().map(Self)
    }

    /// Returns the value of `webhook-signature`.
    fn sign(&self, id: &str, timestamp_s: i64, body: &[u8]) -> String {
        let mut content = format!("{id}.{timestamp_s}.").into_bytes();
        content.extend_from_slice(body);
        let signature = |key| format!("v1,{}", STANDARD.encode(hmac::sign(key, &content)));
        self.0.iter().map(signature).collect::<Vec<_>>().join(" ")
    }
}

/// A webhook of anybody.
pub(crate) struct WebhookFormat {
    pub(crate) url: Secret,
    pub(crate) secrets: Option<WebhookSecrets>,
}

impl HttpFormat for WebhookFormat {
    fn requests(&self, input: FormatInput<'_>) -> Vec<HttpRequest> {
        let body = document_bytes(input);
        let id = &input.message.id;
        let timestamp_s = input.delivery.now_ms.div_euclid(1_000);
        let signature = self.secrets.as_ref().map(|it| it.sign(id, timestamp_s, &body));
        let mut request = HttpRequest::post_bytes(self.url.clone(), body)
            .with("webhook-id", id.clone())
            .with("webhook-timestamp", timestamp_s.to_string());
        if let Some(signature) = signature {
            request = request.with("webhook-signature", signature);
        }
        vec![request]
    }
}

/// Returns a delivery as JSON, with as many members as fit.
pub(crate) fn document_bytes(input: FormatInput<'_>) -> Vec<u8> {
    let mut listed = if input.delivery.form == Form::Plain { 0 } else { LISTED_MAX };
    loop {
        let body = document(input, listed).to_string().into_bytes();
        if body.len() <= BODY_MAX || listed == 0 {
            return body;
        }
        listed /= 2;
    }
}

fn document(input: FormatInput<'_>, listed: usize) -> Value {
    let FormatInput { message, delivery, label } = input;
    let Some(last) = delivery.notices.last() else { return Value::Null };
    let told = delivery.notices.iter().map(
        |it| json!({ "id": it.id.to_string(), "kind": it.kind.name(), "at": rfc3339(it.at_ms) }),
    );
    let lines = message.lines.iter().map(|it| (it.label.to_lowercase(), json!(it.text)));
    let mut data = json!({
        "id": message.id,
        "collector": clean(&label.host),
        "title": message.title,
        "lines": lines.collect::<serde_json::Map<_, _>>(),
        "told": told.collect::<Vec<_>>(),
        "may_be_repeat": delivery.is_repeat,
        "stored": delivery.is_stored,
    });
    if last.kind == NoticeKind::Digest {
        let incidents =
            last.listed.iter().take(listed).map(|it| incident(it, &message.incident_key));
        data["incidents"] = incidents.collect();
        data["left_off"] = json!(last.listed.len().saturating_sub(listed));
    } else {
        let members = last.incident.members.iter().take(listed).map(member);
        let total = member_count(&last.incident).max(last.incident.members.len());
        data["incident"] = incident(&last.incident, &message.incident_key);
        data["members"] = members.collect();
        data["left_off"] = json!(total - last.incident.members.len().min(listed));
    }
    if data["left_off"] != json!(0) {
        data["list_command"] = json!(message.list_command);
    }
    json!({
        "type": format!("incident.{}", last.kind.name()),
        "timestamp": rfc3339(last.at_ms),
        "data": data,
    })
}

fn incident(incident: &Incident, key: &str) -> Value {
    json!({
        "id": incident.id.to_string(),
        "key": key,
        "scope": incident.scope.kind.name(),
        "name": clean(&incident.scope.name),
        "about": scope(incident),
        "severity": incident.severity.name(),
        "state": incident.worst.state.name(),
        "reason": incident.worst.reason.map(Reason::name),
        "trouble": incident.ended_ms.is_none().then(|| trouble(incident)),
        "opened": rfc3339(incident.opened_ms),
        "ended": incident.ended_ms.map(rfc3339),
        "cause_from": rfc3339(incident.cause_from_ms),
        "cause_to": rfc3339(incident.cause_to_ms),
        "in_trouble": incident.counts.in_trouble,
        "affected": incident.counts.affected,
        "total": incident.counts.total,
        "of": incident.counts.of,
        "acknowledged_by": incident.acknowledged.as_ref().map(|it| clean(&it.by)),
        "merged_into": incident.merged_into.map(|it| it.to_string()),
        "shortage": incident.shortage.as_ref().map(shortage),
        "remark": incident.remark.as_deref().map(clean),
    })
}

fn shortage(shortage: &Shortage) -> Value {
    match shortage {
        Shortage::Replicas(it) => json!({
            "of": "replicas",
            "running": it.running,
            "expect": it.expect,
            "alert_below": it.alert_below,
            "lost": it.lost,
            "killed": it.killed,
            "stopped": it.stopped,
            "unknown": it.unknown,
        }),
        Shortage::NeverSeen(it) => json!({
            "of": "expected",
            "never_seen": it.agents.iter().map(|agent| clean(agent)).collect::<Vec<_>>(),
            "waited_for_since": rfc3339(it.since_ms),
        }),
    }
}

fn member(member: &IncidentMember) -> Value {
    json!({
        "agent": clean(&member.agent),
        "host": member.host.as_deref().map(clean),
        "state": member.status.state.name(),
        "reason": member.status.reason.map(Reason::name),
        "since": rfc3339(member.since_ms),
        "lasted_ms": member.lasted_ms,
        "cause": member.cause.as_deref().map(clean),
        "step": member.step.as_deref().map(clean),
        "last_beat": member.last_beat_ms.map(rfc3339),
        "interval_ms": member.interval_ms,
        "in_flight": member.in_flight,
        "affected": member.is_affected,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    #[test]
    fn the_signature_is_that_of_the_specification() {
        let secrets = WebhookSecrets::parse(SECRET).unwrap();
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        let signature = secrets.sign(id, 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        let both = WebhookSecrets::parse(&format!("{SECRET}\n{SECRET}\n")).unwrap();
        assert_eq!(both.sign(id, 1, b"").split(' ').count(), 2);
    }

    #[test]
    fn a_malformed_secret_is_told_by_its_number_alone() {
        let short = format!("whsec_{}", STANDARD.encode([1; 23]));
        for wrong in ["hidden", "whsec_!!", &short, &SECRET[6..]] {
            let error = WebhookSecrets::parse(&format!("{SECRET} {wrong}")).err().unwrap();
            assert_eq!(error, WebhookSecretError::Malformed(2));
            assert!(!error.to_string().contains("hidden"));
        }
        let four = [SECRET; 4].join(" ");
        assert_eq!(WebhookSecrets::parse(&four).err(), Some(WebhookSecretError::TooMany(4)));
    }
}
