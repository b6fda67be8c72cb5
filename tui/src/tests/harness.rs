//! Runs the app in a test: keys in, effects and screens out.

use heartline_operator::SubscriptionUpdate;
use heartline_operator::client::{AccessMode, Greeting, LinkEvent, LinkState};
use heartline_operator::message::*;
use heartline_operator::sample::{NOW_MS, collector, events, fleet};

use crate::clock::MonoTime;
use crate::keys::KeyChord;
use crate::options::{ColourPreference, TuiConfig};
use crate::snapshot::text;
use crate::state::{AppState, ConfirmDialog, DialogFocus, Overlay};
use crate::update::{AppEffect, AppEvent, update};
use crate::view::view;

/// The app on the sample fleet.
pub(crate) struct AppHarness {
    pub state: AppState,
    pub now_ms: u64,
    pub agents: Vec<AgentEntry>,
}

impl AppHarness {
    /// Returns a connected app that has loaded everything.
    pub(crate) fn connected(size: (u16, u16)) -> Self {
        Self::with(size, &TuiConfig::default())
    }

    pub(crate) fn with(size: (u16, u16), config: &TuiConfig) -> Self {
        let mut app = Self::unconnected(size, config);
        app.connect(AccessMode::Control);
        app
    }

    /// Returns a connected app with one agent selected.
    pub(crate) fn on(agent: &str) -> Self {
        let mut app = Self::connected((120, 36));
        app.keys("/");
        app.type_text(&format!("agent={agent}"));
        app.keys("Enter");
        app
    }

    pub(crate) fn unconnected(size: (u16, u16), config: &TuiConfig) -> Self {
        let settings = config.resolve(ColourPreference::Allowed).unwrap();
        Self { state: AppState::new(settings, size, 7), now_ms: 10_000, agents: fleet() }
    }

    pub(crate) fn connect(&mut self, access: AccessMode) -> Vec<AppEffect> {
        let status = self.status();
        let greeting = Greeting {
            operator: "ops@collector-1".to_owned(),
            may_control: access == AccessMode::Control,
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
        let loaded = AppEvent::EventsReceived { events: events(), next: None };
        effects.extend(self.send(loaded));
        effects
    }

    fn status(&self) -> CollectorStatus {
        let at_ms = NOW_MS + i64::try_from(self.now_ms).unwrap() - 10_000;
        CollectorStatus { at_ms, ..collector(&self.agents) }
    }

    pub(crate) fn send(&mut self, event: AppEvent) -> Vec<AppEffect> {
        update(&mut self.state, event, MonoTime::from_ms(self.now_ms))
    }

    pub(crate) fn link(&mut self, event: LinkEvent) -> Vec<AppEffect> {
        self.send(AppEvent::Link(event))
    }

    pub(crate) fn disconnect(&mut self) {
        self.lose("the connection to the collector ended: it broke off");
    }

    /// Ends the connection, or the attempt to connect, with an error.
    pub(crate) fn lose(&mut self, why: &str) {
        // The app does not use this time.
        #[allow(clippy::disallowed_methods, reason = "the link's event carries an instant")]
        let since = std::time::Instant::now();
        let why = why.to_owned();
        self.link(LinkEvent::State(LinkState::Lost { since, why }));
    }

    /// Presses keys, written as in the config and separated by blanks.
    pub(crate) fn keys(&mut self, keys: &str) -> Vec<AppEffect> {
        let chords = keys.split_whitespace().map(|key| key.parse::<KeyChord>().unwrap());
        chords
            .collect::<Vec<_>>()
            .into_iter()
            .flat_map(|key| self.send(AppEvent::Key(key)))
            .collect()
    }

    /// Types a text, letter by letter.
    pub(crate) fn type_text(&mut self, text: &str) -> Vec<AppEffect> {
        let chord = |c| KeyChord::plain(crate::keys::KeyCode::Char(c));
        text.chars().flat_map(|c| self.send(AppEvent::Key(chord(c)))).collect()
    }

    /// Lets time pass, with a tick at its end.
    pub(crate) fn wait(&mut self, ms: u64) -> Vec<AppEffect> {
        self.now_ms += ms;
        self.send(AppEvent::Tick)
    }

    /// Changes the vitals of an agent, and rebuilds the list.
    pub(crate) fn change(&mut self, agent: &str, change: impl FnOnce(&mut AgentVitals)) {
        let entry = self.agents.iter_mut().find(|entry| entry.agent == agent).unwrap();
        change(&mut entry.vitals);
        let vitals = vec![(entry.id, entry.vitals.clone())];
        self.update_fleet(FleetDelta { vitals, ..self.no_changes() });
    }

    /// Removes an agent, and rebuilds the list.
    pub(crate) fn remove(&mut self, agent: &str) {
        let is_it = |entry: &&AgentEntry| entry.agent == agent;
        let removed = self.agents.iter().filter(is_it).map(|entry| entry.id).collect();
        self.agents.retain(|entry| entry.agent != agent);
        self.update_fleet(FleetDelta { removed, ..self.no_changes() });
    }

    pub(crate) fn no_changes(&self) -> FleetDelta {
        FleetDelta { collector: self.status(), ..FleetDelta::default() }
    }

    pub(crate) fn update_fleet(&mut self, delta: FleetDelta) {
        self.update(delta);
    }

    /// Applies a change of the fleet, and rebuilds the list.
    pub(crate) fn update(&mut self, delta: FleetDelta) -> Vec<AppEffect> {
        let update = SubscriptionUpdate::Delta(Box::new(delta));
        let effects = self.link(LinkEvent::Update(update));
        self.send(AppEvent::RebuildList);
        effects
    }

    pub(crate) fn dialog(&self) -> Option<&ConfirmDialog> {
        match &self.state.overlay {
            Some(Overlay::Dialog(dialog)) => Some(dialog),
            _ => None,
        }
    }

    /// Returns what has the focus in the dialog; `None` when none is open.
    pub(crate) fn focus(&self) -> Option<DialogFocus> {
        self.dialog().map(|dialog| dialog.focus)
    }

    /// Returns what must be typed in the dialog.
    pub(crate) fn phrase(&self) -> String {
        self.dialog().expect("a dialog is open").phrase.clone()
    }

    pub(crate) fn screen(&self) -> String {
        text(&view(&self.state).0)
    }

    /// Returns the line of the screen with a text in it; only if there is no other the header of a group, which names
    /// one of its agents, too.
    pub(crate) fn line(&self, with: &str) -> String {
        let screen = self.screen();
        let is_header = |line: &str| line.starts_with(['▾', '▸']);
        let lines = || screen.lines().filter(|line| line.contains(with));
        let found = lines().find(|line| !is_header(line)).or_else(|| lines().next());
        found.unwrap_or_else(|| panic!("no line has {with:?} in\n{screen}")).to_owned()
    }
}
