//! The driver's look at the collector itself, once a second: whether it may be relied on.
//!
//! It is sure of itself while, within the last 30 seconds, a tick was on time, `history.db` took a commit, the writer
//! of `control.db` and the worker of every sink turned, and nothing below is so:
//! 1. history or `control.db` can't be written;
//! 2. in the last minute the kernel dropped datagrams, or details were left out of history;
//! 3. in the last minute nothing was observed for ten seconds;
//! 4. the wall clock was set by a minute or more, a minute ago at most;
//! 5. most of the fleet is in trouble at once;
//! 6. no sink takes alerts.
//!
//! By this the watchdog is pinged and Alertmanager is told that the collector lives.

use std::time::Duration;

use heartline_fleet::MonoTime;
use heartline_operator::message::{ClockHealth, HistoryHealth};
use heartline_operator::text;
use heartline_sinks::WorkerPulse;
use heartline_vocabulary::ScopeKind;

use super::Driver;
use super::losses::{LossLog, Losses};
use super::ping_schedule::Certainty;
use super::sign::{Life, SignOfLife};
use super::ticks::TickLog;
use super::watchdog::Watchdog;
use crate::clock::WallClockAnchor;

/// Difference from which on a wall clock that was set is a doubt: up to there history follows it at once.
const CLOCK_STEP_MS: u64 = 60_000;
/// How long that is doubted.
const CLOCK_DOUBTED_FOR: Duration = Duration::from_secs(60);
/// Key of the condition of a watchdog that takes no pings.
const WATCHDOG: &str = "watchdog";

/// What the driver keeps of itself.
pub(super) struct SelfCheck {
    pub(super) ticks: TickLog,
    pub(super) losses: LossLog,
    pub(super) commits: SignOfLife,
    control: SignOfLife,
    workers: Vec<WorkerSign>,
    clock_step: Option<(MonoTime, i64)>,
    clock_steps: u32,
    /// What operators are not told by other banners.
    pub(super) doubts: Vec<String>,
    pub(super) watchdog: Watchdog,
}

struct WorkerSign {
    sink: Box<str>,
    pulse: WorkerPulse,
    sign: SignOfLife,
}

impl SelfCheck {
    pub(super) fn new(now: MonoTime) -> Self {
        Self {
            ticks: TickLog::new(now),
            losses: LossLog::default(),
            commits: SignOfLife::new(0, now),
            control: SignOfLife::new(0, now),
            workers: Vec::new(),
            clock_step: None,
            clock_steps: 0,
            doubts: Vec::new(),
            watchdog: Watchdog::default(),
        }
    }

    /// Looks at other workers from now on.
    pub(super) fn set_workers(&mut self, workers: Vec<(Box<str>, WorkerPulse)>, now: MonoTime) {
        let sign = |(sink, pulse)| WorkerSign { sink, pulse, sign: SignOfLife::new(0, now) };
        self.workers = workers.into_iter().map(sign).collect();
    }

    /// Takes in that the wall clock is now placed by another anchor.
    pub(super) fn note_clock(
        &mut self,
        before: WallClockAnchor,
        after: WallClockAnchor,
        now: MonoTime,
    ) {
        if let Some(by_ms) = after.step_since(before) {
            self.clock_step = Some((now, by_ms));
            self.clock_steps += 1;
        }
    }

    pub(super) fn clock(&self, anchor: WallClockAnchor) -> ClockHealth {
        ClockHealth {
            steps: self.clock_steps,
            last_step_at_ms: self.clock_step.map(|(at, _)| anchor.wall_ms(at)),
            last_step_by_ms: self.clock_step.map_or(0, |(_, by_ms)| by_ms),
        }
    }

    fn clock_doubt(&self, now: MonoTime) -> Option<String> {
        let (at, by_ms) = self.clock_step?;
        let is_doubted =
            by_ms.unsigned_abs() >= CLOCK_STEP_MS && now.since(at) <= CLOCK_DOUBTED_FOR;
        let direction = if by_ms < 0 { "back" } else { "ahead" };
        is_doubted.then(|| {
            format!("the wall clock was set {direction} by {}", text::age(by_ms.unsigned_abs()))
        })
    }

    /// Returns what is wrong by the signs of life, and whether all of them were seen.
    fn signs(&self, is_history_kept: bool, now: MonoTime) -> (Vec<String>, bool) {
        let (mut missing, mut are_seen) = (Vec::new(), self.ticks.is_on_time(now));
        let mut note = |life: Life, say: &dyn Fn(u64) -> String| match life {
            Life::Seen => {}
            Life::Awaited => are_seen = false,
            Life::Missing(age) => missing.push(say(age.as_secs())),
        };
        if is_history_kept {
            note(self.commits.life(now, Duration::ZERO), &|s| {
                format!("history.db has taken no commit for {s} s: its disk hangs")
            });
        }
        note(self.control.life(now, Duration::ZERO), &|s| {
            format!("the writer of control.db has not turned for {s} s: its disk hangs")
        });
        for worker in self.workers.iter().filter(|it| !it.pulse.is_stopping()) {
            note(worker.sign.life(now, worker.pulse.longest_turn()), &|s| {
                format!("the worker of the sink {} has not turned for {s} s", worker.sink)
            });
        }
        (missing, are_seen)
    }
}

impl Driver {
    /// Looks at everything, has the watchdog pinged, and says to workers that agents are judged.
    pub(super) fn check_self(&mut self, now: MonoTime) {
        let (pulse, losses) = (self.store.pulse(), self.losses());
        let check = &mut self.self_check;
        check.commits.look(pulse.history_commits(), now);
        check.control.look(pulse.control_turns(), now);
        for worker in &mut check.workers {
            worker.sign.look(worker.pulse.turns(), now);
        }
        check.losses.sample(losses, now);
        let unwritten = self.unwritten();
        let (missing, are_seen) = self.self_check.signs(unwritten.is_empty(), now);
        let doubts: Vec<String> = missing.into_iter().chain(self.other_doubts(now)).collect();
        let all: Vec<String> = unwritten.into_iter().chain(doubts.iter().cloned()).collect();
        let certainty = match (all.as_slice(), are_seen) {
            ([], true) => Certainty::Sure,
            ([], false) => Certainty::Unsure,
            _ => Certainty::Doubting,
        };
        if certainty == Certainty::Sure {
            self.self_check.workers.iter().for_each(|worker| worker.pulse.permit());
        }
        let trouble = self.self_check.watchdog.tick(certainty, &all, now);
        self.info.set_condition(WATCHDOG, trouble);
        self.self_check.doubts = doubts;
    }

    /// Returns everything that was lost since the start.
    pub(super) fn losses(&self) -> Losses {
        Losses {
            datagrams: *self.fleet.counters() + self.ingest.counters(),
            details: self.store.shed_rows(),
            work: self.fleet.work_shed(),
        }
    }

    /// Says what can't be written. Operators are told of it by itself.
    pub(super) fn unwritten(&self) -> Vec<String> {
        let history = match &self.history {
            HistoryHealth::Paused(why) => Some(format!("history is paused: {why}")),
            HistoryHealth::Kept => None,
        };
        let control = self.info.control_paused.as_ref();
        let control = control.map(|why| format!("new agents can't be stored: {why}"));
        history.into_iter().chain(control).collect()
    }

    fn other_doubts(&self, now: MonoTime) -> impl Iterator<Item = String> {
        let check = &self.self_check;
        let (losses, before) = (self.losses(), check.losses.minute_ago());
        let dropped =
            losses.datagrams.kernel_dropped.saturating_sub(before.datagrams.kernel_dropped);
        let dropped = (dropped > 0).then(|| {
            format!(
                "the kernel dropped {dropped} datagrams in the last minute: the machine is too busy, or the \
                 receive buffer too small"
            )
        });
        let shed = losses.details.saturating_sub(before.details);
        let shed = (shed > 0).then(|| {
            format!(
                "{shed} details were left out of history in the last minute: the disk is too slow"
            )
        });
        let own = self.fleet.incidents().find(|it| it.scope.kind == ScopeKind::Collector);
        let own = own.map(|incident| {
            format!(
                "most of the fleet is in trouble at once, which tells of the collector or its network \
                 (incident {})",
                incident.id
            )
        });
        let broken = self.fleet.incidents().filter(|it| it.scope.kind == ScopeKind::Sink);
        let broken: Vec<&str> = broken.map(|it| &*it.scope.name).collect();
        let takes = |worker: &WorkerSign| !broken.contains(&&*worker.sink);
        let is_mute = !check.workers.is_empty() && !check.workers.iter().any(takes);
        let mute = is_mute.then(|| "no sink takes alerts: nobody is told of anything".to_owned());
        let ticks = check.ticks.doubt();
        [dropped, shed, ticks, check.clock_doubt(now), own, mute].into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: i64) -> MonoTime {
        MonoTime::from_millis(s * 1_000)
    }

    /// A check whose ticks are on time until a second.
    fn ticking(until: i64) -> SelfCheck {
        let mut check = SelfCheck::new(at(0));
        (0..=until * 5).for_each(|n| check.ticks.record(MonoTime::from_millis(n * 200)));
        check
    }

    #[test]
    fn what_shows_no_sign_of_life_is_named_and_what_is_new_is_waited_for() {
        let mut check = ticking(60);
        check.set_workers(vec![("ops".into(), WorkerPulse::default())], at(0));
        let (missing, are_seen) = check.signs(true, at(30));
        assert!(missing.is_empty() && !are_seen, "{missing:?}");
        check.control.look(1, at(40));
        let (missing, _) = check.signs(true, at(60));
        assert_eq!(
            missing,
            [
                "history.db has taken no commit for 60 s: its disk hangs",
                "the worker of the sink ops has not turned for 60 s",
            ]
        );
        // Why history is paused is said elsewhere.
        assert_eq!(check.signs(false, at(60)).0.len(), 1);
        check.commits.look(1, at(60));
        check.workers[0].sign.look(1, at(60));
        assert_eq!(check.signs(true, at(60)), (Vec::new(), true));
        assert!(!check.signs(true, at(91)).1, "no tick was on time");
    }

    #[test]
    fn a_clock_that_was_set_is_counted_from_a_second_and_doubted_from_a_minute_on() {
        let anchor = |by_ms: i64| WallClockAnchor::new(at(0), 1_775_000_000_000 + by_ms);
        let mut check = ticking(0);
        check.note_clock(anchor(0), anchor(999), at(1));
        assert_eq!(check.clock(anchor(0)).steps, 0);
        check.note_clock(anchor(0), anchor(-59_999), at(2));
        assert_eq!((check.clock(anchor(0)).steps, check.clock_doubt(at(2))), (1, None));
        check.note_clock(anchor(0), anchor(-3_600_000), at(3));
        let doubt = check.clock_doubt(at(63)).unwrap();
        assert_eq!(doubt, "the wall clock was set back by 1h00m");
        assert_eq!(check.clock_doubt(at(64)), None);
        let clock = check.clock(anchor(0));
        assert_eq!((clock.steps, clock.last_step_by_ms), (2, -3_600_000));
    }
}
