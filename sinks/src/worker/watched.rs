//! The incidents that a sink was told of, for those that have to be told again and again, or asked.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use heartline_operator::message::{Incident, Notice};
use heartline_vocabulary::{IncidentId, NoticeKind};

/// Time between two refreshes, and between two rounds of questions.
pub(super) const ROUND: Duration = Duration::from_secs(60);

/// How long an end is told again: Alertmanager forgets everything in a crash.
const ENDED_FOR: Duration = Duration::from_secs(15 * 60);

/// Most incidents; of more, the newest are left out.
const WATCHED_MAX: usize = 10_000;

/// Most questions in a round.
const QUESTIONS_MAX: usize = 20;

/// What a sink was told of.
#[derive(Debug, Default)]
pub(super) struct WatchedIncidents {
    open: BTreeMap<IncidentId, Incident>,
    ended: BTreeMap<IncidentId, (Duration, Incident)>,
    /// Where the last round of questions ended.
    asked_to: Option<IncidentId>,
}

impl WatchedIncidents {
    /// Begins with what is known of before.
    pub(super) fn new(open: Vec<Incident>, ended: Vec<Incident>, now: Duration) -> Self {
        Self {
            open: open.into_iter().take(WATCHED_MAX).map(|it| (it.id, it)).collect(),
            ended: ended.into_iter().take(WATCHED_MAX).map(|it| (it.id, (now, it))).collect(),
            asked_to: None,
        }
    }

    /// Takes in a notice that is sent.
    pub(super) fn told(&mut self, notice: &Notice, now: Duration) {
        match notice.kind {
            NoticeKind::Test => {}
            NoticeKind::Digest => notice.listed.iter().for_each(|it| self.take(it.clone(), now)),
            NoticeKind::Merged => {
                let mut incident = notice.incident.clone();
                incident.ended_ms.get_or_insert(notice.at_ms);
                self.take(incident, now);
            }
            _ => self.take(notice.incident.clone(), now),
        }
    }

    fn take(&mut self, incident: Incident, now: Duration) {
        if incident.ended_ms.is_some() {
            self.open.remove(&incident.id);
            if self.ended.len() < WATCHED_MAX {
                self.ended.insert(incident.id, (now, incident));
            }
        } else if self.open.len() < WATCHED_MAX || self.open.contains_key(&incident.id) {
            self.ended.remove(&incident.id);
            self.open.insert(incident.id, incident);
        }
    }

    /// Forgets an incident that nobody is told of any more.
    pub(super) fn forget(&mut self, id: IncidentId) {
        self.open.remove(&id);
        self.ended.remove(&id);
    }

    /// Notes who has acknowledged an incident.
    pub(super) fn acknowledged(
        &mut self,
        id: IncidentId,
        by: heartline_operator::message::Acknowledgement,
    ) {
        if let Some(incident) = self.open.get_mut(&id) {
            incident.acknowledged = Some(by);
        }
    }

    /// Returns what is open, without what nobody is to be told of yet, and what ended lately.
    pub(super) fn refreshed(
        &mut self,
        untold: &BTreeSet<IncidentId>,
        now: Duration,
    ) -> (Vec<Incident>, Vec<Incident>) {
        self.ended.retain(|_, (at, _)| now.saturating_sub(*at) <= ENDED_FOR);
        let ended = self.ended.values().map(|it| it.1.clone()).collect();
        let open = self.open.values().filter(|it| !untold.contains(&it.id));
        (open.cloned().collect(), ended)
    }

    /// Returns the next incidents of which nobody has taken care yet, in turns.
    pub(super) fn next_questions(&mut self) -> Vec<IncidentId> {
        let is_asked = |it: &&Incident| it.acknowledged.is_none();
        let after = self.asked_to;
        let ids = self.open.values().filter(is_asked).map(|it| it.id);
        let (later, earlier): (Vec<_>, Vec<_>) = ids.partition(|id| Some(*id) > after);
        let next: Vec<_> = later.into_iter().chain(earlier).take(QUESTIONS_MAX).collect();
        self.asked_to = next.last().copied();
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn an_end_is_told_for_a_quarter_of_an_hour() {
        let mut watched = WatchedIncidents::default();
        watched.told(&sample::notice(NoticeKind::Opened), MINUTE);
        let nobody = BTreeSet::new();
        assert_eq!(watched.refreshed(&nobody, 600 * MINUTE).0.len(), 1);
        let untold = BTreeSet::from([sample::notice(NoticeKind::Opened).incident.id]);
        assert!(watched.refreshed(&untold, 600 * MINUTE).0.is_empty());
        watched.told(&sample::notice(NoticeKind::Resolved), 600 * MINUTE);
        let (open, ended) = watched.refreshed(&nobody, 615 * MINUTE);
        assert_eq!((open.len(), ended.len()), (0, 1));
        assert!(watched.refreshed(&nobody, 616 * MINUTE).1.is_empty());
        watched.told(&sample::notice(NoticeKind::Test), MINUTE);
        assert!(watched.refreshed(&nobody, MINUTE).0.is_empty());
    }

    #[test]
    fn questions_go_in_turns() {
        let mut watched = WatchedIncidents::default();
        for id in 0..30 {
            let mut notice = sample::notice(NoticeKind::Opened);
            notice.incident.id = IncidentId(id);
            watched.told(&notice, MINUTE);
        }
        let by = heartline_operator::message::Acknowledgement { by: "ann".into(), at_ms: 0 };
        watched.acknowledged(IncidentId(3), by);
        let first = watched.next_questions();
        let second = watched.next_questions();
        assert_eq!((first.len(), first.contains(&IncidentId(3))), (20, false));
        assert_eq!((second.first(), second.len()), (Some(&IncidentId(21)), 20));
    }
}
