//! A receiver of webhooks that records what it takes, and fails when it is told to.

use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use fastrand::Rng;

use super::http::{self, HttpRequest};

/// A request that was taken.
#[derive(Clone, Debug)]
pub struct ReceivedWebhook {
    /// The header `webhook-id`.
    pub id: String,
    pub body: serde_json::Value,
    /// Milliseconds of Unix time.
    pub at_ms: i64,
}

/// The server. It ends with the process.
pub struct WebhookServer {
    address: SocketAddr,
    state: Arc<Mutex<ServerState>>,
}

struct ServerState {
    received: Vec<ReceivedWebhook>,
    rng: Rng,
    /// In percent.
    failing: u32,
}

impl WebhookServer {
    /// Starts one on any port.
    ///
    /// # Panics
    /// If there is none.
    pub fn start(seed: u64) -> Self {
        let rng = Rng::with_seed(seed);
        let state = ServerState { received: Vec::new(), rng, failing: 0 };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        let address = http::listen(move |stream| serve(stream, &shared));
        Self { address, state }
    }

    /// Returns the URL to send to.
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// Fails so many percent of the requests from now on: refused, cut before the answer, or cut after it was taken.
    pub fn fail(&self, percent: u32) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).failing = percent;
    }

    /// Returns what was taken so far, whether or not the sender was told.
    pub fn received(&self) -> Vec<ReceivedWebhook> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).received.clone()
    }
}

fn serve(stream: TcpStream, state: &Mutex<ServerState>) {
    let Some((id, body)) = http::read_request(&stream).and_then(webhook) else { return };
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    let fails = state.rng.u32(0..100) < state.failing;
    let how = state.rng.u32(0..3);
    if fails && how == 0 {
        http::answer(stream, "503 Service Unavailable", "", "");
        return;
    }
    if fails && how == 1 {
        return;
    }
    let at_ms = crate::clock::wall_ms();
    state.received.push(ReceivedWebhook { id, body, at_ms });
    if !fails {
        http::answer(stream, "200 OK", "", "");
    }
}

fn webhook(mut request: HttpRequest) -> Option<(String, serde_json::Value)> {
    let id = request.headers.remove("webhook-id")?;
    Some((id, serde_json::from_slice(&request.body).ok()?))
}
