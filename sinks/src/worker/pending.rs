//! What is to be sent, in order.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use heartline_operator::message::Notice;
use heartline_vocabulary::{DeliveryState, IncidentId, NoticeId, NoticeKind};

use super::held::{HeldEnd, HeldNotices, HeldPlace};
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

impl QueuedNotice {
    pub(super) fn kind(&self) -> NoticeKind {
        self.pending.notice.kind
    }
}

/// The pending notices of a sink, the oldest first.
#[derive(Debug, Default)]
pub(super) struct PendingQueue {
    notices: VecDeque<QueuedNotice>,
    held: HeldNotices,
    /// The incident of the message that is being sent.
    in_flight: Option<IncidentId>,
    changes: Vec<StateChange>,
}

/// What became of notices without an attempt.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct StateChange {
    pub(super) notices: Vec<NoticeId>,
    pub(super) state: DeliveryState,
    pub(super) why: &'static str,
}

impl PendingQueue {
    /// Returns how many there are, with those that are held back.
    pub(super) fn len(&self) -> usize {
        self.notices.len() + self.held.len()
    }

    /// Returns whether there is one that may be sent.
    pub(super) fn is_ready(&self) -> bool {
        !self.notices.is_empty()
    }

    /// Takes what became of notices without an attempt since the last call.
    pub(super) fn take_changes(&mut self) -> Vec<StateChange> {
        std::mem::take(&mut self.changes)
    }

    /// Adds a notice. Where there are too many, the oldest become one list, which has the id of the last of
    /// them.
    pub(super) fn push(&mut self, notice: QueuedNotice) {
        if let Some(incident) = merged_by(&notice).filter(|it| self.held.holds(*it)) {
            self.hold_back(incident, HeldPlace::Last, vec![notice]);
            return;
        }
        self.notices.push_back(notice);
        if self.notices.len() <= PENDING_MAX {
            return;
        }
        let oldest: Vec<QueuedNotice> = self.notices.drain(..LISTED_AT_ONCE).collect();
        let Some((list, listed)) = list(&oldest) else { return };
        self.notices.push_front(list);
        let why = "part of a list: too many were pending";
        self.changes.push(StateChange { notices: listed, state: DeliveryState::Merged, why });
    }

    /// Holds back what is pending of silenced incidents, and what comes of them, until [`Self::release`].
    pub(super) fn hold(&mut self, incidents: &BTreeSet<IncidentId>) {
        incidents.iter().for_each(|it| self.held.begin(*it));
        let is_held = |it: &QueuedNotice| merged_by(it).is_some_and(|it| incidents.contains(&it));
        let (held, others): (Vec<_>, Vec<_>) = self.notices.drain(..).partition(is_held);
        self.notices = others.into();
        for notice in held {
            let incident = notice.pending.notice.id.incident;
            self.hold_back(incident, HeldPlace::Last, vec![notice]);
        }
    }

    /// Sends what was held back of an incident: as if it had come now, as it is to be tried for a whole day. What becomes
    /// of one that is over is seen when the message that is being sent of it has come back.
    pub(super) fn release(&mut self, incident: IncidentId, now: Duration) {
        if self.in_flight == Some(incident) && self.held.has_end(incident) {
            return;
        }
        let released = self.held.end(incident);
        let why = "the silence is over";
        self.note_untried(&released, DeliveryState::Pending, why);
        self.notices.extend(released.into_iter().map(|it| QueuedNotice { queued_at: now, ..it }));
    }

    /// Returns the incidents of which nobody was told, as that is held back.
    pub(super) fn untold(&self) -> BTreeSet<IncidentId> {
        self.held.untold()
    }

    fn hold_back(&mut self, incident: IncidentId, at: HeldPlace, batch: Vec<QueuedNotice>) {
        self.note_untried(&batch, DeliveryState::Held, "silenced");
        self.held.add(incident, at, batch);
        if self.in_flight != Some(incident) {
            self.settle(incident);
        }
    }

    /// Decides what becomes of an incident that is over.
    fn settle(&mut self, incident: IncidentId) {
        match self.held.take_ended(incident) {
            Some(HeldEnd::Send(notices)) => self.notices.extend(notices),
            Some(HeldEnd::Drop(notices)) => {
                let why = "silenced until it was over";
                self.note_untried(&notices, DeliveryState::Silenced, why);
            }
            None => {}
        }
    }

    /// Notes what becomes of notices; of those that may have arrived that stays noted.
    fn note_untried(&mut self, batch: &[QueuedNotice], state: DeliveryState, why: &'static str) {
        let untried = batch.iter().filter(|it| !it.pending.may_have_arrived);
        let notices: Vec<NoticeId> = untried.map(|it| it.pending.notice.id).collect();
        if !notices.is_empty() {
            self.changes.push(StateChange { notices, state, why });
        }
    }

    /// Takes the notices of the next message: the oldest, and those of the same incident that came since.
    /// Lists and tests go alone.
    pub(super) fn take_next(&mut self) -> Vec<QueuedNotice> {
        let Some(first) = self.notices.pop_front() else { return Vec::new() };
        let mut batch = vec![first];
        let Some(incident) = merged_by(&batch[0]) else { return batch };
        self.in_flight = Some(incident);
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

    /// Puts notices back that are to be sent first, unless a silence has begun meanwhile.
    pub(super) fn put_back(&mut self, batch: Vec<QueuedNotice>) {
        self.in_flight = None;
        let incident = batch.first().and_then(merged_by);
        if let Some(incident) = incident.filter(|it| self.held.holds(*it)) {
            self.hold_back(incident, HeldPlace::First, batch);
            return;
        }
        batch.into_iter().rev().for_each(|it| self.notices.push_front(it));
    }

    /// Takes in that the message that was being sent is not to be sent again.
    pub(super) fn done(&mut self) {
        if let Some(incident) = self.in_flight.take() {
            self.settle(incident);
        }
    }

    /// Takes what was queued too long ago.
    pub(super) fn take_older(&mut self, than: Duration) -> Vec<QueuedNotice> {
        let mut old = Vec::new();
        while self.notices.front().is_some_and(|it| it.queued_at < than) {
            old.extend(self.notices.pop_front());
        }
        old
    }

    /// Takes all that is pending, also what is held back.
    pub(super) fn drain(&mut self) -> Vec<PendingNotice> {
        let mut all: Vec<QueuedNotice> = self.held.drain().chain(self.notices.drain(..)).collect();
        all.sort_by_key(|it| it.queued_at);
        all.into_iter().map(|it| it.pending).collect()
    }
}

/// Returns the incident by which a notice is merged with others.
fn merged_by(queued: &QueuedNotice) -> Option<IncidentId> {
    let notice = &queued.pending.notice;
    let goes_alone = matches!(notice.kind, NoticeKind::Digest | NoticeKind::Test);
    (!goes_alone).then_some(notice.id.incident)
}

/// Returns the list that stands for notices, and those that become part of it.
fn list(oldest: &[QueuedNotice]) -> Option<(QueuedNotice, Vec<NoticeId>)> {
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
    let listed = oldest.iter().map(|it| it.pending.notice.id).filter(|it| *it != id).collect();
    Some((QueuedNotice { pending, ..last.clone() }, listed))
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
            queue.push(queued(incident, number, kind));
        }
        assert_eq!(queue.take_changes(), []);
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
        let count = 12_500;
        for incident in 0..count {
            queue.push(queued(incident, 1, NoticeKind::Opened));
            assert!(queue.len() <= PENDING_MAX);
        }
        let merged: usize = queue.take_changes().iter().map(|it| it.notices.len()).sum();
        let first = queue.take_next();
        let list = &first[0].pending.notice;
        assert_eq!(list.kind, NoticeKind::Digest);
        assert_eq!(usize::try_from(count).unwrap(), merged + 1 + queue.len());
        assert!(list.listed.len() <= LISTED_AT_ONCE && !list.listed.is_empty());
    }

    #[test]
    fn old_ones_are_taken_from_the_front() {
        let mut queue = PendingQueue::default();
        (1..5).for_each(|it| queue.push(queued(it, 1, NoticeKind::Opened)));
        assert_eq!(ids(&queue.take_older(Duration::from_secs(3))), ["1-1", "2-1"]);
        assert_eq!(queue.len(), 2);
    }

    /// What became of notices, a line each.
    fn changes(queue: &mut PendingQueue) -> Vec<String> {
        let line = |it: StateChange| {
            let notices: Vec<String> = it.notices.iter().map(ToString::to_string).collect();
            format!("{} {}", notices.join(" "), it.state.name())
        };
        queue.take_changes().into_iter().map(line).collect()
    }

    #[test]
    fn what_is_silenced_waits_and_goes_on_after_it() {
        let mut queue = PendingQueue::default();
        queue.push(queued(1, 1, NoticeKind::Opened));
        queue.push(queued(2, 1, NoticeKind::Opened));
        queue.hold(&BTreeSet::from([IncidentId(1)]));
        queue.push(queued(1, 2, NoticeKind::Updated));
        assert_eq!(ids(&queue.take_next()), ["2-1"]);
        assert!(!queue.is_ready() && queue.len() == 2);
        assert_eq!(queue.untold(), BTreeSet::from([IncidentId(1)]));
        // It is tried for a day from then on, however long the silence was.
        let day = Duration::from_secs(86_400);
        queue.release(IncidentId(1), day);
        assert!(queue.take_older(day).is_empty());
        assert_eq!(ids(&queue.take_next()), ["1-1", "1-2"]);
        assert_eq!(changes(&mut queue), ["1-1 held", "1-2 held", "1-1 1-2 pending"]);
    }

    #[test]
    fn an_attempt_that_fails_while_a_silence_begins_is_the_last() {
        let mut queue = PendingQueue::default();
        queue.push(queued(1, 1, NoticeKind::Opened));
        let batch = queue.take_next();
        queue.hold(&BTreeSet::from([IncidentId(1)]));
        queue.put_back(batch);
        assert!(!queue.is_ready());
        // It is over before the silence is: nobody hears of it.
        queue.push(queued(1, 2, NoticeKind::Resolved));
        assert_eq!((queue.is_ready(), queue.len()), (false, 0));
        assert_eq!(changes(&mut queue), ["1-1 held", "1-2 held", "1-1 1-2 silenced"]);
    }

    #[test]
    fn what_is_over_while_it_is_being_sent_is_decided_when_that_has_come_back() {
        let being_sent = || {
            let mut queue = PendingQueue::default();
            queue.push(queued(1, 1, NoticeKind::Opened));
            let batch = queue.take_next();
            queue.hold(&BTreeSet::from([IncidentId(1)]));
            queue.push(queued(1, 2, NoticeKind::Resolved));
            queue.release(IncidentId(1), Duration::ZERO);
            (queue, batch)
        };
        let (mut failed, batch) = being_sent();
        failed.put_back(batch);
        assert_eq!((failed.is_ready(), failed.len()), (false, 0));
        assert_eq!(changes(&mut failed).last().unwrap(), "1-1 1-2 silenced");
        let (mut delivered, _) = being_sent();
        delivered.done();
        assert_eq!(ids(&delivered.take_next()), ["1-2"]);
    }

    #[test]
    fn who_was_told_or_may_have_been_hears_of_the_end_under_a_silence() {
        let mut queue = PendingQueue::default();
        queue.hold(&BTreeSet::from([IncidentId(1), IncidentId(2)]));
        let mut opened = queued(1, 1, NoticeKind::Opened);
        opened.pending.may_have_arrived = true;
        queue.push(opened);
        queue.push(queued(1, 2, NoticeKind::Resolved));
        assert_eq!(ids(&queue.take_next()), ["1-1", "1-2"]);
        queue.push(queued(2, 2, NoticeKind::Updated));
        queue.push(queued(2, 3, NoticeKind::Merged));
        assert_eq!(ids(&queue.take_next()), ["2-2", "2-3"]);
    }

    #[test]
    fn a_worker_that_ends_gives_back_what_is_held_in_its_order() {
        let mut queue = PendingQueue::default();
        queue.push(queued(3, 1, NoticeKind::Opened));
        queue.hold(&BTreeSet::from([IncidentId(2)]));
        queue.push(queued(2, 1, NoticeKind::Opened));
        let drained: Vec<String> =
            queue.drain().iter().map(|it| it.notice.id.to_string()).collect();
        assert_eq!((drained, queue.len()), (vec!["2-1".to_owned(), "3-1".to_owned()], 0));
    }
}
