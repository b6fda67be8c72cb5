//! The collector's clocks. No other file of this package reads one.

use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use heartline_fleet::MonoTime;
use rustix::time::{ClockId, clock_gettime};

/// Returns the monotonic time. It includes the time in which the machine was suspended
/// (`CLOCK_BOOTTIME`), which must show as a gap in observation.
pub fn now() -> MonoTime {
    let now = clock_gettime(ClockId::Boottime);
    MonoTime::from_nanos(now.tv_sec.saturating_mul(1_000_000_000).saturating_add(now.tv_nsec))
}

/// Returns the wall-clock time, in milliseconds of Unix time.
pub fn wall_ms() -> i64 {
    wall_nanos().div_euclid(1_000_000)
}

#[allow(clippy::disallowed_methods, reason = "this is the clock module")]
fn wall_nanos() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since_epoch.as_nanos()).unwrap_or(i64::MAX)
}

/// Largest difference of two readings between which the wall clock was not set.
const ROUNDING_MS: u64 = 2;

/// Offset of the wall clock to the monotonic clock. Wall-clock time only labels: when an
/// administrator or NTP sets the clock, later labels change, and no judgement does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WallClockAnchor {
    offset_ms: i64,
}

impl WallClockAnchor {
    /// Reads both clocks.
    pub fn read() -> Self {
        let offset = wall_nanos().saturating_sub(now().nanos());
        Self { offset_ms: offset.div_euclid(1_000_000) }
    }

    /// Reads both clocks again. Returns a new anchor if the wall clock was set, and `self` if only
    /// rounding differs: otherwise the label of one moment would change from reading to reading.
    pub fn updated(self) -> Self {
        let read = Self::read();
        if read.offset_ms.abs_diff(self.offset_ms) > ROUNDING_MS { read } else { self }
    }

    /// Returns by how many milliseconds the wall clock was set since an earlier anchor; `None`: it was not, or by so
    /// little that it is not told.
    pub fn step_since(self, earlier: Self) -> Option<i64> {
        let by_ms = self.offset_ms.saturating_sub(earlier.offset_ms);
        (by_ms.unsigned_abs() >= TOLD_STEP_MS).then_some(by_ms)
    }

    /// Creates an anchor at which `mono` is `wall_ms` of Unix time.
    pub fn new(mono: MonoTime, wall_ms: i64) -> Self {
        Self { offset_ms: wall_ms - mono.nanos().div_euclid(1_000_000) }
    }

    /// Returns the wall-clock time of a moment, in milliseconds of Unix time.
    pub fn wall_ms(self, mono: MonoTime) -> i64 {
        mono.nanos().div_euclid(1_000_000).saturating_add(self.offset_ms)
    }

    /// Returns the moment of a wall-clock time.
    pub fn mono(self, wall_ms: i64) -> MonoTime {
        MonoTime::from_millis(wall_ms.saturating_sub(self.offset_ms))
    }
}

/// Returns a number that stands for this boot of the machine: monotonic times of one boot can be
/// compared. `None` where the kernel does not say.
pub fn boot_id() -> Option<i64> {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).take(16).collect();
    u64::from_str_radix(&digits, 16).ok().map(u64::cast_signed)
}

/// A moment in which the collector was alive, as a later start can place it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AliveMoment {
    /// In milliseconds of Unix time.
    pub wall_ms: i64,
    /// By the monotonic clock of the boot.
    pub boot_ms: i64,
    pub boot_id: Option<i64>,
    /// By the [`RetentionClock`].
    pub retention_ms: i64,
    /// Of the wall clock to the monotonic one.
    pub offset_ms: i64,
}

/// Difference from which on it is told that the wall clock was set.
const TOLD_STEP_MS: u64 = 1_000;

impl AliveMoment {
    /// Returns by how much the wall clock was set between an earlier moment and this one, and its time then;
    /// `None` where it was not, or nobody knows, because the machine was started in between.
    pub fn clock_step_since(&self, earlier: &Self) -> Option<(i64, i64)> {
        let is_same_boot = self.boot_id.is_some() && self.boot_id == earlier.boot_id;
        let by_ms = self.offset_ms.saturating_sub(earlier.offset_ms);
        let at_ms = self.boot_ms.saturating_add(self.offset_ms);
        (is_same_boot && by_ms.unsigned_abs() >= TOLD_STEP_MS).then_some((at_ms, by_ms))
    }

    /// Returns the moment on the monotonic clock. Within one boot no wall clock counts; beyond it a
    /// moment that seems to lie ahead was just now.
    pub fn mono(&self, anchor: WallClockAnchor) -> MonoTime {
        let is_same_boot = self.boot_id.is_some() && self.boot_id == boot_id();
        let at = if is_same_boot {
            MonoTime::from_millis(self.boot_ms)
        } else {
            anchor.mono(self.wall_ms)
        };
        at.min(now())
    }
}

/// Difference up to which a wall clock is followed at once.
const STEP_MS: u64 = 60_000;
/// How long a clock that was set must run on before old rows are removed by it.
const STEP_CONFIRMED_AFTER: Duration = Duration::from_secs(6 * 3_600);

/// The time by which history grows old.
///
/// It is counted on by the monotonic clock from the last wall-clock time that was believed, which
/// history stores. A wall clock that was set by more than a minute is believed once it has run on for
/// six hours; until then nothing is older than either clock says. So a clock that is wrong for a
/// while removes nothing.
#[derive(Clone, Copy, Debug)]
pub struct RetentionClock {
    /// Of the believed wall clock to the monotonic one, in milliseconds.
    offset_ms: i64,
    /// Another offset, and since when the wall clock has had it.
    step: Option<(i64, MonoTime)>,
}

impl RetentionClock {
    /// Creates a clock that goes on from where the last collector was.
    pub fn new(
        last: Option<AliveMoment>,
        boot_id: Option<i64>,
        now: MonoTime,
        wall_ms: i64,
    ) -> Self {
        let offset_ms = match last {
            None => wall_ms.saturating_sub(millis(now)),
            Some(last) if boot_id.is_some() && last.boot_id == boot_id => {
                last.retention_ms.saturating_sub(last.boot_ms)
            }
            Some(last) => last.retention_ms.saturating_sub(millis(now)),
        };
        Self { offset_ms, step: None }
    }

    /// Returns the time at which a row is new, in milliseconds of Unix time.
    pub fn now_ms(&mut self, now: MonoTime, wall_ms: i64) -> i64 {
        let offset_ms = wall_ms.saturating_sub(millis(now));
        let is_near = |other: i64| offset_ms.abs_diff(other) <= STEP_MS;
        if is_near(self.offset_ms) {
            (self.offset_ms, self.step) = (offset_ms, None);
        } else {
            match self.step {
                Some((step_ms, since)) if is_near(step_ms) => {
                    if now.since(since) >= STEP_CONFIRMED_AFTER {
                        (self.offset_ms, self.step) = (offset_ms, None);
                    }
                }
                _ => self.step = Some((offset_ms, now)),
            }
        }
        wall_ms.min(self.believed_ms(now))
    }

    /// Returns this moment, to be stored.
    pub fn alive_moment(&self, boot_id: Option<i64>, now: MonoTime, wall_ms: i64) -> AliveMoment {
        let retention_ms = self.believed_ms(now);
        // A clock that was set back would make a gap of what was lived through.
        AliveMoment {
            wall_ms: wall_ms.max(retention_ms),
            boot_ms: millis(now),
            boot_id,
            retention_ms,
            offset_ms: wall_ms.saturating_sub(millis(now)),
        }
    }

    fn believed_ms(&self, now: MonoTime) -> i64 {
        self.offset_ms.saturating_add(millis(now))
    }
}

fn millis(now: MonoTime) -> i64 {
    now.nanos().div_euclid(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_anchor_is_updated_when_the_clock_was_set_and_not_for_rounding() {
        let anchor = WallClockAnchor::read();
        let shifted = |by_ms| WallClockAnchor { offset_ms: anchor.offset_ms + by_ms };
        assert_eq!(shifted(1).updated(), shifted(1));
        let updated = shifted(3_600_000).updated();
        assert!(updated.offset_ms.abs_diff(anchor.offset_ms) <= ROUNDING_MS, "{updated:?}");
    }

    const DAY_MS: i64 = 86_400_000;
    /// Some day in 2026.
    const START_MS: i64 = 1_775_000_000_000;

    fn at(ms: i64) -> MonoTime {
        MonoTime::from_millis(ms)
    }

    #[test]
    fn a_clock_that_is_wrong_for_a_while_makes_nothing_old() {
        for wrong_ms in [100 * DAY_MS, -400 * DAY_MS, 2 * DAY_MS, 70_000] {
            let mut clock = RetentionClock::new(None, None, at(0), START_MS);
            assert_eq!(clock.now_ms(at(1_000), START_MS + 1_000), START_MS + 1_000);
            for s in 1..3_600 {
                let now_ms = clock.now_ms(at(s * 1_000), START_MS + s * 1_000 + wrong_ms);
                assert!(now_ms <= START_MS + s * 1_000, "{wrong_ms}");
            }
            let later = 2 * 3_600_000;
            assert_eq!(clock.now_ms(at(later), START_MS + later), START_MS + later);
        }
    }

    #[test]
    fn a_clock_that_was_set_right_is_believed_after_six_hours() {
        // Booted without a clock: 1970, until the network sets it.
        let mut clock = RetentionClock::new(None, None, at(0), 0);
        assert_eq!(clock.now_ms(at(10_000), 10_000), 10_000);
        let hours = |hours: i64| hours * 3_600_000;
        for hour in 1..=6 {
            let now_ms = clock.now_ms(at(hours(hour)), START_MS + hours(hour));
            assert_eq!(now_ms, hours(hour));
        }
        assert_eq!(clock.now_ms(at(hours(7)), START_MS + hours(7)), START_MS + hours(7));
    }

    #[test]
    fn a_clock_that_drifts_is_followed() {
        let mut clock = RetentionClock::new(None, None, at(0), START_MS);
        for s in 0..100_000 {
            let wall_ms = START_MS + s * 1_100;
            assert_eq!(clock.now_ms(at(s * 1_000), wall_ms), wall_ms);
        }
    }

    #[test]
    fn a_start_goes_on_from_the_believed_time_of_the_one_before() {
        let first = RetentionClock::new(None, Some(7), at(0), START_MS);
        // The wall clock is 400 days behind when the first one ends.
        let wall_ms = START_MS + 5_000 - 400 * DAY_MS;
        let last = first.alive_moment(Some(7), at(5_000), wall_ms);
        assert_eq!((last.wall_ms, last.retention_ms), (START_MS + 5_000, START_MS + 5_000));
        let mut same_boot = RetentionClock::new(Some(last), Some(7), at(9_000), START_MS + 9_000);
        assert_eq!(same_boot.now_ms(at(9_000), START_MS + 9_000), START_MS + 9_000);
        // A start with a clock that is ahead.
        let ahead = START_MS + 100 * DAY_MS;
        let mut rebooted = RetentionClock::new(Some(last), Some(8), at(1_000), ahead);
        assert_eq!(rebooted.now_ms(at(1_000), ahead), START_MS + 5_000);
        assert!(rebooted.now_ms(at(60_000), ahead + 59_000) <= START_MS + 64_000);
    }

    #[test]
    fn a_clock_that_was_set_is_noticed_within_one_boot() {
        let clock = RetentionClock::new(None, Some(7), at(0), START_MS);
        let moment = |boot_id, ms: i64, by_ms| {
            clock.alive_moment(Some(boot_id), at(ms), START_MS + ms + by_ms)
        };
        let before = moment(7, 1_000, 0);
        for by_ms in [-3_600_000, 1_000] {
            let expected = Some((START_MS + 5_000 + by_ms, by_ms));
            assert_eq!(moment(7, 5_000, by_ms).clock_step_since(&before), expected);
        }
        assert_eq!(moment(7, 5_000, 999).clock_step_since(&before), None, "it drifts");
        assert_eq!(moment(8, 5_000, 90_000).clock_step_since(&before), None, "it was started");
    }

    #[test]
    fn a_moment_of_this_boot_is_placed_by_the_monotonic_clock() {
        let (now, anchor) = (now(), WallClockAnchor::read());
        let boot_ms = millis(now) - 5_000;
        let wall_ms = wall_ms() - 400 * DAY_MS;
        let boot_id = boot_id();
        let last =
            AliveMoment { wall_ms, boot_ms, boot_id, retention_ms: wall_ms, ..Default::default() };
        assert!(last.boot_id.is_some(), "Linux has boot ids");
        assert_eq!(last.mono(anchor), MonoTime::from_millis(boot_ms));
        let before = AliveMoment { boot_id: Some(1), ..last };
        assert_eq!(before.mono(anchor), anchor.mono(wall_ms), "of an earlier boot");
        let ahead = AliveMoment { wall_ms: wall_ms + 800 * DAY_MS, boot_id: Some(1), ..last };
        assert!(ahead.mono(anchor) >= now, "a gap of no length");
    }
}
