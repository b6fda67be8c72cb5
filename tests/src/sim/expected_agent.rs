//! The expected state of an agent: the core's rules, implemented a second time and independently
//! of its code.

use std::collections::BTreeSet;
use std::time::Duration;

use heartline_fleet::{Agent, AgentMessage, HealthThresholds, MonoTime};
use heartline_protocol::window::WINDOW;
use heartline_protocol::{Beat, Body, ControlId};
use heartline_vocabulary::{AgentStatus, Phase, Reason, SessionEnd, State, WorkTotals};

use super::expected_limits::ExpectedLimits;
use super::expected_quality::ExpectedQuality;
use super::oracle::{NO_SESSION, SUPERSEDED_MIN};
use super::violation::{CheckResult, ensure};

/// All that the state of one agent may depend on.
#[derive(Clone, Debug)]
pub(super) struct ExpectedAgent {
    pub(super) id: i64,
    pub(super) interval_ms: u32,
    /// The time without progress that a rule sets for it.
    pub(super) stall_rule: Option<Duration>,
    /// Start of the silence that counts.
    pub(super) silent_from: MonoTime,
    /// The same before the last gap postponed it.
    pub(super) silent_from_before: MonoTime,
    /// Receipt of the last authentic and new message.
    pub(super) received_at: MonoTime,
    /// The first unconfirmed message since the last live one.
    pub(super) unconfirmed_from: MonoTime,
    /// A live message was received since the collector started.
    pub(super) has_been_live: bool,
    /// Until when two processes are shown as a conflict.
    pub(super) conflict_until: MonoTime,
    /// A recording came of a session that the core may have forgotten: then it counts as received.
    may_be_one_way: bool,
    /// Every status that deadlines may have caused before the kernel's drops were reported.
    pub(super) premature: Vec<AgentStatus>,
    pub(super) ended: Option<SessionEnd>,
    /// Whether it is to be killed, and since when that holds.
    pub(super) desired: Option<(bool, MonoTime)>,
    /// Who wanted that: an operator or a policy.
    pub(super) commanded_by: Reason,
    /// Its sessions, the current one first.
    pub(super) sessions: Vec<u64>,
    /// The current session, if the message handled last was the first of it.
    pub(super) new_session: Option<u64>,
    /// Sessions that were new to the collector since it started.
    pub(super) new_sessions: BTreeSet<u64>,
    /// The databases have it.
    pub(super) is_stored: bool,
    /// Its newest beat reported that a kill of another control id keeps it from work.
    pub(super) is_blocked: bool,
    /// Newest beat of the current session.
    pub(super) newest_beat: Option<NewestBeat>,
    /// Sessions that were never live, newest first, with the sequences received of them.
    pub(super) never_live_sessions: Vec<(u64, BTreeSet<u64>)>,
    /// Session and sequence of each message received since the collector started.
    pub(super) received: BTreeSet<(u64, u64)>,
    /// Sequence of the newest message of the current session.
    pub(super) newest_sequence: u64,
    /// Status before the collector started, until the agent is judged.
    pub(super) restored: Option<AgentStatus>,
    /// Status after the newest transition.
    pub(super) status: AgentStatus,
    /// When the newest transition became true.
    pub(super) since: MonoTime,
    pub(super) generation: u64,
    /// Values shown last.
    pub(super) shown: Option<(AgentStatus, WorkTotals, Option<MonoTime>)>,
    pub(super) limits: ExpectedLimits,
    pub(super) quality: ExpectedQuality,
}

/// What a beat reports of the worker.
#[derive(Clone, Copy, Debug)]
pub(super) struct NewestBeat {
    at: MonoTime,
    /// The longest time for which its work, or one task of it, has made no progress.
    quiet_for: Duration,
    has_work: bool,
    waits: bool,
    /// The time without progress that it declares.
    stall_after: Option<Duration>,
    /// Its supervisor says that the program's own emitter is silent.
    is_emitter_silent: bool,
}

/// Intervals without a live beat until late, and until unreachable.
const LATE_AND_UNREACHABLE: (u32, u32) = (3, 10);

impl ExpectedAgent {
    pub(super) fn new(id: i64, interval_ms: u32, now: MonoTime) -> Self {
        Self {
            id,
            interval_ms,
            stall_rule: None,
            silent_from: now,
            silent_from_before: now,
            received_at: MonoTime::NEVER_YET,
            unconfirmed_from: MonoTime::NEVER_YET,
            has_been_live: false,
            conflict_until: MonoTime::NEVER_YET,
            may_be_one_way: false,
            premature: Vec::new(),
            ended: None,
            desired: None,
            commanded_by: Reason::Operator,
            sessions: Vec::new(),
            new_session: None,
            new_sessions: BTreeSet::new(),
            is_stored: false,
            is_blocked: false,
            newest_beat: None,
            never_live_sessions: Vec::new(),
            received: BTreeSet::new(),
            newest_sequence: 0,
            restored: None,
            status: AgentStatus::UNKNOWN,
            since: MonoTime::NEVER_YET,
            generation: 0,
            shown: None,
            limits: ExpectedLimits::new(now),
            quality: ExpectedQuality::default(),
        }
    }

    fn intervals(&self, count: u32) -> Duration {
        Duration::from_millis(u64::from(self.interval_ms) * u64::from(count))
    }

    /// Returns when the agent becomes late.
    pub(super) fn late_at(&self) -> MonoTime {
        self.silent_from + self.intervals(LATE_AND_UNREACHABLE.0)
    }

    /// Returns whether a transition to late may carry this time.
    pub(super) fn may_become_late_at(&self, at: MonoTime) -> bool {
        self.is_deadline(at, LATE_AND_UNREACHABLE.0)
    }

    /// Returns whether a transition to unreachable may carry this time.
    pub(super) fn may_become_unreachable_at(&self, at: MonoTime) -> bool {
        self.is_deadline(at, LATE_AND_UNREACHABLE.1)
    }

    fn is_deadline(&self, at: MonoTime, factor: u32) -> bool {
        let after = self.intervals(factor);
        at == self.silent_from + after || at == self.silent_from_before + after
    }

    /// Returns when the agent becomes unreachable.
    pub(super) fn unreachable_at(&self) -> MonoTime {
        self.silent_from + self.intervals(LATE_AND_UNREACHABLE.1)
    }

    /// Returns when not even unconfirmed messages count as received any more.
    fn unreceived_at(&self) -> MonoTime {
        self.received_at + self.intervals(LATE_AND_UNREACHABLE.1)
    }

    /// Returns whether unconfirmed messages have gone on for longer than one burst.
    fn is_doubtful(&self) -> bool {
        self.received_at >= self.unconfirmed_from + self.intervals(LATE_AND_UNREACHABLE.0)
    }

    /// Returns after what time without a live beat a process is late, which is also how long a
    /// conflict is shown.
    fn late_after(interval_ms: u32) -> Duration {
        Duration::from_millis(u64::from(interval_ms)) * LATE_AND_UNREACHABLE.0
    }

    /// Returns the times at which the status may change without an input.
    pub(super) fn boundaries(&self) -> [MonoTime; 6] {
        let Self { conflict_until, limits, .. } = self;
        let (late_at, unreachable_at) = (self.late_at(), self.unreachable_at());
        let ExpectedLimits { flooding_until, crash_looping_until, .. } = *limits;
        let unreceived_at = self.unreceived_at();
        [
            late_at,
            unreachable_at,
            unreceived_at,
            *conflict_until,
            flooding_until,
            crash_looping_until,
        ]
    }

    /// Returns the status that is expected at `at`, flapping apart.
    pub(super) fn expected(&self, at: MonoTime, stall_after: Duration) -> AgentStatus {
        if self.desired.is_some_and(|(killed, _)| killed) {
            return AgentStatus::killed(self.commanded_by);
        }
        match self.ended {
            Some(SessionEnd::Shutdown) => return AgentStatus::killed(Reason::Shutdown),
            Some(SessionEnd::Crashed) => return AgentStatus::unreachable(Reason::Crashed),
            Some(SessionEnd::Superseded) | None => {}
        }
        if at >= self.unreachable_at() {
            let is_receiving = self.received_at > self.silent_from && at < self.unreceived_at();
            let is_one_way = is_receiving && self.is_doubtful();
            return AgentStatus::unreachable(if is_one_way {
                Reason::OneWay
            } else {
                Reason::Silent
            });
        }
        if !self.has_been_live {
            AgentStatus::UNKNOWN
        } else if at >= self.late_at() {
            AgentStatus::degraded(Reason::Late)
        } else if self.is_blocked {
            AgentStatus::degraded(Reason::Blocked)
        } else if at < self.limits.crash_looping_until {
            AgentStatus::degraded(Reason::CrashLooping)
        } else if self.newest_beat.is_some_and(|beat| beat.is_emitter_silent) {
            AgentStatus::degraded(Reason::EmitterSilent)
        } else if self.stalled_at(stall_after).is_some() {
            AgentStatus::degraded(Reason::Stalled)
        } else if at < self.conflict_until {
            AgentStatus::degraded(Reason::Conflict)
        } else if at < self.limits.flooding_until {
            AgentStatus::degraded(Reason::Flooding)
        } else {
            self.quality.reason().map_or(AgentStatus::HEALTHY, AgentStatus::degraded)
        }
    }

    /// Returns since when the worker is stalled, according to its newest beat.
    pub(super) fn stalled_at(&self, stall_after: Duration) -> Option<MonoTime> {
        let beat = self.newest_beat.filter(|beat| beat.has_work && !beat.waits)?;
        let obliged_from = self.desired.map_or(MonoTime::NEVER_YET, |(_, at)| at);
        let progress_at = (beat.at - beat.quiet_for).max(obliged_from);
        let stalled_at = progress_at + self.stall_rule.or(beat.stall_after).unwrap_or(stall_after);
        (beat.at >= stalled_at).then_some(stalled_at)
    }

    /// Returns whether a message of a never-live session is new.
    pub(super) fn is_new_of_unverified(&mut self, session: u64, sequence: u64) -> bool {
        let known = self.never_live_sessions.iter().position(|(known, _)| *known == session);
        let at = known.unwrap_or_else(|| {
            self.never_live_sessions.insert(0, (session, BTreeSet::new()));
            0
        });
        let taken = &mut self.never_live_sessions[at].1;
        let is_outdated = taken.last().is_some_and(|&last| sequence + WINDOW <= last);
        !is_outdated && taken.insert(sequence)
    }

    /// Returns whether a message of this session was received before the session was live.
    pub(super) fn was_received_before_live(&self, message: &AgentMessage<'_>) -> bool {
        let is_session = |(session, _): &&(u64, BTreeSet<u64>)| *session == message.session;
        let never_live = self.never_live_sessions.iter().find(is_session);
        never_live.is_some_and(|(_, taken)| taken.contains(&message.sequence))
    }

    /// Returns whether the core has just begun a session again that it had forgotten: of many
    /// superseded ones the oldest are.
    fn is_begun_anew(&self, session: u64, view: &Agent) -> bool {
        let at = self.sessions.iter().position(|&known| known == session);
        let is_current = view.session() == session && view.received() == 1;
        is_current && at.is_some_and(|at| at > SUPERSEDED_MIN)
    }

    /// Takes in a message that is not proven fresh, of a session that many have superseded.
    pub(super) fn note_recording_of_old_session(&mut self, message: &AgentMessage<'_>) {
        let at = self.sessions.iter().position(|&known| known == message.session);
        self.may_be_one_way |= !message.fresh && at.is_some_and(|at| at > SUPERSEDED_MIN);
    }

    /// Returns whether what is shown differs from what is expected only in how the agent is unreachable,
    /// and that is not known here.
    fn is_one_way_or_silent(&self, shown: AgentStatus, expected: AgentStatus) -> bool {
        let is_either =
            |status: AgentStatus| matches!(status.reason, Some(Reason::Silent | Reason::OneWay));
        self.may_be_one_way && is_either(shown) && is_either(expected)
    }

    /// Forgets what was received of a session that the core has forgotten, and now begins again.
    pub(super) fn forget_evicted_session(&mut self, message: &AgentMessage<'_>, view: &Agent) {
        if message.fresh && self.is_begun_anew(message.session, view) {
            self.received.retain(|(session, _)| *session != message.session);
        }
    }

    /// Postpones every deadline: nothing could be received from `from` to `to`.
    pub(super) fn postpone_deadlines(&mut self, from: MonoTime, to: MonoTime) {
        let lost = to.since(from);
        self.limits.postpone(from, to);
        self.quality.postpone(lost);
        self.silent_from_before = self.silent_from;
        self.silent_from = self.silent_from + lost;
        for moment in [&mut self.received_at, &mut self.unconfirmed_from] {
            if *moment != MonoTime::NEVER_YET {
                *moment = *moment + lost;
            }
        }
        if self.conflict_until > from {
            self.conflict_until = self.conflict_until + lost;
        }
    }

    /// Takes in the report that the kernel dropped datagrams from `from` to `to`.
    pub(super) fn on_kernel_drops(&mut self, from: MonoTime, to: MonoTime, stall_after: Duration) {
        let passed = self.boundaries().into_iter().filter(|&at| from < at && at <= to);
        let premature: Vec<_> = passed.map(|at| self.expected(at, stall_after)).collect();
        // What an earlier report excuses and is still shown stands until the agent's next message.
        self.premature.retain(|status| *status == self.status);
        self.premature.extend(premature);
        self.postpone_deadlines(from, to);
    }

    /// Takes in a beat of the current session that no newer one has overtaken.
    fn on_newest_beat(&mut self, beat: &Beat<'_>, control: ControlId, now: MonoTime) {
        self.is_blocked = beat.blocked_by.is_some_and(|other| other != control);
        self.interval_ms = beat.interval_ms;
        let progress_age_ms = beat.progress_age_ms.unwrap_or(beat.uptime_ms);
        let task_age_ms = beat.oldest_in_flight_ms.filter(|_| beat.in_flight > 0).unwrap_or(0);
        self.newest_beat = Some(NewestBeat {
            at: now,
            quiet_for: Duration::from_millis(progress_age_ms.max(task_age_ms)),
            has_work: beat.in_flight > 0 || beat.queue.is_some_and(|queue| queue > 0),
            waits: beat.phase == Phase::Waiting,
            stall_after: beat.stall_after_ms.map(|ms| Duration::from_millis(ms.into())),
            is_emitter_silent: beat
                .process
                .is_some_and(|process| process.emitter_silent_ms.is_some()),
        });
    }

    /// Takes in a message that is proven fresh and was not received before.
    pub(super) fn on_live_message(
        &mut self,
        message: &AgentMessage<'_>,
        view: &Agent,
        rules: &HealthThresholds,
        control: ControlId,
        now: MonoTime,
    ) -> CheckResult {
        let current = self.sessions.first().copied();
        self.new_session = None;
        let is_switch = view.session() == message.session && current != Some(message.session);
        if is_switch {
            let at = self.sessions.iter().position(|&known| known == message.session);
            ensure!(
                at.is_none_or(|at| at > SUPERSEDED_MIN)
                    || current == Some(NO_SESSION)
                    || self.ended.is_some()
                    || now >= self.late_at(),
                "an old session took over from one that lives"
            );
            let is_restart = at.is_none() || self.is_begun_anew(message.session, view);
            self.new_session = at.is_none().then_some(message.session);
            self.new_sessions.extend(self.new_session);
            self.sessions.retain(|&known| known != message.session && known != NO_SESSION);
            self.sessions.insert(0, message.session);
            let said_goodbye = self.ended == Some(SessionEnd::Shutdown);
            let is_killed = self.desired.is_some_and(|(killed, _)| killed);
            if is_restart && view.starts() > 1 && !said_goodbye && !is_killed {
                self.limits.on_restart(rules, now);
            }
            self.ended = None;
            let taken = self.never_live_sessions.extract_if(.., |it| it.0 == message.session);
            let taken =
                taken.flat_map(|(session, taken)| taken.into_iter().map(move |it| (session, it)));
            self.received.extend(taken);
            self.newest_sequence = 0;
            self.received.insert((message.session, message.sequence));
        }
        if view.session() != message.session {
            ensure!(
                self.sessions.contains(&message.session),
                "a live message of a new session did not make it the current one"
            );
            if let Body::Beat(beat) = &message.body {
                let shown_until = now + ExpectedAgent::late_after(beat.interval_ms);
                self.conflict_until = self.conflict_until.max(shown_until);
            }
            return Ok(());
        }
        let silence = now.since(self.silent_from);
        (self.received_at, self.silent_from, self.has_been_live) = (now, now, true);
        self.premature.clear();
        self.may_be_one_way = false;
        self.limits.expire_restarts(rules, now);
        let is_news = message.sequence > self.newest_sequence;
        self.newest_sequence = self.newest_sequence.max(message.sequence);
        match &message.body {
            Body::Beat(beat) if is_news && self.ended.is_none() => {
                self.on_newest_beat(beat, control, now);
                self.quality.on_beat(now, silence);
            }
            // One that comes late is of a copy of the process, and another goes on.
            Body::Goodbye(_) if is_news => self.ended = Some(SessionEnd::Shutdown),
            Body::ExitReport(report) => {
                let by_fault = report.code != Some(0) || report.signal.is_some();
                let is_crash = by_fault || report.oom_killed;
                self.ended =
                    Some(if is_crash { SessionEnd::Crashed } else { SessionEnd::Shutdown });
            }
            _ => {}
        }
        Ok(())
    }

    /// Returns whether a status is wrong by now, and was caused by drops that were not reported yet.
    pub(super) fn is_excused(
        &self,
        shown: AgentStatus,
        stall_after: Duration,
        now: MonoTime,
    ) -> bool {
        let expected = self.expected(now, stall_after);
        let is_premature = self.premature.contains(&shown) && expected != shown;
        is_premature || self.is_one_way_or_silent(shown, expected)
    }

    /// Checks the shown state; until `swept_to`, no passed deadline may be unhandled.
    pub(super) fn check(
        &mut self,
        view: &Agent,
        stall_after: Duration,
        swept_to: MonoTime,
        now: MonoTime,
    ) -> CheckResult {
        let shown = view.status();
        self.quality.conclude();
        self.is_stored = view.is_stored();
        if self.is_stored && shown != self.status {
            ensure!(
                self.restored.take() == Some(shown),
                "{} is {shown:?}, and {:?} in history",
                view.name(),
                self.status
            );
            self.status = shown;
        }
        let overdue = self.boundaries().into_iter().filter(|&at| swept_to <= at && at <= now);
        let is_expected = |at| {
            let expected = self.expected(at, stall_after);
            let may_flap = matches!(expected.state, State::Healthy | State::Degraded);
            let is_flapping = may_flap && shown.reason == Some(Reason::Flapping);
            expected == shown || is_flapping || self.is_one_way_or_silent(shown, expected)
        };
        let allowed = overdue.chain([now, swept_to]).any(is_expected);
        ensure!(
            allowed || self.premature.contains(&shown),
            "{} is {shown:?} and should be {:?}: {self:?}",
            view.name(),
            self.expected(now, stall_after)
        );
        let judged = self.expected(now, stall_after);
        self.limits.check(shown, judged, swept_to, now)?;
        let generation = view.desired().map_or(0, |desired| desired.generation);
        ensure!(
            generation == self.generation,
            "{} has generation {generation}, durable is {}",
            view.name(),
            self.generation
        );
        Ok(())
    }
}
