//! A server of HTTP that answers as a script says, and records what it is asked.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

/// Longest wait for something that must happen.
pub const WAIT: Duration = Duration::from_secs(20);

/// What a server does with a request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// A whole answer: status line, headers and body.
    Answer(u16, &'static [(&'static str, &'static str)], &'static str),
    /// Reads, and says nothing.
    Stall,
    /// Says one byte every 50 ms, and never the last.
    Dribble,
    /// A head of this many bytes.
    HeaderBomb(usize),
    /// A body without an end.
    BodyBomb,
    /// Closes before it has answered.
    Cut,
    /// Bytes that are no HTTP.
    Nonsense,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Recorded {
    pub line: String,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

pub struct TestServer {
    pub address: SocketAddr,
    requests: Receiver<Recorded>,
}

impl TestServer {
    /// Starts a server that answers with each of these in turn, and with the last from then on.
    pub fn start(replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, requests) = mpsc::channel();
        thread::spawn(move || {
            let mut replies = replies.into_iter();
            let mut last = Reply::Answer(200, &[], "");
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                last = replies.next().unwrap_or(last);
                let (reply, sender) = (last.clone(), sender.clone());
                thread::spawn(move || serve(stream, &reply, &sender));
            }
        });
        Self { address, requests }
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook/SECRETSECRETSECRET", self.address)
    }

    /// Returns the next request.
    pub fn next(&self) -> Recorded {
        self.requests.recv_timeout(WAIT).expect("a request comes")
    }

    /// Returns whether no request has come since the last that was looked at.
    pub fn is_idle(&self) -> bool {
        self.requests.try_recv().is_err()
    }
}

fn serve(mut stream: TcpStream, reply: &Reply, requests: &Sender<Recorded>) {
    let Some(request) = read(&mut stream) else { return };
    // The test may have ended.
    let _ended = requests.send(request);
    let _closed = answer(&mut stream, reply);
}

fn read(stream: &mut TcpStream) -> Option<Recorded> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut headers = BTreeMap::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").map_or(0, |it| it.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = String::from_utf8(body).ok()?;
    Some(Recorded { line: line.trim_end().to_owned(), headers, body })
}

fn answer(stream: &mut TcpStream, reply: &Reply) -> std::io::Result<()> {
    match reply {
        Reply::Answer(status, headers, body) => {
            let headers: String =
                headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
            let length = body.len();
            write!(stream, "HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\n\r\n{body}")
        }
        Reply::Stall => wait_for_close(stream),
        Reply::Dribble => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nx: ")?;
            loop {
                stream.write_all(b"y")?;
                thread::sleep(Duration::from_millis(50));
            }
        }
        Reply::HeaderBomb(length) => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nx: ")?;
            let line = [b'y'; 1_024];
            (0..length / 1_024).try_for_each(|_| stream.write_all(&line))?;
            stream.write_all(b"\r\ncontent-length: 0\r\n\r\n")
        }
        Reply::BodyBomb => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n")?;
            loop {
                stream.write_all(&[b'z'; 65_536])?;
            }
        }
        Reply::Cut => Ok(()),
        Reply::Nonsense => stream.write_all(b"220 mail.example ESMTP\r\n\r\n"),
    }
}

/// Waits until the other side gives up.
fn wait_for_close(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut bytes = [0; 64];
    while stream.read(&mut bytes)? > 0 {}
    Ok(())
}
