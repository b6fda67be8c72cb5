//! What an agent says.

use heartline_protocol::body::SegmentView;
use heartline_protocol::{Beat, Body, ExitReport, Goodbye};
use heartline_vocabulary::Phase;

/// A message, in the words of a scenario.
#[derive(Clone, Debug)]
pub(crate) struct Say {
    pub(crate) agent: &'static str,
    pub(crate) session: u64,
    /// Of its own, or the next one of its session.
    pub(crate) sequence: Option<u64>,
    pub(crate) fresh: bool,
    pub(crate) port: u16,
    pub(crate) body: Body<'static>,
}

/// The interval of all agents that say nothing else, in ms.
pub(crate) const INTERVAL_MS: u32 = 30_000;

/// An everyday beat of the agent's first session.
pub(crate) fn beat(agent: &'static str) -> Say {
    let beat = Beat { interval_ms: INTERVAL_MS, uptime_ms: 1, ..Beat::default() };
    Say { agent, session: 1, sequence: None, fresh: true, port: 1, body: Body::Beat(beat) }
}

/// A goodbye.
pub(crate) fn goodbye(agent: &'static str) -> Say {
    Say { body: Body::Goodbye(Goodbye::default()), ..beat(agent) }
}

/// A supervisor's word that its process was ended by a signal.
pub(crate) fn ended_by_signal(agent: &'static str, signal: u32) -> Say {
    let report = ExitReport { signal: Some(signal), ..ExitReport::default() };
    Say { body: Body::ExitReport(report), ..beat(agent) }
}

impl Say {
    pub(crate) fn session(self, session: u64) -> Self {
        Self { session, ..self }
    }

    pub(crate) fn sequence(self, sequence: u64) -> Self {
        Self { sequence: Some(sequence), ..self }
    }

    /// It echoes no challenge that is valid now.
    pub(crate) fn unconfirmed(self) -> Self {
        Self { fresh: false, ..self }
    }

    pub(crate) fn port(self, port: u16) -> Self {
        Self { port, ..self }
    }

    pub(crate) fn interval_ms(self, interval_ms: u32) -> Self {
        self.with(|beat| beat.interval_ms = interval_ms)
    }

    /// So many tasks in flight, and no progress for so long.
    pub(crate) fn busy(self, in_flight: u32, progress_age_ms: u64) -> Self {
        self.with(|beat| {
            beat.in_flight = in_flight;
            beat.progress_age_ms = Some(progress_age_ms);
        })
    }

    /// A backlog, and no progress for so long.
    pub(crate) fn backlog(self, queue: u32, progress_age_ms: u64) -> Self {
        self.with(|beat| {
            beat.queue = Some(queue);
            beat.progress_age_ms = Some(progress_age_ms);
        })
    }

    pub(crate) fn waiting(self) -> Self {
        self.with(|beat| beat.phase = Phase::Waiting)
    }

    pub(crate) fn applied(self, generation: u64) -> Self {
        self.with(|beat| beat.applied_generation = generation)
    }

    /// A segment with so many tasks that went well.
    pub(crate) fn segment(mut self, number: u64, ok: u64) -> Self {
        let segment = Some(SegmentView { number, ok, ..SegmentView::default() });
        match &mut self.body {
            Body::Beat(beat) => beat.segment = segment,
            Body::Goodbye(goodbye) => goodbye.segment = segment,
            _ => panic!("this message has no segment"),
        }
        self
    }

    fn with(mut self, change: impl FnOnce(&mut Beat<'static>)) -> Self {
        match &mut self.body {
            Body::Beat(beat) => change(beat),
            _ => panic!("only a beat says that"),
        }
        self
    }
}
