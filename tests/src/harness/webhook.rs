//! A receiver of webhooks that records what it takes, and fails when it is told to.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use fastrand::Rng;

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
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port can be had");
        let address = listener.local_addr().expect("it is bound");
        let rng = Rng::with_seed(seed);
        let state = ServerState { received: Vec::new(), rng, failing: 0 };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                thread::spawn(move || serve(stream, &shared));
            }
        });
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
    let Ok(reader) = stream.try_clone() else { return };
    let Some((id, body)) = read_request(BufReader::new(reader)) else { return };
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    let fails = state.rng.u32(0..100) < state.failing;
    let how = state.rng.u32(0..3);
    if fails && how == 0 {
        answer(stream, "503 Service Unavailable");
        return;
    }
    if fails && how == 1 {
        return;
    }
    let at_ms = crate::clock::wall_ms();
    state.received.push(ReceivedWebhook { id, body, at_ms });
    if !fails {
        answer(stream, "200 OK");
    }
}

fn read_request(mut reader: BufReader<TcpStream>) -> Option<(String, serde_json::Value)> {
    let (mut id, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        let Some((name, value)) = line.split_once(':') else { continue };
        match name.to_ascii_lowercase().as_str() {
            "webhook-id" => value.trim().clone_into(&mut id),
            "content-length" => length = value.trim().parse().ok()?,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((id, serde_json::from_slice(&body).ok()?))
}

fn answer(mut stream: TcpStream, status: &str) {
    // Whoever asked may have been killed.
    let _ = write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
}
