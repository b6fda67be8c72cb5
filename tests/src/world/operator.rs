//! Who asks and commands, through the same client as `heartline`.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use heartline_operator::CollectorDirectories;
use heartline_operator::client::{AccessMode, Client, ClientError, ClientOptions, Endpoint};
use heartline_operator::message::{
    AgentCommand, AgentDetail, AgentEntry, CollectorStatus, CommandOutcome, Event, EventKind,
    EventQuery, Reply, Request, TokenReply, TokenRequest,
};
use heartline_vocabulary::Action;
use tokio::runtime::{Builder, Runtime};

use super::wait::wait_for;

/// An operator, who connects anew whenever the connection was lost.
pub struct Operator {
    runtime: Runtime,
    endpoint: Endpoint,
    access: AccessMode,
    client: Mutex<Option<Client>>,
}

impl Operator {
    /// One who may look and act.
    ///
    /// # Panics
    /// If there is no runtime to be had.
    #[must_use]
    pub fn new(directories: CollectorDirectories) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build();
        Self {
            runtime: runtime.expect("a runtime can be started"),
            endpoint: Endpoint::Unix(directories),
            access: AccessMode::Control,
            client: Mutex::new(None),
        }
    }

    /// One who comes in through the socket for looking.
    #[must_use]
    pub fn looking_only(self) -> Self {
        Self { access: AccessMode::View, ..self }
    }

    /// Asks; once more on a new connection if the old one was cut.
    ///
    /// # Errors
    /// As [`Client::request`] and [`Client::connect`].
    pub fn ask(&self, request: &Request) -> Result<Reply, ClientError> {
        self.with(|runtime, client| runtime.block_on(client.request(request.clone())))
    }

    /// The fleet, if there is a collector.
    ///
    /// # Errors
    /// As [`Client::snapshot`] and [`Client::connect`].
    pub fn try_fleet(&self) -> Result<(Vec<AgentEntry>, CollectorStatus), ClientError> {
        self.with(|runtime, client| runtime.block_on(client.snapshot(Vec::new())))
    }

    /// The fleet.
    ///
    /// # Panics
    /// If the collector does not answer.
    #[must_use]
    #[track_caller]
    pub fn fleet(&self) -> Vec<AgentEntry> {
        self.try_fleet().expect("the collector shows its fleet").0
    }

    /// The collector's own condition.
    ///
    /// # Panics
    /// If the collector does not answer.
    #[must_use]
    #[track_caller]
    pub fn collector(&self) -> CollectorStatus {
        match self.ask(&Request::Collector) {
            Ok(Reply::Collector(status)) => *status,
            other => panic!("the collector does not say how it is: {other:?}"),
        }
    }

    /// One agent; `None`: it is not known, or there is no collector just now.
    #[must_use]
    pub fn agent(&self, name: &str) -> Option<AgentEntry> {
        let (fleet, _) = self.try_fleet().ok()?;
        fleet.into_iter().find(|entry| entry.agent == name)
    }

    /// Everything known of one agent.
    ///
    /// # Panics
    /// If the collector does not answer, or does not know it.
    #[must_use]
    #[track_caller]
    pub fn detail(&self, name: &str) -> AgentDetail {
        match self.ask(&Request::Agent { agent: name.to_owned() }) {
            Ok(Reply::Agent(detail)) => *detail,
            other => panic!("the collector does not tell of {name}: {other:?}"),
        }
    }

    /// All that has happened, oldest first.
    ///
    /// # Panics
    /// If the collector does not answer.
    #[must_use]
    #[track_caller]
    pub fn events(&self) -> Vec<Event> {
        let (mut all, mut after) = (Vec::new(), Some(0));
        while after.is_some() {
            let query = EventQuery { after, limit: 500, ..EventQuery::default() };
            match self.ask(&Request::Events(query)) {
                Ok(Reply::Events { events, next }) => {
                    all.extend(events);
                    after = next;
                }
                other => panic!("the collector does not tell what happened: {other:?}"),
            }
        }
        all
    }

    /// What has happened to one agent, oldest first.
    ///
    /// # Panics
    /// If the collector does not answer.
    #[must_use]
    #[track_caller]
    pub fn events_of(&self, agent: &str) -> Vec<Event> {
        let mut events = self.events();
        events.retain(|event| event.agent.as_deref() == Some(agent));
        events
    }

    /// All that has happened, the newest included. What happens is stored a moment later, in its
    /// order: so an agent is killed at the end, and what is stored before that is all.
    ///
    /// # Panics
    /// As [`Self::order`] and [`Self::events`].
    #[must_use]
    #[track_caller]
    pub fn events_up_to_a_kill_of(&self, agent: &str, request_id: u64) -> Vec<Event> {
        self.order(Action::Kill, &[agent], request_id);
        let is_end = |event: &Event| {
            matches!(event.kind, EventKind::Command { action: Action::Kill, .. })
                && event.agent.as_deref() == Some(agent)
        };
        wait_for("a kill is stored", || {
            let events = self.events();
            events.iter().any(is_end).then_some(events)
        })
    }

    /// Kills or resumes these agents, and no more than these.
    ///
    /// # Panics
    /// If the collector does not answer, or refuses.
    #[track_caller]
    pub fn order(&self, action: Action, agents: &[&str], request_id: u64) -> CommandOutcome {
        let command = AgentCommand {
            request_id,
            action,
            agents: agents.iter().map(ToString::to_string).collect(),
            reason: "because the test says so".to_owned(),
            expect: u32::try_from(agents.len()).ok(),
        };
        match self.ask(&Request::Command(command)) {
            Ok(Reply::Command(outcome)) if outcome.refused.is_none() => outcome,
            other => panic!("the collector does not {action:?} {agents:?}: {other:?}"),
        }
    }

    /// Makes, revokes or lists tokens.
    ///
    /// # Panics
    /// If the collector does not answer, or refuses.
    #[track_caller]
    pub fn token(&self, request: TokenRequest) -> TokenReply {
        match self.ask(&Request::Token(request)) {
            Ok(Reply::Token(reply)) => reply,
            other => panic!("the collector refuses: {other:?}"),
        }
    }

    fn with<T>(
        &self,
        ask: impl Fn(&Runtime, &Client) -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        let mut client = self.client();
        if let Some(client) = client.as_ref() {
            match ask(&self.runtime, client) {
                Err(ClientError::Closed { .. }) => {}
                answered => return answered,
            }
        }
        let options = ClientOptions {
            access: self.access,
            request_timeout: Duration::from_secs(20),
            ..ClientOptions::default()
        };
        let fresh = self.runtime.block_on(Client::connect(&self.endpoint, &options))?;
        ask(&self.runtime, client.insert(fresh))
    }

    fn client(&self) -> MutexGuard<'_, Option<Client>> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
