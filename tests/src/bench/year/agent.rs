//! An agent of the year: its process, its work, and what it sends.

use fastrand::Rng;
use heartline_protocol::body::{IdentityView, SegmentView};
use heartline_protocol::bucket::{self, PackedHistogram};
use heartline_protocol::wire::UntrustedText;
use heartline_protocol::{Beat, Body, DesiredState, ExitReport, Goodbye};
use heartline_vocabulary::Phase;

use super::plan::StopKind;
use super::site::{GROUPS, INTERVAL_MS, agent_name, group_of, host_of};
use super::truth::FaultId;
use super::work::{TaskSource, Tasks, TurnConditions};

/// Something that an agent sends.
pub(super) enum Sent {
    Beat,
    Stop(StopKind),
}

/// An agent.
pub(super) struct YearAgent {
    pub(super) name: String,
    host: String,
    group: &'static str,
    pub(super) session: u64,
    pub(super) sequence: u64,
    segment: u64,
    started_ms: u64,
    pub(super) is_running: bool,
    /// Nothing that it sends arrives before then.
    pub(super) cut_until_ms: u64,
    pub(super) hangs_since_ms: Option<u64>,
    pub(super) has_no_work: bool,
    pub(super) failing: Option<f64>,
    pub(super) slowness: f64,
    /// It has a fault that lasts: nobody deploys it, and nothing else befalls it.
    pub(super) fault: Option<FaultId>,
    /// Its process, or host, can't be started.
    pub(super) is_gone: bool,
    /// A command waits for its next beat.
    pub(super) is_commanded: bool,
    /// Tasks that failed since the fault of its own, or of its group, began.
    pub(super) failed: u64,
    pub(super) applied: DesiredState,
    source: TaskSource,
    unreported: Tasks,
    last_turn_ms: u64,
    /// Tasks ended in its last turn, so that others are in flight.
    is_busy: bool,
    progress_ms: Option<u64>,
    /// The packed latencies of the segment that it sends.
    packed: Vec<u8>,
}

impl YearAgent {
    pub(super) fn new(number: usize) -> Self {
        let group = GROUPS[group_of(number)];
        Self {
            name: agent_name(number),
            host: format!("m{}", host_of(number)),
            group: group.name,
            session: 0,
            sequence: 0,
            segment: 0,
            started_ms: 0,
            is_running: false,
            cut_until_ms: 0,
            hangs_since_ms: None,
            has_no_work: false,
            failing: None,
            slowness: 1.0,
            fault: None,
            is_gone: false,
            is_commanded: false,
            failed: 0,
            applied: DesiredState::default(),
            source: TaskSource::new(group.arrivals, group.usual_us),
            unreported: Tasks::default(),
            last_turn_ms: 0,
            is_busy: false,
            progress_ms: None,
            packed: Vec::new(),
        }
    }

    pub(super) fn start(&mut self, now_ms: u64, rng: &mut Rng) {
        self.session = rng.u64(1..);
        (self.sequence, self.segment) = (0, 0);
        (self.started_ms, self.last_turn_ms) = (now_ms, now_ms);
        (self.progress_ms, self.is_busy) = (None, false);
        self.unreported = Tasks::default();
        self.is_running = true;
    }

    /// Begins a task that does not end.
    pub(super) fn hang(&mut self, now_ms: u64) {
        (self.hangs_since_ms, self.progress_ms) = (Some(now_ms), Some(now_ms));
    }

    /// Works until now; `out_ms`: for so long everything has failed since its last turn.
    pub(super) fn work(&mut self, now_ms: u64, out_ms: u64, rng: &mut Rng) {
        let span_ms = (now_ms - self.last_turn_ms).min(INTERVAL_MS);
        (self.last_turn_ms, self.is_busy) = (now_ms, false);
        if self.hangs_since_ms.is_some() || self.has_no_work || self.applied.killed || span_ms == 0
        {
            return;
        }
        let conditions = TurnConditions {
            until_ms: now_ms,
            span_ms,
            out_share: (out_ms as f64 / span_ms as f64).min(1.0),
            failing: self.failing,
            slowness: self.slowness,
        };
        let failed = self.unreported.failed;
        let ended = self.source.draw(conditions, &mut self.unreported, rng);
        self.failed += self.unreported.failed - failed;
        self.is_busy = ended > 0;
        if self.is_busy {
            // The last of so many.
            let age = 1.0 - rng.f64().powf(1.0 / ended as f64);
            self.progress_ms = Some(now_ms - (age * span_ms as f64) as u64);
        }
    }

    /// Sends something that does not arrive.
    pub(super) fn lose(&mut self) {
        self.sequence += 1;
    }

    /// Returns what it sends now; `None`: nothing.
    pub(super) fn send(&mut self, what: &Sent, now_ms: u64) -> Option<Body<'_>> {
        self.sequence += 1;
        self.packed.clear();
        let tasks = &mut self.unreported;
        let mut before = 0;
        for &(bucket, count) in &tasks.latency {
            bucket::pack(&mut self.packed, bucket - before, count);
            before = bucket;
        }
        let (ok, failed) = (tasks.ok, tasks.failed);
        let has_ended = tasks.ok + tasks.failed > 0;
        *tasks = Tasks { latency: std::mem::take(&mut tasks.latency), ..Tasks::default() };
        tasks.latency.clear();
        let latency = PackedHistogram::new(&self.packed).expect("packed by the rules");
        let segment = has_ended.then(|| {
            self.segment += 1;
            SegmentView { number: self.segment, ok, failed, latency, ..SegmentView::default() }
        });
        let uptime_ms = now_ms - self.started_ms;
        match what {
            Sent::Stop(StopKind::Goodbye) => Some(Body::Goodbye(Goodbye { uptime_ms, segment })),
            Sent::Stop(StopKind::Crashed) => Some(Body::ExitReport(ExitReport {
                uptime_ms,
                code: Some(1),
                segment,
                ..ExitReport::default()
            })),
            Sent::Stop(StopKind::Killed) => None,
            Sent::Beat => {
                let hangs_ms = self.hangs_since_ms.map(|since| now_ms - since.max(self.started_ms));
                let progress_ms = self.progress_ms.filter(|&at| at >= self.started_ms);
                let identity = IdentityView {
                    host: Some(UntrustedText::new(&self.host)),
                    group: Some(UntrustedText::new(self.group)),
                    ..IdentityView::default()
                };
                Some(Body::Beat(Beat {
                    interval_ms: INTERVAL_MS as u32,
                    uptime_ms,
                    phase: Phase::Running,
                    in_flight: u32::from(hangs_ms.is_some() || self.is_busy),
                    oldest_in_flight_ms: hangs_ms.or(self.is_busy.then_some(1_000)),
                    progress_age_ms: progress_ms.map(|at| now_ms - at),
                    applied: self.applied,
                    segment,
                    identity: (self.sequence <= 2).then(|| Box::new(identity)),
                    ..Beat::default()
                }))
            }
        }
    }

    /// Returns the latencies that were not reported yet.
    pub(super) fn latencies(&self) -> &[(u16, u64)] {
        &self.unreported.latency
    }
}
