//! The terminal, or what stands in for it: results go to standard output, messages to standard error.

use std::io::{self, BufRead, BufReader, BufWriter, IsTerminal, Write};

use anstream::adapter::strip_str;
use anstream::{AutoStream, ColorChoice};
use rustix::termios::tcgetwinsize;

use crate::error::CliError;
use crate::settings::environment;
use crate::style::StateFormatter;
use crate::terminal::{self, TerminalKind};
use heartline_operator::json;
use heartline_operator::text::GlyphSet;
use serde::Serialize;

/// Bytes of a document that are written at once.
const BUFFER: usize = 64 * 1_024;

/// The streams that a command prints to and reads answers from.
pub(crate) struct Console {
    out: Box<dyn Write>,
    /// The codes for colours are taken out of what is printed.
    is_stripped: bool,
    /// Standard output as it is, for what has no escape codes.
    plain: Box<dyn Write>,
    err: Box<dyn Write>,
    input: Box<dyn BufRead>,
    pub(crate) terminal: TerminalInfo,
    pub(crate) formatter: StateFormatter,
}

/// What the streams can do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TerminalInfo {
    /// A person can be asked, on standard input and error.
    pub(crate) is_interactive: bool,
    /// Standard input and output are a terminal.
    pub(crate) is_terminal: bool,
    pub(crate) kind: TerminalKind,
    /// Width of standard output, if it is a terminal, else that of `COLUMNS`.
    pub(crate) columns: Option<usize>,
}

impl TerminalInfo {
    /// Returns why no app can take over the terminal.
    pub(crate) fn refusal(self) -> Option<&'static str> {
        match (self.is_terminal, self.kind.has_screen()) {
            (false, _) => Some("there is no terminal to open the app on"),
            (true, false) => Some(
                "the app can't draw on this terminal: TERM is \"dumb\", \"unknown\" or not set",
            ),
            (true, true) => None,
        }
    }
}

impl Console {
    /// Returns the console of this process, with Unicode glyphs.
    pub(crate) fn of_process() -> Self {
        let (stdin, stdout, stderr) = (io::stdin(), io::stdout(), io::stderr());
        let kind = TerminalKind::of(&environment);
        let has_colours = kind.has_colours() && !is_no_color_set();
        let choice = |is_terminal: bool| match is_terminal && has_colours {
            true => ColorChoice::Always,
            false => ColorChoice::Never,
        };
        let (is_out, is_err) = (stdout.is_terminal(), stderr.is_terminal());
        let columns = is_out
            .then(|| tcgetwinsize(&stdout).ok())
            .flatten()
            .map(|size| usize::from(size.ws_col))
            .filter(|columns| *columns > 0)
            .or_else(|| terminal::columns(&environment));
        Self {
            terminal: TerminalInfo {
                is_interactive: stdin.is_terminal() && is_err,
                is_terminal: stdin.is_terminal() && is_out,
                kind,
                columns,
            },
            formatter: StateFormatter(GlyphSet::Unicode),
            is_stripped: choice(is_out) == ColorChoice::Never,
            plain: Box::new(io::stdout()),
            out: Box::new(AutoStream::new(buffered(stdout), choice(is_out))),
            err: Box::new(AutoStream::new(stderr, choice(is_err))),
            input: Box::new(BufReader::new(stdin)),
        }
    }

    /// Prints a part of the result and flushes it.
    ///
    /// # Errors
    /// [`CliError::Output`], also when the reader has closed the pipe.
    pub(crate) fn print(&mut self, text: &str) -> Result<(), CliError> {
        let ended = if text.ends_with('\n') { "" } else { "\n" };
        write!(self.out, "{text}{ended}").and_then(|()| self.out.flush()).map_err(CliError::Output)
    }

    /// Prints lines, each with its end, and flushes them.
    ///
    /// # Errors
    /// As [`Self::print`].
    pub(crate) fn print_lines(
        &mut self,
        mut lines: impl Iterator<Item = String>,
    ) -> Result<(), CliError> {
        let printed = if self.is_stripped {
            // Codes stand at the beginning of a line, and to look for more would take longer than the rest.
            let mut out = BufWriter::with_capacity(BUFFER, &mut self.plain);
            let mut print = |line: String| {
                let (coded, rest) = line.split_at(end_of_codes(&line));
                write!(out, "{}{rest}", strip_str(coded))
            };
            lines.try_for_each(&mut print).and_then(|()| out.flush())
        } else {
            lines.try_for_each(|line| self.out.write_all(line.as_bytes()))
        };
        printed.and_then(|()| self.out.flush()).map_err(CliError::Output)
    }

    /// Prints a JSON document piece by piece: that of a large fleet takes hundreds of megabytes.
    ///
    /// # Errors
    /// As [`Self::print`].
    pub(crate) fn print_json(&mut self, document: &impl Serialize) -> Result<(), CliError> {
        let mut out = BufWriter::with_capacity(BUFFER, &mut self.plain);
        let written = json::write_pretty(document, &mut out).and_then(|()| out.write_all(b"\n"));
        written.and_then(|()| out.flush()).map_err(CliError::Output)
    }

    /// Returns standard output as it is, for what has no escape codes.
    pub(crate) fn plain(&mut self) -> &mut dyn Write {
        &mut self.plain
    }

    /// Prints a message for the operator. A closed standard error is no failure.
    pub(crate) fn say(&mut self, text: &str) {
        let _closed = writeln!(self.err, "{text}");
    }

    /// Prints a question and reads a line; `None` at the end of the input.
    ///
    /// # Errors
    /// [`CliError::System`] when the terminal can't be read.
    pub(crate) fn ask(&mut self, question: &str) -> Result<Option<String>, CliError> {
        let cannot = |source| CliError::System { what: "ask at the terminal", source };
        write!(self.err, "{question}").and_then(|()| self.err.flush()).map_err(cannot)?;
        let mut answer = String::new();
        let read = self.input.read_line(&mut answer).map_err(cannot)?;
        Ok((read > 0).then(|| answer.trim().to_owned()))
    }
}

/// Buffers standard output until it is flushed: without escape codes text is written in many pieces.
fn buffered(stdout: io::Stdout) -> Box<dyn Write> {
    Box::new(BufWriter::with_capacity(BUFFER, stdout))
}

/// Returns where the last escape code of a line ends.
fn end_of_codes(line: &str) -> usize {
    let Some(last) = line.rfind('\u{1b}') else { return 0 };
    line[last..].find('m').map_or(line.len(), |end| last + end + 1)
}

/// Follows <https://no-color.org>.
fn is_no_color_set() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Cursor;
    use std::sync::{Arc, Mutex};

    use super::*;

    /// A writer that shares what was written.
    #[derive(Clone, Default)]
    pub(crate) struct SharedBuffer(Arc<Mutex<Vec<u8>>>);

    impl SharedBuffer {
        pub(crate) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for SharedBuffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A console without a terminal (`input` is `None`), or one where somebody types `input`.
    pub(crate) fn console(input: Option<&str>) -> (Console, SharedBuffer, SharedBuffer) {
        let (out, err) = (SharedBuffer::default(), SharedBuffer::default());
        let console = Console {
            is_stripped: true,
            plain: Box::new(out.clone()),
            out: Box::new(AutoStream::never(Box::new(out.clone()) as Box<dyn Write>)),
            err: Box::new(AutoStream::never(Box::new(err.clone()) as Box<dyn Write>)),
            input: Box::new(Cursor::new(input.unwrap_or_default().to_owned())),
            terminal: TerminalInfo {
                is_interactive: input.is_some(),
                is_terminal: false,
                kind: TerminalKind::Dumb,
                columns: None,
            },
            formatter: StateFormatter(GlyphSet::Unicode),
        };
        (console, out, err)
    }

    #[test]
    fn lines_lose_their_colours_and_nothing_else() {
        let (mut console, out, _) = console(None);
        let lines =
            ["\u{1b}[31m✖ a\u{1b}[0m  m 日本\n", "plain m\n", "\u{1b}[0"].map(str::to_owned);
        console.print_lines(lines.into_iter()).unwrap();
        assert_eq!(out.text(), "✖ a  m 日本\nplain m\n");
    }

    #[test]
    fn results_and_messages_go_to_their_streams_without_colours() {
        let (mut console, out, err) = console(Some("yes \n"));
        console.print(&crate::style::alert("one")).unwrap();
        console.say("two");
        assert_eq!(console.ask("three? ").unwrap().as_deref(), Some("yes"));
        assert_eq!(console.ask("").unwrap(), None);
        assert_eq!((out.text(), err.text()), ("one\n".into(), "two\nthree? ".into()));
    }
}
