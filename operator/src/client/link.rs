//! A connection that reconnects whenever it is lost.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc, watch};
use tokio::task::AbortHandle;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::connection::{Client, ClientOptions, Greeting};
use super::endpoint::Endpoint;
use super::error::ClientError;
use crate::message::{Reply, Request, SubscriptionUpdate};

/// Events that wait to be taken; a screen takes them between two frames.
const EVENTS: usize = 64;
/// Most deltas a second.
const PER_SECOND: u8 = 4;
/// How often the round-trip time is measured, and a silent loss noticed.
const PING_EVERY: Duration = Duration::from_secs(5);
/// The first wait before a new attempt, and the longest.
const BACKOFF_MIN: Duration = Duration::from_millis(500);
const BACKOFF_MAX: Duration = Duration::from_secs(10);

/// An event of a link.
#[derive(Clone, Debug)]
pub enum LinkEvent {
    State(LinkState),
    /// An update of the fleet. After [`LinkState::Live`] they begin anew with pages.
    Update(SubscriptionUpdate),
    /// The round-trip time to the collector.
    RoundTrip(Duration),
}

/// The state of a link.
#[derive(Clone, Debug)]
pub enum LinkState {
    Connecting,
    /// Connected and greeted. A [`FleetMirror`](crate::FleetMirror) must
    /// [`begin`](crate::FleetMirror::begin) anew.
    Live(Arc<Greeting>),
    /// Not connected; further attempts follow without end.
    Lost {
        since: Instant,
        why: String,
    },
}

/// A connection that reconnects whenever it is lost. Dropping it ends it.
pub struct Link {
    events: mpsc::Receiver<LinkEvent>,
    handle: LinkHandle,
    task: AbortHandle,
}

/// Sends requests over a link. Cheap to clone.
#[derive(Clone)]
pub struct LinkHandle {
    client: watch::Receiver<Option<Client>>,
    reconnect: Arc<Notify>,
}

impl Link {
    /// Starts to connect, and to subscribe to the whole fleet. Must run in a tokio runtime.
    ///
    /// Over ssh only the first attempt may prompt for a passphrase (await its outcome before taking
    /// the terminal); later ones would draw over a screen, and run with
    /// [`SshPrompts::Never`](super::SshPrompts::Never).
    pub fn open(endpoint: Endpoint, options: ClientOptions) -> Self {
        let (events_in, events) = mpsc::channel(EVENTS);
        let (client_in, client) = watch::channel(None);
        let reconnect = Arc::new(Notify::new());
        let task = LinkTask {
            endpoint,
            options,
            events: events_in,
            client: client_in,
            reconnect: Arc::clone(&reconnect),
        };
        let task = tokio::spawn(task.run()).abort_handle();
        Self { events, handle: LinkHandle { client, reconnect }, task }
    }

    /// Waits for the next event; cancel-safe.
    pub async fn next(&mut self) -> LinkEvent {
        match self.events.recv().await {
            Some(event) => event,
            // The task ends only with this link, or by a panic of its own.
            None => std::future::pending().await,
        }
    }

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
    /// Sends a request over the connection that is up now.
    ///
    /// # Errors
    /// [`ClientError::Closed`] at once while there is none, else as [`Client::request`].
    pub async fn request(&self, request: Request) -> Result<Reply, ClientError> {
        let client = self.client.borrow().clone();
        match client {
            Some(client) => client.request(request).await,
            None => Err(ClientError::Closed { why: "not connected".into() }),
        }
    }

    /// Connects again now, also when a connection is up.
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

/// The error of a task whose [`Link`] was dropped.
struct LinkHandleDropped;

impl LinkTask {
    async fn run(mut self) {
        let mut backoff = Backoff::default();
        let mut lost_since = None;
        loop {
            let Err(why) = self.connect_once(&mut backoff, &mut lost_since).await else { return };
            self.client.send_replace(None);
            self.endpoint = self.endpoint.without_prompts();
            let since = *lost_since.get_or_insert_with(now);
            let lost = LinkState::Lost { since, why: why.to_string() };
            if self.send(LinkEvent::State(lost)).await.is_err() {
                return;
            }
            tokio::select! {
                () = sleep(backoff.next(fastrand::u64(..))) => {}
                () = self.reconnect.notified() => {}
            }
        }
    }

    /// Connects once and passes on updates until the connection is lost, which is the error.
    async fn connect_once(
        &self,
        backoff: &mut Backoff,
        lost_since: &mut Option<Instant>,
    ) -> Result<LinkHandleDropped, ClientError> {
        let Ok(()) = self.send(LinkEvent::State(LinkState::Connecting)).await else {
            return Ok(LinkHandleDropped);
        };
        let client = Client::connect(&self.endpoint, &self.options).await?;
        let mut subscription = client.attach(PER_SECOND, self.options.takes_bell).await?;
        self.client.send_replace(Some(client.clone()));
        let greeting = Arc::new(client.greeting().clone());
        let Ok(()) = self.send(LinkEvent::State(LinkState::Live(greeting))).await else {
            return Ok(LinkHandleDropped);
        };
        *backoff = Backoff::default();
        *lost_since = None;

        let mut pings = interval(PING_EVERY);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut ping = Box::pin(round_trip(client.clone()));
        let mut pinging = false;
        loop {
            let event = tokio::select! {
                update = subscription.next() => LinkEvent::Update(update?),
                trip = &mut ping, if pinging => {
                    pinging = false;
                    LinkEvent::RoundTrip(trip?)
                }
                _ = pings.tick(), if !pinging => {
                    ping.set(round_trip(client.clone()));
                    pinging = true;
                    continue;
                }
                () = self.reconnect.notified() => return Err(ClientError::Closed { why: "reconnecting on request".into() }),
            };
            let Ok(()) = self.send(event).await else { return Ok(LinkHandleDropped) };
        }
    }

    async fn send(&self, event: LinkEvent) -> Result<(), LinkHandleDropped> {
        self.events.send(event).await.map_err(|_| LinkHandleDropped)
    }
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

/// Waits that double from 0.5 s to 10 s, with jitter: each is drawn from the upper half of its
/// length, so that not all clients come back at once after a collector's restart.
#[derive(Debug)]
struct Backoff {
    next: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { next: BACKOFF_MIN }
    }
}

impl Backoff {
    /// Returns the next wait; `random` is uniform.
    fn next(&mut self, random: u64) -> Duration {
        let longest = self.next;
        self.next = (longest * 2).min(BACKOFF_MAX);
        let share = random as f64 / u64::MAX as f64;
        longest.mul_f64(0.5 + share / 2.0).max(BACKOFF_MIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_from_half_a_second_to_ten() {
        let waits = |random| {
            let mut backoff = Backoff::default();
            (0..8).map(|_| backoff.next(random).as_millis()).collect::<Vec<_>>()
        };
        assert_eq!(waits(u64::MAX), [500, 1000, 2000, 4000, 8000, 10000, 10000, 10000]);
        assert_eq!(waits(0), [500, 500, 1000, 2000, 4000, 5000, 5000, 5000]);
    }
}
