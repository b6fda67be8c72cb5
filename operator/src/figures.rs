//! Derived figures: one formula for filters, JSON and screens.

use crate::message::{AgentEntry, AgentVitals, RecentWork};

/// How long after its last progress the first minute of work may still be incomplete: a minute, and
/// as much again for rare beats.
const FIRST_MINUTE_MAX_MS: u64 = 120_000;

/// Minutes that the rate of tasks is averaged over: long enough to be calm, short enough to fall
/// soon after the work stops.
const RATE_MINUTES: usize = 5;

const NANO: f64 = 1e9;
const HOUR_MS: f64 = 3_600_000.0;

impl RecentWork {
    /// Returns the share of tasks that succeeded, 0 to 1; `None` without any.
    pub fn success_rate(&self) -> Option<f64> {
        heartline_vocabulary::success_rate(self.ok, self.failed)
    }

    /// Returns the tasks a minute, over the last five whole minutes, or over as many of them as have passed
    /// since the agent's first task of the last quarter of an hour. 0 also in the first minute of
    /// all, which [`AgentEntry::tasks_per_minute`] tells apart.
    pub fn rate_of_whole_minutes(&self) -> f64 {
        let idle = self.per_minute.iter().take_while(|&&count| count == 0).count();
        let from = self.per_minute.len().saturating_sub(RATE_MINUTES).max(idle);
        let recent = &self.per_minute[from..];
        let sum: u64 = recent.iter().map(|count| u64::from(*count)).sum();
        sum as f64 / recent.len().max(1) as f64
    }

    /// Returns whether anything is known of it: of the past, work is read after the rest.
    pub fn is_known(&self) -> bool {
        self.window_ms > 0
    }

    pub fn cost_usd(&self) -> f64 {
        dollars(self.cost_nano_usd)
    }

    /// Returns the cost since midnight UTC.
    pub fn cost_today_usd(&self) -> f64 {
        dollars(self.cost_today_nano_usd)
    }

    /// Returns the cost an hour, over the window.
    pub fn cost_per_hour_usd(&self) -> f64 {
        if self.is_known() { self.cost_usd() * HOUR_MS / self.window_ms as f64 } else { 0.0 }
    }
}

impl AgentEntry {
    /// Returns [`RecentWork::rate_of_whole_minutes`]; `None` while the agent works, and no whole minute of it has
    /// passed yet, of a past whose minutes are not kept any more, and where nothing is known.
    pub fn tasks_per_minute(&self, now_ms: i64) -> Option<f64> {
        let work = &self.work;
        let has_worked = work.ok > 0 || work.failed > 0;
        let progress = self.vitals.progress_age_ms(now_ms);
        let works = has_worked && progress.is_some_and(|age| age < FIRST_MINUTE_MAX_MS);
        let is_first = works && work.per_minute.iter().all(|&tasks| tasks == 0);
        let is_forgotten =
            has_worked && self.vitals.last_beat_ms.is_none() && work.per_minute.is_empty();
        (work.is_known() && !is_first && !is_forgotten).then(|| work.rate_of_whole_minutes())
    }
}

impl AgentVitals {
    pub fn beat_age_ms(&self, now_ms: i64) -> Option<u64> {
        self.last_beat_ms.map(|at| age_ms(at, now_ms))
    }

    pub fn progress_age_ms(&self, now_ms: i64) -> Option<u64> {
        self.progress_ms.map(|at| age_ms(at, now_ms))
    }

    pub fn oldest_task_age_ms(&self, now_ms: i64) -> Option<u64> {
        self.oldest_task_ms.map(|at| age_ms(at, now_ms))
    }

    pub fn state_age_ms(&self, now_ms: i64) -> u64 {
        age_ms(self.since_ms, now_ms)
    }
}

impl AgentEntry {
    /// Formats its session; `None` before the first.
    pub fn session_text(&self) -> Option<String> {
        (self.vitals.session != 0).then(|| session_text(self.vitals.session))
    }
}

/// Formats a session as 16 hexadecimal digits.
pub fn session_text(session: u64) -> String {
    format!("{session:016x}")
}

/// Returns the age at `now_ms` of a moment; 0 for one in the future.
pub fn age_ms(at_ms: i64, now_ms: i64) -> u64 {
    u64::try_from(now_ms.saturating_sub(at_ms)).unwrap_or(0)
}

/// Converts nano-dollars to dollars.
pub fn dollars(nano_usd: u64) -> f64 {
    nano_usd as f64 / NANO
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn the_rate_of_tasks_is_that_of_the_last_minutes() {
        let rate =
            |per_minute| RecentWork { per_minute, ..RecentWork::default() }.rate_of_whole_minutes();
        assert_eq!(rate(vec![]), 0.0);
        assert_eq!(rate(vec![4, 8]), 6.0);
        assert_eq!(rate(vec![900, 900, 1, 2, 3, 4, 5]), 3.0);
        assert_eq!(rate(vec![0, 0, 0, 0, 6, 8]), 7.0, "it was not there before");
        assert_eq!(rate(vec![6, 0, 0, 0, 0, 0]), 0.0);
        assert_eq!(rate(vec![u32::MAX; 15]), f64::from(u32::MAX));
    }

    #[test]
    fn in_the_first_minute_of_work_no_rate_is_known() {
        let mut entry = sample::idle_agent(1, "a");
        let now_ms = sample::NOW_MS;
        assert_eq!(entry.tasks_per_minute(now_ms), Some(0.0), "it does nothing");
        (entry.work.ok, entry.vitals.progress_ms) = (7, Some(now_ms - 2_000));
        assert_eq!(entry.tasks_per_minute(now_ms), None);
        entry.work.per_minute = vec![0, 0, 7];
        assert_eq!(entry.tasks_per_minute(now_ms), Some(7.0));
        entry.work.per_minute = Vec::new();
        assert_eq!(entry.tasks_per_minute(now_ms + 1_200_000), Some(0.0), "it has stopped");
        (entry.vitals.last_beat_ms, entry.vitals.progress_ms) = (None, None);
        assert_eq!(entry.tasks_per_minute(now_ms), None, "only its hour is known");
    }

    #[test]
    fn cost_an_hour_follows_the_window() {
        let work = RecentWork {
            window_ms: 900_000,
            cost_nano_usd: 1_000_000_000,
            ..RecentWork::default()
        };
        assert_eq!(work.cost_per_hour_usd(), 4.0);
        assert_eq!(RecentWork::default().cost_per_hour_usd(), 0.0);
    }

    #[test]
    fn ages_never_turn_negative_or_overflow() {
        assert_eq!(age_ms(10, 4), 0);
        assert_eq!(age_ms(i64::MIN, i64::MAX), i64::MAX as u64);
        assert_eq!(sample::busy_agent().vitals.beat_age_ms(sample::NOW_MS), Some(312_000));
    }

    #[test]
    fn an_agent_that_never_started_has_no_session() {
        let mut entry = sample::idle_agent(1, "a");
        assert_eq!(entry.session_text().unwrap(), "5be1000000000001");
        entry.vitals.session = 0;
        assert_eq!(entry.session_text(), None);
    }
}
