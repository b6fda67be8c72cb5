//! The one loop: everything that happens comes through it in one order.

mod export;
mod perform;

use std::future::poll_fn;
use std::time::Duration;

use crossterm::event::{self, EventStream, KeyEventKind, MouseButton, MouseEventKind};
use futures_core::Stream as _;
use heartline_operator::FilterError;
use heartline_operator::client::{
    AccessMode, ClientOptions, Endpoint, Link, LinkEvent, LinkState, SshPrompts,
};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use tokio::sync::mpsc;

use crate::clock::{Clock, MonoTime};
use crate::event::{Effect, Event, MouseInput};
use crate::options::Look;
use crate::pace::{Pace, Urgency};
use crate::state::{Behind, State};
use crate::terminal::{Canvas, Guard, Hangup, Signal, Signals, TerminalError};
use crate::update::{filter_fleet, update};
use crate::view::view;
use perform::Performer;

/// Longest wait between two ticks.
const SECOND_MS: i64 = 1_000;
/// Answers that wait to be taken.
const ANSWERS: usize = 32;

/// What to run on, and how it looks.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the collector is.
    pub endpoint: Endpoint,
    /// How to connect; [`AccessMode::View`] for `--read-only`.
    pub client: ClientOptions,
    /// Theme, characters, zone and keys.
    pub look: Look,
    /// The filter to begin with; empty for none.
    pub filter: String,
}

/// Why the program ended, when nothing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitReason {
    /// The operator quit.
    Quit,
    /// TERM, HUP or INT from outside.
    Signal,
    /// The terminal was closed.
    TerminalClosed,
}

/// Why the program could not run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The terminal.
    #[error(transparent)]
    Terminal(#[from] TerminalError),
    /// The filter that was given.
    #[error("--filter can't be read:\n{0}")]
    Filter(#[from] FilterError),
}

/// What woke the loop.
enum Woken {
    Signal(Signal),
    Closed,
    Input(Option<std::io::Result<event::Event>>),
    Event(Event),
    /// It is time to draw or to build the list.
    Due,
}

/// Runs the terminal app until the operator leaves it. Must run in a tokio runtime with time, I/O
/// and signals; a current-thread one will do.
///
/// # Errors
/// No terminal, or a filter that can't be read. A collector that is not there is no error: it is
/// tried for ever.
pub async fn run(options: Options) -> Result<ExitReason, RunError> {
    let clock = Clock::start();
    let mut link = Link::open(options.endpoint.clone(), options.client.clone());
    let first = first_attempt(&options.endpoint, &mut link).await;
    let mut state = State::new(options.look, (0, 0), perform::random_seed());
    filter_fleet(&mut state, &options.filter)?;
    let guard = Guard::take()?;
    state.size = guard.size()?;
    let app = App {
        clock,
        state,
        performer: Performer::new(link.handle()),
        link,
        guard,
        canvas: Canvas::new(),
        pace: Pace::default(),
        drawn: 0,
        tick_at: MonoTime::default(),
    };
    match app.run(first).await {
        // Whoever closed the window wants nothing more of us.
        Err(TerminalError::Gone(_)) => Ok(ExitReason::TerminalClosed),
        other => Ok(other?),
    }
}

/// ssh may ask for a passphrase, on the terminal as it was: so its first attempt comes first.
async fn first_attempt(endpoint: &Endpoint, link: &mut Link) -> Vec<LinkEvent> {
    let mut events = Vec::new();
    if matches!(endpoint, Endpoint::Ssh(ssh) if ssh.prompts == SshPrompts::Allowed) {
        loop {
            let event = link.next().await;
            let decided =
                matches!(event, LinkEvent::State(LinkState::Live(_) | LinkState::Lost { .. }));
            events.push(event);
            if decided {
                break;
            }
        }
    }
    events
}

struct App {
    clock: Clock,
    state: State,
    link: Link,
    performer: Performer,
    guard: Guard,
    canvas: Canvas,
    pace: Pace,
    /// Revision of the state that the terminal shows.
    drawn: u64,
    tick_at: MonoTime,
}

impl App {
    /// Signals come first, then the end of the terminal, keys, answers, news, and last what is due.
    async fn run(mut self, first: Vec<LinkEvent>) -> Result<ExitReason, TerminalError> {
        let mut signals = Signals::listen()?;
        let mut hangup = Hangup::watch().map_err(TerminalError::SetUp)?;
        let mut input = EventStream::new();
        let (answers_in, mut answers) = mpsc::channel(ANSWERS);
        self.performer.answer_to(answers_in);
        for event in first {
            self.apply(Event::Link(event))?;
        }
        self.pace.want_frame(Urgency::Key);
        loop {
            let wait = Duration::from_millis(self.wait_ms());
            let woken = tokio::select! {
                biased;
                signal = signals.next() => Woken::Signal(signal),
                () = hangup.closed() => Woken::Closed,
                read = poll_fn(|context| std::pin::Pin::new(&mut input).poll_next(context)) => {
                    Woken::Input(read)
                }
                Some(event) = answers.recv() => Woken::Event(event),
                event = self.link.next() => Woken::Event(Event::Link(event)),
                () = tokio::time::sleep(wait) => Woken::Due,
            };
            if let Some(reason) = self.woken(woken)? {
                return Ok(reason);
            }
        }
    }

    fn woken(&mut self, woken: Woken) -> Result<Option<ExitReason>, TerminalError> {
        match woken {
            Woken::Signal(Signal::Continue) => self.redraw_all()?,
            Woken::Signal(_) => return Ok(Some(ExitReason::Signal)),
            Woken::Closed | Woken::Input(None | Some(Err(_))) => {
                return Ok(Some(ExitReason::TerminalClosed));
            }
            Woken::Input(Some(Ok(read))) => {
                if let Some(event) = translate(read) {
                    return self.apply(event);
                }
            }
            Woken::Event(event) => return self.apply(event),
            Woken::Due => {}
        }
        self.due()?;
        Ok(None)
    }

    /// Applies an event, does what comes of it, and draws if that is due.
    fn apply(&mut self, event: Event) -> Result<Option<ExitReason>, TerminalError> {
        let urgency = match event {
            Event::Link(_) => Urgency::News,
            _ => Urgency::Key,
        };
        for effect in update(&mut self.state, event, self.clock.now()) {
            match effect {
                Effect::Exit => return Ok(Some(ExitReason::Quit)),
                Effect::Suspend => self.suspend()?,
                Effect::Redraw => self.redraw_all()?,
                Effect::Copy(text) => self.guard.write(&crate::terminal::copy(&text))?,
                Effect::Mouse(mode) => self.guard.write(crate::terminal::mouse(mode))?,
                other => self.performer.perform(other),
            }
        }
        if self.state.revision != self.drawn {
            self.pace.want_frame(urgency);
        }
        if self.state.list.behind != Behind::Nothing {
            self.pace.want_settle();
        }
        self.due()?;
        Ok(None)
    }

    /// Ticks, builds and draws, as far as it is time.
    fn due(&mut self) -> Result<(), TerminalError> {
        let now = self.clock.now();
        if now >= self.tick_at {
            self.tick_at = now.plus_ms(self.to_next_second(now));
            let effects = update(&mut self.state, Event::Tick, now);
            effects.into_iter().for_each(|effect| self.performer.perform(effect));
            if self.state.revision != self.drawn {
                self.pace.want_frame(Urgency::Key);
            }
            if self.state.list.behind != Behind::Nothing {
                self.pace.want_settle();
            }
        }
        if self.pace.settle_due(now) {
            update(&mut self.state, Event::Settle, now);
            self.pace.settled(now, self.clock.now());
            self.pace.want_frame(Urgency::News);
        }
        let now = self.clock.now();
        if self.pace.frame_due(now) {
            self.draw()?;
            self.pace.drew(now, self.clock.now());
        }
        Ok(())
    }

    /// One frame, in one write; none when it looks the same.
    fn draw(&mut self) -> Result<(), TerminalError> {
        let (width, height) = self.state.size;
        let mut next = Buffer::empty(Rect::new(0, 0, width, height));
        let cursor = view(&self.state, &mut next);
        self.drawn = self.state.revision;
        let bytes = self.canvas.frame(next, cursor);
        if bytes.is_empty() { Ok(()) } else { self.guard.write(&bytes) }
    }

    /// The shell has the terminal until `fg`.
    fn suspend(&mut self) -> Result<(), TerminalError> {
        self.guard.give_back();
        crate::terminal::stop_self()?;
        self.redraw_all()
    }

    /// Takes the terminal as if for the first time: size, modes and every cell.
    fn redraw_all(&mut self) -> Result<(), TerminalError> {
        self.guard.take_again()?;
        self.guard.write(crate::terminal::mouse(self.state.mouse))?;
        let (width, height) = self.guard.size()?;
        update(&mut self.state, Event::Resize(width, height), self.clock.now());
        self.canvas.forget();
        self.pace.want_frame(Urgency::Key);
        Ok(())
    }

    fn wait_ms(&self) -> u64 {
        let now = self.clock.now();
        let tick = self.tick_at.since(now);
        self.pace.wait_ms(now).map_or(tick, |wait| wait.min(tick))
    }

    /// Ages tick when the collector's clock does.
    fn to_next_second(&self, now: MonoTime) -> u64 {
        let at_ms = self.state.live.exact_now_ms(now);
        u64::try_from(SECOND_MS - at_ms.rem_euclid(SECOND_MS)).unwrap_or(1)
    }
}

/// What the terminal reports, as an event; what means nothing here is left out.
fn translate(read: event::Event) -> Option<Event> {
    match read {
        event::Event::Key(key) if key.kind != KeyEventKind::Release => Some(Event::Key(key.into())),
        event::Event::Paste(text) => Some(Event::Paste(text)),
        event::Event::Resize(width, height) => Some(Event::Resize(width, height)),
        event::Event::Mouse(mouse) => match mouse.kind {
            MouseEventKind::Down(MouseButton::Left) => {
                Some(Event::Mouse(MouseInput::Click { column: mouse.column, row: mouse.row }))
            }
            MouseEventKind::ScrollDown => Some(Event::Mouse(MouseInput::ScrollDown)),
            MouseEventKind::ScrollUp => Some(Event::Mouse(MouseInput::ScrollUp)),
            _ => None,
        },
        event::Event::Key(_) | event::Event::FocusGained | event::Event::FocusLost => None,
    }
}

impl Options {
    /// The usual: look and act if allowed, named for the collector's log.
    #[must_use]
    pub fn new(endpoint: Endpoint, access: AccessMode, look: Look) -> Self {
        let client = ClientOptions {
            access,
            client: concat!("heartline-tui ", env!("CARGO_PKG_VERSION")).to_owned(),
            ..ClientOptions::default()
        };
        Self { endpoint, client, look, filter: String::new() }
    }
}
