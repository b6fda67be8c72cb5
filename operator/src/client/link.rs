//! A connection that is made anew, for ever, whenever it is lost.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc, watch};
use tokio::task::AbortHandle;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::backoff::{Backoff, random};
use super::connection::{Client, ClientOptions, Greeting};
use super::endpoint::Endpoint;
use super::error::ClientError;
use crate::message::{Reply, Request};
use crate::mirror::SubscriptionUpdate;

/// News that wait to be taken; a screen takes them between two frames.
const EVENTS: usize = 64;
/// Most news a second.
const PER_SECOND: u8 = 4;
/// How often the way to the collector is measured, and a silent loss noticed.
const PING_EVERY: Duration = Duration::from_secs(5);

/// What a link tells, in order.
#[derive(Clone, Debug)]
pub enum LinkEvent {
    /// It is up, down, or on its way.
    State(LinkState),
    /// News of the fleet. After [`LinkState::Live`] they begin anew with pages.
    Update(SubscriptionUpdate),
    /// How long the collector took to answer.
    RoundTrip(Duration),
}

/// How a link is.
#[derive(Clone, Debug)]
pub enum LinkState {
    /// Trying for the first time, or again.
    Connecting,
    /// Connected and greeted. A [`FleetMirror`](crate::FleetMirror) must [`begin`](crate::FleetMirror::begin): the
    /// keys of this connection are new.
    Live(Arc<Greeting>),
    /// Not connected. It will be tried again, without end.
    Lost {
        /// Since when.
        since: Instant,
        /// Why, for a person.
        why: String,
    },
}

/// A link's news, in order. Dropping it ends the link.
pub struct Link {
    events: mpsc::Receiver<LinkEvent>,
    handle: LinkHandle,
    task: AbortHandle,
}

/// Asks questions over a link. Cheap to clone.
#[derive(Clone)]
pub struct LinkHandle {
    client: watch::Receiver<Option<Client>>,
    reconnect: Arc<Notify>,
}

impl Link {
    /// Begins to connect, and to subscribe to the whole fleet. Must run in a tokio runtime.
    ///
    /// Over ssh only the first attempt may ask for a passphrase (await its outcome before taking
    /// the terminal); later ones would draw over a screen, and run with
    /// [`SshPrompts::Never`](super::Prompts::Never).
    #[must_use]
    pub fn open(endpoint: Endpoint, options: ClientOptions) -> Self {
        let (events_in, events) = mpsc::channel(EVENTS);
        let (client_in, client) = watch::channel(None);
        let reconnect = Arc::new(Notify::new());
        let worker = LinkTask {
            endpoint,
            options,
            events: events_in,
            client: client_in,
            reconnect: Arc::clone(&reconnect),
        };
        let task = tokio::spawn(worker.run()).abort_handle();
        Self { events, handle: LinkHandle { client, reconnect }, task }
    }

    /// The next thing worth telling; may be cancelled.
    pub async fn next(&mut self) -> LinkEvent {
        match self.events.recv().await {
            Some(event) => event,
            // The worker ends only with this link, or by a panic of its own.
            None => std::future::pending().await,
        }
    }

    /// For asking questions.
    #[must_use]
    pub fn handle(&self) -> LinkHandle {
        self.handle.clone()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl LinkHandle {
    /// Asks over the connection that is up now.
    ///
    /// # Errors
    /// [`ClientError::Closed`] at once while there is none, else as [`Client::request`].
    pub async fn request(&self, request: Request) -> Result<Reply, ClientError> {
        let client = self.client.borrow().clone();
        match client {
            Some(client) => client.request(request).await,
            None => Err(ClientError::Closed { why: "there is no link now".into() }),
        }
    }

    /// Tries again now, or drops a connection that is up and makes a new one.
    pub fn reconnect(&self) {
        self.reconnect.notify_one();
    }
}

struct LinkTask {
    endpoint: Endpoint,
    options: ClientOptions,
    events: mpsc::Sender<LinkEvent>,
    client: watch::Sender<Option<Client>>,
    reconnect: Arc<Notify>,
}

/// The link was dropped.
struct LinkDropped;

impl LinkTask {
    async fn run(mut self) {
        let mut backoff = Backoff::default();
        let mut lost_since = None;
        loop {
            let Err(why) = self.live_once(&mut backoff, &mut lost_since).await else { return };
            self.client.send_replace(None);
            self.endpoint = self.endpoint.without_prompts();
            let since = *lost_since.get_or_insert_with(now);
            let lost = LinkState::Lost { since, why: why.to_string() };
            if self.tell(LinkEvent::State(lost)).await.is_err() {
                return;
            }
            tokio::select! {
                () = sleep(backoff.next(random())) => {}
                () = self.reconnect.notified() => {}
            }
        }
    }

    /// Connects once and passes on news until the connection is lost, which is the error.
    async fn live_once(
        &self,
        backoff: &mut Backoff,
        lost_since: &mut Option<Instant>,
    ) -> Result<LinkDropped, ClientError> {
        let Ok(()) = self.tell(LinkEvent::State(LinkState::Connecting)).await else {
            return Ok(LinkDropped);
        };
        let client = Client::connect(&self.endpoint, &self.options).await?;
        let mut news = client.subscribe(Vec::new(), PER_SECOND).await?;
        self.client.send_replace(Some(client.clone()));
        let greeting = Arc::new(client.greeting().clone());
        let Ok(()) = self.tell(LinkEvent::State(LinkState::Live(greeting))).await else {
            return Ok(LinkDropped);
        };
        *backoff = Backoff::default();
        *lost_since = None;

        let mut pings = interval(PING_EVERY);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut ping = Box::pin(round_trip(client.clone()));
        let mut pinging = false;
        loop {
            let event = tokio::select! {
                update = news.next() => LinkEvent::Update(update?),
                trip = &mut ping, if pinging => {
                    pinging = false;
                    LinkEvent::RoundTrip(trip?)
                }
                _ = pings.tick(), if !pinging => {
                    ping.set(round_trip(client.clone()));
                    pinging = true;
                    continue;
                }
                () = self.reconnect.notified() => return Err(asked_for()),
            };
            let Ok(()) = self.tell(event).await else { return Ok(LinkDropped) };
        }
    }

    async fn tell(&self, event: LinkEvent) -> Result<(), LinkDropped> {
        self.events.send(event).await.map_err(|_| LinkDropped)
    }
}

fn asked_for() -> ClientError {
    ClientError::Closed { why: "a new connection was asked for".into() }
}

async fn round_trip(client: Client) -> Result<Duration, ClientError> {
    let sent = now();
    client.request(Request::Ping).await?;
    Ok(now() - sent)
}

/// The one clock read of this crate, through tokio so that tests can stop it.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
