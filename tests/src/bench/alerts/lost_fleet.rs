//! Many agents that fall silent together: what the core takes for it, and what people are told.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, ensure};
use heartline_fleet::{
    AgentMessage, Fleet, FleetConfig, HistoryDbRow, Input, MonoTime, Output, RegistrationLimits,
    ReturnAddress,
};
use heartline_protocol::body::IdentityView;
use heartline_protocol::wire::UntrustedText;
use heartline_protocol::{Beat, Body};
use heartline_vocabulary::AgentRowId;

use crate::alert_rules::tell_everything;
use crate::clock;
use crate::result_table::ResultTable;

const START: MonoTime = MonoTime::from_millis(1_000_000_000);
const INTERVAL_MS: u32 = 30_000;

/// What became of a fleet of which some agents fell silent together.
#[derive(Default)]
struct Outcome {
    notices: usize,
    incidents: usize,
    /// CPU time of the longest tick, and of all ticks.
    longest: Duration,
    total: Duration,
}

/// Lets all agents of one host, and then of the whole fleet, fall silent at once.
pub(super) fn run(agents: u32) -> Result<()> {
    let mut table = ResultTable::new(&[
        "fall silent together",
        "agents",
        "incidents",
        "messages",
        "longest tick ms",
        "all ticks ms",
    ]);
    for (what, lost) in [("a host of a fleet", agents / 10), ("the whole fleet", agents)] {
        let outcome = lose(agents, lost)?;
        let ms = |time: Duration| format!("{:.1}", time.as_secs_f64() * 1e3);
        table.row(&[
            what.to_owned(),
            lost.to_string(),
            outcome.incidents.to_string(),
            outcome.notices.to_string(),
            ms(outcome.longest),
            ms(outcome.total),
        ]);
    }
    table.print();
    Ok(())
}

fn lose(agents: u32, lost: u32) -> Result<Outcome> {
    let alerts = tell_everything();
    let limits =
        RegistrationLimits { new_agents_per_minute: u32::MAX, ..RegistrationLimits::default() };
    let mut fleet = Fleet::new(FleetConfig { alerts, limits, ..FleetConfig::default() }, START);
    fleet.handle(Input::Begin { last_alive: None, next_id: AgentRowId(1) }, START);
    let mut outcome = Outcome::default();
    // Agents beat spread over an interval; those that are not lost go on.
    for round in 0..20 {
        for step in 0..u64::from(INTERVAL_MS) / 10 {
            let now = START.plus_millis(round * u64::from(INTERVAL_MS) + step * 10);
            let first = (step * u64::from(agents)).div_ceil(u64::from(INTERVAL_MS) / 10);
            let end = ((step + 1) * u64::from(agents)).div_ceil(u64::from(INTERVAL_MS) / 10);
            for n in first..end {
                // The lost ones are spread over the interval as well.
                let is_lost = (n * 7_919) % u64::from(agents) < u64::from(lost);
                if round < 2 || !is_lost {
                    beat(&mut fleet, n, is_lost, round + 1, now);
                }
            }
            let cpu = clock::thread_cpu();
            fleet.handle(Input::Tick, now);
            let took = clock::thread_cpu().saturating_sub(cpu);
            outcome.longest = outcome.longest.max(took);
            outcome.total += took;
            while let Some(output) = fleet.poll_output() {
                outcome.notices +=
                    usize::from(matches!(output, Output::WriteHistory(HistoryDbRow::Notice(_))));
            }
        }
    }
    outcome.incidents = fleet.incidents().count();
    let unreachable = fleet.state_counts().unreachable;
    ensure!(unreachable == lost, "{unreachable} agents are unreachable");
    Ok(outcome)
}

fn beat(fleet: &mut Fleet, number: u64, is_lost: bool, sequence: u64, now: MonoTime) {
    let agent = format!("agent-{number}");
    let host = if is_lost { "lost".to_owned() } else { format!("host-{}", number % 97) };
    let host = Some(UntrustedText::new(&host));
    let identity = IdentityView { host, ..IdentityView::default() };
    let beat = Beat {
        interval_ms: INTERVAL_MS,
        identity: (sequence == 1).then(|| Box::new(identity)),
        ..Beat::default()
    };
    let message = AgentMessage {
        index: fleet.find(&agent),
        agent: &agent,
        scope: "",
        session: 1,
        sequence,
        tag_prefix: 1,
        fresh: true,
        from: ReturnAddress { peer: SocketAddr::from(([127, 0, 0, 1], 1)), via: 0 },
        len: 190,
        body: Body::Beat(beat),
    };
    fleet.handle(Input::Message(&message), now);
    while fleet.poll_output().is_some() {}
}
