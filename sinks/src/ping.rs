//! The ping of a watchdog: a service that raises an alarm when nothing comes any more.
//!
//! The protocol is that of healthchecks.io: a POST to a URL says that all is well, to `/fail` below it that it is not,
//! with the reasons in the body, and to `/start` that the collector begins.
//!
//! The thread here sends and does nothing else. Each ping is granted by whoever judges agents, and a grant is void after
//! some seconds: where nothing is judged any more nothing is sent.

use std::io;
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::thread;
use std::time::Duration;

use heartline_config::{Secret, WatchdogConfig};

use crate::Outcome;
use crate::clock::{MonotonicClock, wall_now_ms};
use crate::http::{HttpClient, HttpRequest, TrustError, TrustedRoots, classify};
use crate::text::clean_to;

/// The time that a request may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How long a grant holds: the request before may take its time, and no longer.
const GRANT_FOR: Duration = Duration::from_secs(10);

/// Most bytes of a body, and most characters of one reason in it.
const BODY_MAX: usize = 10_000;
const REASON_MAX: usize = 500;

/// Reports that wait to be taken.
const REPORTS: usize = 16;

/// What a ping says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ping {
    /// The collector begins.
    Start,
    /// All is well.
    Alive,
    /// The collector doubts itself, for these reasons.
    Doubt(Vec<String>),
}

/// What became of a ping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PingReport {
    pub ping: Ping,
    /// When it was sent, in milliseconds since 1970.
    pub at_ms: i64,
    /// What the service answered, or why it did not take it. Scrubbed, and without the URL.
    pub answer: Result<String, String>,
}

/// Why a ping is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PingRefusal {
    #[error("the one before is still under way")]
    Busy,
    #[error("the thread that sends them has ended")]
    Ended,
}

/// A watchdog that can't be pinged.
#[derive(Debug, thiserror::Error)]
pub enum PingerError {
    #[error("[watchdog]: {0}")]
    Trust(#[from] TrustError),
    #[error("can't start the thread of the watchdog: {0}; raise the limit on processes")]
    Thread(#[from] io::Error),
}

/// Sends pings on a thread of its own, which ends when this is dropped. Nothing here waits for it.
pub struct Pinger {
    config: WatchdogConfig,
    grants: SyncSender<Grant>,
    reports: Receiver<PingReport>,
    clock: MonotonicClock,
}

struct Grant {
    ping: Ping,
    at: Duration,
}

impl Pinger {
    /// Starts the thread; nothing is sent.
    ///
    /// # Errors
    /// [`PingerError`]
    pub fn start(config: WatchdogConfig) -> Result<Self, PingerError> {
        let roots = TrustedRoots::load(config.ca_file.as_deref())?;
        let clock = MonotonicClock::start();
        // One is under way, and the next one may wait for it.
        let (grants, granted) = mpsc::sync_channel(1);
        let (report_to, reports) = mpsc::sync_channel(REPORTS);
        let client = HttpClient::new(TIMEOUT, &roots);
        let sender = PingSender { client, url: config.url.clone(), clock, granted, report_to };
        thread::Builder::new().name("watchdog".into()).spawn(move || sender.run())?;
        Ok(Self { config, grants, reports, clock })
    }

    pub fn config(&self) -> &WatchdogConfig {
        &self.config
    }

    /// Has a ping sent at once, or not at all. Never blocks.
    ///
    /// # Errors
    /// [`PingRefusal`]
    pub fn grant(&self, ping: Ping) -> Result<(), PingRefusal> {
        self.grants.try_send(Grant { ping, at: self.clock.now() }).map_err(|error| match error {
            TrySendError::Full(_) => PingRefusal::Busy,
            TrySendError::Disconnected(_) => PingRefusal::Ended,
        })
    }

    /// Returns what became of the oldest ping of which that was not taken yet. Never blocks.
    pub fn take_report(&self) -> Option<PingReport> {
        self.reports.try_recv().ok()
    }
}

/// What the thread owns.
struct PingSender {
    client: HttpClient,
    url: Secret,
    clock: MonotonicClock,
    granted: Receiver<Grant>,
    report_to: SyncSender<PingReport>,
}

impl PingSender {
    fn run(self) {
        while let Ok(Grant { ping, at }) = self.granted.recv() {
            if self.clock.now().saturating_sub(at) > GRANT_FOR {
                continue;
            }
            let at_ms = wall_now_ms();
            let answer = self.send(&ping, at_ms);
            // Whoever takes none for so long has other troubles.
            let _full = self.report_to.try_send(PingReport { ping, at_ms, answer });
        }
    }

    fn send(&self, ping: &Ping, now_ms: i64) -> Result<String, String> {
        let answer = self.client.send(&request(&self.url, ping)).map_err(|it| it.to_string())?;
        match classify(&answer, now_ms) {
            // healthchecks.io says so of a check that it does not know, and of pings that it does not count.
            Outcome::Delivered { answer: text, .. } if answer.body.starts_with("OK (") => Err(text),
            Outcome::Delivered { answer, .. } => Ok(answer),
            refused => Err(refused.why().unwrap_or_default().to_owned()),
        }
    }
}

fn request(url: &Secret, ping: &Ping) -> HttpRequest {
    let (below, body) = match ping {
        Ping::Start => ("/start", String::new()),
        Ping::Alive => ("", String::new()),
        Ping::Doubt(reasons) => ("/fail", body(reasons)),
    };
    let plain = HttpRequest::post_bytes(below_path(url.expose(), below), body.into_bytes());
    HttpRequest {
        headers: vec![("content-type", Secret::new("text/plain; charset=utf-8"))],
        ..plain
    }
}

/// Returns the URL with something behind its path, and its query as it was.
fn below_path(url: &str, below: &str) -> Secret {
    let (path, query) = url.split_at(url.find(['?', '#']).unwrap_or(url.len()));
    match below {
        "" => Secret::new(url),
        _ => Secret::new(format!("{}{below}{query}", path.trim_end_matches('/'))),
    }
}

/// Returns the reasons, one a line.
fn body(reasons: &[String]) -> String {
    let mut text = String::new();
    for (left, reason) in (0..reasons.len()).rev().zip(reasons) {
        let line = clean_to(reason, REASON_MAX);
        let rest = format!("and {} more\n", left + 1);
        if text.len() + line.len() + rest.len() >= BODY_MAX {
            return text + &rest;
        }
        text = text + &line + "\n";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_stands_behind_the_path_and_before_the_query() {
        let table = [
            ("https://hc.example/ping/abc", "", "https://hc.example/ping/abc"),
            ("https://hc.example/ping/abc", "/fail", "https://hc.example/ping/abc/fail"),
            ("https://hc.example/ping/abc/", "/start", "https://hc.example/ping/abc/start"),
            (
                "https://hc.example/p/name?create=1",
                "/fail",
                "https://hc.example/p/name/fail?create=1",
            ),
            ("https://hc.example", "/fail", "https://hc.example/fail"),
        ];
        for (url, below, expected) in table {
            assert_eq!(below_path(url, below).expose(), expected);
        }
    }

    #[test]
    fn reasons_are_lines_of_plain_text_and_what_is_too_long_is_counted() {
        let reasons = ["history is paused: a\nb".to_owned(), "no tick\u{1b}[2J".to_owned()];
        assert_eq!(body(&reasons), "history is paused: a b\nno tick\u{fffd}[2J\n");
        let many = vec!["ä".repeat(REASON_MAX); 40];
        let text = body(&many);
        assert!(text.len() <= BODY_MAX && text.ends_with("\nand 31 more\n"), "{}", text.len());
    }
}
