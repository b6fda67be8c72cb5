//! The terminal, or what stands in for it: results go to standard output, words to standard error.

use std::io::{self, BufRead, BufReader, IsTerminal, Write};

use rustix::termios::tcgetwinsize;

use crate::failure::Failure;
use crate::paint::{Colour, Paint};
use heartline_operator::text::Charset;

/// What a command writes to and asks at.
pub(crate) struct Console {
    out: Box<dyn Write>,
    err: Box<dyn Write>,
    input: Box<dyn BufRead>,
    /// What is known of the other side.
    pub(crate) facts: Facts,
}

/// What is known of the terminal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    /// Whether a person can be asked, on standard input and error.
    pub(crate) can_ask: bool,
    /// Whether standard input and output are a terminal that an app can take over.
    pub(crate) is_screen: bool,
    /// Columns of standard output, if it is a terminal.
    pub(crate) columns: Option<usize>,
    /// How states are drawn on standard output.
    pub(crate) paint: Paint,
    /// How states are drawn on standard error.
    pub(crate) err_paint: Paint,
}

impl Console {
    /// The console of this process. It draws in Unicode until it is told otherwise.
    pub(crate) fn of_process() -> Self {
        let charset = Charset::Unicode;
        let (stdin, stdout, stderr) = (io::stdin(), io::stdout(), io::stderr());
        let colour = |is_terminal: bool| match is_terminal && !is_colour_unwanted() {
            true => Colour::Ansi,
            false => Colour::None,
        };
        let (is_out, is_err) = (stdout.is_terminal(), stderr.is_terminal());
        let columns = is_out
            .then(|| tcgetwinsize(&stdout).ok())
            .flatten()
            .map(|size| usize::from(size.ws_col))
            .filter(|columns| *columns > 0);
        Self {
            facts: Facts {
                can_ask: stdin.is_terminal() && is_err,
                is_screen: stdin.is_terminal() && is_out,
                columns,
                paint: Paint::new(charset, colour(is_out)),
                err_paint: Paint::new(charset, colour(is_err)),
            },
            out: Box::new(io::LineWriter::new(stdout)),
            err: Box::new(stderr),
            input: Box::new(BufReader::new(stdin)),
        }
    }

    /// From now on draws with these characters.
    pub(crate) fn draw_with(&mut self, charset: Charset) {
        self.facts.paint = self.facts.paint.with(charset);
        self.facts.err_paint = self.facts.err_paint.with(charset);
    }

    /// Prints a line, or several, of the result. Each reaches its reader at once.
    ///
    /// # Errors
    /// [`Failure::Output`], also when the reader has gone.
    pub(crate) fn print(&mut self, text: &str) -> Result<(), Failure> {
        let ended = if text.ends_with('\n') { "" } else { "\n" };
        write!(self.out, "{text}{ended}").and_then(|()| self.out.flush()).map_err(Failure::Output)
    }

    /// Says something to the person. That nobody listens is no failure.
    pub(crate) fn say(&mut self, text: &str) {
        let _nobody = writeln!(self.err, "{text}");
    }

    /// Asks, and waits for a line; `None` at the end of the input.
    ///
    /// # Errors
    /// [`Failure::System`] when the terminal can't be read.
    pub(crate) fn ask(&mut self, question: &str) -> Result<Option<String>, Failure> {
        let cannot = |source| Failure::System { what: "ask at the terminal", source };
        write!(self.err, "{question}").and_then(|()| self.err.flush()).map_err(cannot)?;
        let mut answer = String::new();
        let read = self.input.read_line(&mut answer).map_err(cannot)?;
        Ok((read > 0).then(|| answer.trim().to_owned()))
    }
}

/// `NO_COLOR`, as <https://no-color.org> has it.
fn is_colour_unwanted() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Cursor;
    use std::sync::{Arc, Mutex};

    use super::*;

    /// What was written, to look at.
    #[derive(Clone, Default)]
    pub(crate) struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Paper {
        pub(crate) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A console without a terminal (`input` is `None`), or one where somebody types `input`.
    pub(crate) fn console(input: Option<&str>) -> (Console, Paper, Paper) {
        let (out, err) = (Paper::default(), Paper::default());
        let paint = Paint::new(Charset::Unicode, Colour::None);
        let console = Console {
            out: Box::new(out.clone()),
            err: Box::new(err.clone()),
            input: Box::new(Cursor::new(input.unwrap_or_default().to_owned())),
            facts: Facts {
                can_ask: input.is_some(),
                is_screen: false,
                columns: None,
                paint,
                err_paint: paint,
            },
        };
        (console, out, err)
    }

    #[test]
    fn results_and_words_go_different_ways() {
        let (mut console, out, err) = console(Some("yes \n"));
        console.print("one").unwrap();
        console.say("two");
        assert_eq!(console.ask("three? ").unwrap().as_deref(), Some("yes"));
        assert_eq!(console.ask("").unwrap(), None);
        assert_eq!((out.text(), err.text()), ("one\n".into(), "two\nthree? ".into()));
    }
}
