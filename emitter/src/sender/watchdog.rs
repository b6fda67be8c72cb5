//! Detection of missing answers.

use std::time::Duration;

use heartline_engine::{ConnectionState, Engine, MonoNanos};

use crate::problem::EmitterProblem;

/// Intervals without an answer after which there is a problem.
const INTERVALS: u32 = 3;

/// Detects that the collector does not answer, or that no answer confirms the session.
#[derive(Debug)]
pub(super) struct AnswerWatchdog {
    timeout: Duration,
    /// Since when there is no engine, or its session is not confirmed.
    unconfirmed_since: Option<MonoNanos>,
    problem: Option<EmitterProblem>,
    last_alarm: Option<MonoNanos>,
}

/// Result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WatchdogAlarm {
    None,
    /// The timeout is over for the first time.
    First,
    /// It is over once more.
    Again,
}

impl AnswerWatchdog {
    pub(super) fn new(interval: Duration, now: MonoNanos) -> Self {
        Self {
            timeout: interval * INTERVALS,
            unconfirmed_since: Some(now),
            problem: None,
            last_alarm: None,
        }
    }

    pub(super) fn problem(&self) -> Option<&EmitterProblem> {
        self.problem.as_ref()
    }

    pub(super) fn check(
        &mut self,
        engine: Option<&Engine>,
        collector: &str,
        now: MonoNanos,
    ) -> WatchdogAlarm {
        let overdue = |since: Option<MonoNanos>| {
            since.map(|since| now.since(since)).filter(|&waited| waited >= self.timeout)
        };
        let is_confirmed =
            engine.is_some_and(|engine| engine.connection() == ConnectionState::Confirmed);
        self.unconfirmed_since =
            if is_confirmed { None } else { self.unconfirmed_since.or(Some(now)) };
        let silent = overdue(engine.and_then(Engine::unanswered_since));
        let unconfirmed = overdue(self.unconfirmed_since);
        self.problem = match (engine, silent, unconfirmed) {
            (Some(_), Some(silent), _) => {
                Some(EmitterProblem::Unanswered { collector: collector.to_owned(), silent })
            }
            (Some(_), None, Some(_)) => {
                Some(EmitterProblem::NeverConfirmed { collector: collector.to_owned() })
            }
            // Without keys nothing was sent: that is a problem of the token.
            (None, ..) | (_, None, None) => None,
        };
        if silent.is_none() && unconfirmed.is_none() {
            self.last_alarm = None;
            return WatchdogAlarm::None;
        }
        match self.last_alarm {
            Some(last) if now.since(last) < self.timeout => WatchdogAlarm::None,
            last => {
                self.last_alarm = Some(now);
                if last.is_none() { WatchdogAlarm::First } else { WatchdogAlarm::Again }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use heartline_engine::{AgentKeys, EngineConfig, InMemoryMetrics};
    use heartline_protocol::{AgentName, KeyEpoch, MasterKey, Token, TokenScope};

    use super::*;

    const INTERVAL: Duration = Duration::from_secs(1);

    fn engine(now: MonoNanos) -> Engine {
        let agent = AgentName::new("mail").unwrap();
        let key = MasterKey::new([7; 32]).scope_key(KeyEpoch(1), "");
        let token = Token { epoch: KeyEpoch(1), scope: TokenScope::default(), key };
        let keys = AgentKeys::new(&token, &agent).unwrap();
        Engine::new(EngineConfig { interval_ms: 1_000, ..EngineConfig::new(agent, keys, 1) }, now)
    }

    #[test]
    fn missing_answers_raise_a_first_alarm_and_then_one_a_timeout() {
        let begin = MonoNanos::new(1);
        let (mut watchdog, mut engine) = (AnswerWatchdog::new(INTERVAL, begin), engine(begin));
        assert!(engine.poll_transmit(begin, &mut InMemoryMetrics::default(), &mut Vec::new()));
        let mut alarms = Vec::new();
        for half_seconds in 0..20 {
            let now = begin.plus(INTERVAL / 2 * half_seconds);
            match watchdog.check(Some(&engine), "here:1", now) {
                WatchdogAlarm::None => {}
                alarm => alarms.push((half_seconds, alarm)),
            }
        }
        assert_eq!(
            alarms,
            [(6, WatchdogAlarm::First), (12, WatchdogAlarm::Again), (18, WatchdogAlarm::Again)]
        );
        assert!(matches!(watchdog.problem(), Some(EmitterProblem::Unanswered { .. })));
    }

    #[test]
    fn a_missing_token_raises_an_alarm_and_no_problem_of_answers() {
        let begin = MonoNanos::new(1);
        let mut watchdog = AnswerWatchdog::new(INTERVAL, begin);
        assert_eq!(watchdog.check(None, "here:1", begin.plus(INTERVAL)), WatchdogAlarm::None);
        assert_eq!(watchdog.check(None, "here:1", begin.plus(INTERVAL * 3)), WatchdogAlarm::First);
        assert_eq!(watchdog.problem(), None, "the token has a problem of its own");
    }
}
