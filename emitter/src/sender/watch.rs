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
