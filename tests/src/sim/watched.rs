//! What an agent must be judged to be: the rules of the core, written a second time and without
//! looking at its code.

use std::collections::BTreeSet;
use std::time::Duration;

use heartline_fleet::MonoTime;

use heartline_protocol::Beat;
use heartline_protocol::window::WINDOW;
use heartline_vocabulary::Phase;
use heartline_vocabulary::{AgentStatus, Reason, SessionEnd, WorkTotals};

/// All that a judgement of one agent may depend on.
#[derive(Clone, Debug)]
pub(super) struct Watched {
    /// Its durable id.
    pub(super) id: i64,
    /// Its declared interval.
    pub(super) interval_ms: u32,
    /// From when silence counts.
    pub(super) silent_from: MonoTime,
    /// The same before the last absence put it off.
    pub(super) silent_from_before: MonoTime,
    /// When anything authentic and new came.
    pub(super) heard_at: MonoTime,
    /// The first message since the last live one that proved nothing.
    pub(super) doubted_from: MonoTime,
    /// Something live came since the collector started.
    pub(super) settled: bool,
    /// Until when a second process counts as speaking.
    pub(super) conflict_until: MonoTime,
    /// What it may have become between the kernel's drops and the news of them.
    pub(super) hasty: Option<AgentStatus>,
    /// How its session ended, if it did.
    pub(super) ended: Option<SessionEnd>,
    /// Whether it shall be killed, and since when it shall be as it shall be.
    pub(super) desired: Option<(bool, MonoTime)>,
    /// Its sessions, the current one first.
    pub(super) sessions: Vec<u64>,
    /// The current session, if nobody knew it before the message that was handled last.
    pub(super) newcomer: Option<u64>,
    /// The newest beat of the current session.
    pub(super) told: Option<Told>,
    /// Sessions that were never live, newest first, with the sequences that were taken of them.
    pub(super) strangers: Vec<(u64, BTreeSet<u64>)>,
    /// The sequences of its sessions that were taken since the collector started.
    pub(super) taken: BTreeSet<(u64, u64)>,
    /// Sequence of the newest message of the current session.
    pub(super) told_sequence: u64,
    /// Its status before the collector started, until it is judged.
    pub(super) restored: Option<AgentStatus>,
    /// Where the last row of history left it.
    pub(super) status: AgentStatus,
    /// When that became true.
    pub(super) since: MonoTime,
    /// The highest generation that its desired state ever had.
    pub(super) generation: u64,
    /// What operators were shown last.
    pub(super) shown: Option<(AgentStatus, WorkTotals, Option<MonoTime>)>,
    /// Second, and answers in it.
    pub(super) answers: (i64, u32),
}

/// What a beat said about the worker.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    at: MonoTime,
    progress_age: Duration,
    has_work: bool,
    waits: bool,
}

/// Sessions that were never live, of which repeated messages are known.
const STRANGERS: usize = 4;
/// Intervals without a live beat until late, and until unreachable.
const FACTORS: (u32, u32) = (3, 10);

impl Watched {
    pub(super) fn new(id: i64, interval_ms: u32, now: MonoTime) -> Self {
        Self {
            id,
            interval_ms,
            silent_from: now,
            silent_from_before: now,
            heard_at: MonoTime::NEVER_YET,
            doubted_from: MonoTime::NEVER_YET,
            settled: false,
            conflict_until: MonoTime::NEVER_YET,
            hasty: None,
            ended: None,
            desired: None,
            sessions: Vec::new(),
            newcomer: None,
            told: None,
            strangers: Vec::new(),
            taken: BTreeSet::new(),
            told_sequence: 0,
            restored: None,
            status: AgentStatus::UNKNOWN,
            since: MonoTime::NEVER_YET,
            generation: 0,
            shown: None,
            answers: (0, 0),
        }
    }

    fn intervals(&self, count: u32) -> Duration {
        Duration::from_millis(u64::from(self.interval_ms) * u64::from(count))
    }

    /// When it is late.
    pub(super) fn late_at(&self) -> MonoTime {
        self.silent_from + self.intervals(FACTORS.0)
    }

    /// Whether it may have become late just then.
    pub(super) fn is_late_moment(&self, at: MonoTime) -> bool {
        self.is_moment(at, FACTORS.0)
    }

    /// Whether it may have become unreachable just then.
    pub(super) fn is_unreachable_moment(&self, at: MonoTime) -> bool {
        self.is_moment(at, FACTORS.1)
    }

    fn is_moment(&self, at: MonoTime, factor: u32) -> bool {
        let after = self.intervals(factor);
        at == self.silent_from + after || at == self.silent_from_before + after
    }

    /// When it is unreachable.
    pub(super) fn unreachable_at(&self) -> MonoTime {
        self.silent_from + self.intervals(FACTORS.1)
    }

    /// When nothing is heard of it any more, not even unconfirmed.
    pub(super) fn unheard_at(&self) -> MonoTime {
        self.heard_at + self.intervals(FACTORS.1)
    }

    /// Whether beats that prove nothing have gone on for too long: one burst has not.
    fn is_doubtful(&self) -> bool {
        self.heard_at >= self.doubted_from + self.intervals(FACTORS.0)
    }

    /// How long after a live beat a process of this interval is late, and how long a second one
    /// shows.
    pub(super) fn late_after(interval_ms: u32) -> Duration {
        Duration::from_millis(u64::from(interval_ms)) * FACTORS.0
    }

    /// The moments at which its status may change by itself.
    pub(super) fn boundaries(&self) -> [MonoTime; 4] {
        [self.late_at(), self.unreachable_at(), self.unheard_at(), self.conflict_until]
    }

    /// What it must be judged to be as of `at`.
    pub(super) fn expected(&self, at: MonoTime, stall_after: Duration) -> AgentStatus {
        if self.desired.is_some_and(|(killed, _)| killed) {
            return AgentStatus::killed(Reason::Operator);
        }
        match self.ended {
            Some(SessionEnd::Shutdown) => return AgentStatus::killed(Reason::Shutdown),
            Some(SessionEnd::Crashed) => return AgentStatus::unreachable(Reason::Crashed),
            Some(SessionEnd::Superseded) | None => {}
        }
        if at >= self.unreachable_at() {
            let is_heard = self.heard_at > self.silent_from && at < self.unheard_at();
            let is_one_way = is_heard && self.is_doubtful();
            return AgentStatus::unreachable(if is_one_way {
                Reason::OneWay
            } else {
                Reason::Silent
            });
        }
        if !self.settled {
            AgentStatus::UNKNOWN
        } else if at >= self.late_at() {
            AgentStatus::degraded(Reason::Late)
        } else if self.stalled_at(stall_after).is_some() {
            AgentStatus::degraded(Reason::Stalled)
        } else if at < self.conflict_until {
            AgentStatus::degraded(Reason::Conflict)
        } else {
            AgentStatus::HEALTHY
        }
    }

    /// Since when its worker is stuck, as far as its newest beat tells.
    pub(super) fn stalled_at(&self, stall_after: Duration) -> Option<MonoTime> {
        let told = self.told.filter(|told| told.has_work && !told.waits)?;
        let obliged_from = self.desired.map_or(MonoTime::NEVER_YET, |(_, at)| at);
        let progress_at = (told.at - told.progress_age).max(obliged_from);
        let stalled_at = progress_at + stall_after;
        (told.at >= stalled_at).then_some(stalled_at)
    }

    /// Whether a message of a session that was never live is new.
    pub(super) fn is_news_of_stranger(&mut self, session: u64, sequence: u64) -> bool {
        let known = self.strangers.iter().position(|(known, _)| *known == session);
        let at = known.unwrap_or_else(|| {
            self.strangers.insert(0, (session, BTreeSet::new()));
            self.strangers.truncate(STRANGERS);
            0
        });
        let taken = &mut self.strangers[at].1;
        let is_outdated = taken.last().is_some_and(|&last| sequence + WINDOW <= last);
        !is_outdated && taken.insert(sequence)
    }

    /// Nobody could be heard from `from` to `to`.
    pub(super) fn put_off(&mut self, from: MonoTime, to: MonoTime) {
        let lost = to.since(from);
        self.silent_from_before = self.silent_from;
        self.silent_from = self.silent_from + lost;
        for moment in [&mut self.heard_at, &mut self.doubted_from] {
            if *moment != MonoTime::NEVER_YET {
                *moment = *moment + lost;
            }
        }
        if self.conflict_until > from {
            self.conflict_until = self.conflict_until + lost;
        }
    }

    /// The kernel dropped datagrams from `from` to `to`, and this is the first news of it.
    pub(super) fn dropped(&mut self, from: MonoTime, to: MonoTime, stall_after: Duration) {
        let was_due = self.boundaries().into_iter().any(|at| from < at && at <= to);
        self.hasty = was_due.then(|| self.expected(to, stall_after));
        self.put_off(from, to);
    }

    /// A beat of the current session that nothing newer has overtaken.
    pub(super) fn tell(&mut self, beat: &Beat<'_>, now: MonoTime) {
        self.interval_ms = beat.interval_ms;
        self.told = Some(Told {
            at: now,
            progress_age: Duration::from_millis(beat.progress_age_ms.unwrap_or(beat.uptime_ms)),
            has_work: beat.in_flight > 0 || beat.queue.is_some_and(|queue| queue > 0),
            waits: beat.phase == Phase::Waiting,
        });
    }
}
