//! States, the reasons for them, and the causes of their changes.

use heartline_vocabulary::ExitStatus;
use std::fmt;

/// What brought a change of state about. Its `Display` is the sentence that operators read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransitionCause {
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
    Exited(ExitStatus),
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

impl fmt::Display for TransitionCause {
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
