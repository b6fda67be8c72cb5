//! A sink: a place that takes messages, with what is needed to speak to it.

use std::sync::Arc;

use heartline_config::{Secret, SinkConfig, SinkTarget};
use heartline_operator::message::{Acknowledgement, Incident, Notice};
use heartline_vocabulary::{IncidentId, NoticeId, NoticeKind};
use jiff::tz::TimeZone;

use crate::bell::{Bell, ring};
use crate::command::CommandSink;
use crate::format::{
    AcknowledgementQuestion, AlertmanagerFormat, DiscordFormat, FormatInput, HttpFormat,
    NtfyFormat, OpsgenieFormat, PagerDutyFormat, SlackFormat, TeamsFormat, WebhookFormat,
    WebhookSecretError, WebhookSecrets, document_bytes,
};
use crate::http::{HttpClient, HttpFailure, HttpRequest, TrustError, TrustedRoots, classify};
use crate::mail::{MailError, MailSink};
use crate::text::{Message, OwnTexts};
use crate::{CollectorLabel, Delivery, Form, Outcome, Permanence, WorkerPulse};

/// Most alerts in one request to Alertmanager.
const ALERTS_MAX: usize = 10_000;

/// A place that takes messages. It blocks for as long as its time-out says, so it has a thread of its own.
pub struct Sink {
    name: String,
    label: CollectorLabel,
    target: Target,
    texts: OwnTexts,
    warnings: Vec<String>,
    pulse: WorkerPulse,
}

/// Counts a turn before a request, each of which has a deadline of its own. Returns what becomes of a message whose
/// remaining requests are not sent, because the worker is to end.
pub(crate) fn begin_request(pulse: &WorkerPulse) -> Option<Outcome> {
    pulse.turn();
    pulse.is_stopping().then(|| Outcome::retry("the collector stops".to_owned()))
}

/// Whether Alertmanager is told that the collector lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LifeSign {
    Given,
    /// Nobody has said lately that agents are judged.
    Withheld,
}

enum Target {
    Http {
        client: HttpClient,
        format: Box<dyn HttpFormat>,
        question: Option<AcknowledgementQuestion>,
    },
    Alertmanager {
        client: HttpClient,
        format: AlertmanagerFormat,
        urls: Vec<Secret>,
    },
    Mail(Box<MailSink>),
    Command(CommandSink),
    /// `None`: there is nobody whom it could reach.
    Bell(Option<Arc<dyn Bell>>),
}

/// A sink that can't be made of its configuration.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    #[error("sink {sink:?}: {source}")]
    Trust { sink: String, source: TrustError },
    #[error("sink {sink:?}: secret: {source}")]
    Secret { sink: String, source: WebhookSecretError },
    #[error("sink {sink:?}: {source}")]
    Mail { sink: String, source: MailError },
}

impl Sink {
    /// Makes a sink; nothing is sent.
    ///
    /// # Errors
    /// [`SinkError`] says what is wrong with which sink.
    pub fn new(config: &SinkConfig, label: CollectorLabel) -> Result<Self, SinkError> {
        let sink = || config.name.clone();
        let roots = TrustedRoots::load(config.ca_file.as_deref())
            .map_err(|source| SinkError::Trust { sink: sink(), source })?;
        let mut warnings = Vec::new();
        if roots.is_empty() && needs_roots(&config.target) {
            warnings.push(format!(
                "sink {:?}: this machine has no root certificates, so no server can be verified; \
                 install ca-certificates, or set ca_file",
                config.name
            ));
        }
        let http = |format: Box<dyn HttpFormat>| Target::Http {
            client: HttpClient::new(config.timeout, &roots),
            format,
            question: None,
        };
        let target = match config.target.clone() {
            SinkTarget::Webhook { url, secrets } => {
                let secrets = secrets.map(|it| WebhookSecrets::parse(it.expose())).transpose();
                let secrets =
                    secrets.map_err(|source| SinkError::Secret { sink: sink(), source })?;
                http(Box::new(WebhookFormat { url, secrets }))
            }
            SinkTarget::Slack { url } => http(Box::new(SlackFormat { url })),
            SinkTarget::Teams { url } => http(Box::new(TeamsFormat { url })),
            SinkTarget::Discord { url } => http(Box::new(DiscordFormat { url })),
            SinkTarget::PagerDuty { events_url, api_url, key, token } => Target::Http {
                client: HttpClient::new(config.timeout, &roots),
                format: Box::new(PagerDutyFormat { events_url, key }),
                question: token.map(|token| AcknowledgementQuestion { api_url, token }),
            },
            SinkTarget::Opsgenie { url, key } => http(Box::new(OpsgenieFormat { url, key })),
            SinkTarget::Ntfy { url, topic, token } => {
                http(Box::new(NtfyFormat { url, topic, token }))
            }
            SinkTarget::Alertmanager { urls, token } => Target::Alertmanager {
                client: HttpClient::new(config.timeout, &roots),
                format: AlertmanagerFormat::new(label.clone(), token),
                urls,
            },
            SinkTarget::Mail(mail) => {
                let mail = MailSink::new(&mail, &roots, config.timeout, &label);
                let mail = mail.map_err(|source| SinkError::Mail { sink: sink(), source })?;
                Target::Mail(Box::new(mail))
            }
            SinkTarget::Command { argv } => {
                Target::Command(CommandSink { argv, timeout: config.timeout })
            }
            SinkTarget::Bell => Target::Bell(None),
        };
        let pulse = WorkerPulse::new(config.timeout);
        let name = config.name.clone();
        let texts = OwnTexts::new(name.clone(), config.templates.clone());
        Ok(Self { name, label, target, texts, warnings, pulse })
    }

    /// Connects a sink of type `bell` with the terminal apps that ring; another sink stays as it is.
    #[must_use]
    pub fn with_bell(mut self, bell: Arc<dyn Bell>) -> Self {
        if let Target::Bell(target) = &mut self.target {
            *target = Some(bell);
        }
        self
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn pulse(&self) -> &WorkerPulse {
        &self.pulse
    }

    /// Returns what is to be said of the sink at start.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Sends one message, and returns what became of it.
    pub fn send(&mut self, delivery: &Delivery<'_>) -> Outcome {
        let Some(mut message) = Message::of(delivery, &self.label) else {
            return nothing_to_send();
        };
        self.texts.apply(&mut message, delivery, &self.label);
        let input = FormatInput { message: &message, delivery, label: &self.label };
        let outcome = match &mut self.target {
            Target::Http { client, format, .. } => {
                let requests = format.requests(input);
                send_all(client, format.as_ref(), &requests, delivery.now_ms, &self.pulse)
            }
            Target::Alertmanager { client, format, urls } => {
                let alerts = alerts_of(format, delivery, &message, &mut self.texts, &self.label);
                send_alerts(client, format, urls, &alerts, delivery.now_ms, &self.pulse)
            }
            Target::Mail(mail) => mail.send(&message, delivery.now_ms, &self.pulse),
            Target::Command(command) => command.send(document_bytes(input)),
            Target::Bell(bell) => ring(bell.as_deref(), &message.title),
        };
        self.texts.annotate(outcome)
    }

    /// Returns whether the sink has to be told again and again what is open.
    pub fn is_refreshed(&self) -> bool {
        matches!(self.target, Target::Alertmanager { .. })
    }

    /// Tells Alertmanager of everything that is open, of what has ended lately, and, where that is so, that the
    /// collector lives. Other sinks have nothing to be told.
    pub fn refresh(
        &mut self,
        open: &[Incident],
        ended: &[Incident],
        life_sign: LifeSign,
        now_ms: i64,
    ) -> Outcome {
        let Target::Alertmanager { client, format, urls } = &mut self.target else {
            return nothing_to_send();
        };
        format.retain(|id| open.iter().chain(ended).any(|it| it.id == id));
        let mut alerts = match life_sign {
            LifeSign::Given => vec![format.watchdog(now_ms)],
            LifeSign::Withheld => Vec::new(),
        };
        for incident in open.iter().chain(ended).take(ALERTS_MAX) {
            let kind =
                if incident.ended_ms.is_some() { NoticeKind::Resolved } else { NoticeKind::Opened };
            // Templates take their time, which is not a standstill.
            self.pulse.turn();
            let texts = &mut self.texts;
            alerts.extend(alerts_for(format, incident, kind, texts, &self.label, now_ms));
        }
        send_alerts(client, format, urls, &alerts, now_ms, &self.pulse)
    }

    /// Returns whether the sink can be asked who has acknowledged.
    pub fn is_polled(&self) -> bool {
        matches!(self.target, Target::Http { question: Some(_), .. })
    }

    /// Asks PagerDuty whether somebody has acknowledged an incident; `None`: nobody has.
    ///
    /// # Errors
    /// Says why there was no usable answer.
    pub fn poll_acknowledged(
        &mut self,
        incident: IncidentId,
        now_ms: i64,
    ) -> Result<Option<Acknowledgement>, String> {
        let Target::Http { client, question: Some(question), .. } = &self.target else {
            return Ok(None);
        };
        let key = format!("heartline-{}-{incident}", self.label.key_prefix);
        let answer = client.send(&question.request(&key)).map_err(|it| it.to_string())?;
        match classify(&answer, now_ms) {
            Outcome::Delivered { .. } => AcknowledgementQuestion::read(&answer.body, now_ms),
            outcome => Err(outcome.why().unwrap_or_default().to_owned()),
        }
    }
}

fn needs_roots(target: &SinkTarget) -> bool {
    let is_https = |it: &Secret| it.expose().starts_with("https://");
    match target {
        SinkTarget::Webhook { url, .. }
        | SinkTarget::Slack { url }
        | SinkTarget::Teams { url }
        | SinkTarget::Discord { url }
        | SinkTarget::PagerDuty { events_url: url, .. }
        | SinkTarget::Opsgenie { url, .. }
        | SinkTarget::Ntfy { url, .. } => is_https(url),
        SinkTarget::Alertmanager { urls, .. } => urls.iter().any(is_https),
        SinkTarget::Mail(mail) => mail.tls != heartline_config::MailTls::None,
        SinkTarget::Command { .. } | SinkTarget::Bell => false,
    }
}

fn nothing_to_send() -> Outcome {
    Outcome::Delivered {
        answer: "nothing to send: the service does this by itself".to_owned(),
        pause: None,
    }
}

/// Sends requests until one is not taken. Which of them were taken is not kept: services know by their
/// keys what they have.
fn send_all(
    client: &HttpClient,
    format: &dyn HttpFormat,
    requests: &[HttpRequest],
    now_ms: i64,
    pulse: &WorkerPulse,
) -> Outcome {
    let mut last = nothing_to_send();
    for request in requests {
        if let Some(stopped) = begin_request(pulse) {
            return stopped;
        }
        last = match client.send(request) {
            Ok(answer) => format.outcome(&answer, now_ms),
            Err(failure) => failed(&failure),
        };
        if !matches!(last, Outcome::Delivered { .. }) {
            break;
        }
    }
    last
}

fn failed(failure: &HttpFailure) -> Outcome {
    let why = failure.to_string();
    match failure.is_configuration() {
        true => Outcome::SinkRefused { why, permanence: Permanence::UntilRepaired },
        false => Outcome::Retry { after: None, arrival: failure.arrival(), why },
    }
}

fn alerts_of(
    format: &mut AlertmanagerFormat,
    delivery: &Delivery<'_>,
    message: &Message,
    texts: &mut OwnTexts,
    label: &CollectorLabel,
) -> Vec<serde_json::Value> {
    let Some(last) = delivery.notices.last() else { return Vec::new() };
    let now_ms = delivery.now_ms;
    match last.kind {
        // Alertmanager repeats by itself.
        NoticeKind::Reminder => Vec::new(),
        NoticeKind::Test => vec![format.test(message, now_ms)],
        NoticeKind::Digest => {
            let listed = last.listed.iter();
            let kind = NoticeKind::Opened;
            listed.flat_map(|it| alerts_for(format, it, kind, texts, label, now_ms)).collect()
        }
        NoticeKind::Merged => {
            let mut incident = last.incident.clone();
            incident.ended_ms.get_or_insert(last.at_ms);
            format.alerts(&incident, message, now_ms)
        }
        _ => format.alerts(&last.incident, message, now_ms),
    }
}

/// Returns the alerts of an incident in the words of a notice of this kind.
fn alerts_for(
    format: &mut AlertmanagerFormat,
    incident: &Incident,
    kind: NoticeKind,
    texts: &mut OwnTexts,
    label: &CollectorLabel,
    now_ms: i64,
) -> Vec<serde_json::Value> {
    let id = NoticeId { incident: incident.id, number: 0 };
    let listed = Vec::new();
    let notices = [Notice { id, kind, at_ms: now_ms, incident: incident.clone(), listed }];
    let zone = &TimeZone::UTC;
    let (form, is_repeat, is_stored) = (Form::Full, false, true);
    let delivery = Delivery { notices: &notices, form, is_repeat, is_stored, now_ms, zone };
    let Some(mut message) = Message::of(&delivery, label) else { return Vec::new() };
    texts.apply(&mut message, &delivery, label);
    format.alerts(incident, &message, now_ms)
}

/// Sends alerts to every instance. One that takes them is enough, since all are sent again every minute;
/// what the others say is in the answer.
fn send_alerts(
    client: &HttpClient,
    format: &AlertmanagerFormat,
    urls: &[Secret],
    alerts: &[serde_json::Value],
    now_ms: i64,
    pulse: &WorkerPulse,
) -> Outcome {
    if alerts.is_empty() {
        return nothing_to_send();
    }
    let outcomes: Vec<Outcome> = urls
        .iter()
        .map(|url| {
            pulse.turn();
            match client.send(&format.request(url, alerts)) {
                Ok(answer) => classify(&answer, now_ms),
                Err(failure) => failed(&failure),
            }
        })
        .collect();
    let taken = outcomes.iter().filter(|it| it.why().is_none()).count();
    let refused: Vec<&str> = outcomes.iter().filter_map(Outcome::why).collect();
    match (taken, outcomes.first()) {
        (0, Some(first)) => first.clone(),
        (0, None) => nothing_to_send(),
        (taken, _) if refused.is_empty() => {
            Outcome::Delivered { answer: format!("{taken} of {taken} instances"), pause: None }
        }
        (taken, _) => Outcome::Delivered {
            answer: format!("{taken} of {} instances; {}", outcomes.len(), refused.join("; ")),
            pause: None,
        },
    }
}
