//! Idle agents: they beat, have nothing to do, and end no task for far longer than they ever paused.
//!
//! 1. A pause goes from one progress of an agent to the next, while it has no task in flight and no
//!    backlog. A backlog without progress is a stall.
//! 2. Time in which it was killed, waited, had stopped, was silent, or was not observed counts in no pause.
//! 3. Of each of the last 7 days the longest pause that ended is kept, rounded up by an eighth at most.
//! 4. An agent is idle when its pause is longer than three times the longest of these, and than the
//!    time after which it would count as stalled. So steady work is missed soon, and work in bursts late.
//! 5. Who pauses for 8 hours has nights, and six of these are needed: of a week-end during which it, or the
//!    collector, was started, only a part is known, and the next one is longer than three nights.
//! 6. Nobody is idle of whom fewer than 3 days with work are known. Until it has been known for two
//!    weeks, the limit is twice as long: its first week-end is longer than all pauses before it.

use std::time::Duration;

use heartline_protocol::Beat;
use heartline_vocabulary::Phase;

use crate::agent::{Agent, NO_QUEUE};
use crate::context::AgentMut;
use crate::gap::ObservedTime;
use crate::judge::late_after;

/// Days of which pauses are kept.
const DAYS: usize = 7;
/// Days with work that must be known.
const DAYS_MIN: usize = 3;
/// Multiple of the longest pause.
const FACTOR: u32 = 3;
/// Multiple of it where it is a night, and how long such a pause is.
const NIGHT_FACTOR: u32 = 6;
const NIGHT: Duration = Duration::from_secs(8 * 3_600);
const DAY_S: u32 = 86_400;
/// Longer pauses count as this one.
const PAUSE_MAX_S: u32 = 365 * DAY_S;
/// How long an agent is new.
const NEW_FOR: Duration = Duration::from_secs(14 * 86_400);

/// The pauses of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pauses {
    /// Begin of the pause that goes on, in seconds of observed time.
    since_s: u32,
    /// The newest day, modulo 256.
    day: u8,
    /// The longest pause of each day, the newest first; 0: none ended in it.
    longest: [PauseCode; DAYS],
}

/// A length of a pause as one byte, on a logarithmic scale with 8 steps in each power of two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PauseCode(u8);

impl Default for Pauses {
    fn default() -> Self {
        Self { since_s: 0, day: 0, longest: [PauseCode::default(); DAYS] }
    }
}

impl PauseCode {
    /// Rounds up.
    fn of(seconds: u32) -> Self {
        let seconds = seconds.min(PAUSE_MAX_S);
        let step = match seconds {
            0..16 => seconds,
            _ => {
                let octave = seconds.ilog2() - 2;
                octave * 8 + (seconds >> (octave - 1)) - 8
            }
        };
        let below = Self(step as u8 + 1);
        if below.seconds() < seconds { Self(below.0 + 1) } else { below }
    }

    /// Returns the length; 0 for none.
    fn seconds(self) -> u32 {
        let Some(step) = self.0.checked_sub(1).map(u32::from) else { return 0 };
        match step / 8 {
            0 | 1 => step,
            octave => (8 + step % 8) << (octave - 1),
        }
    }
}

/// What a beat says of pauses.
#[derive(Clone, Copy)]
struct PauseReport {
    now: ObservedTime,
    /// The silence before it that counts as not observed.
    silence: Duration,
    /// Time since the last progress.
    progress_age: Duration,
    before: Occupation,
    after: Occupation,
}

/// Whether a pause can go on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Occupation {
    /// It has a task in flight or a backlog, waits, or may do nothing.
    Busy,
    Free,
}

impl Occupation {
    fn busy_if(is_busy: bool) -> Self {
        if is_busy { Self::Busy } else { Self::Free }
    }
}

impl Pauses {
    /// Returns pauses that were recorded `age` before `now`.
    pub(crate) fn restored(codes: [u8; DAYS], age: Duration, now: ObservedTime) -> Self {
        let mut pauses = Self { longest: codes.map(PauseCode), ..Self::default() };
        pauses.pass_days(usize::try_from(age.as_secs() / u64::from(DAY_S)).unwrap_or(DAYS));
        pauses.day = day_of(seconds(now));
        pauses
    }

    /// Returns the longest pause of each day, the newest first, as codes of one byte.
    pub(crate) fn codes(&self) -> [u8; DAYS] {
        self.longest.map(|code| code.0)
    }

    /// Begins a pause anew.
    pub(crate) fn restart(&mut self, now: ObservedTime) {
        self.since_s = seconds(now);
    }

    fn on_beat(&mut self, report: PauseReport) {
        let now_s = seconds(report.now);
        let whole_s = |span: Duration| u32::try_from(span.as_secs()).unwrap_or(u32::MAX);
        self.since_s = self.since_s.saturating_add(whole_s(report.silence)).min(now_s);
        let progress_s = now_s.saturating_sub(whole_s(report.progress_age));
        if progress_s > self.since_s {
            if report.before == Occupation::Free {
                self.record(progress_s - self.since_s, now_s);
            }
            self.since_s = progress_s;
        }
        if report.after == Occupation::Busy {
            self.since_s = now_s;
        }
    }

    fn record(&mut self, pause_s: u32, now_s: u32) {
        let today = day_of(now_s);
        self.pass_days(today.wrapping_sub(self.day).into());
        self.day = today;
        if self.longest[0].seconds() < pause_s || self.longest[0] == PauseCode::default() {
            self.longest[0] = PauseCode::of(pause_s);
        }
    }

    fn pass_days(&mut self, days: usize) {
        let days = days.min(DAYS);
        self.longest.rotate_right(days);
        self.longest[..days].fill(PauseCode::default());
    }

    /// Returns the longest pause, once enough days are known.
    fn longest(&self) -> Option<Duration> {
        let known = self.longest.iter().filter(|code| **code != PauseCode::default());
        let longest = self.longest.iter().max()?;
        (known.count() >= DAYS_MIN).then(|| Duration::from_secs(longest.seconds().into()))
    }
}

fn seconds(at: ObservedTime) -> u32 {
    u32::try_from(at.since(ObservedTime::ORIGIN).as_secs()).unwrap_or(u32::MAX)
}

/// Returns the number of a day, modulo 256.
fn day_of(seconds: u32) -> u8 {
    (seconds / DAY_S) as u8
}

impl AgentMut<'_> {
    /// Takes in a beat, before anything else of it; `before` is when the one before it came.
    pub(crate) fn count_pause(&mut self, beat: &Beat<'_>, before: ObservedTime) {
        let silence = self.agent.silent_since.since(before);
        let is_silence = silence >= late_after(self.agent.interval_ms, self.thresholds());
        let has_work =
            |in_flight: u32, queue: u32| in_flight > 0 || (queue != NO_QUEUE && queue > 0);
        let may_not_work =
            self.agent.is_killed() || beat.applied.killed || beat.blocked_by.is_some();
        let agent = &mut *self.agent;
        agent.pauses.on_beat(PauseReport {
            now: agent.silent_since,
            silence: if is_silence { silence } else { Duration::ZERO },
            progress_age: Duration::from_millis(beat.progress_age_ms.unwrap_or(beat.uptime_ms)),
            before: Occupation::busy_if(has_work(agent.in_flight, agent.queue)),
            after: Occupation::busy_if(
                may_not_work
                    || beat.phase == Phase::Waiting
                    || has_work(beat.in_flight, beat.queue.unwrap_or(NO_QUEUE)),
            ),
        });
    }
}

/// A pause that is longer than usual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LongPause {
    pub(crate) lasted: Duration,
    /// The longest one of the last days.
    pub(crate) longest: Duration,
    /// The time after which it counts.
    pub(crate) limit: Duration,
}

impl Agent {
    /// Returns whether too few of its days are known to say how long it pauses.
    pub(crate) fn pauses_are_being_learned(&self) -> bool {
        self.pauses.longest().is_none()
    }

    /// Returns the pause of an agent that is idle: when its newest beat came, it had no task to do
    /// and its pause was longer than its limit.
    pub(crate) fn long_pause(&self, stall_after: Duration) -> Option<LongPause> {
        let lasted_s = seconds(self.silent_since).saturating_sub(self.pauses.since_s);
        let lasted = Duration::from_secs(lasted_s.into());
        if lasted <= stall_after {
            return None;
        }
        let longest = self.pauses.longest()?;
        let is_new = self.last_live.since(self.first_seen) < NEW_FOR;
        let factor = if longest >= NIGHT { NIGHT_FACTOR } else { FACTOR };
        let usual = longest * factor * if is_new { 2 } else { 1 };
        let limit = usual.max(stall_after);
        (lasted > limit).then_some(LongPause { lasted, longest, limit })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_round_up_by_an_eighth_at_most() {
        for seconds in (0..100_000).chain([PAUSE_MAX_S - 1, PAUSE_MAX_S, u32::MAX]) {
            let code = PauseCode::of(seconds).seconds();
            let seconds = seconds.min(PAUSE_MAX_S);
            assert!(code >= seconds && code - seconds <= seconds / 8, "{seconds} s: {code} s");
        }
        assert_eq!(PauseCode::default().seconds(), 0);
    }

    #[test]
    fn days_without_work_are_none() {
        let mut pauses = Pauses::default();
        for (day, pause_s) in [(10, 50), (10, 40), (11, 7), (14, 60)] {
            pauses.record(pause_s, day * DAY_S + 3);
        }
        let lengths = |pauses: &Pauses| pauses.longest.map(PauseCode::seconds);
        assert_eq!(lengths(&pauses), [60, 0, 0, 7, 52, 0, 0]);
        assert_eq!(pauses.longest(), Some(Duration::from_secs(60)));
        pauses.record(1, 300 * DAY_S);
        assert_eq!(lengths(&pauses), [1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(pauses.longest(), None);
    }
}
