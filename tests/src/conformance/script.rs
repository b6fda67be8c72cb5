//! The work that a conformance agent is told to do.

use fastrand::Rng;
use heartline_protocol::bucket;
use serde_json::{Value, json};

use super::work::ScriptedWork;
use crate::random::RngExt as _;

/// Names of steps: of every day, longer than the wire takes, not ASCII at the place where they are
/// cut, and one that would drive a terminal.
const STEPS: [&str; 5] = [
    "parse",
    "prüfen",
    "a step whose name is longer than sixty-four bytes, which is where a beat cuts it",
    "sixty-three bytes of ASCII, and then a letter that takes two: äöü",
    "\u{1b}[31mred",
];

/// Reports in one burst that are enough to fill a histogram beyond one datagram.
const WIDE_BURST: u64 = 1_200;

/// A stream of operations that follows from a seed, and the sums of those drawn so far.
pub(super) struct WorkScript {
    rng: Rng,
    work: ScriptedWork,
}

/// One thing that the agent does.
#[derive(Clone, Copy, Debug)]
struct Operation {
    success: bool,
    cost_nano_usd: u64,
    tokens_in: u64,
    tokens_out: u64,
    kind: OperationKind,
}

#[derive(Clone, Copy, Debug)]
enum OperationKind {
    Report { latency_us: u64 },
    Task { step: &'static str },
}

impl WorkScript {
    pub(super) fn new(rng: Rng) -> Self {
        Self { rng, work: ScriptedWork::default() }
    }

    /// Returns the sums of all operations so far.
    pub(super) fn work(&self) -> &ScriptedWork {
        &self.work
    }

    /// Returns a burst of operations, one a line: a few, and now and then so many latencies that one
    /// datagram has no room for them.
    pub(super) fn burst(&mut self) -> String {
        if self.rng.chance(12) {
            return (0..WIDE_BURST).map(|_| self.report()).collect();
        }
        let count = self.rng.u64(0..=12);
        self.small_burst(count)
    }

    /// Returns so many operations, reports and tasks.
    pub(super) fn small_burst(&mut self, count: u64) -> String {
        (0..count).map(|_| if self.rng.chance(400) { self.task() } else { self.report() }).collect()
    }

    /// Returns one task as a line.
    pub(super) fn task(&mut self) -> String {
        let step = self.rng.pick(&STEPS);
        self.operation(OperationKind::Task { step })
    }

    fn report(&mut self) -> String {
        let latency_us = self.latency_us();
        self.operation(OperationKind::Report { latency_us })
    }

    fn operation(&mut self, kind: OperationKind) -> String {
        let rng = &mut self.rng;
        let operation = Operation {
            success: !rng.chance(150),
            cost_nano_usd: amount(rng, 5_000_000, 100_000_000_000),
            tokens_in: amount(rng, 2_000, 5_000_000_000),
            tokens_out: amount(rng, 300, 1_000_000),
            kind,
        };
        operation.add_to(&mut self.work);
        format!("{}\n", operation.line())
    }

    /// Returns a latency of any size up to two days: the ends of buckets most often, because there a
    /// rounding shows.
    fn latency_us(&mut self) -> u64 {
        let rng = &mut self.rng;
        let last = bucket::BUCKETS as u16 - 1;
        match rng.u64(..4) {
            0 => bucket::lowest(rng.u16(..=last)),
            1 => bucket::lowest(rng.u16(1..=last)) - 1,
            2 => {
                let bits = rng.u32(1..=37);
                rng.u64(..1 << bits)
            }
            _ => rng.u64(..2_000_000),
        }
    }
}

/// Draws an amount: mostly some up to `usual`, at times none or one up to `most`.
fn amount(rng: &mut Rng, usual: u64, most: u64) -> u64 {
    match rng.u64(..40) {
        0..8 => 0,
        8 => rng.u64(..=most),
        _ => rng.u64(..=usual),
    }
}

impl Operation {
    fn line(&self) -> Value {
        let &Self { success, cost_nano_usd, tokens_in, tokens_out, kind } = self;
        let mut line = match kind {
            OperationKind::Report { latency_us } => {
                json!({"op": "report", "success": success, "latency_us": latency_us})
            }
            OperationKind::Task { .. } => json!({"op": "task", "success": success}),
        };
        line["cost_nano_usd"] = cost_nano_usd.into();
        line["tokens_in"] = tokens_in.into();
        line["tokens_out"] = tokens_out.into();
        if let OperationKind::Task { step } = kind {
            line["step"] = step.into();
        }
        line
    }

    fn add_to(&self, work: &mut ScriptedWork) {
        let totals = &mut work.totals;
        *(if self.success { &mut totals.ok } else { &mut totals.failed }) += 1;
        totals.cost_nano_usd += self.cost_nano_usd;
        totals.tokens_in += self.tokens_in;
        totals.tokens_out += self.tokens_out;
        match self.kind {
            OperationKind::Report { latency_us } => {
                *work.reports.entry(bucket::index(latency_us)).or_default() += 1;
            }
            OperationKind::Task { .. } => work.tasks += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_work_with_every_field_of_the_contract() {
        let draw = || {
            let mut script = WorkScript::new(Rng::with_seed(7));
            let lines: String = (0..200).map(|_| script.burst()).collect();
            (lines, script.work)
        };
        let (lines, work) = draw();
        assert_eq!(draw(), (lines.clone(), work.clone()));
        let mut reports = 0;
        for line in lines.lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let own = if line["op"] == "report" { "latency_us" } else { "step" };
            let names: Vec<&str> = line.as_object().unwrap().keys().map(String::as_str).collect();
            let mut expected =
                vec!["op", "success", "cost_nano_usd", "tokens_in", "tokens_out", own];
            expected.sort_unstable();
            let mut sorted = names;
            sorted.sort_unstable();
            assert_eq!(sorted, expected);
            reports += u64::from(line["op"] == "report");
        }
        assert_eq!(work.reports.values().sum::<u64>(), reports);
        assert_eq!(work.count(), reports + work.tasks);
        assert!(work.reports.len() > 400, "one segment has no room for all of them");
    }
}
