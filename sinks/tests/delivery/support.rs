//! Sinks and deliveries for tests.

use std::path::Path;
use std::time::Duration;

use heartline_config::{Secret, SinkConfig, SinkTarget, SinkTemplates, TextTemplate};
use heartline_operator::message::Notice;
use heartline_sinks::{Delivery, Form, Outcome, Sink, sample};
use jiff::tz::TimeZone;

static UTC: TimeZone = TimeZone::UTC;

/// A deadline that is long enough for loopback on a busy machine.
pub const TIMEOUT: Duration = Duration::from_secs(5);

pub fn webhook(url: &str) -> SinkTarget {
    SinkTarget::Webhook { url: Secret::new(url), secrets: None }
}

pub fn sink(target: SinkTarget, timeout: Duration) -> Sink {
    sink_that_trusts(target, timeout, None)
}

pub fn sink_that_trusts(target: SinkTarget, timeout: Duration, ca_file: Option<&Path>) -> Sink {
    let ca_file = ca_file.map(Path::to_path_buf);
    let templates = SinkTemplates::default();
    let config = SinkConfig { name: "ops".into(), timeout, ca_file, templates, target };
    Sink::new(&config, sample::label()).unwrap()
}

/// A sink with texts of its own.
pub fn sink_with_texts(target: SinkTarget, title: &str, body: &str) -> Sink {
    let template = |text| Some(TextTemplate::parse(text).unwrap());
    let templates = SinkTemplates { title: template(title), body: template(body) };
    let (name, timeout, ca_file) = ("ops".into(), TIMEOUT, None);
    let config = SinkConfig { name, timeout, ca_file, templates, target };
    Sink::new(&config, sample::label()).unwrap()
}

pub fn delivery(notices: &[Notice]) -> Delivery<'_> {
    let (form, is_repeat, is_stored) = (Form::Full, false, true);
    Delivery { notices, form, is_repeat, is_stored, now_ms: sample::NOW_MS, zone: &UTC }
}

/// Returns why something was not delivered, with the kind of outcome in front.
pub fn told(outcome: &Outcome) -> String {
    let kind = match outcome {
        Outcome::Delivered { .. } => "delivered",
        Outcome::Retry { .. } => "retry",
        Outcome::MessageRefused { .. } => "message refused",
        Outcome::SinkRefused { .. } => "sink refused",
    };
    format!("{kind}: {}", outcome.why().unwrap_or_default())
}
