//! Detection of missing answers.

use std::time::Duration;

use heartline_engine::{CollectorAddress, ConnectionState, Engine, MonoNanos};

use crate::problem::EmitterProblem;

/// Intervals without an answer after which there is a problem.
const INTERVALS: u32 = 3;

/// Detects that the collector does not answer, or that no answer confirms the session.
#[derive(Debug)]
pub(super) struct AnswerWatchdog {
    timeout: Duration,
    /// Since when there are no keys to begin a session with.
    keyless_since: Option<MonoNanos>,
    /// Since when answers come of which none confirms the session.
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
    pub(super) fn new(interval: Duration) -> Self {
        Self {
            timeout: interval * INTERVALS,
            keyless_since: None,
            unconfirmed_since: None,
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
        collector: &CollectorAddress,
        now: MonoNanos,
    ) -> WatchdogAlarm {
        let timeout = self.timeout;
        let overdue = |since: Option<MonoNanos>| {
            since.map(|since| now.since(since)).filter(|&waited| waited >= timeout)
        };
        // Without keys nothing was sent: that is a problem of the token.
        self.keyless_since = since(self.keyless_since, engine.is_none(), now);
        let silent = overdue(engine.and_then(Engine::unanswered_since));
        // While nothing is heard there is nothing that could confirm.
        let connection = engine.map(Engine::connection);
        let is_unconfirmed = connection == Some(ConnectionState::Unconfirmed) && silent.is_none();
        self.unconfirmed_since = since(self.unconfirmed_since, is_unconfirmed, now);
        let collector = || collector.to_string();
        let unconfirmed = overdue(self.unconfirmed_since);
        self.problem = match (silent, unconfirmed) {
            (Some(silent), _) => {
                Some(EmitterProblem::Unanswered { collector: collector(), silent })
            }
            (None, Some(_)) => Some(EmitterProblem::NeverConfirmed { collector: collector() }),
            (None, None) => None,
        };
        if self.problem.is_none() && overdue(self.keyless_since).is_none() {
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

/// Returns since when a condition holds, given whether it holds now.
fn since(before: Option<MonoNanos>, holds: bool, now: MonoNanos) -> Option<MonoNanos> {
    holds.then(|| before.unwrap_or(now))
}

#[cfg(test)]
mod tests {
    use heartline_engine::{AgentKeys, EngineConfig, InMemoryMetrics};
    use heartline_protocol::{
        Ack, AgentName, Datagram, DatagramWriter, Direction, Header, KeyEpoch, MasterKey,
        MessageType, ScopeKey, Token, TokenScope,
    };

    use super::*;

    const INTERVAL: Duration = Duration::from_secs(1);

    fn engine(now: MonoNanos) -> Engine {
        let agent = AgentName::new("mail").unwrap();
        let token = Token { epoch: KeyEpoch(1), scope: TokenScope::default(), key: scope_key() };
        let keys = AgentKeys::new(&token, &agent).unwrap();
        Engine::new(EngineConfig { interval_ms: 1_000, ..EngineConfig::new(agent, keys, 1) }, now)
    }

    #[test]
    fn missing_answers_raise_a_first_alarm_and_then_one_a_timeout() {
        let begin = MonoNanos::new(1);
        let (mut watchdog, mut engine) = (AnswerWatchdog::new(INTERVAL), engine(begin));
        assert!(engine.poll_transmit(begin, &mut InMemoryMetrics::default(), &mut Vec::new()));
        let mut alarms = Vec::new();
        for half_seconds in 0..20 {
            let now = begin.plus(INTERVAL / 2 * half_seconds);
            match watchdog.check(Some(&engine), &here(), now) {
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
        let mut watchdog = AnswerWatchdog::new(INTERVAL);
        let mut check = |intervals| watchdog.check(None, &here(), begin.plus(INTERVAL * intervals));
        assert_eq!([check(0), check(1)], [WatchdogAlarm::None; 2]);
        assert_eq!(check(3), WatchdogAlarm::First);
        assert_eq!(watchdog.problem(), None, "the token has a problem of its own");
    }

    #[test]
    fn a_late_first_answer_is_no_problem_and_many_that_confirm_nothing_are() {
        let begin = MonoNanos::new(1);
        let (mut watchdog, mut engine) = (AnswerWatchdog::new(INTERVAL), engine(begin));
        let mut datagram = Vec::new();
        let mut problem_at = |intervals, hears: Hears| {
            let now = begin.plus(INTERVAL * intervals);
            if engine.poll_transmit(now, &mut InMemoryMetrics::default(), &mut datagram)
                && hears == Hears::Unconfirmed
            {
                engine.handle_datagram(&unconfirmed_ack(&datagram), now).unwrap();
            }
            watchdog.check(Some(&engine), &here(), now);
            watchdog.problem().cloned()
        };
        for intervals in 0..10 {
            problem_at(intervals, Hears::Nothing);
        }
        for intervals in 10..13 {
            assert_eq!(problem_at(intervals, Hears::Unconfirmed), None, "{intervals}");
        }
        let problem = problem_at(14, Hears::Unconfirmed);
        assert!(matches!(problem, Some(EmitterProblem::NeverConfirmed { .. })), "{problem:?}");
    }

    #[derive(Clone, Copy, PartialEq, Eq)]
    enum Hears {
        Nothing,
        Unconfirmed,
    }

    /// Returns the answer to a message that was not live, always with the same challenge.
    fn unconfirmed_ack(message: &[u8]) -> Vec<u8> {
        let claimed = *Datagram::parse(message).unwrap().claimed();
        let header = Header { kind: MessageType::Ack, challenge: [9; 16], ..claimed };
        let mut out = Vec::new();
        let mut writer = DatagramWriter::new(&mut out, &header);
        Ack { unconfirmed: true, ..Ack::default() }.write(writer.body());
        let agent = AgentName::new("mail").unwrap();
        writer.seal(&scope_key().agent_key(Direction::Down, &agent)).unwrap();
        out
    }

    fn here() -> CollectorAddress {
        CollectorAddress::parse("here:1").unwrap()
    }

    fn scope_key() -> ScopeKey {
        MasterKey::new([7; 32]).scope_key(KeyEpoch(1), "")
    }
}
