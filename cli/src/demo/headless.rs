//! The demo without a terminal: a line for each thing that happens.

use std::pin::pin;
use std::time::Duration;

use heartline_operator::Filter;
use heartline_operator::client::{ClientOptions, Endpoint};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::Receiver;
use tokio::time::sleep;

use super::director;
use crate::commands::told_line;
use crate::console::Console;
use crate::failure::Failure;
use crate::feed::Feed;

/// Prints what happens until the time is over, or a signal comes.
///
/// # Errors
/// [`Failure::Output`] when nobody reads any more.
pub(super) async fn print(
    endpoint: Endpoint,
    lasting: Duration,
    told: &mut Receiver<director::Told>,
    console: &mut Console,
) -> Result<Vec<director::Told>, Failure> {
    let (mut term, mut int) = (on(SignalKind::terminate())?, on(SignalKind::interrupt())?);
    let everything = Filter::parse("")?;
    let mut feed = Feed::open(endpoint, ClientOptions::default(), everything, Some(0));
    let mut over = pin!(sleep(lasting));
    let mut deeds = Vec::new();
    loop {
        tokio::select! {
            news = feed.next() => {
                for told in news? {
                    console.print(&told_line(&told, console.facts.paint))?;
                }
            }
            Some((at, cue)) = told.recv() => {
                console.say(&format!("  {:>3} s  {} {}", at.as_secs(), cue.agent, cue.story));
                deeds.push((at, cue));
            }
            () = &mut over => return Ok(deeds),
            _ = term.recv() => return Ok(deeds),
            _ = int.recv() => return Ok(deeds),
        }
    }
}

fn on(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|source| Failure::System { what: "watch for signals", source })
}
