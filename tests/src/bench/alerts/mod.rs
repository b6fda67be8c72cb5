//! `bench alerts`: from judged to told, what is missing after many kills, and 10,000 agents that fall silent together.

mod lost_fleet;

use anyhow::{Result, ensure};

use crate::alert_run::{AlertAccount, AlertRun};
use crate::result_table::ResultTable;

/// How much is tried.
#[derive(clap::Args)]
pub struct AlertsBenchArgs {
    /// Only checks that it runs, in a few seconds; the numbers mean little.
    #[arg(long)]
    smoke: bool,
    /// How often the collector is killed while alerts flow; 1,000 take a quarter of an hour.
    #[arg(long, default_value_t = 1_000)]
    kills: u32,
    #[arg(long, default_value_t = 20_261_127)]
    seed: u64,
}

/// Share of all requests that fail while the collector is killed, in percent.
const FAILING: u32 = 40;

pub(super) fn run(arguments: &AlertsBenchArgs) -> Result<()> {
    lost_fleet::run(if arguments.smoke { 1_000 } else { 10_000 })?;
    let kills = if arguments.smoke { 2 } else { arguments.kills };
    let mut table = ResultTable::new(&[
        "", "kills", "outages", "notices", "arrived", "repeated", "missing", "p50 ms", "p99 ms",
        "max ms",
    ]);
    if !arguments.smoke {
        row(&mut table, "a webhook on loopback", 0, &AlertRun::start(arguments.seed).kill(0, 0))?;
    }
    let account = AlertRun::start(arguments.seed).kill(kills, FAILING);
    row(&mut table, "40 % of requests fail", kills, &account)?;
    table.print();
    Ok(())
}

fn row(table: &mut ResultTable, what: &str, kills: u32, account: &AlertAccount) -> Result<()> {
    for missing in account.missing.iter().chain(&account.ambiguous).take(20) {
        println!("missing or ambiguous: {missing}");
    }
    ensure!(account.outages > 0, "nothing happened");
    let cells = [
        what.to_owned(),
        kills.to_string(),
        account.outages.to_string(),
        account.notices.to_string(),
        account.arrived.to_string(),
        account.repeated.to_string(),
        account.missing.len().to_string(),
        account.delay_ms(50).to_string(),
        account.delay_ms(99).to_string(),
        account.delay_ms(100).to_string(),
    ];
    table.row(&cells);
    Ok(())
}
