//! One log line a second for one cause.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::fmt::{self, Debug};
use std::hash::Hasher as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use heartline_fleet::MonoTime;
use tracing::callsite::Identifier;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

use super::output::LogOutput;
use crate::clock;

const WINDOW: Duration = Duration::from_secs(1);
/// Different lines of one place in the source that are written in a second.
const LINES_MAX: usize = 8;

/// Lets through one warning or error a second that says the same, and a few that differ from one
/// place in the source: a fault that is met with every datagram or query must not fill the disk.
/// What was left out is counted in a line of its own.
pub(super) struct RateLimit {
    output: LogOutput,
    recent: Mutex<HashMap<Identifier, RecentLines>>,
}

#[derive(Default)]
struct RecentLines {
    since: Option<MonoTime>,
    /// Hashes of the lines that were written since.
    lines: Vec<u64>,
    left_out: u64,
}

/// What becomes of a line.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    LeaveOut,
    /// Write it, after so many that were left out.
    Write(u64),
}

impl RateLimit {
    pub(super) fn new(output: LogOutput) -> Self {
        Self { output, recent: Mutex::default() }
    }
}

impl RecentLines {
    fn judge(&mut self, line: u64, now: MonoTime) -> Verdict {
        let is_over = self.since.is_none_or(|since| now.since(since) >= WINDOW);
        if is_over {
            self.since = Some(now);
            self.lines.clear();
        }
        if self.lines.contains(&line) || self.lines.len() >= LINES_MAX {
            self.left_out += 1;
            return Verdict::LeaveOut;
        }
        self.lines.push(line);
        Verdict::Write(if is_over { std::mem::take(&mut self.left_out) } else { 0 })
    }
}

impl<S: Subscriber> Layer<S> for RateLimit {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        if *event.metadata().level() > Level::WARN {
            return true;
        }
        let mut line = LineHasher(DefaultHasher::new());
        event.record(&mut line);
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let of_callsite = recent.entry(event.metadata().callsite()).or_default();
        let verdict = of_callsite.judge(line.0.finish(), clock::now());
        drop(recent);
        match verdict {
            Verdict::LeaveOut => false,
            Verdict::Write(0) => true,
            Verdict::Write(left_out) => {
                self.output.send_notice(&format!("{left_out} lines like the next were left out"));
                true
            }
        }
    }
}

/// Hashes what a line says.
struct LineHasher(DefaultHasher);

impl Visit for LineHasher {
    fn record_debug(&mut self, _: &Field, value: &dyn Debug) {
        let _ = fmt::write(self, format_args!("{value:?}"));
    }
}

impl fmt::Write for LineHasher {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::os::unix::net::UnixStream;

    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;
    use crate::args::LogFormat;

    #[test]
    fn a_cause_is_written_once_a_second_and_others_meanwhile() {
        let mut recent = RecentLines::default();
        let at = |ms| MonoTime::from_millis(ms);
        assert_eq!(recent.judge(1, at(0)), Verdict::Write(0));
        for ms in 1..1_000 {
            assert_eq!(recent.judge(1, at(ms)), Verdict::LeaveOut);
        }
        assert_eq!(recent.judge(2, at(999)), Verdict::Write(0));
        assert_eq!(recent.judge(1, at(1_000)), Verdict::Write(999));
        for line in 2..LINES_MAX as u64 + 1 {
            assert_eq!(recent.judge(line, at(1_001)), Verdict::Write(0));
        }
        assert_eq!(recent.judge(100, at(1_002)), Verdict::LeaveOut, "a flood of different ones");
        assert_eq!(recent.judge(100, at(2_000)), Verdict::Write(1));
    }

    #[test]
    fn a_thousand_warnings_are_a_few_lines() {
        let (to, mut from) = UnixStream::pair().unwrap();
        let output = LogOutput::start(to, LogFormat::Text);
        let lines = tracing_subscriber::fmt::layer().with_writer(output.clone());
        let log = tracing_subscriber::registry().with(RateLimit::new(output.clone())).with(lines);
        tracing::subscriber::with_default(log, || {
            for _ in 0..1_000 {
                tracing::warn!("can't open {}", "history.db");
            }
            for n in 0..20 {
                tracing::info!("line {n}");
            }
        });
        output.flush();
        drop(output);
        let mut text = String::new();
        from.read_to_string(&mut text).unwrap();
        let count = |of: &str| text.lines().filter(|line| line.contains(of)).count();
        // The loop may cross the end of a second.
        assert!((1..=2).contains(&count("can't open history.db")), "{text}");
        assert_eq!(count("line "), 20, "{text}");
    }
}
