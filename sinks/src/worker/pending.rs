//! What is to be sent, in order.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use heartline_operator::message::Notice;
use heartline_vocabulary::{IncidentId, NoticeId, NoticeKind};

use crate::Form;

/// Most pending notices of a sink.
pub const PENDING_MAX: usize = 10_000;

/// The oldest that become one list where there are more.
const LISTED_AT_ONCE: usize = 1_000;

/// Members that an incident keeps in such a list.
const LISTED_MEMBERS_MAX: usize = 3;

/// Most notices that one message stands for.
const MERGED_MAX: usize = 50;

/// A notice that is to be sent.
#[derive(Clone, Debug, PartialEq)]
pub struct PendingNotice {
    pub notice: Notice,
    /// History has it.
    pub is_stored: bool,
    /// An attempt was made whose outcome is not known.
    pub may_have_arrived: bool,
}

/// A pending notice with what the worker knows of it.
#[derive(Clone, Debug)]
pub(super) struct QueuedNotice {
    pub(super) pending: PendingNotice,
    /// By a clock that nobody sets.
    pub(super) queued_at: Duration,
    pub(super) form: Form,
}

/// The pending notices of a sink, the oldest first.
#[derive(Debug, Default)]
pub(super) struct PendingQueue {
    notices: VecDeque<QueuedNotice>,
}

/// Notices that became part of another one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) notices: Vec<NoticeId>,
}

impl PendingQueue {
    pub(super) fn len(&self) -> usize {
        self.notices.len()
    }

    /// Adds a notice. Where there are too many, the oldest become one list, which has the id of the last of
    /// them; returns the others.
    pub(super) fn push(&mut self, notice: QueuedNotice) -> Option<Listed> {
        self.notices.push_back(notice);
        if self.notices.len() <= PENDING_MAX {
            return None;
        }
        let oldest: Vec<QueuedNotice> = self.notices.drain(..LISTED_AT_ONCE).collect();
        let (list, listed) = list(&oldest)?;
        self.notices.push_front(list);
        Some(listed)
    }

    /// Takes the notices of the next message: the oldest, and those of the same incident that came since.
    /// Lists and tests go alone.
    pub(super) fn take_next(&mut self) -> Vec<QueuedNotice> {
        let Some(first) = self.notices.pop_front() else { return Vec::new() };
        let mut batch = vec![first];
        let Some(incident) = merged_by(&batch[0]) else { return batch };
        let mut at = 0;
        while at < self.notices.len() && batch.len() < MERGED_MAX {
            if merged_by(&self.notices[at]) == Some(incident) {
                batch.extend(self.notices.remove(at));
            } else {
                at += 1;
            }
        }
        batch
    }

    /// Puts notices back that are to be sent first.
    pub(super) fn put_back(&mut self, batch: Vec<QueuedNotice>) {
        batch.into_iter().rev().for_each(|it| self.notices.push_front(it));
    }

    /// Takes what was queued too long ago.
    pub(super) fn take_older(&mut self, than: Duration) -> Vec<QueuedNotice> {
        let mut old = Vec::new();
        while self.notices.front().is_some_and(|it| it.queued_at < than) {
            old.extend(self.notices.pop_front());
        }
        old
    }

    /// Takes all that is pending.
    pub(super) fn drain(&mut self) -> Vec<PendingNotice> {
        self.notices.drain(..).map(|it| it.pending).collect()
    }
}

/// Returns the incident by which a notice is merged with others.
fn merged_by(queued: &QueuedNotice) -> Option<IncidentId> {
    let notice = &queued.pending.notice;
    let goes_alone = matches!(notice.kind, NoticeKind::Digest | NoticeKind::Test);
    (!goes_alone).then_some(notice.id.incident)
}

/// Returns the list that stands for notices, and those that become part of it.
fn list(oldest: &[QueuedNotice]) -> Option<(QueuedNotice, Listed)> {
    let last = oldest.last()?;
    let mut incidents = BTreeMap::new();
    for queued in oldest {
        let notice = &queued.pending.notice;
        let own = std::iter::once(&notice.incident).filter(|_| notice.kind != NoticeKind::Digest);
        for incident in own.chain(&notice.listed) {
            let mut incident = incident.clone();
            incident.members.truncate(LISTED_MEMBERS_MAX);
            incidents.insert(incident.id, incident);
        }
    }
    let mut listed: Vec<_> = incidents.into_values().collect();
    // What goes on first, the most urgent before others.
    listed.sort_by_key(|it| (it.ended_ms.is_some(), std::cmp::Reverse(it.severity), it.opened_ms));
    listed.truncate(LISTED_AT_ONCE);
    let notice = Notice { kind: NoticeKind::Digest, listed, ..last.pending.notice.clone() };
    let pending = PendingNotice {
        notice,
        is_stored: oldest.iter().all(|it| it.pending.is_stored),
        may_have_arrived: oldest.iter().any(|it| it.pending.may_have_arrived),
    };
    let id = last.pending.notice.id;
    let notices = oldest.iter().map(|it| it.pending.notice.id).filter(|it| *it != id).collect();
    Some((QueuedNotice { pending, ..last.clone() }, Listed { notices }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn queued(incident: u64, number: u32, kind: NoticeKind) -> QueuedNotice {
        let mut notice = sample::notice(kind);
        notice.incident.id = IncidentId(incident);
        notice.id = NoticeId { incident: IncidentId(incident), number };
        let pending = PendingNotice { notice, is_stored: true, may_have_arrived: false };
        let queued_at = Duration::from_secs(incident);
        QueuedNotice { pending, queued_at, form: Form::Full }
    }

    fn ids(batch: &[QueuedNotice]) -> Vec<String> {
        batch.iter().map(|it| it.pending.notice.id.to_string()).collect()
    }

    #[test]
    fn what_came_since_of_the_same_incident_goes_with_the_oldest() {
        let mut queue = PendingQueue::default();
        for (incident, number, kind) in [
            (1, 1, NoticeKind::Opened),
            (2, 1, NoticeKind::Opened),
            (1, 2, NoticeKind::Updated),
            (2, 2, NoticeKind::Digest),
            (1, 3, NoticeKind::Resolved),
        ] {
            assert_eq!(queue.push(queued(incident, number, kind)), None);
        }
        let batch = queue.take_next();
        assert_eq!(ids(&batch), ["1-1", "1-2", "1-3"]);
        // It failed, and goes first again.
        queue.put_back(batch);
        assert_eq!(ids(&queue.take_next()), ["1-1", "1-2", "1-3"]);
        assert_eq!(ids(&queue.take_next()), ["2-1"]);
        assert_eq!(ids(&queue.take_next()), ["2-2"]);
        assert!(queue.take_next().is_empty());
    }

    #[test]
    fn too_many_become_a_list_and_none_is_lost() {
        let mut queue = PendingQueue::default();
        let mut listed = Vec::new();
        let count = 12_500;
        for incident in 0..count {
            listed.extend(queue.push(queued(incident, 1, NoticeKind::Opened)));
            assert!(queue.len() <= PENDING_MAX);
        }
        let merged: usize = listed.iter().map(|it| it.notices.len()).sum();
        let first = queue.take_next();
        let list = &first[0].pending.notice;
        assert_eq!(list.kind, NoticeKind::Digest);
        assert_eq!(usize::try_from(count).unwrap(), merged + 1 + queue.len());
        assert!(list.listed.len() <= LISTED_AT_ONCE && !list.listed.is_empty());
    }

    #[test]
    fn old_ones_are_taken_from_the_front() {
        let mut queue = PendingQueue::default();
        (1..5).for_each(|it| drop(queue.push(queued(it, 1, NoticeKind::Opened))));
        assert_eq!(ids(&queue.take_older(Duration::from_secs(3))), ["1-1", "2-1"]);
        assert_eq!(queue.len(), 2);
    }
}
