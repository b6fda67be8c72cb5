//! The thread that writes the log.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

use crate::args::LogFormat;
use crate::clock;

/// Lines that wait for the reader. Further ones are left out.
const QUEUE_LINES: usize = 1_024;
/// How long a process that ends waits for its log.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// The sending end: takes lines without waiting. Cheap to clone.
#[derive(Clone)]
pub(super) struct LogOutput {
    lines: SyncSender<LogLine>,
    lost: Arc<AtomicU64>,
    format: LogFormat,
}

enum LogLine {
    Line(Box<[u8]>),
    Flush(SyncSender<()>),
}

impl LogOutput {
    /// Starts the thread. Without one, lines are lost, and nothing else is.
    pub(super) fn start(to: impl Write + Send + 'static, format: LogFormat) -> Self {
        let (lines, queue) = sync_channel(QUEUE_LINES);
        let output = Self { lines, lost: Arc::default(), format };
        let lost = Arc::clone(&output.lost);
        let run = move || write_lines(to, &queue, &lost, format);
        let _ = thread::Builder::new().name("log".into()).spawn(run);
        output
    }

    /// Queues a line, with its line feed.
    pub(super) fn send(&self, line: &[u8]) {
        if self.lines.try_send(LogLine::Line(line.into())).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Queues a line of the log about the log.
    pub(super) fn send_notice(&self, text: &str) {
        self.send(notice(self.format, text).as_bytes());
    }

    /// Waits until what was queued is written, for a second at most.
    pub(super) fn flush(&self) {
        let (written, is_written) = sync_channel(1);
        if self.lines.try_send(LogLine::Flush(written)).is_ok() {
            let _ = is_written.recv_timeout(FLUSH_TIMEOUT);
        }
    }
}

fn write_lines(mut to: impl Write, queue: &Receiver<LogLine>, lost: &AtomicU64, format: LogFormat) {
    for line in queue {
        // A reader that went away, a closed terminal, a full disk: there is nobody to tell.
        match line {
            LogLine::Line(line) => {
                let lost = lost.swap(0, Ordering::Relaxed);
                if lost > 0 {
                    let text = format!("{lost} lines were left out: the log was not read");
                    let _ = to.write_all(notice(format, &text).as_bytes());
                }
                let _ = to.write_all(&line);
            }
            LogLine::Flush(written) => {
                let _ = to.flush();
                let _ = written.try_send(());
            }
        }
    }
}

/// Formats a line as the subscriber does. The text has no quotes or backslashes.
fn notice(format: LogFormat, text: &str) -> String {
    let at = jiff::Timestamp::from_millisecond(clock::wall_ms()).unwrap_or_default();
    match format {
        LogFormat::Text => format!("{at:.6}  WARN {text}\n"),
        LogFormat::Json => format!(
            "{{\"timestamp\":\"{at:.6}\",\"level\":\"WARN\",\"fields\":{{\"message\":\"{text}\"}},\
             \"target\":\"heartline_collector::log\"}}\n"
        ),
    }
}

impl Write for LogOutput {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.send(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogOutput {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn lines_arrive_in_order() {
        let (to, mut from) = UnixStream::pair().unwrap();
        let output = LogOutput::start(to, LogFormat::Text);
        for n in 0..10 {
            output.send(format!("{n}\n").as_bytes());
        }
        output.flush();
        drop(output);
        let mut text = String::new();
        from.read_to_string(&mut text).unwrap();
        assert_eq!(text, "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n");
    }

    #[test]
    fn a_reader_that_is_gone_or_does_not_read_holds_nobody_up() {
        let (to, from) = UnixStream::pair().unwrap();
        let output = LogOutput::start(to, LogFormat::Text);
        let line = [b'x'; 1_000];
        // More than the socket and the queue hold.
        for _ in 0..20_000 {
            output.send(&line);
        }
        assert!(output.lost.load(Ordering::Relaxed) > 0, "left out and counted");
        drop(from);
        output.flush();
        output.send(&line);
        output.flush();
    }

    #[test]
    fn what_was_left_out_is_said_when_the_log_is_read_again() {
        let (to, mut from) = UnixStream::pair().unwrap();
        let output = LogOutput::start(to, LogFormat::Json);
        output.lost.store(7, Ordering::Relaxed);
        output.send(b"next\n");
        output.flush();
        drop(output);
        let mut text = String::new();
        from.read_to_string(&mut text).unwrap();
        assert!(text.contains("\"message\":\"7 lines were left out"), "{text}");
        assert!(text.ends_with("next\n"), "{text}");
    }
}
