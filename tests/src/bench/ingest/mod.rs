//! CPU per beat of the receiving thread, from the socket to judged state, beside the least that any
//! receiver must do; and memory per agent.

mod bare;
mod crowd;
mod disk;
mod live;
mod measured;
mod rate;
mod report;
mod round;
mod sender;
mod whole;

use std::time::Duration;

use anyhow::Result;

use self::bare::Bare;
use self::live::Work;
use self::measured::Measured;
use self::rate::Load;
use self::report::Report;
use self::whole::{Path, Whole};
use super::{Effort, EffortArgument, machine};

/// What to measure.
#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    effort: EffortArgument,
    /// Sizes of the fleets, smallest first.
    #[arg(long, value_delimiter = ',')]
    agents: Vec<u32>,
    /// Only these paths, for a profiler to look at.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Stage>,
    /// Instead of all that: so many beats a second at a whole collector.
    #[arg(long, value_name = "PER_SECOND")]
    rate: Option<u32>,
    /// With that rate, new work in the beats, as fast as it becomes durable.
    #[arg(long, requires = "rate")]
    busy: bool,
    /// With that rate, somebody who looks at the whole fleet all the time.
    #[arg(long, requires = "rate")]
    watched: bool,
    /// For so many seconds.
    #[arg(long = "for", value_name = "SECONDS", default_value_t = 60, requires = "rate")]
    seconds: u64,
}

/// How far a beat is taken. Each goes further than the one before.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Stage {
    Receive,
    Verify,
    OwnKey,
    Decode,
    Judged,
    Answered,
    Durable,
}

const STAGES: [Stage; 7] = [
    Stage::Receive,
    Stage::Verify,
    Stage::OwnKey,
    Stage::Decode,
    Stage::Judged,
    Stage::Answered,
    Stage::Durable,
];

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    if let Some(per_second) = arguments.rate {
        let work = if arguments.busy { Work::Busy } else { Work::Idle };
        let span = Duration::from_secs(arguments.seconds);
        return rate::run(&Load { per_second, span, work, is_watched: arguments.watched });
    }
    let (sizes, packets): (&[u32], u64) = match arguments.effort.effort() {
        Effort::Full => (&[1_000, 100_000, 1_000_000], 400_000),
        Effort::Smoke => (&[100, 1_000], 2_000),
    };
    let sizes = if arguments.agents.is_empty() { sizes } else { &arguments.agents };
    let stages = if arguments.only.is_empty() { &STAGES[..] } else { &arguments.only };
    machine::pin(0)?;
    println!(
        "beats of {} bytes, each with a segment of {} latencies, every 30 s from every agent; the \
         socket is filled in bursts of {}, then CPU of the thread that drains it is measured; the quickest of {} turns\n",
        crowd::BEAT_LEN,
        crowd::LATENCIES,
        sender::BURST,
        TURNS,
    );
    let mut report = Report::new();
    for &agents in sizes {
        measure(agents, stages, packets, &mut report)?;
    }
    report.print();
    Ok(())
}

fn measure(agents: u32, stages: &[Stage], packets: u64, report: &mut Report) -> Result<()> {
    report.begin(agents);
    let (mut whole, bytes, first) = Whole::with(agents)?;
    let turning = stages.iter().filter(|&&stage| stage != Stage::Durable);
    let mut quickest: Vec<(Stage, Option<Measured>)> = turning.map(|&it| (it, None)).collect();
    for _ in 0..TURNS {
        for (stage, quickest) in &mut quickest {
            let measured = one_turn(*stage, &mut whole, packets / TURNS)?;
            *quickest = Some(quickest.map_or(measured, |before| before.quicker(measured)));
        }
    }
    for (stage, measured) in quickest {
        report.path(stage, measured.unwrap_or_default());
    }
    if stages.contains(&Stage::Durable) {
        whole.open_disk()?;
        let before = machine::thread_cpu_of(WRITER);
        let durable = one_turn(Stage::Durable, &mut whole, packets)?;
        report.path(Stage::Durable, durable);
        let cpu = machine::thread_cpu_of(WRITER).saturating_sub(before);
        report.beside("    the store's writer beside (d)", Measured { cpu, ..durable });
    }
    report.beside("    first beat, with identity, to judged state", first);
    report.memory(bytes);
    Ok(())
}

fn one_turn(stage: Stage, whole: &mut Whole, packets: u64) -> Result<Measured> {
    match stage {
        Stage::Receive => bare::measure(Bare::Receive, packets),
        Stage::Verify => bare::measure(Bare::Verify, packets),
        Stage::OwnKey => bare::measure(Bare::VerifyOwnKey, packets),
        Stage::Decode => bare::measure(Bare::Decode, packets),
        Stage::Judged => whole.measure(Path::Judged, packets),
        Stage::Answered => whole.measure(Path::Answered, packets),
        Stage::Durable => whole.measure(Path::Durable, packets),
    }
}

/// Who else uses the machine makes a path slower by a tenth from one second to the next, and never
/// quicker: all paths take turns, and of each the quickest turn counts.
const TURNS: u64 = 4;

/// The thread that writes `history.db`.
const WRITER: &str = "history-writer";
