//! One screen as text, without a terminal.

use heartline_operator::FilterError;
use heartline_operator::SubscriptionUpdate;
use heartline_operator::client::{Greeting, LinkEvent, LinkState};
use heartline_operator::message::{AgentDetail, AgentEntry, CollectorStatus, Event};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::clock::MonoTime;
use crate::event::{Answer, Event as Input};
use crate::options::Look;
use crate::state::{AgentPane, Screen, State};
use crate::update::{filter_fleet, update};
use crate::view::view;

/// What is known of a fleet at one moment.
#[derive(Clone, Debug)]
pub struct SnapshotData {
    /// All agents.
    pub entries: Vec<AgentEntry>,
    /// The collector; its time is the moment.
    pub collector: CollectorStatus,
    /// What happened, oldest first.
    pub events: Vec<Event>,
    /// For [`Screen::Agent`]: the agent.
    pub agent: Option<Box<AgentDetail>>,
    /// Who looks.
    pub operator: String,
}

/// Draws a screen of `size` columns and lines as text, a line feed after each line.
///
/// # Errors
/// A filter that can't be read.
pub fn snapshot(
    data: SnapshotData,
    screen: Screen,
    size: (u16, u16),
    filter: &str,
    look: Look,
) -> Result<String, FilterError> {
    let mut state = State::new(look, size, 0);
    let now = MonoTime::default();
    let greeting =
        Greeting { operator: data.operator, may_control: false, collector: data.collector.clone() };
    let page = SubscriptionUpdate::Page {
        entries: data.entries,
        collector: Box::new(data.collector),
        last: true,
    };
    state.screen = screen;
    state.agent = data.agent.as_ref().map(|detail| AgentPane::of(detail.entry.agent.clone()));
    let agent = data
        .agent
        .map(|detail| Answer::Agent { id: detail.entry.agent.clone(), result: Ok(detail) });
    let told = [
        Some(Input::Link(LinkEvent::State(LinkState::Live(greeting.into())))),
        Some(Input::Link(LinkEvent::Update(page))),
        Some(Input::Answer(Answer::Events { events: data.events, next: None })),
        agent.map(Input::Answer),
    ];
    for event in told.into_iter().flatten() {
        update(&mut state, event, now);
    }
    filter_fleet(&mut state, filter)?;
    Ok(text(&draw(&state)))
}

/// The screen of a state as cells.
pub(crate) fn draw(state: &State) -> Buffer {
    let mut buffer = Buffer::empty(Rect::new(0, 0, state.size.0, state.size.1));
    view(state, &mut buffer);
    buffer
}

/// The characters of a screen, without blanks at the ends of its lines.
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
            skip = crate::look::width(cell.symbol()).saturating_sub(1);
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
