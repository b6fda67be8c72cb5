//! One screen as text, without a terminal.

use heartline_operator::client::{Greeting, LinkEvent, LinkState};
use heartline_operator::message::{
    AgentDetail, AgentEntry, AlertQuery, AlertReport, CollectorStatus, Event, Reply, Request,
};
use heartline_operator::{FilterError, SubscriptionUpdate};
use ratatui::buffer::Buffer;

use crate::clock::MonoTime;
use crate::options::TuiSettings;
use crate::state::{AgentScreen, AppState, HistoryRequest, Screen};
use crate::update::{AppEffect, AppEvent, set_initial_filter, show_instant, update};
use crate::view::view;

/// The data to draw a screen from.
#[derive(Clone, Debug)]
pub struct SnapshotData {
    pub entries: Vec<AgentEntry>,
    /// With the time at which the screen is drawn.
    pub collector: CollectorStatus,
    /// Oldest first.
    pub events: Vec<Event>,
    /// The agent of [`Screen::Agent`].
    pub agent: Option<Box<AgentDetail>>,
    /// Incidents since a day ago; `None`: there are no alerts, as in an incident file.
    pub alerts: Option<Box<AlertReport>>,
    pub operator: String,
    /// Time in which the collector answered.
    pub round_trip_ms: u64,
}

/// One screen that is drawn once: it asks for what it lacks, then it is text.
#[derive(Debug)]
pub struct ScreenSnapshot {
    state: AppState,
    round_trip_ms: u64,
    wanted: Option<HistoryRequest>,
}

/// What a snapshot shows.
#[derive(Clone, Debug)]
pub struct SnapshotOptions {
    pub screen: Screen,
    /// Columns and lines.
    pub size: (u16, u16),
    /// Empty for none.
    pub filter: String,
    /// The instant that is shown; `None`: now.
    pub at_ms: Option<i64>,
}

impl ScreenSnapshot {
    /// Begins a snapshot.
    ///
    /// # Errors
    /// An invalid filter.
    pub fn new(
        data: SnapshotData,
        options: &SnapshotOptions,
        settings: TuiSettings,
    ) -> Result<Self, FilterError> {
        let mut state = AppState::new(settings, options.size, 0);
        state.requests.prefetch = false;
        let round_trip_ms = data.round_trip_ms;
        let mut snapshot = Self { state, round_trip_ms, wanted: None };
        // As for an operator who may act: a picture takes no keys.
        let greeting = Greeting {
            operator: data.operator,
            may_control: true,
            collector: data.collector.clone(),
        };
        let page = SubscriptionUpdate::Page {
            entries: data.entries,
            collector: Box::new(data.collector),
            last: true,
        };
        snapshot.state.screen = options.screen;
        snapshot.state.agent =
            data.agent.as_ref().map(|detail| AgentScreen::new(detail.entry.agent.clone()));
        let agent = data.agent.map(|detail| AppEvent::AgentReceived {
            id: detail.entry.agent.clone(),
            result: Ok(detail),
        });
        snapshot.state.connection.is_file = data.alerts.is_none();
        let query = AlertQuery::Since(0);
        let alerts = data.alerts.map(|it| AppEvent::AlertsReceived { query, result: Ok(it) });
        let events = [
            Some(AppEvent::Link(LinkEvent::State(LinkState::Live(greeting.into())))),
            Some(AppEvent::Link(LinkEvent::Update(page))),
            Some(AppEvent::EventsReceived { events: data.events, next: None }),
            agent,
            alerts,
        ];
        for event in events.into_iter().flatten() {
            snapshot.update(event);
        }
        set_initial_filter(&mut snapshot.state, &options.filter)?;
        if let Some(at_ms) = options.at_ms {
            show_instant(&mut snapshot.state, at_ms);
        }
        // What was asked for before the instant was known is not what is shown.
        snapshot.wanted = None;
        snapshot.state.requests.under_way = false;
        if let Some(agent) = &mut snapshot.state.agent {
            agent.charts.ask_again();
        }
        snapshot.update(AppEvent::Tick);
        Ok(snapshot)
    }

    fn update(&mut self, event: AppEvent) {
        for effect in update(&mut self.state, event, MonoTime::default()) {
            if let AppEffect::RequestHistory(request) = effect {
                self.wanted = Some(request);
            }
        }
    }

    /// Returns the next request whose reply is needed; `None`: the snapshot is whole.
    pub fn request(&self) -> Option<&Request> {
        self.wanted.as_ref().map(|wanted| &wanted.request)
    }

    /// Takes the reply to the request.
    pub fn answer(&mut self, reply: Reply) {
        if let Some(HistoryRequest { purpose, .. }) = self.wanted.take() {
            self.update(AppEvent::HistoryAnswered { purpose, result: Ok(reply) });
        }
    }

    /// Draws it as text, a line feed after each line.
    pub fn into_text(mut self) -> String {
        self.state.connection.round_trip_ms = Some(self.round_trip_ms);
        text(&view(&self.state).0)
    }
}

/// Returns the characters of a screen, without blanks at the ends of lines.
pub(crate) fn text(buffer: &Buffer) -> String {
    let mut text = String::new();
    for row in buffer.content.chunks(usize::from(buffer.area.width.max(1))) {
        let mut line = String::new();
        let mut skip = 0;
        for cell in row {
            // A wide character covers the cell after it.
            if skip > 0 {
                skip -= 1;
                continue;
            }
            line.push_str(cell.symbol());
            skip = crate::text::width(cell.symbol()).saturating_sub(1);
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
