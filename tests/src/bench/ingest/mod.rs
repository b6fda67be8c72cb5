//! CPU per beat of the receiving thread, from the socket to judged state, beside the least that any
//! receiver must do; and memory per agent.

mod bare;
mod crowd;
mod disk;
mod measured;
mod round;
mod sender;
mod whole;

use anyhow::Result;

use self::bare::Bare;
use self::measured::Measured;
use self::whole::{Path, Whole};
use super::table::Table;
use super::{Effort, EffortArgument, machine};

/// What to measure.
#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    effort: EffortArgument,
    /// Sizes of the fleets, smallest first.
    #[arg(long, value_delimiter = ',')]
    agents: Vec<u32>,
}

/// The goals of `design.md`, section 10.
const GOAL_RATIO: f64 = 0.6;
const GOAL_GROWTH: f64 = 1.6;
const GOAL_BYTES: f64 = 600.0;

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let (sizes, packets): (&[u32], u64) = match arguments.effort.effort() {
        Effort::Full => (&[1_000, 100_000, 1_000_000], 400_000),
        Effort::Smoke => (&[100, 1_000], 2_000),
    };
    let sizes = if arguments.agents.is_empty() { sizes } else { &arguments.agents };
    machine::pin(0)?;
    println!(
        "beats of {} bytes, each with a segment of {} latencies, every 30 s from every agent; the \
         socket is filled in bursts of {}, then CPU of the thread that drains it is measured\n",
        crowd::BEAT_LEN,
        crowd::LATENCIES,
        sender::BURST,
    );
    let mut paths = Table::new(&["path", "agents", "ns/packet", "packets/s", "of (b)", "lost"]);
    let mut notes = Table::new(&["", "agents", "measured", "goal"]);
    let mut smallest = None;
    for &agents in sizes {
        let receive = bare::measure(Bare::Receive, packets)?;
        let verify = bare::measure(Bare::ReceiveAndVerify, packets)?;
        let (mut whole, bytes, first) = Whole::with(agents)?;
        let judged = whole.measure(Path::Judged, packets)?;
        let answered = whole.measure(Path::Answered, packets)?;
        whole.open_disk()?;
        let writer_before = machine::thread_cpu_of("history-writer");
        let durable = whole.measure(Path::Durable, packets)?;
        let writer = Measured {
            cpu: machine::thread_cpu_of("history-writer").saturating_sub(writer_before),
            ..durable
        };
        for (path, measured) in [
            ("(a) recvmmsg", &receive),
            ("(b) recvmmsg + HMAC, one prepared key", &verify),
            ("(c) to judged state", &judged),
            ("(c') the same, answer sealed and sent", &answered),
            ("(d) new work in each, answered when durable", &durable),
            ("    the store's writer beside (d)", &writer),
            ("    first beat, with identity, to judged state", &first),
        ] {
            paths.row(&path_row(path, agents, measured, &verify));
        }
        let growth = judged.ns() / smallest.get_or_insert(judged).ns();
        let ratio = verify.ns() / judged.ns();
        notes.row(&note_row("(c) of (b)", agents, ratio, format!(">= {GOAL_RATIO}")));
        notes.row(&note_row("growth of (c)", agents, growth, format!("<= {GOAL_GROWTH}")));
        notes.row(&note_row("bytes per idle agent", agents, bytes, format!("<= {GOAL_BYTES}")));
    }
    paths.print();
    println!();
    notes.print();
    Ok(())
}

fn path_row(path: &str, agents: u32, measured: &Measured, base: &Measured) -> [String; 6] {
    [
        path.to_owned(),
        agents.to_string(),
        format!("{:.0}", measured.ns()),
        format!("{:.0}", 1e9 / measured.ns()),
        format!("{:.2}", base.ns() / measured.ns()),
        measured.lost.to_string(),
    ]
}

fn note_row(what: &str, agents: u32, measured: f64, goal: String) -> [String; 4] {
    let measured =
        if measured < 100.0 { format!("{measured:.2}") } else { format!("{measured:.0}") };
    [what.to_owned(), agents.to_string(), measured, goal]
}
