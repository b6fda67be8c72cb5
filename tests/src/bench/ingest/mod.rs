//! CPU per beat of the receiving thread, from the socket to judged state, beside the least that any
//! receiver must do; and memory per agent.

mod baseline;
mod bench_store;
mod burst_sender;
mod measurement;
mod pipeline;
mod rate;
mod report;

use std::time::Duration;

use anyhow::Result;
use clap::ValueEnum as _;

use self::measurement::CpuMeasurement;
use self::pipeline::PipelineBench;
use self::rate::RateConfig;
use self::report::IngestReport;
use super::live_agents::WorkPattern;
use super::{BenchMode, BenchModeArg, machine, synthetic_fleet};

/// Options of the ingest benchmark.
#[derive(clap::Args)]
pub(super) struct IngestBenchArgs {
    #[command(flatten)]
    mode: BenchModeArg,
    /// Sizes of the fleets, smallest first.
    #[arg(long, value_delimiter = ',')]
    agents: Vec<u32>,
    /// Only these stages, for a profiler.
    #[arg(long, value_delimiter = ',')]
    only: Vec<PipelineStage>,
    /// Instead of all that: so many beats a second at a whole collector.
    #[arg(long, value_name = "PER_SECOND")]
    rate: Option<u32>,
    /// With that rate, new work in the beats, as fast as it becomes durable.
    #[arg(long, requires = "rate")]
    busy: bool,
    /// With that rate, a viewer that receives every change of the fleet.
    #[arg(long, requires = "rate")]
    watched: bool,
    /// For so many seconds.
    #[arg(long = "for", value_name = "SECONDS", default_value_t = 60, requires = "rate")]
    seconds: u64,
}

/// How far beats are taken. Each stage includes those before it.
// Variants have no doc comments because `--help` would print them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, clap::ValueEnum)]
enum PipelineStage {
    Receive,
    // The tag is verified, with one key prepared in advance.
    Verify,
    // The tag is verified with a key prepared from 32 bytes for each datagram, after its framing.
    OwnKey,
    Decode,
    // Acks are dropped unsealed.
    Judged,
    // Acks are sealed and sent.
    Answered,
    // Every beat brings new work, and is answered once that is durable.
    Durable,
}

pub(super) fn run(arguments: &IngestBenchArgs) -> Result<()> {
    if let Some(per_second) = arguments.rate {
        let work = if arguments.busy { WorkPattern::Busy } else { WorkPattern::Idle };
        let span = Duration::from_secs(arguments.seconds);
        return rate::run(&RateConfig { per_second, span, work, is_watched: arguments.watched });
    }
    let (sizes, packets): (&[u32], u64) = match arguments.mode.mode() {
        BenchMode::Full => (&[1_000, 100_000, 1_000_000], 400_000),
        BenchMode::Smoke => (&[100, 1_000], 2_000),
    };
    let sizes = if arguments.agents.is_empty() { sizes } else { &arguments.agents };
    let stages =
        if arguments.only.is_empty() { PipelineStage::value_variants() } else { &arguments.only };
    machine::pin(0)?;
    println!(
        "beats of {} bytes, each with a segment of {} latencies, every 30 s from every agent; the \
         socket is filled in bursts of {}, then CPU of the thread that drains it is measured; the quickest of {} turns\n",
        synthetic_fleet::BEAT_LEN,
        synthetic_fleet::LATENCIES,
        burst_sender::BURST_LEN,
        TURNS,
    );
    let mut report = IngestReport::new();
    for &agents in sizes {
        measure(agents, stages, packets, &mut report)?;
    }
    report.print();
    Ok(())
}

fn measure(
    agents: u32,
    stages: &[PipelineStage],
    packets: u64,
    report: &mut IngestReport,
) -> Result<()> {
    report.begin_size(agents);
    let (mut bench, bytes, first_beats) = PipelineBench::start(agents)?;
    let in_turns = stages.iter().filter(|&&stage| stage != PipelineStage::Durable);
    let mut quickest: Vec<(PipelineStage, Option<CpuMeasurement>)> =
        in_turns.map(|&stage| (stage, None)).collect();
    for _ in 0..TURNS {
        for (stage, quickest) in &mut quickest {
            let measurement = measure_stage(*stage, &mut bench, packets / TURNS)?;
            *quickest = Some(quickest.map_or(measurement, |before| before.quicker(measurement)));
        }
    }
    for (stage, measurement) in quickest {
        report.add_stage(stage, measurement.unwrap_or_default());
    }
    if stages.contains(&PipelineStage::Durable) {
        bench.open_store()?;
        let before = machine::thread_cpu_of(WRITER);
        let durable = measure_stage(PipelineStage::Durable, &mut bench, packets)?;
        report.add_stage(PipelineStage::Durable, durable);
        let cpu = machine::thread_cpu_of(WRITER).saturating_sub(before);
        report.add_row("    the store's writer beside (d)", CpuMeasurement { cpu, ..durable });
    }
    report.add_row("    first beat, with identity, to judged state", first_beats);
    report.add_bytes_per_agent(bytes);
    Ok(())
}

fn measure_stage(
    stage: PipelineStage,
    bench: &mut PipelineBench,
    packets: u64,
) -> Result<CpuMeasurement> {
    if stage <= PipelineStage::Decode {
        baseline::measure(stage, packets)
    } else {
        bench.measure(stage, packets)
    }
}

/// Beats with new work in each, until that is durable.
pub(super) struct DurableBeats {
    bench: PipelineBench,
}

impl DurableBeats {
    /// Starts a collector with a store that knows all agents.
    ///
    /// # Errors
    /// When a part of it can't be opened.
    pub(super) fn start(agents: u32) -> Result<Self> {
        let (mut bench, ..) = PipelineBench::start(agents)?;
        bench.open_store()?;
        Ok(Self { bench })
    }

    /// Returns the CPU time of the receiving thread and of the store's writer for one beat, in ns.
    ///
    /// # Errors
    /// When beats were lost.
    pub(super) fn measure(&mut self, beats: u64) -> Result<f64> {
        let before = machine::thread_cpu_of(WRITER);
        let received = self.bench.measure(PipelineStage::Durable, beats)?;
        let cpu = received.cpu + machine::thread_cpu_of(WRITER).saturating_sub(before);
        Ok(CpuMeasurement { cpu, ..received }.ns_per_packet())
    }
}

/// Other programs on the machine make a stage slower by a tenth from one second to the next, and
/// never quicker: all stages take turns, and of each the quickest turn counts.
const TURNS: u64 = 4;

/// The thread that writes `history.db`.
const WRITER: &str = "history-writer";
