//! The event loop: everything that happens passes through it in one order.

mod effects;

use std::hash::{BuildHasher as _, RandomState};
use std::ops::ControlFlow;
use std::time::Duration;

use heartline_operator::FilterError;
use heartline_operator::client::{ClientOptions, Endpoint, Link, LinkEvent, LinkState, SshPrompts};
use tokio::sync::mpsc;

use crate::clock::{FramePacer, MonoTime, MonotonicClock, RedrawPriority};
use crate::flow_control::FlowControl;
use crate::options::TuiSettings;
use crate::state::{AppState, ListStaleness};
use crate::terminal::{
    self, BellSettings, DiffRenderer, InputEvent, ProcessSignal, SignalListener, Terminal,
    TerminalError, osc_52,
};
use crate::update::{AppEffect, AppEvent, set_initial_filter, update};
use crate::view::view;
use effects::EffectRunner;

/// The longest time between two ticks.
const SECOND_MS: i64 = 1_000;
/// How long the last answers of the terminal are waited for.
const LAST_ANSWER_TIMEOUT: Duration = Duration::from_millis(400);
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
    let bell = options.settings.bell;
    let client = ClientOptions { takes_bell: bell.is_on(), ..options.client.clone() };
    let mut link = Link::open(options.endpoint.clone(), client);
    let first = first_attempt(&options.endpoint, &mut link).await;
    let mut state = AppState::new(options.settings, (0, 0), random_seed());
    set_initial_filter(&mut state, &options.filter)?;
    state.connection.is_file = matches!(options.endpoint, Endpoint::Local(_));
    let signals = SignalListener::install()?;
    let terminal = Terminal::acquire(state.keymap.alt_keys())?;
    state.size = terminal.guard.size();
    let (sender, outcomes) = mpsc::channel(OUTCOME_QUEUE);
    let app = App {
        clock,
        state,
        effects: EffectRunner::new(link.handle(), sender),
        link,
        terminal,
        bell,
        renderer: DiffRenderer::new(),
        pacer: FramePacer::default(),
        drawn_revision: 0,
        tick_at: MonoTime::default(),
        frame_began: None,
        flow: FlowControl::default(),
    };
    match app.run(first, signals, outcomes).await {
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
    terminal: Terminal,
    bell: BellSettings,
    renderer: DiffRenderer,
    pacer: FramePacer,
    /// The revision of the state that the terminal shows.
    drawn_revision: u64,
    tick_at: MonoTime,
    /// When the frame began that the terminal has not taken whole.
    frame_began: Option<MonoTime>,
    flow: FlowControl,
}

impl App {
    /// Priorities: signals, input, what is still to be written, outcomes of requests, events of the
    /// link, and last what is due.
    async fn run(
        mut self,
        first: Vec<LinkEvent>,
        mut signals: SignalListener,
        mut outcomes: mpsc::Receiver<AppEvent>,
    ) -> Result<(), TerminalError> {
        for event in first {
            // Events of the link never quit.
            let _ = self.apply(AppEvent::Link(event))?;
        }
        self.pacer.request_frame(RedrawPriority::Input);
        loop {
            let timeout = Duration::from_millis(self.timeout_ms());
            let events = tokio::select! {
                biased;
                signal = signals.recv() => match signal {
                    ProcessSignal::Exit => return Ok(()),
                    ProcessSignal::Continue => {
                        self.redraw_all()?;
                        Vec::new()
                    }
                    ProcessSignal::Resize => vec![self.resized()],
                },
                read = self.terminal.input.read() => self.translate(read?),
                drained = self.terminal.output.drain(), if self.frame_began.is_some() => {
                    drained?;
                    self.record_frame();
                    Vec::new()
                }
                Some(event) = outcomes.recv() => vec![event],
                event = self.link.next() => vec![AppEvent::Link(event)],
                () = tokio::time::sleep(timeout) => Vec::new(),
            };
            for event in events {
                if self.apply(event)?.is_break() {
                    self.await_answer().await;
                    return Ok(());
                }
            }
            self.run_due()?;
        }
    }

    /// Translates what the terminal reports, and takes its answers.
    fn translate(&mut self, input: Vec<InputEvent>) -> Vec<AppEvent> {
        let mut events = Vec::new();
        for event in input {
            match event {
                InputEvent::Key(chord) => events.push(AppEvent::Key(chord)),
                InputEvent::Paste(text) => events.push(AppEvent::Paste(text)),
                InputEvent::Mouse(input) => events.push(AppEvent::Mouse(input)),
                InputEvent::DeviceReady => self.flow.record_answer(self.clock.now()),
            }
        }
        events
    }

    /// Waits for the answers that are due, so that the shell does not take them for keys.
    async fn await_answer(&mut self) {
        let answer = async {
            while self.flow.is_answer_due() {
                let Ok(input) = self.terminal.input.read().await else { break };
                self.translate(input);
            }
        };
        // A terminal that does not answer is not waited for any longer.
        let _ = tokio::time::timeout(LAST_ANSWER_TIMEOUT, answer).await;
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
                AppEffect::SendToClipboard(text) => self.terminal.output.write(&osc_52(&text))?,
                AppEffect::SetMouseMode(mode) => self.terminal.set_mouse_mode(mode)?,
                AppEffect::Ring(text) => self.ring(&text)?,
                other => self.effects.run(other),
            }
        }
        self.schedule(priority);
        Ok(ControlFlow::Continue(()))
    }

    /// Applies an event that asks for nothing of the terminal but to ring, and runs its other effects.
    fn update(&mut self, event: AppEvent, now: MonoTime) -> Result<(), TerminalError> {
        for effect in update(&mut self.state, event, now) {
            match effect {
                AppEffect::Ring(text) => self.ring(&text)?,
                other => self.effects.run(other),
            }
        }
        Ok(())
    }

    fn ring(&mut self, text: &str) -> Result<(), TerminalError> {
        self.terminal.output.write(&self.bell.sequences(text))
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
            self.update(AppEvent::Tick, now)?;
            self.schedule(RedrawPriority::Input);
        } else if self.state.wake_at().is_some_and(|at| now >= at) {
            self.update(AppEvent::Wake, now)?;
            self.schedule(RedrawPriority::Data);
        }
        if self.pacer.is_rebuild_due(now) {
            self.update(AppEvent::RebuildList, now)?;
            self.pacer.record_rebuild(now, self.clock.now());
            self.pacer.request_frame(RedrawPriority::Data);
        }
        let now = self.clock.now();
        let may_write = self.frame_began.is_none() && self.flow.wait_ms(now) == 0;
        if may_write && self.pacer.is_frame_due(now) {
            self.draw()?;
        }
        Ok(())
    }

    /// Begins to write a frame, if it differs from what the terminal shows. The next one waits until
    /// the terminal has taken it: a slow one gets fewer frames, never old ones.
    fn draw(&mut self) -> Result<(), TerminalError> {
        let now = self.clock.now();
        self.frame_began = Some(now);
        let (next, cursor) = view(&self.state);
        self.drawn_revision = self.state.revision;
        let mut frame = self.renderer.render(next, cursor);
        if !frame.is_empty() {
            frame.extend_from_slice(self.flow.record_frame(frame.len(), now));
        }
        self.terminal.output.write(&frame)?;
        if self.terminal.output.is_drained() {
            self.record_frame();
        }
        Ok(())
    }

    fn record_frame(&mut self) {
        if let Some(began) = self.frame_began.take() {
            self.pacer.record_frame(began, self.clock.now());
            self.schedule(RedrawPriority::Data);
        }
    }

    /// Leaves the terminal to the shell until `fg`.
    fn suspend(&mut self) -> Result<(), TerminalError> {
        terminal::restore();
        terminal::stop_process()?;
        self.redraw_all()
    }

    /// Sets the terminal up again, and draws every cell.
    fn redraw_all(&mut self) -> Result<(), TerminalError> {
        self.terminal.reacquire(self.state.mouse)?;
        self.frame_began = None;
        // What was not written yet may have asked for answers, and a shell may have read others.
        self.flow = FlowControl::default();
        let resized = self.resized();
        self.update(resized, self.clock.now())?;
        self.renderer.invalidate();
        self.pacer.request_frame(RedrawPriority::Input);
        Ok(())
    }

    fn resized(&self) -> AppEvent {
        let (width, height) = self.terminal.guard.size();
        AppEvent::Resize(width, height)
    }

    fn timeout_ms(&self) -> u64 {
        let now = self.clock.now();
        let tick = self.tick_at.since(now);
        let due = match (self.frame_began, self.flow.wait_ms(now)) {
            (None, 0) => self.pacer.timeout_ms(now),
            (None, wait) => {
                self.pacer.rebuild_timeout_ms(now).map_or(Some(wait), |it| Some(it.min(wait)))
            }
            (Some(_), _) => self.pacer.rebuild_timeout_ms(now),
        };
        let wake = self.state.wake_at().map(|at| at.since(now));
        due.into_iter().chain(wake).fold(tick, u64::min)
    }

    /// Returns the milliseconds to the next second of the collector's clock, at which ages change.
    fn to_next_second(&self, now: MonoTime) -> u64 {
        let at_ms = self.state.live.exact_now_ms(now);
        u64::try_from(SECOND_MS - at_ms.rem_euclid(SECOND_MS)).unwrap_or(1)
    }
}
