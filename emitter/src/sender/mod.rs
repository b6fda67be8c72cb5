//! The sender's thread: the only part that touches the network and, after the start, the disk.

mod link;
mod session;
mod source;
mod watch;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use heartline_protocol::limits::DATAGRAM_MAX;

use self::link::Link;
use self::source::{Memo, Source};
use self::watch::{Alarm, Watch};
use crate::bell::Ear;
use crate::engine::{Contact, Desired, Engine, EngineConfig, Keys, Moment};
use crate::problem::Problem;
use crate::settings::Settings;
use crate::shared::{Leave, Shared};

/// How often a token that is not there, or not good, is looked for again.
const TOKEN_RETRY: Duration = Duration::from_secs(1);
/// Most datagrams taken in before other things have their turn.
const RECEIVE_BATCH: usize = 64;
/// How long a goodbye may take when the collector has answered before, and when it never has.
const GOODBYE_PATIENCE: Duration = Duration::from_secs(1);
const GOODBYE_PATIENCE_UNHEARD: Duration = Duration::from_millis(250);

/// Everything that the sender's thread owns.
pub(crate) struct Sender {
    shared: Arc<Shared>,
    settings: Settings,
    remembered: Desired,
    /// `None` until there is a token.
    engine: Option<Engine>,
    link: Link,
    ear: Ear,
    memo: Memo,
    watch: Watch,
    token_retry_at: Moment,
    /// Killed, with tasks still in flight.
    draining: bool,
    datagram: Vec<u8>,
}

impl Sender {
    pub(crate) fn new(
        shared: Arc<Shared>,
        settings: Settings,
        remembered: Desired,
        keys: Result<Keys, Problem>,
        ear: Ear,
    ) -> Self {
        let now = shared.clock.now();
        let mut sender = Self {
            link: Link::new(settings.collector.clone()),
            watch: Watch::new(Duration::from_millis(u64::from(settings.interval_ms)), now),
            shared,
            settings,
            remembered,
            engine: None,
            ear,
            memo: Memo::new(),
            token_retry_at: now.plus(TOKEN_RETRY),
            draining: false,
            datagram: Vec::with_capacity(DATAGRAM_MAX),
        };
        sender.begin(keys, now);
        sender
    }

    /// Runs until the agent leaves. A panic, which would be a fault of ours, ends the emitter and
    /// not the agent.
    pub(crate) fn run(mut self) {
        if catch_unwind(AssertUnwindSafe(|| while self.turn() {})).is_err() {
            tracing::error!(agent = %self.settings.agent, "heartline: the emitter has failed");
        }
        self.shared.sender_has_left();
    }

    /// One turn: hear, obey, send, look after things, wait. Says whether there is another one.
    fn turn(&mut self) -> bool {
        let now = self.shared.clock.now();
        if self.engine.is_none() && now >= self.token_retry_at {
            self.token_retry_at = now.plus(TOKEN_RETRY);
            self.begin(self.settings.token.keys(&self.settings.agent), now);
        }
        self.receive(now);
        match (self.shared.leave(), &mut self.engine) {
            (Leave::Stay, _) => {}
            (Leave::Silently, _) | (Leave::Goodbye, None) => return false,
            (Leave::Goodbye, Some(engine)) => {
                let patience = match engine.contact() {
                    Contact::Unheard => GOODBYE_PATIENCE_UNHEARD,
                    Contact::Unconfirmed | Contact::Confirmed => GOODBYE_PATIENCE,
                };
                engine.goodbye(now, patience);
            }
        }
        self.transmit(now);
        self.look_after(now);
        let due = match &self.engine {
            Some(engine) => engine.poll_timeout(),
            None => Some(self.token_retry_at),
        };
        let Some(due) = due else { return false };
        self.link.wait(&self.ear, due.since(self.shared.clock.now()));
        true
    }

    /// Begins the session, once there are keys for it.
    fn begin(&mut self, keys: Result<Keys, Problem>, now: Moment) {
        let problem = match keys {
            Ok(keys) => {
                let config = EngineConfig {
                    interval_ms: self.settings.interval_ms,
                    identity: self.settings.identity.clone(),
                    remembered: self.remembered,
                    jitter_seed: session::random(),
                    ..EngineConfig::new(self.settings.agent.clone(), keys, session::random())
                };
                self.engine = Some(Engine::new(config, now));
                self.shared.bulletin.lock().contact = Some(Contact::Unheard);
                None
            }
            Err(problem) => Some(problem),
        };
        let before = std::mem::replace(&mut self.shared.bulletin.lock().token, problem.clone());
        match problem {
            // A collector that starts after its agents is no reason to make a noise.
            None | Some(Problem::NoToken { .. }) => {}
            same if same == before => {}
            Some(problem) => tracing::warn!(agent = %self.settings.agent, "heartline: {problem}"),
        }
    }

    fn receive(&mut self, now: Moment) {
        let Some(engine) = &mut self.engine else { return };
        let mut buffer = [0; DATAGRAM_MAX + 1];
        for _ in 0..RECEIVE_BATCH {
            let Some(datagram) = self.link.receive(&mut buffer) else { break };
            match engine.handle_datagram(datagram, now) {
                Ok(heard) => {
                    if let Some(desired) = heard.desired {
                        // At once for the agent; on disk before any beat reports it.
                        self.shared.obey(desired);
                        self.draining = desired.killed;
                        remember(&self.shared, &self.settings, desired);
                    }
                }
                Err(_) => self.shared.bulletin.lock().refused_datagrams += 1,
            }
        }
    }

    fn transmit(&mut self, now: Moment) {
        let Some(engine) = &mut self.engine else { return };
        if self.draining && self.shared.counters.in_flight() == 0 {
            self.draining = false;
            engine.news(now);
        }
        let mut source = Source { shared: &self.shared, memo: &mut self.memo };
        while engine.poll_transmit(now, &mut source, &mut self.datagram) {
            self.link.send(&self.datagram);
        }
    }

    fn look_after(&mut self, now: Moment) {
        let alarm = self.watch.look(self.engine.as_ref(), self.link.collector(), now);
        let mut news = self.shared.bulletin.lock();
        news.contact = self.engine.as_ref().map(Engine::contact);
        news.last_answer = self.engine.as_ref().and_then(Engine::last_answer);
        news.link = self.link.problem().cloned();
        news.answer = self.watch.problem().cloned();
        if alarm == Alarm::None {
            return;
        }
        if alarm == Alarm::First {
            let problems: Vec<String> = news.problems().iter().map(ToString::to_string).collect();
            tracing::warn!(agent = %self.settings.agent, "heartline: {}", problems.join("; "));
        }
        drop(news);
        self.link.reopen();
        // The collector may have been set up anew, with other keys.
        if let (Some(engine), true) = (&mut self.engine, self.settings.token.may_change())
            && let Ok(keys) = self.settings.token.keys(&self.settings.agent)
        {
            engine.rekey(keys);
        }
    }
}

fn remember(shared: &Shared, settings: &Settings, desired: Desired) {
    let Some(memory) = &settings.memory else { return };
    let problem = memory.write(desired).err();
    if let Some(problem) = &problem {
        tracing::warn!(agent = %settings.agent, "heartline: {problem}");
    }
    shared.bulletin.lock().memory = problem;
}
