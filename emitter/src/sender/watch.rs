//! Notices when nobody answers.

use std::time::Duration;

use crate::engine::{Contact, Engine, Moment};
use crate::problem::Problem;

/// After how many intervals without an answer something must be wrong.
const INTERVALS: u32 = 3;

/// Notices when nobody answers, or when no answer makes us live.
#[derive(Debug)]
pub(super) struct Watch {
    patience: Duration,
    /// Since when there is no engine, or no beat of ours was live.
    not_live_since: Option<Moment>,
    problem: Option<Problem>,
    last_alarm: Option<Moment>,
}

/// Whether something should be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alarm {
    None,
    /// It has just become clear that something is wrong.
    First,
    /// It still is, for so long again.
    Again,
}

impl Watch {
    pub(super) fn new(interval: Duration, now: Moment) -> Self {
        Self {
            patience: interval * INTERVALS,
            not_live_since: Some(now),
            problem: None,
            last_alarm: None,
        }
    }

    /// What is wrong with the answers.
    pub(super) fn problem(&self) -> Option<&Problem> {
        self.problem.as_ref()
    }

    pub(super) fn look(&mut self, engine: Option<&Engine>, collector: &str, now: Moment) -> Alarm {
        let over = |since: Option<Moment>| {
            since.map(|since| now.since(since)).filter(|&waited| waited >= self.patience)
        };
        let is_live = engine.is_some_and(|engine| engine.contact() == Contact::Confirmed);
        self.not_live_since = if is_live { None } else { self.not_live_since.or(Some(now)) };
        let silent = over(engine.and_then(Engine::unanswered_since));
        let not_live = over(self.not_live_since);
        self.problem = match (engine, silent, not_live) {
            (Some(_), Some(silent), _) => {
                Some(Problem::Unanswered { collector: collector.to_owned(), silent })
            }
            (Some(_), None, Some(_)) => {
                Some(Problem::NeverLive { collector: collector.to_owned() })
            }
            // Without keys nothing was sent: that problem is told by who looks for the token.
            (None, ..) | (_, None, None) => None,
        };
        if silent.is_none() && not_live.is_none() {
            self.last_alarm = None;
            return Alarm::None;
        }
        match self.last_alarm {
            Some(last) if now.since(last) < self.patience => Alarm::None,
            last => {
                self.last_alarm = Some(now);
                if last.is_none() { Alarm::First } else { Alarm::Again }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use heartline_protocol::{AgentName, KeyEpoch, MasterKey, Token, TokenScope};

    use super::*;
    use crate::engine::{EngineConfig, Keys, Tally};

    const INTERVAL: Duration = Duration::from_secs(1);

    fn engine(now: Moment) -> Engine {
        let agent = AgentName::new("mail").unwrap();
        let key = MasterKey::new([7; 32]).scope_key(KeyEpoch(1), "");
        let token = Token { epoch: KeyEpoch(1), scope: TokenScope::default(), key };
        let keys = Keys::new(&token, &agent).unwrap();
        Engine::new(EngineConfig { interval_ms: 1_000, ..EngineConfig::new(agent, keys, 1) }, now)
    }

    #[test]
    fn silence_is_told_once_and_looked_into_again_and_again() {
        let begin = Moment::from_nanos(1);
        let (mut watch, mut engine) = (Watch::new(INTERVAL, begin), engine(begin));
        assert!(engine.poll_transmit(begin, &mut Tally::default(), &mut Vec::new()));
        let mut alarms = Vec::new();
        for half_seconds in 0..20 {
            let now = begin.plus(INTERVAL / 2 * half_seconds);
            match watch.look(Some(&engine), "here:1", now) {
                Alarm::None => {}
                alarm => alarms.push((half_seconds, alarm)),
            }
        }
        assert_eq!(alarms, [(6, Alarm::First), (12, Alarm::Again), (18, Alarm::Again)]);
        assert!(matches!(watch.problem(), Some(Problem::Unanswered { .. })));
    }

    #[test]
    fn a_token_that_does_not_come_is_told_too() {
        let begin = Moment::from_nanos(1);
        let mut watch = Watch::new(INTERVAL, begin);
        assert_eq!(watch.look(None, "here:1", begin.plus(INTERVAL)), Alarm::None);
        assert_eq!(watch.look(None, "here:1", begin.plus(INTERVAL * 3)), Alarm::First);
        assert_eq!(watch.problem(), None, "who looks for the token tells what is wrong with it");
    }
}
