//! Effects that reach outside: questions to the collector, and files.

use std::hash::{BuildHasher as _, RandomState};
use std::path::Path;

use heartline_operator::client::{ClientError, LinkHandle};
use heartline_operator::message::{AgentCommand, EventQuery, Reply, Request};
use tokio::sync::mpsc;

use super::export::write;
use crate::event::{Answer, Effect, Event};

/// Performs effects; what comes of them goes back to the loop as events.
pub(super) struct Performer {
    link: LinkHandle,
    answers: Option<mpsc::Sender<Event>>,
}

impl Performer {
    pub(super) fn new(link: LinkHandle) -> Self {
        Self { link, answers: None }
    }

    pub(super) fn answer_to(&mut self, answers: mpsc::Sender<Event>) {
        self.answers = Some(answers);
    }

    pub(super) fn perform(&self, effect: Effect) {
        match effect {
            Effect::Reconnect => self.link.reconnect(),
            Effect::AskAgent(id) => self.ask(|link| agent(link, id)),
            Effect::AskEvents(query) => self.ask(|link| events(link, query)),
            Effect::Order(command) => self.ask(|link| order(link, command)),
            Effect::Export(export) => {
                self.ask(|_| async move { Event::Exported(write(Path::new(""), &export)) });
            }
            // The loop performs these itself: they are about its terminal.
            Effect::Exit
            | Effect::Suspend
            | Effect::Redraw
            | Effect::Copy(_)
            | Effect::Mouse(_) => {}
        }
    }

    fn ask<F: Future<Output = Event> + Send + 'static>(
        &self,
        question: impl FnOnce(LinkHandle) -> F,
    ) {
        let Some(answers) = self.answers.clone() else { return };
        let answer = question(self.link.clone());
        tokio::spawn(async move {
            // The loop takes no more answers only when the program ends.
            let _ = answers.send(answer.await).await;
        });
    }
}

async fn agent(link: LinkHandle, id: String) -> Event {
    let reply = link.request(Request::Agent { agent: id.clone() }).await;
    let result = match reply {
        Ok(Reply::Agent(detail)) => Ok(detail),
        Ok(other) => Err(unexpected(&other)),
        Err(error) => Err(error.to_string()),
    };
    Event::Answer(Answer::Agent { id, result })
}

async fn events(link: LinkHandle, query: EventQuery) -> Event {
    Event::Answer(match link.request(Request::Events(query)).await {
        Ok(Reply::Events { events, next }) => Answer::Events { events, next },
        Ok(other) => Answer::Failed(unexpected(&other)),
        // A lost link shows by itself, and the question is asked again when it is back.
        Err(ClientError::Closed { .. }) => Answer::Events { events: Vec::new(), next: None },
        Err(error) => Answer::Failed(error.to_string()),
    })
}

async fn order(link: LinkHandle, command: AgentCommand) -> Event {
    let request_id = command.request_id;
    Event::Answer(match link.request(Request::Command(command)).await {
        Ok(Reply::Command(outcome)) => Answer::Command(outcome),
        Ok(other) => Answer::CommandRefused { request_id, why: unexpected(&other) },
        Err(ClientError::Closed { .. } | ClientError::TimedOut { .. }) => Answer::CommandUnanswered,
        Err(error) => Answer::CommandRefused { request_id, why: error.to_string() },
    })
}

fn unexpected(reply: &Reply) -> String {
    match reply {
        Reply::Error { message, .. } => message.clone(),
        _ => "the collector answered something else".to_owned(),
    }
}

/// Where the numbers of commands begin: random, from the hasher's keys, so that two programs never
/// give the same number to different commands.
pub(super) fn random_seed() -> u64 {
    RandomState::new().hash_one(std::process::id())
}
