//! Answers to what was asked.

use heartline_operator::message::EventQuery;

use super::link::EVENT_PAGE;
use super::transitions;
use crate::event::{Answer, Effect};
use crate::look::Role;
use crate::state::State;

pub(super) fn answer(state: &mut State, answer: Answer) -> Vec<Effect> {
    match answer {
        Answer::Agent { id, result } => {
            if let Some(pane) = state.agent.as_mut().filter(|pane| pane.id == id) {
                match result {
                    Ok(detail) => (pane.detail, pane.failure) = (Some(detail), None),
                    Err(why) => pane.failure = Some(why),
                }
            }
        }
        Answer::Events { events, next } => {
            state.live.add_events(events);
            if state.frozen.is_none() {
                transitions::rebuild(state);
            }
            if let Some(after) = next {
                let query =
                    EventQuery { after: Some(after), limit: EVENT_PAGE, ..EventQuery::default() };
                return vec![Effect::AskEvents(query)];
            }
        }
        Answer::Command(outcome) => {
            state.orders.answer(&outcome);
            state.orders.observe(&state.live, &[], state.now);
        }
        Answer::CommandRefused { request_id, why } => {
            state.orders.fail(request_id, &why);
            state.orders.observe(&state.live, &[], state.now);
        }
        Answer::CommandUnanswered => {
            state
                .say(Role::Warning, "no answer yet: the order is sent again once the link is back");
        }
        Answer::Failed(why) => state.say(Role::Alert, why),
    }
    Vec::new()
}
