//! The Rust emitter's conformance agent: does what it reads from standard input, and prints what it
//! counted. `docs/write-an-emitter.md` has the contract.

use std::io;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use heartline::{Heartline, Report, TaskOutcome};
use heartline_vocabulary::WorkTotals;
use serde_json::{Value, json};

fn main() -> Result<()> {
    let name = std::env::args().nth(1).context("the agent's name is missing")?;
    let hb = heartline::start(name);
    let mut totals = WorkTotals::default();
    for line in io::stdin().lines() {
        let line = line.context("can't read standard input")?;
        let operation: Value =
            serde_json::from_str(&line).with_context(|| format!("not JSON: {line}"))?;
        perform(&hb, &operation, &mut totals).with_context(|| format!("can't do {line}"))?;
    }
    hb.stop();
    let counts = json!({
        "ok": totals.ok,
        "failed": totals.failed,
        "cost_nano_usd": totals.cost_nano_usd,
        "tokens_in": totals.tokens_in,
        "tokens_out": totals.tokens_out,
        "lost_observations": hb.status().lost_observations,
    });
    println!("{counts}");
    Ok(())
}

fn perform(hb: &Heartline, operation: &Value, totals: &mut WorkTotals) -> Result<()> {
    let number =
        |name: &str| operation[name].as_u64().with_context(|| format!("{name} is no whole number"));
    let success = operation["success"].as_bool().context("success is neither true nor false")?;
    let (cost, read, written) =
        (number("cost_nano_usd")?, number("tokens_in")?, number("tokens_out")?);
    match operation["op"].as_str() {
        Some("report") => {
            let outcome = if success { TaskOutcome::Ok } else { TaskOutcome::Failed };
            let latency = Duration::from_micros(number("latency_us")?);
            let report = Report::new(outcome).latency(latency);
            hb.report(report.cost_nano_usd(cost).tokens(read, written));
        }
        Some("task") => {
            let mut task = hb.task();
            task.step(operation["step"].as_str().context("step is no text")?);
            task.cost_nano_usd(cost);
            task.tokens(read, written);
            if success { task.ok() } else { task.fail() }
        }
        other => bail!("op is {other:?}"),
    }
    *(if success { &mut totals.ok } else { &mut totals.failed }) += 1;
    totals.cost_nano_usd += cost;
    totals.tokens_in += read;
    totals.tokens_out += written;
    Ok(())
}
