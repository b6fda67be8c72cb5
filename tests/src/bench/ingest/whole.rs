//! The whole way from the socket to judged state, in a time of its own: every agent beats each 30 s
//! of it, so challenges turn and ticks come as often as they really do.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use heartline_collector::ingest::{Ingest, Keyring, Listener};
use heartline_fleet::{
    AgentId, AgentIndex, Fleet, FleetConfig, HistoryRow, Input, Mono, Output, Ticket,
};
use heartline_protocol::MasterKey;
use heartline_protocol::challenge::{BootKey, step_ms};

use super::crowd::{BOOT, Crowd, EPOCH, INTERVAL_MS, Load, MASTER, Round};
use super::measured::Measured;
use super::round::each_burst;
use super::sender::Sender;
use crate::bench::{clock, machine};

/// What happens to the answers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Answers {
    /// They are dropped unsealed.
    Dropped,
    /// They are sealed and sent.
    Sent,
}

/// A collector without its disk, and the crowd that it watches.
pub(super) struct Whole {
    ingest: Ingest,
    fleet: Fleet,
    sender: Sender,
    now: Mono,
    rounds: u64,
    changed: Vec<AgentIndex>,
    work: Ticket,
}

/// How much a datagram moves the time on.
const PACE: Duration = Duration::from_micros(1);

impl Whole {
    /// A collector that knows all agents. Gives the memory that each takes, in bytes, and what their
    /// first beats cost.
    pub(super) fn with(agents: u32) -> Result<(Self, f64, Measured)> {
        let listener = Listener::bind("127.0.0.1:0".parse().context("an address")?)?;
        let sender = Sender::start(Crowd::new(agents), listener.address())?;
        let start = Mono::from_millis(0);
        let masters = vec![(EPOCH, MasterKey::new(MASTER))];
        let before = machine::resident()?;
        let ingest = Ingest::new(vec![listener], Keyring::new(masters, BootKey::new(&BOOT), start));
        let mut fleet = Fleet::new(FleetConfig::default(), start);
        fleet.handle(Input::Begin { last_alive: None, next_id: AgentId(1) }, start);
        let changed = Vec::new();
        let work = Ticket(0);
        let mut whole = Self { ingest, fleet, sender, now: start, rounds: 0, changed, work };
        let first = whole.round(Answers::Dropped, Load::Identity)?;
        let bytes = machine::resident()?.saturating_sub(before) as f64 / f64::from(agents);
        // Each has a segment applied and durable, which its next beats repeat.
        whole.round(Answers::Dropped, Load::Segment(1))?;
        whole.round(Answers::Dropped, Load::Segment(1))?;
        Ok((whole, bytes, first))
    }

    /// Measures the three rounds between two turns of the challenges, over and over.
    pub(super) fn measure(&mut self, answers: Answers, packets: u64) -> Result<Measured> {
        let mut measured = Measured::default();
        while measured.packets < packets {
            for _ in 0..step_ms(INTERVAL_MS) / u64::from(INTERVAL_MS) {
                measured += self.round(answers, Load::Segment(1))?;
            }
        }
        let healthy = self.fleet.summary().of(heartline_fleet::State::Healthy);
        ensure!(healthy as usize == self.sender.agents(), "only {healthy} agents are healthy");
        Ok(measured)
    }

    fn round(&mut self, answers: Answers, load: Load) -> Result<Measured> {
        let begins = Mono::from_millis(0).plus_millis(self.rounds * u64::from(INTERVAL_MS));
        let mut measured = Measured { cpu: self.wait_until(begins), ..Measured::default() };
        self.rounds += 1;
        let Self { ingest, fleet, sender, now, changed, work, .. } = self;
        let echo_ms = self.rounds.saturating_sub(2) * u64::from(INTERVAL_MS);
        let round = Round { sequence: self.rounds, echo_ms, load };
        measured += each_burst(sender, round, || {
            let mut received = 0;
            loop {
                if *now >= fleet.poll_timeout() {
                    fleet.handle(Input::Tick, *now);
                }
                let got = ingest.receive(0, fleet, *now).context("can't receive")?;
                *now = *now + PACE * got as u32;
                drain_outputs(ingest, fleet, answers, *now, work);
                if got == 0 {
                    break;
                }
                received += got as u64;
            }
            ingest.flush();
            changed.clear();
            fleet.drain_changed(changed);
            fleet.handle(Input::Stored { ticket: *work, known: Vec::new() }, *now);
            drain_outputs(ingest, fleet, answers, *now, work);
            Ok(received)
        })?;
        Ok(measured)
    }

    /// Ticks until `until`, and says what that cost.
    fn wait_until(&mut self, until: Mono) -> Duration {
        let begin = clock::thread_cpu();
        while self.now < until {
            self.now = self.fleet.poll_timeout().max(self.now).min(until);
            self.fleet.handle(Input::Tick, self.now);
            while self.fleet.poll_output().is_some() {}
        }
        clock::thread_cpu().saturating_sub(begin)
    }
}

fn drain_outputs(
    ingest: &mut Ingest,
    fleet: &mut Fleet,
    answers: Answers,
    now: Mono,
    work: &mut Ticket,
) {
    while let Some(output) = fleet.poll_output() {
        match output {
            Output::Answer(answer) if answers == Answers::Sent => {
                ingest.answer(fleet, &answer, now);
            }
            Output::Record(HistoryRow::Work(row)) => *work = row.ticket,
            _ => {}
        }
    }
}
