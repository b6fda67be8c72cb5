//! What is printed.

use super::Stage;
use super::measured::Measured;
use crate::bench::table::Table;

/// The goals of the design.
const GOAL_RATIO: f64 = 0.6;
const GOAL_GROWTH: f64 = 1.6;
const GOAL_BYTES: f64 = 600.0;

/// Two tables that fill while measuring.
pub(super) struct Report {
    paths: Table,
    goals: Table,
    agents: u32,
    /// Path (b) of the current size: what ratios are taken to.
    base: Option<Measured>,
    /// Path (c) of the smallest size: what growth is taken from.
    smallest: Option<Measured>,
}

impl Report {
    pub(super) fn new() -> Self {
        Self {
            paths: Table::new(&["path", "agents", "ns/packet", "packets/s", "of (b)", "lost"]),
            goals: Table::new(&["", "agents", "measured", "goal"]),
            agents: 0,
            base: None,
            smallest: None,
        }
    }

    /// From here on a fleet of another size is measured.
    pub(super) fn begin(&mut self, agents: u32) {
        (self.agents, self.base) = (agents, None);
    }

    /// One of the paths was measured.
    pub(super) fn path(&mut self, stage: Stage, measured: Measured) {
        if stage == Stage::Verify {
            self.base = Some(measured);
        }
        self.beside(name(stage), measured);
        if stage != Stage::Judged {
            return;
        }
        if let Some(base) = self.base {
            let ratio = base.ns() / measured.ns();
            self.goal("(c) of (b)", format!("{ratio:.2}"), format!(">= {GOAL_RATIO}"));
        }
        let growth = measured.ns() / self.smallest.get_or_insert(measured).ns();
        self.goal("growth of (c)", format!("{growth:.2}"), format!("<= {GOAL_GROWTH}"));
    }

    /// Something beside the paths was measured.
    pub(super) fn beside(&mut self, what: &str, measured: Measured) {
        let ns = measured.ns();
        let ratio = self.base.map_or(String::new(), |base| format!("{:.2}", base.ns() / ns));
        self.paths.row(&[
            what.to_owned(),
            self.agents.to_string(),
            format!("{ns:.0}"),
            format!("{:.0}", 1e9 / ns),
            ratio,
            measured.lost.to_string(),
        ]);
    }

    /// So many bytes of resident memory belong to each agent.
    pub(super) fn memory(&mut self, bytes: f64) {
        self.goal("bytes per idle agent", format!("{bytes:.0}"), format!("<= {GOAL_BYTES}"));
    }

    fn goal(&mut self, what: &str, measured: String, goal: String) {
        self.goals.row(&[what.to_owned(), self.agents.to_string(), measured, goal]);
    }

    pub(super) fn print(&self) {
        self.paths.print();
        println!();
        self.goals.print();
    }
}

fn name(stage: Stage) -> &'static str {
    match stage {
        Stage::Receive => "(a) recvmmsg",
        Stage::Verify => "(b) recvmmsg + HMAC, one prepared key",
        Stage::OwnKey => "    (b) with a key prepared for each beat, and framing",
        Stage::Decode => "    that, and decoded",
        Stage::Judged => "(c) to judged state",
        Stage::Answered => "(c') that, answer sealed and sent",
        Stage::Durable => "(d) new work in each, answered when durable",
    }
}
