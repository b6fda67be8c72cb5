//! The stages that need a fleet: from the socket to judged state, acks and disk. Time is simulated:
//! every agent beats each 30 s of it, so challenges turn and ticks come as often as in production.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use heartline_collector::ingest::{DatagramBatch, Ingest, IngestSocket, Keyring};
use heartline_fleet::{
    AgentIndex, Fleet, FleetConfig, HistoryDbRow, Input, MonoTime, Output, RegistrationLimits,
    WriteTicket,
};
use heartline_protocol::challenge::{ChallengeKey, step_ms};
use heartline_protocol::{KeyEpoch, MasterKey};
use heartline_vocabulary::AgentRowId;

use super::PipelineStage;
use super::bench_store::BenchStore;
use super::burst_sender::{BOOT_KEY, BeatRound, BurstSender};
use super::measurement::{CpuMeasurement, measure_bursts};
use crate::bench::machine;
use crate::bench::synthetic_fleet::{BeatPayload, INTERVAL_MS, SyntheticFleet};
use crate::clock;

/// A collector without its process, and the agents that beat at it.
pub(super) struct PipelineBench {
    driver: InProcessDriver,
    sender: BurstSender,
    rounds: u64,
    segment: u64,
}

/// The loop of the collector's driver, with simulated time.
struct InProcessDriver {
    ingest: Ingest,
    batches: Vec<DatagramBatch>,
    fleet: Fleet,
    store: Option<BenchStore>,
    now: MonoTime,
    changed: Vec<AgentIndex>,
    /// The newest work, which counts as durable at once where there is no store.
    newest_work: WriteTicket,
}

/// Simulated time that a datagram takes.
const TIME_PER_DATAGRAM: Duration = Duration::from_micros(1);
/// The collector's only master key.
const MASTER_KEY: [u8; 32] = [0x4d; 32];
const EPOCH: KeyEpoch = KeyEpoch(1);
const START: MonoTime = MonoTime::from_millis(0);

impl PipelineBench {
    /// Starts a collector that knows all agents. Also returns the memory per agent, in bytes, and the
    /// cost of their first beats.
    pub(super) fn start(agents: u32) -> Result<(Self, f64, CpuMeasurement)> {
        let socket = IngestSocket::bind("127.0.0.1:0".parse().context("an address")?)?;
        let token = MasterKey::new(MASTER_KEY).scope_key(EPOCH, "");
        let fleet = SyntheticFleet::new(agents, EPOCH, &token);
        let sender = BurstSender::start(fleet, socket.address())?;
        let before = machine::resident()?;
        let driver = InProcessDriver::new(socket);
        let mut bench = Self { driver, sender, rounds: 0, segment: 1 };
        let first_beats = bench.run_round(PipelineStage::Judged, BeatPayload::Identity)?;
        let bytes = machine::resident()?.saturating_sub(before) as f64 / f64::from(agents);
        // Each has a segment applied and durable, which its next beats repeat.
        for _ in 0..2 {
            bench.run_round(PipelineStage::Judged, BeatPayload::Segment(1))?;
        }
        Ok((bench, bytes, first_beats))
    }

    /// Adds a store, in which all further work is kept.
    pub(super) fn open_store(&mut self) -> Result<()> {
        self.driver.store = Some(BenchStore::open(self.driver.now)?);
        Ok(())
    }

    /// Measures whole cycles of the three rounds in which agents echo the same challenge.
    pub(super) fn measure(&mut self, stage: PipelineStage, packets: u64) -> Result<CpuMeasurement> {
        let mut measurement = CpuMeasurement::default();
        while measurement.packets < packets {
            for _ in 0..step_ms(INTERVAL_MS) / u64::from(INTERVAL_MS) {
                self.segment += u64::from(stage == PipelineStage::Durable);
                measurement += self.run_round(stage, BeatPayload::Segment(self.segment))?;
            }
        }
        let healthy = self.driver.fleet.state_counts().healthy;
        ensure!(healthy as usize == self.sender.agents(), "only {healthy} agents are healthy");
        let shed = self.driver.fleet.work_shed();
        ensure!(shed == 0, "{shed} segments were shed");
        Ok(measurement)
    }

    fn run_round(&mut self, stage: PipelineStage, payload: BeatPayload) -> Result<CpuMeasurement> {
        let Self { driver, sender, rounds, .. } = self;
        let begin = START.plus_millis(*rounds * u64::from(INTERVAL_MS));
        let cpu = driver.wait_until(begin)?;
        let mut measurement = CpuMeasurement { cpu, ..CpuMeasurement::default() };
        *rounds += 1;
        let echo_ms = rounds.saturating_sub(2) * u64::from(INTERVAL_MS);
        let round = BeatRound { sequence: *rounds, echo_ms, payload };
        measurement += measure_bursts(sender, round, || driver.drain_socket(stage))?;
        Ok(measurement)
    }
}

impl InProcessDriver {
    fn new(socket: IngestSocket) -> Self {
        let masters = vec![(EPOCH, MasterKey::new(MASTER_KEY))];
        let ingest =
            Ingest::new(vec![socket], Keyring::new(masters, ChallengeKey::new(&BOOT_KEY), START));
        let limits =
            RegistrationLimits { new_agents_per_minute: u32::MAX, ..RegistrationLimits::default() };
        let config = FleetConfig { limits, ..FleetConfig::default() };
        let mut fleet = Fleet::new(config, START);
        fleet.handle(Input::Begin { last_alive: None, next_id: AgentRowId(1) }, START);
        let batches = ingest.new_batches();
        Self {
            ingest,
            batches,
            fleet,
            store: None,
            now: START,
            changed: Vec::new(),
            newest_work: WriteTicket(0),
        }
    }

    fn drain_socket(&mut self, stage: PipelineStage) -> Result<u64> {
        let mut received = 0;
        loop {
            if self.now >= self.fleet.poll_timeout() {
                self.fleet.handle(Input::Tick, self.now);
            }
            let Self { ingest, batches, fleet, now, .. } = self;
            let count = ingest.receive(batches, 0, fleet, *now).context("can't receive")?;
            self.now = self.now + TIME_PER_DATAGRAM * count as u32;
            self.drain_outputs(stage);
            if count == 0 {
                break;
            }
            received += count as u64;
        }
        self.changed.clear();
        self.fleet.drain_changed(&mut self.changed);
        if let Some(store) = &mut self.store {
            store.hand_over();
            store.confirm(&mut self.fleet, self.now)?;
        } else {
            let stored = Input::HistoryCommitted { ticket: self.newest_work, known: Vec::new() };
            self.fleet.handle(stored, self.now);
        }
        self.drain_outputs(stage);
        self.ingest.flush();
        Ok(received)
    }

    /// Ticks until `until`. Returns the CPU time of that.
    fn wait_until(&mut self, until: MonoTime) -> Result<Duration> {
        if let Some(store) = &self.store {
            // In real time the disk finishes long before the next round.
            store.wait_until_durable(&mut self.fleet, self.now)?;
        }
        let begin = clock::thread_cpu();
        while self.now < until {
            self.now = self.fleet.poll_timeout().max(self.now).min(until);
            self.fleet.handle(Input::Tick, self.now);
            self.drain_outputs(PipelineStage::Judged);
        }
        Ok(clock::thread_cpu().saturating_sub(begin))
    }

    fn drain_outputs(&mut self, stage: PipelineStage) {
        while let Some(output) = self.fleet.poll_output() {
            match output {
                Output::Ack(answer) if stage >= PipelineStage::Answered => {
                    self.ingest.queue_ack(&self.fleet, &answer, self.now);
                }
                Output::WriteHistory(row) => {
                    if let HistoryDbRow::Work(work) = &row {
                        self.newest_work = work.ticket;
                    }
                    if let Some(store) = &mut self.store {
                        store.history.push(row);
                    }
                }
                Output::WriteControl(row) => {
                    if let Some(store) = &mut self.store {
                        store.control.push(row);
                    }
                }
                _ => {}
            }
        }
    }
}
