//! Time from the end of a program under `heartline run` to what operators see.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use hdrhistogram::Histogram;
use heartline_vocabulary::{Reason, State};
use rustix::process::{Pid, Signal, kill_process};

use super::BenchMode;
use crate::clock;
use crate::harness::{
    TestEnvironment, TestOperator, TestProcess, TestedProgram, wait_for, wait_until,
};
use crate::result_table::ResultTable;

/// Programs that run at a time, beside the one that ends.
const PROGRAMS: usize = 20;

pub(super) fn run(mode: BenchMode) -> Result<()> {
    let exits = if mode == BenchMode::Full { 500 } else { 20 };
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let operator = env.operator();
    let address = collector.address().to_string();
    let mut programs: Vec<SupervisedProgram> = Vec::new();
    for number in 0..PROGRAMS {
        programs.push(SupervisedProgram::start(&env, &address, number));
    }
    let mut seen = Histogram::<u64>::new_with_bounds(1, 60_000_000, 3)?;
    for number in 0..exits {
        let next = SupervisedProgram::start(&env, &address, PROGRAMS + number);
        let ending = std::mem::replace(&mut programs[number % PROGRAMS], next);
        ending.wait_until_healthy(&operator);
        let killed_at = clock::monotonic();
        kill_process(ending.pid, Signal::KILL).context("the program has ended before")?;
        wait_until("its end is seen", || ending.is_crashed(&operator));
        seen.saturating_record(clock::monotonic().saturating_sub(killed_at).as_micros() as u64);
    }
    println!("{exits} programs, one after the other, ended by SIGKILL beside {PROGRAMS} others\n");
    let mut table =
        ResultTable::new(&["from the end to", "p50 ms", "p90 ms", "p99 ms", "max ms", "goal"]);
    let ms = |us: u64| format!("{:.2}", Duration::from_micros(us).as_secs_f64() * 1e3);
    let at = |quantile| ms(seen.value_at_quantile(quantile));
    let goal = "p99 <= 1000".to_owned();
    let row = ["crashed, as an operator sees it".to_owned(), at(0.5), at(0.9), at(0.99)];
    table.row(&[&row[..], &[ms(seen.max()), goal]].concat());
    table.print();
    Ok(())
}

/// A program that sleeps, under `heartline run`.
struct SupervisedProgram {
    name: String,
    pid: Pid,
    _supervisor: TestProcess,
}

impl SupervisedProgram {
    fn start(env: &TestEnvironment, collector: &str, number: usize) -> Self {
        let name = format!("program-{number}");
        let mut command: Command = env.command(TestedProgram::Heartline.path());
        command.args(["run", "--agent", &name, "--", "sh", "-c", "echo $$; exec sleep 120"]);
        command.env("HEARTLINE_COLLECTOR", collector);
        let mut supervisor = TestProcess::start(&mut command);
        let pid = supervisor.wait_for_line("the program starts", |line| line.parse().ok());
        let pid = wait_for("a process id", || Pid::from_raw(pid));
        Self { name, pid, _supervisor: supervisor }
    }

    fn wait_until_healthy(&self, operator: &TestOperator) {
        wait_until("it is healthy", || {
            operator.agent(&self.name).is_some_and(|it| it.vitals.state == State::Healthy)
        });
    }

    fn is_crashed(&self, operator: &TestOperator) -> bool {
        let vitals = operator.agent(&self.name).map(|it| it.vitals);
        vitals.is_some_and(|it| it.reason == Some(Reason::Crashed))
    }
}
