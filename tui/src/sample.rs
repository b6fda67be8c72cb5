//! Drives the program in a test: keys in, effects and screens out.

use heartline_operator::SubscriptionUpdate;
use heartline_operator::client::{Greeting, LinkEvent, LinkState};
use heartline_operator::message::*;
use heartline_operator::sample::{NOW_MS, collector, events, fleet};

use crate::clock::MonoTime;
use crate::event::{Answer, Effect, Event as Input};
use crate::keys::Chord;
use crate::options::{Colour, TuiConfig};
use crate::snapshot::{draw, text};
use crate::state::State as App;
use crate::update::update;

/// The program on the sample fleet.
pub(crate) struct Driver {
    pub app: App,
    pub now_ms: u64,
    pub agents: Vec<AgentEntry>,
}

impl Driver {
    /// Connected, with everything loaded.
    pub(crate) fn live(size: (u16, u16)) -> Self {
        Self::with(size, &TuiConfig::default())
    }

    pub(crate) fn with(size: (u16, u16), config: &TuiConfig) -> Self {
        let mut driver = Self::unconnected(size, config);
        driver.connect(Right::Act);
        driver
    }

    pub(crate) fn unconnected(size: (u16, u16), config: &TuiConfig) -> Self {
        let look = config.resolve(Colour::Allowed).unwrap();
        Self { app: App::new(look, size, 7), now_ms: 10_000, agents: fleet() }
    }

    pub(crate) fn connect(&mut self, right: Right) -> Vec<Effect> {
        let status = self.status();
        let greeting = Greeting {
            operator: "ops@collector-1".to_owned(),
            may_control: right == Right::Act,
            collector: status.clone(),
        };
        let mut effects = self.link(LinkEvent::State(LinkState::Live(greeting.into())));
        let page = SubscriptionUpdate::Page {
            entries: self.agents.clone(),
            collector: Box::new(status),
            last: true,
        };
        effects.extend(self.link(LinkEvent::Update(page)));
        effects.extend(self.link(LinkEvent::RoundTrip(std::time::Duration::from_millis(38))));
        let happened = Answer::Events { events: events(), next: None };
        effects.extend(self.send(Input::Answer(happened)));
        effects
    }

    fn status(&self) -> CollectorStatus {
        let at_ms = NOW_MS + i64::try_from(self.now_ms).unwrap() - 10_000;
        CollectorStatus { at_ms, ..collector(&self.agents) }
    }

    pub(crate) fn send(&mut self, event: Input) -> Vec<Effect> {
        update(&mut self.app, event, MonoTime::from_ms(self.now_ms))
    }

    pub(crate) fn link(&mut self, event: LinkEvent) -> Vec<Effect> {
        self.send(Input::Link(event))
    }

    pub(crate) fn lose(&mut self) {
        // The clock's value does not matter: the program counts by its own.
        #[allow(clippy::disallowed_methods, reason = "the link's event carries an instant")]
        let since = std::time::Instant::now();
        let why = "the connection to the collector ended: it was cut".to_owned();
        self.link(LinkEvent::State(LinkState::Lost { since, why }));
    }

    /// Keys as they are written in the config, separated by blanks.
    pub(crate) fn keys(&mut self, keys: &str) -> Vec<Effect> {
        let chords = keys.split_whitespace().map(|key| key.parse::<Chord>().unwrap());
        chords.collect::<Vec<_>>().into_iter().flat_map(|key| self.send(Input::Key(key))).collect()
    }

    /// Types a text, letter by letter.
    pub(crate) fn types(&mut self, text: &str) -> Vec<Effect> {
        let chord = |c| Chord::plain(crossterm::event::KeyCode::Char(c));
        text.chars().flat_map(|c| self.send(Input::Key(chord(c)))).collect()
    }

    /// Time goes by, with a tick at its end.
    pub(crate) fn wait(&mut self, ms: u64) -> Vec<Effect> {
        self.now_ms += ms;
        self.send(Input::Tick)
    }

    /// The agents changed: tells the program, and lets its list settle.
    pub(crate) fn change(&mut self, agent: &str, how: impl FnOnce(&mut AgentVitals)) {
        let entry = self.agents.iter_mut().find(|entry| entry.agent == agent).unwrap();
        how(&mut entry.vitals);
        let AgentEntry { id, vitals, total, .. } = entry.clone();
        let vitals = vec![VitalsUpdate { id, vitals, total }];
        self.news(FleetDelta { vitals, ..self.no_changes() });
    }

    pub(crate) fn no_changes(&self) -> FleetDelta {
        FleetDelta { collector: self.status(), ..FleetDelta::default() }
    }

    pub(crate) fn news(&mut self, changes: FleetDelta) {
        self.link(LinkEvent::Update(SubscriptionUpdate::Delta(Box::new(changes))));
        self.send(Input::Settle);
    }

    pub(crate) fn screen(&self) -> String {
        text(&draw(&self.app))
    }

    /// The line of the screen with this text in it.
    pub(crate) fn line(&self, with: &str) -> String {
        let screen = self.screen();
        let found = screen.lines().find(|line| line.contains(with));
        found.unwrap_or_else(|| panic!("nothing says {with:?} in\n{screen}")).to_owned()
    }
}

/// What the collector lets the operator do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    Act,
    Look,
}
