//! Alerts: incidents, and the notices by which people are told of them.

use std::fmt;

use crate::named::named;
use crate::{AgentStatus, Reason, State};

/// The number of an incident: never used again, whatever becomes of the databases. It grows with the order
/// in which incidents began, and is written in base 36.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct IncidentId(pub u64);

const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

impl fmt::Display for IncidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = Vec::new();
        let mut rest = self.0;
        loop {
            digits.push(DIGITS[(rest % 36) as usize]);
            rest /= 36;
            if rest == 0 {
                break;
            }
        }
        let text: String = digits.iter().rev().map(|&digit| char::from(digit)).collect();
        f.pad(&text)
    }
}

impl std::str::FromStr for IncidentId {
    type Err = std::num::ParseIntError;

    /// Parses what `Display` writes; upper case, too.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u64::from_str_radix(text.trim_start_matches('+'), 36).map(Self)
    }
}

/// The number of a notice: the incident that it tells of, and which of its notices it is, from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct NoticeId {
    /// The incident.
    pub incident: IncidentId,
    /// From 1.
    pub number: u32,
}

impl fmt::Display for NoticeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.incident, self.number)
    }
}

named! {
    /// How urgent an incident is; fixed when it opens, and raised once at most.
    Severity {
        /// For the day: somebody should look.
        Warning = "warning",
        /// Somebody must act now.
        Critical = "critical",
    }
}

impl Severity {
    /// Returns how urgent a status is.
    pub const fn of(status: AgentStatus) -> Self {
        match (status.state, status.reason) {
            (State::Unreachable, _)
            | (
                State::Degraded,
                Some(
                    Reason::Stalled
                    | Reason::Failing
                    | Reason::CrashLooping
                    | Reason::EmitterSilent,
                ),
            ) => Self::Critical,
            _ => Self::Warning,
        }
    }
}

named! {
    /// What an incident is about: the narrowest scope that explains its members.
    ScopeKind {
        /// One agent.
        Agent = "agent",
        /// The agents of one process.
        Process = "process",
        /// The agents of one host.
        Host = "host",
        /// The agents that need another agent, and that agent.
        Dependency = "dependency",
        /// The agents of one group.
        Group = "group",
        /// Agents all over the fleet.
        Fleet = "fleet",
        /// Most of the fleet at once: the collector suspects itself, or its network.
        Collector = "collector",
        /// A sink that takes no notices.
        Sink = "sink",
        /// A budget that has reached a level.
        Budget = "budget",
        /// A group that has too few replicas which run.
        Replicas = "replicas",
        /// Agents that were expected and have never been seen.
        Expected = "expected",
    }
}

named! {
    /// What a notice tells of its incident.
    NoticeKind {
        /// It began.
        Opened = "opened",
        /// It became worse, or has more members.
        Updated = "updated",
        /// It goes on, and nobody has acknowledged it.
        Reminder = "reminder",
        /// Nobody has acknowledged it in time: others are told.
        Escalated = "escalated",
        /// Its agent comes and goes: it is told again when that has ended.
        Flapping = "flapping",
        /// Its agent no longer comes and goes, and is still in trouble.
        Settled = "settled",
        /// It is over.
        Resolved = "resolved",
        /// It turned out to be part of another incident.
        Merged = "merged",
        /// Many incidents at once, in one list.
        Digest = "digest",
        /// Nothing happened: somebody tries a sink.
        Test = "test",
    }
}

named! {
    /// How far a notice has come with a sink.
    DeliveryState {
        /// It waits for its turn.
        Pending = "pending",
        /// An attempt was begun, and its outcome is not known.
        Attempted = "attempted",
        /// A silence holds it back, and it is sent if the trouble outlasts that.
        Held = "held",
        /// The sink took it.
        Delivered = "delivered",
        /// A later notice of the same incident told it as well.
        Merged = "merged",
        /// It was held back by a silence until all was over, so that nobody was told.
        Silenced = "silenced",
        /// The sink refused it, in plain text as well.
        Refused = "refused",
        /// It could not be delivered in time.
        Expired = "expired",
    }
}

impl DeliveryState {
    /// Returns whether something is still to be sent.
    pub const fn is_pending(self) -> bool {
        matches!(self, Self::Pending | Self::Attempted | Self::Held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_incident_has_a_short_name_that_leads_back_to_it() {
        for (number, text) in [(0, "0"), (35, "z"), (36, "10"), (1_795_747_264, "tp53gg")] {
            assert_eq!(IncidentId(number).to_string(), text);
            assert_eq!(text.to_uppercase().parse(), Ok(IncidentId(number)));
        }
        assert_eq!(IncidentId(u64::MAX).to_string().parse(), Ok(IncidentId(u64::MAX)));
        for wrong in ["", "tp-1", "ä", "-1", "zzzzzzzzzzzzzzzz"] {
            assert!(wrong.parse::<IncidentId>().is_err(), "{wrong}");
        }
        let notice = NoticeId { incident: IncidentId(36), number: 3 };
        assert_eq!(notice.to_string(), "10-3");
    }
}
