//! The first line of a message: who, what, since when, in this order, so that it makes sense on a watch.

use heartline_operator::message::{Incident, Notice};
use heartline_operator::text::notice::{
    Times, clean, duration, opened, scope, status_word, trouble,
};
use heartline_vocabulary::NoticeKind;

use crate::{CollectorLabel, Delivery};

/// What a delivery says first.
pub(super) struct Title {
    /// Empty where it is about no one thing.
    pub(super) who: String,
    /// What, and since when.
    pub(super) what: String,
}

impl Title {
    /// Returns both.
    pub(super) fn whole(&self) -> String {
        let Self { who, what } = self;
        if who.is_empty() { what.clone() } else { format!("{who}: {what}") }
    }
}

/// Returns the title of a delivery, whose last notice decides.
///
/// 1. What is over is told as over, however late, and never in the words of the trouble.
/// 2. What goes on is told with its begin and its age.
/// 3. What is told late says so.
pub(super) fn of(
    delivery: &Delivery<'_>,
    last: &Notice,
    times: Times<'_>,
    label: &CollectorLabel,
) -> Title {
    let incident = &last.incident;
    let (trouble, since) = (trouble(incident), since(incident, times));
    let mut what = match last.kind {
        NoticeKind::Opened => opened(incident, times),
        NoticeKind::Updated => format!("now {trouble} {since}"),
        NoticeKind::Reminder => format!("still {trouble} {since}"),
        NoticeKind::Escalated => format!("nobody has acknowledged, {trouble} {since}"),
        NoticeKind::Flapping => {
            format!("FLAPPING, {} outages {since}, now {}", incident.outages, state(incident))
        }
        NoticeKind::Settled => format!("no longer flapping, and {trouble} {since}"),
        NoticeKind::Resolved => resolved(incident, times),
        NoticeKind::Merged => match incident.merged_into {
            Some(other) => format!("part of incident {other} {since}"),
            None => format!("part of another incident {since}"),
        },
        NoticeKind::Digest => digest(last, times),
        NoticeKind::Test => {
            format!("Test of this sink by Heartline on {}: nothing is wrong", clean(&label.host))
        }
    };
    if delivery.notices.len() > 1 {
        what += "; delivered late";
    }
    let is_about_one = !matches!(last.kind, NoticeKind::Digest | NoticeKind::Test);
    Title { who: if is_about_one { scope(incident) } else { String::new() }, what }
}

/// Returns `since 14:02:31 UTC (4 min)`.
fn since(incident: &Incident, times: Times<'_>) -> String {
    format!("since {} ({})", times.at(incident.opened_ms), times.ago(incident.opened_ms))
}

fn state(incident: &Incident) -> String {
    incident.members.first().map_or_else(|| trouble(incident), |it| status_word(it.status))
}

/// Returns how long it was and when, and nothing of what it was.
fn resolved(incident: &Incident, times: Times<'_>) -> String {
    let end_ms = incident.ended_ms.unwrap_or(times.now_ms);
    let lasted = duration(end_ms.saturating_sub(incident.opened_ms));
    format!("RESOLVED after {lasted} ({})", times.span(incident.opened_ms, end_ms))
}

/// Returns how many incidents a list has.
fn digest(notice: &Notice, times: Times<'_>) -> String {
    let open = notice.listed.iter().filter(|it| it.ended_ms.is_none()).count();
    let over = notice.listed.len() - open;
    let at = times.at(notice.at_ms);
    let count = |count, one: &str, more: &str| match count {
        1 => format!("1 incident {one}"),
        count => format!("{count} incidents {more}"),
    };
    match (open, over) {
        (0, over) => format!("{}, {at}", count(over, "is over", "are over")),
        (open, 0) => format!("{}, {at}", count(open, "goes on", "go on")),
        (open, over) => format!("{}, {over} over, {at}", count(open, "goes on", "go on")),
    }
}

/// Returns an incident as an item of a list.
pub(super) fn listed(incident: &Incident, times: Times<'_>) -> String {
    let what = match incident.ended_ms {
        Some(_) => resolved(incident, times),
        None => opened(incident, times),
    };
    format!("{}: {what}", scope(incident))
}
