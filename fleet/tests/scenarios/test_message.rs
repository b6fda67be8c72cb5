//! Messages of agents.

use std::collections::BTreeMap;

use heartline_protocol::body::{IdentityView, SegmentView};
use heartline_protocol::bucket::{self, PackedHistogram};
use heartline_protocol::wire::UntrustedText;
use heartline_protocol::{Beat, Body, ControlId, DesiredState, ExitReport, Goodbye};
use heartline_vocabulary::{Phase, ProcessUsage};

/// A message with default values for what a scenario is not about.
#[derive(Clone, Debug)]
pub(crate) struct TestMessage {
    pub(crate) agent: &'static str,
    /// Scope of its key.
    pub(crate) scope: &'static str,
    pub(crate) session: u64,
    /// By default the next one of its session.
    pub(crate) sequence: Option<u64>,
    pub(crate) tag_prefix: u32,
    pub(crate) fresh: bool,
    /// The last number of its source address.
    pub(crate) host: u8,
    pub(crate) port: u16,
    pub(crate) body: Body<'static>,
}

/// Default interval, in ms.
pub(crate) const INTERVAL_MS: u32 = 30_000;

/// Returns a live beat of session 1.
pub(crate) fn beat(agent: &'static str) -> TestMessage {
    let beat = Beat { interval_ms: INTERVAL_MS, uptime_ms: 1, ..Beat::default() };
    TestMessage {
        agent,
        scope: "",
        session: 1,
        sequence: None,
        tag_prefix: 1,
        fresh: true,
        host: 1,
        port: 1,
        body: Body::Beat(beat),
    }
}

/// Returns a goodbye of session 1.
pub(crate) fn goodbye(agent: &'static str) -> TestMessage {
    TestMessage { body: Body::Goodbye(Goodbye::default()), ..beat(agent) }
}

/// Returns a supervisor's report that the process was ended by a signal.
pub(crate) fn exit_by_signal(agent: &'static str, signal: u32) -> TestMessage {
    let report = ExitReport { signal: Some(signal), ..ExitReport::default() };
    TestMessage { body: Body::ExitReport(report), ..beat(agent) }
}

/// Returns a supervisor's report that the process exited, with the last lines that it wrote.
pub(crate) fn exit_with_lines(
    agent: &'static str,
    code: u32,
    lines: &[&'static str],
) -> TestMessage {
    let last_lines = lines.iter().map(|&line| UntrustedText::new(line)).collect();
    let report = ExitReport { code: Some(code), last_lines, ..ExitReport::default() };
    TestMessage { body: Body::ExitReport(report), ..beat(agent) }
}

/// Returns a state under the control id of the tests.
pub(crate) fn ours(generation: u64, killed: bool) -> DesiredState {
    DesiredState { control: ControlId::new(1), generation, killed }
}

impl TestMessage {
    pub(crate) fn session(self, session: u64) -> Self {
        Self { session, ..self }
    }

    pub(crate) fn sequence(self, sequence: u64) -> Self {
        Self { sequence: Some(sequence), ..self }
    }

    /// With another content, as its tag shows.
    pub(crate) fn other_content(self) -> Self {
        Self { tag_prefix: 2, ..self }
    }

    /// Without a valid challenge.
    pub(crate) fn unconfirmed(self) -> Self {
        Self { fresh: false, ..self }
    }

    pub(crate) fn host(self, host: u8) -> Self {
        Self { host, ..self }
    }

    pub(crate) fn port(self, port: u16) -> Self {
        Self { port, ..self }
    }

    pub(crate) fn interval_ms(self, interval_ms: u32) -> Self {
        self.with(|beat| beat.interval_ms = interval_ms)
    }

    /// With an identity: that of a process.
    pub(crate) fn pid(self, pid: u32) -> Self {
        let identity = IdentityView { pid: Some(pid), ..IdentityView::default() };
        self.with(|beat| beat.identity = Some(Box::new(identity)))
    }

    /// In a step.
    pub(crate) fn step(self, step: &'static str) -> Self {
        self.with(|beat| beat.step = Some(UntrustedText::new(step)))
    }

    /// With tasks in flight, and the time since their last progress.
    pub(crate) fn busy(self, in_flight: u32, progress_age_ms: u64) -> Self {
        self.with(|beat| {
            beat.in_flight = in_flight;
            beat.progress_age_ms = Some(progress_age_ms);
        })
    }

    /// With the time for which the task in flight that has been quiet for longest has been so.
    pub(crate) fn oldest_task(self, age_ms: u64) -> Self {
        self.with(|beat| beat.oldest_in_flight_ms = Some(age_ms))
    }

    /// With the time without progress after which it is to count as stalled.
    pub(crate) fn stall_after(self, after_ms: u32) -> Self {
        self.with(|beat| beat.stall_after_ms = Some(after_ms))
    }

    /// With what a supervisor sees of its process.
    pub(crate) fn process(self, usage: ProcessUsage) -> Self {
        self.with(|beat| beat.process = Some(usage))
    }

    /// With a backlog, and the time since its last progress.
    pub(crate) fn backlog(self, queue: u32, progress_age_ms: u64) -> Self {
        self.with(|beat| {
            beat.queue = Some(queue);
            beat.progress_age_ms = Some(progress_age_ms);
        })
    }

    /// With observations that its emitter could not count.
    pub(crate) fn lost_observations(self, lost: u64) -> Self {
        self.with(|beat| beat.lost_observations = lost)
    }

    pub(crate) fn waiting(self) -> Self {
        self.with(|beat| beat.phase = Phase::Waiting)
    }

    /// Of an agent that runs, and has applied this generation.
    pub(crate) fn applied(self, generation: u64) -> Self {
        self.with(|beat| beat.applied = ours(generation, false))
    }

    /// Of an agent that is killed, and has applied this generation.
    pub(crate) fn killed(self, generation: u64) -> Self {
        self.with(|beat| beat.applied = ours(generation, true))
    }

    /// Kept from work by a kill of another control id.
    pub(crate) fn blocked_by(self, control: u64) -> Self {
        self.with(|beat| beat.blocked_by = ControlId::new(control))
    }

    /// With a segment of successful tasks.
    pub(crate) fn segment(self, number: u64, ok: u64) -> Self {
        self.with_segment(SegmentView { number, ok, ..SegmentView::default() })
    }

    /// With a segment of tasks, some of which failed.
    pub(crate) fn tasks(self, number: u64, ok: u64, failed: u64) -> Self {
        self.with_segment(SegmentView { number, ok, failed, ..SegmentView::default() })
    }

    /// With a segment of successful tasks that took so many milliseconds each.
    pub(crate) fn latencies(self, number: u64, tasks_ms: &[u64]) -> Self {
        let mut counts = BTreeMap::new();
        for ms in tasks_ms {
            *counts.entry(bucket::index(ms * 1_000)).or_insert(0) += 1;
        }
        let (mut packed, mut last) = (Vec::new(), 0);
        for (index, count) in counts {
            bucket::pack(&mut packed, index - last, count);
            last = index;
        }
        let latency = PackedHistogram::new(packed.leak()).expect("buckets ascend");
        let ok = tasks_ms.len() as u64;
        self.with_segment(SegmentView { number, ok, latency, ..SegmentView::default() })
    }

    fn with_segment(mut self, segment: SegmentView<'static>) -> Self {
        let segment = Some(segment);
        match &mut self.body {
            Body::Beat(beat) => beat.segment = segment,
            Body::Goodbye(goodbye) => goodbye.segment = segment,
            _ => panic!("this message has no segment"),
        }
        self
    }

    /// With a segment of one task that has cost so much.
    pub(crate) fn spends(self, number: u64, cost_nano_usd: u64) -> Self {
        self.with(|beat| {
            beat.segment =
                Some(SegmentView { number, ok: 1, cost_nano_usd, ..SegmentView::default() });
        })
    }

    /// Of a group.
    pub(crate) fn group(self, group: &'static str) -> Self {
        let group = Some(UntrustedText::new(group));
        self.with(|beat| {
            beat.identity = Some(Box::new(IdentityView { group, ..IdentityView::default() }));
        })
    }

    fn with(mut self, change: impl FnOnce(&mut Beat<'static>)) -> Self {
        match &mut self.body {
            Body::Beat(beat) => change(beat),
            _ => panic!("only a beat has this field"),
        }
        self
    }
}
