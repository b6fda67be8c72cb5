//! How the emitter is doing.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::engine::{Contact, Desired, Moment};
use crate::problem::Problem;

/// How an emitter is doing. As text it is one line: `live`, or what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// How the collector takes this session; `None` while nothing is sent at all.
    pub contact: Option<Contact>,
    /// The desired state that is applied.
    pub desired: Desired,
    /// Time since the collector's last answer.
    pub last_answer_age: Option<Duration>,
    /// Tasks begun and not ended.
    pub in_flight: u32,
    /// Observations that could not be counted.
    pub lost_observations: u64,
    /// Datagrams received that were not from our collector.
    pub refused_datagrams: u64,
    /// What is wrong.
    pub problems: Vec<Problem>,
}

impl Status {
    /// Whether the collector takes the beats as live and nothing is wrong.
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.contact == Some(Contact::Confirmed) && self.problems.is_empty()
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.contact {
            None => "off",
            Some(Contact::Unheard) => "no answer yet",
            Some(Contact::Unconfirmed) => "connecting",
            Some(Contact::Confirmed) => "live",
        })?;
        if self.desired.killed {
            f.write_str(", killed")?;
        }
        for problem in &self.problems {
            write!(f, "; {problem}")?;
        }
        Ok(())
    }
}

/// What the sender pins up for whoever asks.
#[derive(Debug, Default)]
pub(crate) struct Bulletin(Mutex<News>);

/// The newest of everything that the sender knows.
#[derive(Clone, Debug, Default)]
pub(crate) struct News {
    pub(crate) contact: Option<Contact>,
    pub(crate) desired: Desired,
    pub(crate) last_answer: Option<Moment>,
    pub(crate) refused_datagrams: u64,
    /// Found at the start.
    pub(crate) settings: Vec<Problem>,
    pub(crate) token: Option<Problem>,
    pub(crate) link: Option<Problem>,
    pub(crate) memory: Option<Problem>,
    pub(crate) answer: Option<Problem>,
}

impl Bulletin {
    pub(crate) fn lock(&self) -> MutexGuard<'_, News> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl News {
    pub(crate) fn problems(&self) -> Vec<Problem> {
        let ongoing = [&self.token, &self.answer, &self.link, &self.memory];
        self.settings.iter().chain(ongoing.into_iter().flatten()).cloned().collect()
    }
}
