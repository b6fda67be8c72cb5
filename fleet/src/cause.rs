//! The causes of transitions.

use std::fmt;
use std::sync::Arc;

use heartline_protocol::ControlId;
use heartline_vocabulary::text::span;

use crate::process::ProcessExit;

/// The cause of a change of state. Its `Display` is the sentence that operators read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransitionCause {
    /// Beats are missing in a row.
    Missed {
        beats: u32,
        interval_ms: u32,
    },
    /// Beats arrive, but no task was begun, ended or stepped for so long.
    NoProgress {
        age_ms: u64,
        /// The current step. Scrubbed.
        step: Option<Box<str>>,
    },
    /// A task in flight has made no progress for so long, beside others that have.
    StuckTask {
        age_ms: u64,
        in_flight: u32,
    },
    /// A live beat of a session that another had superseded.
    TwoProcesses,
    /// A kill keeps the agent from work that is not ours.
    Blocked {
        /// The control id that gave it; `None`: ours, as it claims, but far above our commands.
        by: Option<ControlId>,
    },
    /// It was started so often without a goodbye.
    CrashLoop {
        restarts: u32,
        within_ms: u64,
    },
    /// Its supervisor sees the process run, and has heard nothing of its emitter for so long.
    EmitterSilent {
        silent_ms: u64,
    },
    /// Too many tasks are bad: so many of all since the test's sum was last 0.
    BadTasks {
        kind: BadTasks,
        bad: u32,
        tasks: u32,
        within_ms: u64,
    },
    /// It has nothing to do, and ends no task, for longer than it ever paused of late.
    Idle {
        for_ms: u64,
        longest_ms: u64,
    },
    /// Fewer tasks ended than are expected of it.
    TooFewTasks {
        tasks: u32,
        within_ms: u64,
        at_least: u32,
        /// The hours in which they are expected; `None`: always.
        during: Option<Arc<str>>,
    },
    /// More beats than its interval allows.
    OverBudget,
    /// It went to and fro between healthy and degraded.
    ChangesTooOften {
        changes: u32,
        within_ms: u64,
    },
    /// It no longer does; meanwhile so many changes were not shown.
    Calm {
        suppressed: u32,
    },
    /// Beats arrive that never echo a challenge.
    OneWay,
    /// The agent's supervisor reported its exit.
    Exited(ProcessExit),
    Goodbye,
    Beat,
    NewSession,
    Command {
        /// `user@host`
        by: Box<str>,
        /// Scrubbed.
        reason: Box<str>,
    },
    NotHeardSinceStart {
        waited_ms: u64,
    },
    /// The health rules were changed.
    Rules,
}

/// What is wrong with tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadTasks {
    Failed,
    Slow { above_us: u64 },
    Fast { below_us: u64 },
}

impl TransitionCause {
    /// Returns the last lines of a process that has ended, oldest first. Scrubbed.
    pub fn last_lines(&self) -> &[Box<str>] {
        match self {
            Self::Exited(exit) => &exit.last_lines,
            _ => &[],
        }
    }
}

/// What the words of [`TransitionCause::Missed`] say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MissedBeats {
    pub(crate) beats: u32,
    /// As exact as it is written.
    pub(crate) interval_ms: u32,
}

impl MissedBeats {
    /// Parses the words of a cause; `None`: it is another one.
    pub(crate) fn parse(words: &str) -> Option<Self> {
        let (beats, interval) = words.split_once(" beats missed (interval ")?;
        let interval_ms = parse_span(interval.strip_suffix(')')?)?;
        Some(Self { beats: beats.parse().ok()?, interval_ms: u32::try_from(interval_ms).ok()? })
    }

    /// Returns whether an interval is written as this one.
    pub(crate) fn is_of(self, interval_ms: u32) -> bool {
        span(u64::from(interval_ms)) == span(u64::from(self.interval_ms))
    }
}

/// Parses what [`span`] has written, in ms.
fn parse_span(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut sum = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| c != '.' && !c.is_ascii_digit())?;
        let (number, behind) = rest.split_at(digits);
        let unit_len = behind.find(|c: char| c.is_ascii_digit()).unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(unit_len);
        let unit_ms = match unit {
            "ms" => 1.0,
            "s" => 1_000.0,
            "m" => 60_000.0,
            "h" => 3_600_000.0,
            "d" => 86_400_000.0,
            _ => return None,
        };
        sum += number.parse::<f64>().ok()? * unit_ms;
        rest = behind;
    }
    Some(sum.round() as u64)
}

impl fmt::Display for TransitionCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missed { beats, interval_ms } => {
                write!(f, "{beats} beats missed (interval {})", span(u64::from(*interval_ms)))
            }
            Self::NoProgress { age_ms, step } => {
                write!(f, "beats arrive, no progress for {}", span(*age_ms))?;
                step.as_ref().map_or(Ok(()), |step| write!(f, "; step {step}"))
            }
            Self::StuckTask { age_ms, in_flight } => {
                write!(
                    f,
                    "one task has made no progress for {}, of {in_flight} in flight",
                    span(*age_ms)
                )
            }
            Self::TwoProcesses => f.write_str("reported by two processes"),
            Self::Blocked { by: Some(by) } => {
                write!(
                    f,
                    "kept from work by a kill of control id {by}: resume it there, or here if that \
                     collector is gone"
                )
            }
            Self::Blocked { by: None } => f.write_str(
                "kept from work by a kill that is numbered far above this collector's commands",
            ),
            Self::CrashLoop { restarts, within_ms } => {
                write!(f, "{restarts} restarts without a goodbye within {}", span(*within_ms))
            }
            Self::EmitterSilent { silent_ms } => {
                let silent = span(*silent_ms);
                write!(f, "the process runs, its own emitter has been silent for {silent}")
            }
            Self::BadTasks { kind, bad, tasks, within_ms } => {
                write!(f, "{bad} of {tasks} tasks ")?;
                match kind {
                    BadTasks::Failed => f.write_str("failed")?,
                    BadTasks::Slow { above_us } => {
                        write!(f, "took more than {}", span(above_us / 1_000))?;
                    }
                    BadTasks::Fast { below_us } => {
                        write!(f, "took less than {}", span(below_us / 1_000))?;
                    }
                }
                write!(f, " within {}", span(*within_ms))
            }
            Self::Idle { for_ms, longest_ms } => write!(
                f,
                "no task for {}, and none waits; the longest pause of the last 7 days was {}",
                span(*for_ms),
                span(*longest_ms)
            ),
            Self::TooFewTasks { tasks, within_ms, at_least, during } => {
                let within = span(*within_ms);
                write!(f, "{tasks} tasks in {within}; at least {at_least} expected")?;
                during.iter().try_for_each(|during| write!(f, " on {during}"))
            }
            Self::OverBudget => f.write_str("it sends far more beats than its interval allows"),
            Self::ChangesTooOften { changes, within_ms } => {
                let within = span(*within_ms);
                write!(f, "healthy and degraded by turns, more than {changes} times in {within}")
            }
            Self::Calm { suppressed } => {
                write!(f, "calm for a minute, after {suppressed} changes that are not listed")
            }
            Self::OneWay => f.write_str("beats arrive, but answers never reach the agent"),
            Self::Exited(exit) => {
                write!(f, "{}", exit.status)?;
                exit.last_words().map_or(Ok(()), |line| write!(f, ": {line}"))
            }
            Self::Goodbye => f.write_str("said goodbye"),
            Self::Beat => f.write_str("a live beat"),
            Self::NewSession => f.write_str("a new start"),
            Self::Command { reason, .. } if reason.is_empty() => f.write_str("no reason given"),
            Self::Command { reason, .. } => f.write_str(reason),
            Self::NotHeardSinceStart { waited_ms } => {
                write!(f, "not heard for {} since the collector started", span(*waited_ms))
            }
            Self::Rules => f.write_str("the health rules were changed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_missed_beats_can_be_read_again() {
        for interval_ms in [100, 999, 1_000, 1_500, 30_000, 90_000, 300_000, 3_600_000] {
            let words = TransitionCause::Missed { beats: 10, interval_ms }.to_string();
            assert_eq!(MissedBeats::parse(&words), Some(MissedBeats { beats: 10, interval_ms }));
        }
        let words = TransitionCause::Missed { beats: 3, interval_ms: 1_234 }.to_string();
        let read = MissedBeats::parse(&words).expect("they are those of missed beats");
        assert!(read.is_of(1_234) && read.interval_ms == 1_200 && !read.is_of(1_300));
        for words in ["a live beat", "3 beats missed (interval soon)", "3 beats missed (interval "]
        {
            assert_eq!(MissedBeats::parse(words), None, "{words}");
        }
    }
}
