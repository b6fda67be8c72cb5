//! An operator's connection, through the same client as `heartline`.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use heartline_operator::CollectorDirectories;
use heartline_operator::client::{AccessMode, Client, ClientError, ClientOptions, Endpoint};
use heartline_operator::message::{
    AgentCommand, AgentDetail, AgentEntry, AgentSelector, CollectorStatus, CommandOutcome, Event,
    EventKind, EventOrder, EventQuery, Reply, Request, TokenReply, TokenRequest,
};
use heartline_vocabulary::Action;
use tokio::runtime::{Builder, Runtime};

use super::wait::wait_for;

/// An operator, who reconnects whenever the connection was lost.
pub struct TestOperator {
    runtime: Runtime,
    endpoint: Endpoint,
    access: AccessMode,
    client: Mutex<Option<Client>>,
}

impl TestOperator {
    /// Returns one with control access.
    ///
    /// # Panics
    /// If no runtime can be started.
    pub fn new(directories: CollectorDirectories) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build();
        Self {
            runtime: runtime.expect("a runtime can be started"),
            endpoint: Endpoint::Unix(directories),
            access: AccessMode::Control,
            client: Mutex::new(None),
        }
    }

    /// Returns one with a read-only connection.
    pub fn read_only(self) -> Self {
        Self { access: AccessMode::View, ..self }
    }

    /// Sends a request, again on a new connection if the old one was closed.
    ///
    /// # Errors
    /// As [`Client::request`] and [`Client::connect`].
    pub fn request(&self, request: &Request) -> Result<Reply, ClientError> {
        self.with_client(|runtime, client| runtime.block_on(client.request(request.clone())))
    }

    /// Returns all agents and the collector's status.
    ///
    /// # Errors
    /// As [`Client::snapshot`] and [`Client::connect`].
    pub fn try_fleet(&self) -> Result<(Vec<AgentEntry>, CollectorStatus), ClientError> {
        self.snapshot(&AgentSelector::All)
    }

    /// Returns these agents and the collector's status.
    ///
    /// # Errors
    /// As [`Client::snapshot`] and [`Client::connect`].
    pub fn snapshot(
        &self,
        agents: &AgentSelector,
    ) -> Result<(Vec<AgentEntry>, CollectorStatus), ClientError> {
        self.with_client(|runtime, client| runtime.block_on(client.snapshot(agents.clone())))
    }

    /// Returns all agents.
    ///
    /// # Panics
    /// If the collector does not answer.
    #[track_caller]
    pub fn fleet(&self) -> Vec<AgentEntry> {
        self.try_fleet().expect("the collector shows its fleet").0
    }

    /// Returns the collector's status.
    ///
    /// # Panics
    /// If the collector does not answer.
    #[track_caller]
    pub fn collector(&self) -> CollectorStatus {
        match self.request(&Request::Collector) {
            Ok(Reply::Collector(status)) => *status,
            other => panic!("the collector does not report its status: {other:?}"),
        }
    }

    /// Returns an agent; `None` if it is not known or no collector answers.
    pub fn agent(&self, name: &str) -> Option<AgentEntry> {
        let (fleet, _) = self.try_fleet().ok()?;
        fleet.into_iter().find(|entry| entry.agent == name)
    }

    /// Returns the details of an agent.
    ///
    /// # Panics
    /// If the collector does not answer, or does not know it.
    #[track_caller]
    pub fn detail(&self, name: &str) -> AgentDetail {
        match self.request(&Request::Agent { agent: name.to_owned() }) {
            Ok(Reply::Agent(detail)) => *detail,
            other => panic!("the collector has no details of {name}: {other:?}"),
        }
    }

    /// Returns all events, oldest first.
    ///
    /// # Panics
    /// If the collector does not answer.
    #[track_caller]
    pub fn events(&self) -> Vec<Event> {
        let (mut all, mut after) = (Vec::new(), Some(0));
        while after.is_some() {
            let order = EventOrder::OldestFirst;
            let query = EventQuery { after, limit: 500, order, ..EventQuery::default() };
            match self.request(&Request::Events(query)) {
                Ok(Reply::Events { events, next }) => {
                    all.extend(events);
                    after = next;
                }
                other => panic!("the collector has no events: {other:?}"),
            }
        }
        all
    }

    /// Returns the events of an agent, oldest first.
    ///
    /// # Panics
    /// If the collector does not answer.
    #[track_caller]
    pub fn events_of(&self, agent: &str) -> Vec<Event> {
        let mut events = self.events();
        events.retain(|event| event.agent.as_deref() == Some(agent));
        events
    }

    /// Kills an agent and returns all events up to that. Events are stored in order, some time later:
    /// once the kill is stored, all events before it are.
    ///
    /// # Panics
    /// As [`Self::command`] and [`Self::events`].
    #[track_caller]
    pub fn events_until_kill_of(&self, agent: &str, request_id: u64) -> Vec<Event> {
        self.command(Action::Kill, &[agent], request_id);
        let is_end = |event: &Event| {
            matches!(event.kind, EventKind::Command { action: Action::Kill, .. })
                && event.agent.as_deref() == Some(agent)
        };
        wait_for("a kill is stored", || {
            let events = self.events();
            events.iter().any(is_end).then_some(events)
        })
    }

    /// Kills or resumes exactly these agents.
    ///
    /// # Panics
    /// If the collector does not answer, or refuses.
    #[track_caller]
    pub fn command(&self, action: Action, agents: &[&str], request_id: u64) -> CommandOutcome {
        let command = AgentCommand {
            request_id,
            action,
            agents: AgentSelector::Names(agents.iter().map(ToString::to_string).collect()),
            reason: "for a test".to_owned(),
            expect: u32::try_from(agents.len()).ok(),
            fingerprint: None,
        };
        match self.request(&Request::Command(command)) {
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
        match self.request(&Request::Token(request)) {
            Ok(Reply::Token(reply)) => reply,
            other => panic!("the collector refuses: {other:?}"),
        }
    }

    fn with_client<T>(
        &self,
        request: impl Fn(&Runtime, &Client) -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        let mut client = self.client();
        if let Some(client) = client.as_ref() {
            match request(&self.runtime, client) {
                Err(ClientError::Closed { .. }) => {}
                result => return result,
            }
        }
        let options = ClientOptions {
            access: self.access,
            request_timeout: Duration::from_secs(20),
            ..ClientOptions::default()
        };
        let fresh = self.runtime.block_on(Client::connect(&self.endpoint, &options))?;
        request(&self.runtime, client.insert(fresh))
    }

    fn client(&self) -> MutexGuard<'_, Option<Client>> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
