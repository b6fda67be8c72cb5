//! News from the collector, and of the way to it.

use heartline_operator::SubscriptionUpdate;
use heartline_operator::client::{Greeting, LinkEvent, LinkState as Told};
use heartline_operator::message::EventQuery;

use super::{rebuild, transitions};
use crate::event::Effect;
use crate::state::{Behind, Impact, LinkState, Rights, State};

/// Events asked for at once.
pub(super) const EVENT_PAGE: u32 = 2_000;

pub(super) fn link(state: &mut State, event: LinkEvent) -> Vec<Effect> {
    if !matches!(event, LinkEvent::State(Told::Connecting | Told::Lost { .. })) {
        state.link.heard = state.now;
    }
    match event {
        LinkEvent::State(Told::Live(greeting)) => live(state, &greeting),
        LinkEvent::State(Told::Lost { why, .. }) => {
            state.link.lose(why);
            Vec::new()
        }
        LinkEvent::State(Told::Connecting) => Vec::new(),
        LinkEvent::RoundTrip(trip) => {
            state.link.round_trip_ms = Some(u64::try_from(trip.as_millis()).unwrap_or(u64::MAX));
            Vec::new()
        }
        LinkEvent::Update(update) => {
            news(state, update);
            Vec::new()
        }
    }
}

/// Connected, perhaps again: what happened meanwhile is asked for, and commands that were never
/// answered are sent again under their numbers.
fn live(state: &mut State, greeting: &Greeting) -> Vec<Effect> {
    state.link.state = LinkState::Live;
    state.link.operator = Some(greeting.operator.clone());
    state.link.rights = if greeting.may_control { Rights::Act } else { Rights::Look };
    state.live.fleet.begin();
    let after = state.live.events.back().map(|event| event.cursor);
    let query = EventQuery { after, limit: EVENT_PAGE, ..EventQuery::default() };
    let mut effects = vec![Effect::AskEvents(query)];
    effects.extend(state.orders.unanswered().cloned().map(Effect::Order));
    effects.extend(state.agent.as_ref().map(|pane| Effect::AskAgent(pane.id.clone())));
    effects
}

fn news(state: &mut State, update: SubscriptionUpdate) {
    let events = match &update {
        SubscriptionUpdate::Delta(changes) => changes.events.clone(),
        SubscriptionUpdate::Page { .. } | SubscriptionUpdate::Resync => Vec::new(),
    };
    let impact = state.live.hear(update, state.now);
    state.orders.observe(&state.live, &events, state.now);
    if state.frozen.is_some() {
        return;
    }
    if !events.is_empty() {
        transitions::rebuild(state);
    }
    match impact {
        Impact::Cells => {}
        Impact::Rows => state.list.behind = Behind::Rows,
        // Rows name agents by the connection's keys: not one frame may mix the old and the new.
        Impact::Keys => rebuild(state),
    }
}
