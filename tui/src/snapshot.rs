//! One screen as text, without a terminal.

use heartline_operator::client::{Greeting, LinkEvent, LinkState};
use heartline_operator::message::{AgentDetail, AgentEntry, CollectorStatus, Event};
use heartline_operator::{FilterError, SubscriptionUpdate};
use ratatui::buffer::Buffer;

use crate::clock::MonoTime;
use crate::options::TuiSettings;
use crate::state::{AgentScreen, AppState, Screen};
use crate::update::{AppEvent, set_initial_filter, update};
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
    pub operator: String,
    /// Time in which the collector answered.
    pub round_trip_ms: u64,
}

/// Draws a screen of `size` columns and lines as text, a line feed after each line.
///
/// # Errors
/// An invalid filter.
pub fn snapshot(
    data: SnapshotData,
    screen: Screen,
    size: (u16, u16),
    filter: &str,
    settings: TuiSettings,
) -> Result<String, FilterError> {
    let mut state = AppState::new(settings, size, 0);
    let now = MonoTime::default();
    // As for an operator who may act: a picture takes no keys.
    let greeting =
        Greeting { operator: data.operator, may_control: true, collector: data.collector.clone() };
    let page = SubscriptionUpdate::Page {
        entries: data.entries,
        collector: Box::new(data.collector),
        last: true,
    };
    state.screen = screen;
    state.agent = data.agent.as_ref().map(|detail| AgentScreen::new(detail.entry.agent.clone()));
    let agent = data.agent.map(|detail| AppEvent::AgentReceived {
        id: detail.entry.agent.clone(),
        result: Ok(detail),
    });
    let events = [
        Some(AppEvent::Link(LinkEvent::State(LinkState::Live(greeting.into())))),
        Some(AppEvent::Link(LinkEvent::Update(page))),
        Some(AppEvent::EventsReceived { events: data.events, next: None }),
        agent,
    ];
    for event in events.into_iter().flatten() {
        update(&mut state, event, now);
    }
    state.connection.round_trip_ms = Some(data.round_trip_ms);
    set_initial_filter(&mut state, filter)?;
    Ok(text(&view(&state).0))
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
