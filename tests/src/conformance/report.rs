//! The outcome of a run, and the table of all.

use std::io::{self, Write};

use super::emitter::TestedEmitter;
use super::run::RunPlan;
use crate::harness::ProxyCounters;
use crate::result_table::ResultTable;

/// Outcome of one run.
#[derive(Clone, Debug)]
pub struct RunReport {
    emitter: String,
    collectors: usize,
    /// Tasks and reports of the script.
    pub tasks: u64,
    /// Datagrams through the networks of all collectors.
    pub network: ProxyCounters,
    /// Restarts of all collectors after a SIGKILL.
    pub restarts: u64,
    /// What was not as it must be; empty: all sums are equal.
    pub failures: Vec<String>,
}

impl RunReport {
    pub(super) fn new(emitter: &TestedEmitter, plan: &RunPlan) -> Self {
        Self {
            emitter: emitter.to_string(),
            collectors: plan.collectors,
            tasks: 0,
            network: ProxyCounters::default(),
            restarts: 0,
            failures: Vec::new(),
        }
    }

    /// Returns whether all sums were equal, and the run went as it must.
    pub fn is_equal(&self) -> bool {
        self.failures.is_empty()
    }
}

/// Prints a table of all runs, then each failure.
pub(super) fn print(out: &mut impl Write, reports: &[RunReport]) -> io::Result<()> {
    let mut table = ResultTable::new(&[
        "emitter",
        "collectors",
        "tasks",
        "datagrams",
        "lost",
        "duplicated",
        "reordered",
        "restarts",
        "result",
    ]);
    for report in reports {
        let ProxyCounters { datagrams, lost, duplicated, reordered } = report.network;
        let mut cells = vec![report.emitter.clone(), report.collectors.to_string()];
        let numbers = [report.tasks, datagrams, lost, duplicated, reordered, report.restarts];
        cells.extend(numbers.map(|it| it.to_string()));
        cells.push(if report.is_equal() { "equal" } else { "FAILED" }.to_owned());
        table.row(&cells);
    }
    write!(out, "\n{table}")?;
    for report in reports.iter().filter(|it| !it.is_equal()) {
        let RunReport { emitter, collectors, .. } = report;
        let plural = if *collectors == 1 { "" } else { "s" };
        writeln!(out, "\n{emitter}, {collectors} collector{plural}:")?;
        for failure in &report.failures {
            writeln!(out, "  {failure}")?;
        }
    }
    Ok(())
}
