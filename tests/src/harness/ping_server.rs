//! A service that is pinged, as healthchecks.io is: it records each ping, and answers as it is told to.

use std::io::Read as _;
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use super::http::{self, HttpRequest};

/// What is in each URL and must be seen nowhere.
pub const PING_SECRET: &str = "SECRETSECRETSECRET";

/// A ping as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedPing {
    /// What stands behind the URL: `/start`, `/fail`, or nothing.
    pub kind: String,
    pub body: String,
}

/// What the service answers.
#[derive(Clone, Debug)]
pub enum PingAnswer {
    Ok,
    /// Another URL.
    Redirect(String),
    /// Nothing, ever.
    Stall,
}

/// The service. It ends with the process.
pub struct PingServer {
    address: SocketAddr,
    state: Arc<Mutex<PingState>>,
}

struct PingState {
    received: Vec<ReceivedPing>,
    answer: PingAnswer,
}

impl PingServer {
    /// Starts one on any port.
    ///
    /// # Panics
    /// If there is none.
    pub fn start() -> Self {
        let state = PingState { received: Vec::new(), answer: PingAnswer::Ok };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        let address = http::listen(move |stream| serve(stream, &shared));
        Self { address, state }
    }

    /// Returns the URL to ping.
    pub fn url(&self) -> String {
        format!("http://{}/{PING_SECRET}", self.address)
    }

    /// Answers in this way from now on.
    pub fn answer(&self, answer: PingAnswer) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).answer = answer;
    }

    /// Returns the pings so far.
    pub fn received(&self) -> Vec<ReceivedPing> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).received.clone()
    }

    /// Returns how many of a kind have come.
    pub fn count(&self, kind: &str) -> usize {
        self.received().iter().filter(|ping| ping.kind == kind).count()
    }
}

fn serve(mut stream: TcpStream, state: &Mutex<PingState>) {
    let Some(ping) = http::read_request(&stream).and_then(received) else { return };
    let answer = {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        state.received.push(ping);
        state.answer.clone()
    };
    match answer {
        PingAnswer::Ok => http::answer(stream, "200 OK", "", "OK"),
        PingAnswer::Redirect(to) => {
            http::answer(stream, "302 Found", &format!("location: {to}\r\n"), "");
        }
        // Until the other side gives up.
        PingAnswer::Stall => drop(stream.read(&mut [0; 64])),
    }
}

fn received(request: HttpRequest) -> Option<ReceivedPing> {
    let path = request.line.strip_prefix("POST /")?.split(' ').next()?;
    let kind = path.strip_prefix(PING_SECRET)?.to_owned();
    Some(ReceivedPing { kind, body: String::from_utf8(request.body).ok()? })
}
