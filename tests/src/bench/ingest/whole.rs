//! The whole way from the socket to judged state, in a time of its own: every agent beats each 30 s
//! of it, so challenges turn and ticks come as often as they really do.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use heartline_collector::ingest::{Ingest, Keyring, Listener};
use heartline_fleet::{
    AgentIndex, Fleet, FleetConfig, HistoryDbRow, Input, MonoTime, Output, WriteTicket,
};
use heartline_protocol::challenge::{ChallengeKey, step_ms};
use heartline_protocol::{KeyEpoch, MasterKey};
use heartline_vocabulary::{AgentRowId, State};

use super::crowd::{Crowd, INTERVAL_MS, Load};
use super::disk::Disk;
use super::measured::Measured;
use super::round::each_burst;
use super::sender::{BOOT, Round, Sender};
use crate::bench::machine;
use crate::clock;

/// What happens after the judgement.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Path {
    /// Nothing: answers are dropped unsealed.
    Judged,
    /// Answers are sealed and sent.
    Answered,
    /// Every beat brings new work, is stored, and is answered once that is durable.
    Durable,
}

/// A collector, and the crowd that it watches.
pub(super) struct Whole {
    core: Core,
    sender: Sender,
    rounds: u64,
    segment: u64,
}

/// What the driver owns, and its time.
struct Core {
    ingest: Ingest,
    fleet: Fleet,
    disk: Option<Disk>,
    now: MonoTime,
    changed: Vec<AgentIndex>,
    /// The newest work, which counts as durable at once where there is no disk.
    work: WriteTicket,
}

/// How much a datagram moves the time on.
const PACE: Duration = Duration::from_micros(1);
/// The collector's only key.
const MASTER: [u8; 32] = [0x4d; 32];
const EPOCH: KeyEpoch = KeyEpoch(1);
/// When everything starts.
const START: MonoTime = MonoTime::from_millis(0);

impl Whole {
    /// A collector that knows all agents. Gives the memory that each takes, in bytes, and what their
    /// first beats cost.
    pub(super) fn with(agents: u32) -> Result<(Self, f64, Measured)> {
        let listener = Listener::bind("127.0.0.1:0".parse().context("an address")?)?;
        let token = MasterKey::new(MASTER).scope_key(EPOCH, "");
        let sender = Sender::start(Crowd::new(agents, EPOCH, &token), listener.address())?;
        let before = machine::resident()?;
        let mut whole = Self { core: Core::new(listener), sender, rounds: 0, segment: 1 };
        let first = whole.round(Path::Judged, Load::Identity)?;
        let bytes = machine::resident()?.saturating_sub(before) as f64 / f64::from(agents);
        // Each has a segment applied and durable, which its next beats repeat.
        whole.round(Path::Judged, Load::Segment(1))?;
        whole.round(Path::Judged, Load::Segment(1))?;
        Ok((whole, bytes, first))
    }

    /// From now on with a disk.
    pub(super) fn open_disk(&mut self) -> Result<()> {
        self.core.disk = Some(Disk::open(self.core.now)?);
        Ok(())
    }

    /// Measures the three rounds between two turns of the challenges, over and over.
    pub(super) fn measure(&mut self, path: Path, packets: u64) -> Result<Measured> {
        let mut measured = Measured::default();
        while measured.packets < packets {
            for _ in 0..step_ms(INTERVAL_MS) / u64::from(INTERVAL_MS) {
                self.segment += u64::from(path == Path::Durable);
                measured += self.round(path, Load::Segment(self.segment))?;
            }
        }
        let healthy = self.core.fleet.state_counts().of(State::Healthy);
        ensure!(healthy as usize == self.sender.agents(), "only {healthy} agents are healthy");
        let shed = self.core.fleet.counters().work_shed;
        ensure!(shed == 0, "{shed} segments were shed");
        Ok(measured)
    }

    fn round(&mut self, path: Path, load: Load) -> Result<Measured> {
        let Self { core, sender, rounds, .. } = self;
        let begins = START.plus_millis(*rounds * u64::from(INTERVAL_MS));
        let mut measured = Measured { cpu: core.wait_until(begins)?, ..Measured::default() };
        *rounds += 1;
        let echo_ms = rounds.saturating_sub(2) * u64::from(INTERVAL_MS);
        let round = Round { sequence: *rounds, echo_ms, load };
        measured += each_burst(sender, round, || core.drain_socket(path))?;
        Ok(measured)
    }
}

impl Core {
    fn new(listener: Listener) -> Self {
        let masters = vec![(EPOCH, MasterKey::new(MASTER))];
        let ingest =
            Ingest::new(vec![listener], Keyring::new(masters, ChallengeKey::new(&BOOT), START));
        let mut fleet = Fleet::new(FleetConfig::default(), START);
        fleet.handle(Input::Begin { last_alive: None, next_id: AgentRowId(1) }, START);
        Self { ingest, fleet, disk: None, now: START, changed: Vec::new(), work: WriteTicket(0) }
    }

    /// What the driver does until the socket is empty.
    fn drain_socket(&mut self, path: Path) -> Result<u64> {
        let mut received = 0;
        loop {
            if self.now >= self.fleet.poll_timeout() {
                self.fleet.handle(Input::Tick, self.now);
            }
            let got = self.ingest.receive(0, &mut self.fleet, self.now).context("can't receive")?;
            self.now = self.now + PACE * got as u32;
            self.drain_outputs(path);
            if got == 0 {
                break;
            }
            received += got as u64;
        }
        self.changed.clear();
        self.fleet.drain_changed(&mut self.changed);
        if let Some(disk) = &mut self.disk {
            disk.hand_over();
            disk.confirm(&mut self.fleet, self.now)?;
        } else {
            self.fleet.handle(Input::Stored { ticket: self.work, known: Vec::new() }, self.now);
        }
        self.drain_outputs(path);
        self.ingest.flush();
        Ok(received)
    }

    /// Ticks until `until`, and says what that cost.
    fn wait_until(&mut self, until: MonoTime) -> Result<Duration> {
        if let Some(disk) = &self.disk {
            // In real time the disk has long finished before the next round.
            disk.settle(&mut self.fleet, self.now)?;
        }
        let begin = clock::thread_cpu();
        while self.now < until {
            self.now = self.fleet.poll_timeout().max(self.now).min(until);
            self.fleet.handle(Input::Tick, self.now);
            self.drain_outputs(Path::Judged);
        }
        Ok(clock::thread_cpu().saturating_sub(begin))
    }

    fn drain_outputs(&mut self, path: Path) {
        while let Some(output) = self.fleet.poll_output() {
            match output {
                Output::Ack(answer) if path != Path::Judged => {
                    self.ingest.answer(&self.fleet, &answer, self.now);
                }
                Output::Record(row) => {
                    if let HistoryDbRow::Work(work) = &row {
                        self.work = work.ticket;
                    }
                    if let Some(disk) = &mut self.disk {
                        disk.history.push(row);
                    }
                }
                Output::Persist(row) => {
                    if let Some(disk) = &mut self.disk {
                        disk.control.push(row);
                    }
                }
                _ => {}
            }
        }
    }
}
