//! A service that is pinged, as healthchecks.io is: it records each ping, and answers as it is told to.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

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
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port can be had");
        let address = listener.local_addr().expect("it is bound");
        let state = PingState { received: Vec::new(), answer: PingAnswer::Ok };
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
    let Ok(reader) = stream.try_clone() else { return };
    let Some(ping) = read_ping(BufReader::new(reader)) else { return };
    let answer = {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        state.received.push(ping);
        state.answer.clone()
    };
    let (status, header, body) = match answer {
        PingAnswer::Ok => ("200 OK", String::new(), "OK"),
        PingAnswer::Redirect(to) => ("302 Found", format!("location: {to}\r\n"), ""),
        PingAnswer::Stall => {
            // Until the other side gives up.
            let _ = stream.read(&mut [0; 64]);
            return;
        }
    };
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\n{header}content-length: {length}\r\n");
    // Whoever asked may have been killed.
    let _ = write!(stream, "{head}connection: close\r\n\r\n{body}");
}

fn read_ping(mut reader: BufReader<TcpStream>) -> Option<ReceivedPing> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.strip_prefix("POST /")?.split(' ').next()?;
    let kind = path.strip_prefix(PING_SECRET)?.to_owned();
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim_end().split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(ReceivedPing { kind, body: String::from_utf8(body).ok()? })
}
