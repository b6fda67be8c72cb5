//! What is not judged yet of an agent, in words.

use heartline_vocabulary::Reason;

/// Returns the reasons for which an agent is not judged yet, with what it takes to know its past.
pub fn learning(reasons: &[Reason]) -> String {
    let text = |reason: &Reason| match reason {
        Reason::Idle => "idle (3 days with work)".to_owned(),
        reason => format!("{} (40 tasks older than a day)", reason.name()),
    };
    reasons.iter().map(text).collect::<Vec<_>>().join(", ")
}
