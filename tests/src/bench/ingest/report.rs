//! The printed report.

use super::PipelineStage;
use super::measurement::CpuMeasurement;
use crate::result_table::ResultTable;

const GOAL_RATIO: f64 = 0.6;
const GOAL_GROWTH: f64 = 1.6;
const GOAL_BYTES: f64 = 600.0;

/// The tables of CPU per stage and of goals.
pub(super) struct IngestReport {
    stages: ResultTable,
    goals: ResultTable,
    agents: u32,
    /// Stage (b) at the current fleet size, to which ratios are taken.
    base: Option<CpuMeasurement>,
    /// Stage (c) at the smallest fleet size, from which growth is taken.
    smallest: Option<CpuMeasurement>,
}

impl IngestReport {
    pub(super) fn new() -> Self {
        Self {
            stages: ResultTable::new(&[
                "path",
                "agents",
                "ns/packet",
                "packets/s",
                "of (b)",
                "lost",
            ]),
            goals: ResultTable::new(&["", "agents", "measured", "goal"]),
            agents: 0,
            base: None,
            smallest: None,
        }
    }

    /// Starts the rows of another fleet size.
    pub(super) fn begin_size(&mut self, agents: u32) {
        (self.agents, self.base) = (agents, None);
    }

    pub(super) fn add_stage(&mut self, stage: PipelineStage, measurement: CpuMeasurement) {
        if stage == PipelineStage::Verify {
            self.base = Some(measurement);
        }
        self.add_row(name(stage), measurement);
        if stage != PipelineStage::Judged {
            return;
        }
        let ns = measurement.ns_per_packet();
        if let Some(base) = self.base {
            let ratio = base.ns_per_packet() / ns;
            self.add_goal("(c) of (b)", format!("{ratio:.2}"), format!(">= {GOAL_RATIO}"));
        }
        let growth = ns / self.smallest.get_or_insert(measurement).ns_per_packet();
        self.add_goal("growth of (c)", format!("{growth:.2}"), format!("<= {GOAL_GROWTH}"));
    }

    pub(super) fn add_row(&mut self, name: &str, measurement: CpuMeasurement) {
        let ns = measurement.ns_per_packet();
        let ratio = |base: CpuMeasurement| format!("{:.2}", base.ns_per_packet() / ns);
        self.stages.row(&[
            name.to_owned(),
            self.agents.to_string(),
            format!("{ns:.0}"),
            format!("{:.0}", 1e9 / ns),
            self.base.map_or(String::new(), ratio),
            measurement.lost.to_string(),
        ]);
    }

    pub(super) fn add_bytes_per_agent(&mut self, bytes: f64) {
        self.add_goal("bytes per idle agent", format!("{bytes:.0}"), format!("<= {GOAL_BYTES}"));
    }

    fn add_goal(&mut self, name: &str, measured: String, goal: String) {
        self.goals.row(&[name.to_owned(), self.agents.to_string(), measured, goal]);
    }

    pub(super) fn print(&self) {
        self.stages.print();
        println!();
        self.goals.print();
    }
}

fn name(stage: PipelineStage) -> &'static str {
    match stage {
        PipelineStage::Receive => "(a) recvmmsg",
        PipelineStage::Verify => "(b) recvmmsg + HMAC, one prepared key",
        PipelineStage::OwnKey => "    (b) with a key prepared for each beat, and framing",
        PipelineStage::Decode => "    that, and decoded",
        PipelineStage::Judged => "(c) to judged state",
        PipelineStage::Answered => "(c') that, answer sealed and sent",
        PipelineStage::Durable => "(d) new work in each, answered when durable",
    }
}
