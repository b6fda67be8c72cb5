//! The event loop: everything that happens passes through it in one order.

mod effects;

use std::future::poll_fn;
use std::hash::{BuildHasher as _, RandomState};
use std::ops::ControlFlow;
use std::time::Duration;

use crossterm::event::{self, EventStream, KeyEventKind, MouseButton, MouseEventKind};
use futures_core::Stream as _;
use heartline_operator::FilterError;
use heartline_operator::client::{ClientOptions, Endpoint, Link, LinkEvent, LinkState, SshPrompts};
use tokio::sync::mpsc;

use crate::clock::{FramePacer, MonoTime, MonotonicClock, RedrawPriority};
use crate::options::TuiSettings;
use crate::state::{AppState, ListStaleness};
use crate::terminal::{
    self, DiffRenderer, HangupWatcher, ProcessSignal, SignalListener, TerminalError, TerminalGuard,
};
use crate::update::{AppEffect, AppEvent, MouseInput, set_initial_filter, update};
use crate::view::view;
use effects::EffectRunner;

/// The longest time between two ticks.
const SECOND_MS: i64 = 1_000;
/// The most outcomes of requests that wait for the event loop.
const OUTCOME_QUEUE: usize = 32;

/// What to connect to, and how.
#[derive(Clone, Debug)]
pub struct RunOptions {
    pub endpoint: Endpoint,
    pub client: ClientOptions,
    pub settings: TuiSettings,
    /// The initial filter; empty for none.
    pub filter: String,
}

/// An error of [`run`].
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error(transparent)]
    Terminal(#[from] TerminalError),
    #[error("--filter can't be read:\n{0}")]
    Filter(#[from] FilterError),
}

/// Runs the terminal app until the operator quits, the terminal is closed, or a signal ends it. Must
/// run in a tokio runtime with time, I/O and signals; a current-thread one will do.
///
/// # Errors
/// No terminal, or an invalid filter. An unreachable collector is no error: connecting is tried again
/// without end.
pub async fn run(options: RunOptions) -> Result<(), RunError> {
    let clock = MonotonicClock::start();
    let mut link = Link::open(options.endpoint.clone(), options.client.clone());
    let first = first_attempt(&options.endpoint, &mut link).await;
    let mut state = AppState::new(options.settings, (0, 0), random_seed());
    set_initial_filter(&mut state, &options.filter)?;
    let guard = TerminalGuard::acquire()?;
    state.size = guard.size()?;
    let (sender, outcomes) = mpsc::channel(OUTCOME_QUEUE);
    let app = App {
        clock,
        state,
        effects: EffectRunner::new(link.handle(), sender),
        link,
        guard,
        renderer: DiffRenderer::new(),
        pacer: FramePacer::default(),
        drawn_revision: 0,
        tick_at: MonoTime::default(),
    };
    match app.run(first, outcomes).await {
        // The terminal was closed, which ends the program as quitting does.
        Err(TerminalError::Gone(_)) => Ok(()),
        other => Ok(other?),
    }
}

/// Returns a seed for request ids, so that no two programs use the same ids.
fn random_seed() -> u64 {
    RandomState::new().hash_one(std::process::id())
}

/// Waits for the first attempt to connect by ssh, which may ask for a passphrase on the terminal
/// before it is set up.
async fn first_attempt(endpoint: &Endpoint, link: &mut Link) -> Vec<LinkEvent> {
    let mut events = Vec::new();
    if matches!(endpoint, Endpoint::Ssh(ssh) if ssh.prompts == SshPrompts::Allowed) {
        loop {
            let event = link.next().await;
            let is_decided =
                matches!(event, LinkEvent::State(LinkState::Live(_) | LinkState::Lost { .. }));
            events.push(event);
            if is_decided {
                break;
            }
        }
    }
    events
}

/// The running program.
struct App {
    clock: MonotonicClock,
    state: AppState,
    link: Link,
    effects: EffectRunner,
    guard: TerminalGuard,
    renderer: DiffRenderer,
    pacer: FramePacer,
    /// The revision of the state that the terminal shows.
    drawn_revision: u64,
    tick_at: MonoTime,
}

impl App {
    /// Priorities: signals, the end of the terminal, input, outcomes of requests, events of the link,
    /// and last what is due.
    async fn run(
        mut self,
        first: Vec<LinkEvent>,
        mut outcomes: mpsc::Receiver<AppEvent>,
    ) -> Result<(), TerminalError> {
        let mut signals = SignalListener::install()?;
        let mut hangup = HangupWatcher::spawn().map_err(TerminalError::SetUp)?;
        let mut input = EventStream::new();
        for event in first {
            // Events of the link never quit.
            let _ = self.apply(AppEvent::Link(event))?;
        }
        self.pacer.request_frame(RedrawPriority::Input);
        loop {
            let timeout = Duration::from_millis(self.timeout_ms());
            let event = tokio::select! {
                biased;
                signal = signals.recv() => match signal {
                    ProcessSignal::Exit => return Ok(()),
                    ProcessSignal::Continue => {
                        self.redraw_all()?;
                        None
                    }
                },
                () = hangup.closed() => return Ok(()),
                read = poll_fn(|context| std::pin::Pin::new(&mut input).poll_next(context)) => {
                    let Some(Ok(input)) = read else { return Ok(()) };
                    translate(input)
                }
                Some(event) = outcomes.recv() => Some(event),
                event = self.link.next() => Some(AppEvent::Link(event)),
                () = tokio::time::sleep(timeout) => None,
            };
            if let Some(event) = event
                && self.apply(event)?.is_break()
            {
                return Ok(());
            }
            self.run_due()?;
        }
    }

    /// Applies an event and runs its effects. Breaks to exit.
    fn apply(&mut self, event: AppEvent) -> Result<ControlFlow<()>, TerminalError> {
        let priority = match event {
            AppEvent::Link(_) => RedrawPriority::Data,
            _ => RedrawPriority::Input,
        };
        for effect in update(&mut self.state, event, self.clock.now()) {
            match effect {
                AppEffect::Exit => return Ok(ControlFlow::Break(())),
                AppEffect::Suspend => self.suspend()?,
                AppEffect::Redraw => self.redraw_all()?,
                AppEffect::CopyToClipboard(text) => self.guard.copy_to_clipboard(&text)?,
                AppEffect::SetMouseMode(mode) => self.guard.set_mouse_mode(mode)?,
                other => self.effects.run(other),
            }
        }
        self.schedule(priority);
        Ok(ControlFlow::Continue(()))
    }

    /// Schedules what the last update made necessary.
    fn schedule(&mut self, priority: RedrawPriority) {
        if self.state.revision != self.drawn_revision {
            self.pacer.request_frame(priority);
        }
        if self.state.list.staleness != ListStaleness::Fresh {
            self.pacer.request_rebuild();
        }
    }

    /// Ticks, rebuilds and draws, as far as that is due.
    fn run_due(&mut self) -> Result<(), TerminalError> {
        let now = self.clock.now();
        if now >= self.tick_at {
            self.tick_at = now.plus_ms(self.to_next_second(now));
            let effects = update(&mut self.state, AppEvent::Tick, now);
            effects.into_iter().for_each(|effect| self.effects.run(effect));
            self.schedule(RedrawPriority::Input);
        }
        if self.pacer.is_rebuild_due(now) {
            update(&mut self.state, AppEvent::RebuildList, now);
            self.pacer.record_rebuild(now, self.clock.now());
            self.pacer.request_frame(RedrawPriority::Data);
        }
        let now = self.clock.now();
        if self.pacer.is_frame_due(now) {
            self.draw()?;
            self.pacer.record_frame(now, self.clock.now());
        }
        Ok(())
    }

    /// Writes a frame at once, if it differs from what the terminal shows.
    fn draw(&mut self) -> Result<(), TerminalError> {
        let (next, cursor) = view(&self.state);
        self.drawn_revision = self.state.revision;
        let bytes = self.renderer.render(next, cursor);
        if bytes.is_empty() { Ok(()) } else { self.guard.write(&bytes) }
    }

    /// Leaves the terminal to the shell until `fg`.
    fn suspend(&mut self) -> Result<(), TerminalError> {
        terminal::restore();
        terminal::stop_process()?;
        self.redraw_all()
    }

    /// Sets the terminal up again, and draws every cell.
    fn redraw_all(&mut self) -> Result<(), TerminalError> {
        self.guard.reacquire()?;
        self.guard.set_mouse_mode(self.state.mouse)?;
        let (width, height) = self.guard.size()?;
        update(&mut self.state, AppEvent::Resize(width, height), self.clock.now());
        self.renderer.invalidate();
        self.pacer.request_frame(RedrawPriority::Input);
        Ok(())
    }

    fn timeout_ms(&self) -> u64 {
        let now = self.clock.now();
        let tick = self.tick_at.since(now);
        self.pacer.timeout_ms(now).map_or(tick, |timeout| timeout.min(tick))
    }

    /// Returns the milliseconds to the next second of the collector's clock, at which ages change.
    fn to_next_second(&self, now: MonoTime) -> u64 {
        let at_ms = self.state.live.exact_now_ms(now);
        u64::try_from(SECOND_MS - at_ms.rem_euclid(SECOND_MS)).unwrap_or(1)
    }
}

/// Translates what the terminal reports; `None` for what has no meaning here.
fn translate(input: event::Event) -> Option<AppEvent> {
    match input {
        event::Event::Key(key) if key.kind != KeyEventKind::Release => {
            Some(AppEvent::Key(key.into()))
        }
        event::Event::Paste(text) => Some(AppEvent::Paste(text)),
        event::Event::Resize(width, height) => Some(AppEvent::Resize(width, height)),
        event::Event::Mouse(mouse) => match mouse.kind {
            MouseEventKind::Down(MouseButton::Left) => {
                Some(AppEvent::Mouse(MouseInput::Click { column: mouse.column, row: mouse.row }))
            }
            MouseEventKind::ScrollDown => Some(AppEvent::Mouse(MouseInput::ScrollDown)),
            MouseEventKind::ScrollUp => Some(AppEvent::Mouse(MouseInput::ScrollUp)),
            _ => None,
        },
        event::Event::Key(_) | event::Event::FocusGained | event::Event::FocusLost => None,
    }
}
