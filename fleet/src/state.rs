//! States, the reasons for them, and the causes of their changes.

use std::fmt;

/// What an agent is judged to be (`design.md`, section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Live beats on time, and progress.
    Healthy,
    /// Something is wrong, as the [`Reason`] says.
    Degraded,
    /// Not heard, not provably fresh, or dead.
    Unreachable,
    /// Told to stop, or stopped by itself.
    Killed,
    /// Known, but not judged yet.
    Unknown,
}

/// Why an agent is in its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Degraded: no live beat for `late_factor` intervals.
    Late,
    /// Degraded: beats, but its work makes no progress.
    Stalled,
    /// Degraded: two processes speak as this agent.
    Conflict,
    /// Unreachable: no live beat for `unreachable_factor` intervals.
    Silent,
    /// Unreachable: its beats arrive, but never echo our answers.
    OneWay,
    /// Unreachable: its supervisor reported its exit.
    Crashed,
    /// Killed: by an operator.
    Operator,
    /// Killed: by a policy.
    Policy,
    /// Killed: it said goodbye.
    Shutdown,
}

/// A state with its reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Standing {
    /// The state.
    pub state: State,
    /// Why; `None` when healthy or unknown.
    pub reason: Option<Reason>,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exit {
    /// Its exit code, if it ended by itself.
    pub code: Option<u32>,
    /// The signal that ended it.
    pub signal: Option<u32>,
    /// Whether the kernel killed it for want of memory.
    pub oom_killed: bool,
}

/// What brought a change of state about. Its `Display` is the sentence that operators read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// So many beats in a row did not come.
    Missed {
        /// How many.
        beats: u32,
        /// The agent's interval, in ms.
        interval_ms: u32,
    },
    /// Beats arrive, but nothing was begun, ended or stepped for so long.
    NoProgress {
        /// Age of the last progress, in ms.
        age_ms: u64,
        /// The step it is in. Scrubbed.
        step: Option<Box<str>>,
    },
    /// A live beat of a session that another had superseded.
    TwoProcesses,
    /// Beats arrive that never echo a challenge.
    OneWay,
    /// Its supervisor's report.
    Exited(Exit),
    /// It said goodbye.
    Goodbye,
    /// A live beat.
    Beat,
    /// A new start.
    NewSession,
    /// An operator's command: who, and why.
    Command {
        /// `user@host`
        by: Box<str>,
        /// In their words. Scrubbed.
        reason: Box<str>,
    },
    /// Nothing was heard since the collector started.
    NotHeardSinceStart {
        /// How long that is, in ms.
        waited_ms: u64,
    },
    /// The rules were changed.
    Rules,
}

impl Standing {
    /// Known, but not judged.
    pub const UNKNOWN: Self = Self { state: State::Unknown, reason: None };
    /// All is well.
    pub const HEALTHY: Self = Self { state: State::Healthy, reason: None };

    /// Degraded, for a reason.
    #[must_use]
    pub const fn degraded(reason: Reason) -> Self {
        Self { state: State::Degraded, reason: Some(reason) }
    }

    /// Unreachable, for a reason.
    #[must_use]
    pub const fn unreachable(reason: Reason) -> Self {
        Self { state: State::Unreachable, reason: Some(reason) }
    }

    /// Killed, for a reason.
    #[must_use]
    pub const fn killed(reason: Reason) -> Self {
        Self { state: State::Killed, reason: Some(reason) }
    }
}

impl State {
    /// All states.
    pub const ALL: [Self; 5] =
        [Self::Healthy, Self::Degraded, Self::Unreachable, Self::Killed, Self::Unknown];

    /// Its name in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unreachable => "unreachable",
            Self::Killed => "killed",
            Self::Unknown => "unknown",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

impl Reason {
    /// All reasons.
    pub const ALL: [Self; 9] = [
        Self::Late,
        Self::Stalled,
        Self::Conflict,
        Self::Silent,
        Self::OneWay,
        Self::Crashed,
        Self::Operator,
        Self::Policy,
        Self::Shutdown,
    ];

    /// Its name in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Late => "late",
            Self::Stalled => "stalled",
            Self::Conflict => "conflict",
            Self::Silent => "silent",
            Self::OneWay => "one-way",
            Self::Crashed => "crashed",
            Self::Operator => "operator",
            Self::Policy => "policy",
            Self::Shutdown => "shutdown",
        }
    }

    /// The reason of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.oom_killed, self.signal, self.code) {
            (true, _, _) => f.write_str("killed by the kernel for want of memory"),
            (_, Some(signal), _) => write!(f, "ended by signal {signal}"),
            (_, _, Some(code)) => write!(f, "exit code {code}"),
            _ => f.write_str("ended, it is not known how"),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missed { beats, interval_ms } => {
                write!(f, "{beats} beats missed (interval {})", Millis(u64::from(*interval_ms)))
            }
            Self::NoProgress { age_ms, step } => {
                write!(f, "beats arrive, no progress for {}", Millis(*age_ms))?;
                step.as_ref().map_or(Ok(()), |step| write!(f, "; step {step}"))
            }
            Self::TwoProcesses => f.write_str("two processes speak as this agent"),
            Self::OneWay => f.write_str("its beats arrive, but our answers never reach it"),
            Self::Exited(exit) => write!(f, "{exit}"),
            Self::Goodbye => f.write_str("it said goodbye"),
            Self::Beat => f.write_str("a live beat"),
            Self::NewSession => f.write_str("a new start"),
            Self::Command { reason, .. } if reason.is_empty() => f.write_str("no reason given"),
            Self::Command { reason, .. } => f.write_str(reason),
            Self::NotHeardSinceStart { waited_ms } => {
                write!(f, "not heard for {} since the collector started", Millis(*waited_ms))
            }
            Self::Rules => f.write_str("the rules were changed"),
        }
    }
}

/// A length of time for a sentence: `300ms`, `15s`, `5m03s`, `2h00m`.
struct Millis(u64);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0 / 1_000;
        match self.0 {
            0..1_000 => write!(f, "{}ms", self.0),
            1_000..10_000 if !self.0.is_multiple_of(1_000) => {
                write!(f, "{}.{}s", seconds, self.0 % 1_000 / 100)
            }
            1_000..60_000 => write!(f, "{seconds}s"),
            60_000..3_600_000 => write!(f, "{}m{:02}s", seconds / 60, seconds % 60),
            _ => write!(f, "{}h{:02}m", seconds / 3_600, seconds % 3_600 / 60),
        }
    }
}
