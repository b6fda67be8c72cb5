//! Segments of work on their way to the disk.

use std::collections::VecDeque;

use heartline_vocabulary::{AgentRowId, WorkTotals};

use crate::agent_table::AgentIndex;
use crate::context::AgentMut;
use crate::fleet::Fleet;
use crate::input::AgentMessage;
use crate::message::segment_of;
use crate::output::{HistoryDbRow, WorkRow, WriteTicket};
use crate::quality_record::QualityRecord;
use crate::time::MonoTime;

/// Largest number of uncommitted rows. Past it, segments are not applied: they stay pending in their
/// emitters, which send them again. That is how the store sheds load without losing anything.
const UNCOMMITTED_ROWS_MAX: usize = 65_536;

/// A row that was passed to the store and is not committed yet.
#[derive(Clone, Copy, Debug)]
struct UncommittedWork {
    ticket: WriteTicket,
    index: AgentIndex,
    id: AgentRowId,
    session: u64,
    segment: u64,
    /// What it added to the agent's totals.
    added: WorkTotals,
}

/// The rows that are not committed yet, oldest first, and the last ticket given out.
#[derive(Debug, Default)]
pub(crate) struct UncommittedWorkQueue {
    rows: VecDeque<UncommittedWork>,
    last: WriteTicket,
}

impl UncommittedWorkQueue {
    fn has_room(&self) -> bool {
        self.rows.len() < UNCOMMITTED_ROWS_MAX
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn last_ticket(&self) -> WriteTicket {
        self.last
    }

    fn next_ticket(&self) -> WriteTicket {
        WriteTicket(self.last.0 + 1)
    }

    fn push(&mut self, row: UncommittedWork) {
        debug_assert_eq!(row.ticket, self.next_ticket());
        self.last = row.ticket;
        self.rows.push_back(row);
    }

    /// Removes and returns the oldest row, if it was committed with `ticket`.
    fn pop_through(&mut self, ticket: WriteTicket) -> Option<UncommittedWork> {
        if self.rows.front()?.ticket > ticket { None } else { self.rows.pop_front() }
    }
}

impl AgentMut<'_> {
    /// Counts the segment that a live message carries, if it is new; returns whether the ack must
    /// wait for the disk.
    pub(crate) fn count_segment(&mut self, message: &AgentMessage<'_>, now: MonoTime) -> bool {
        let agent = &mut *self.agent;
        let Some(segment) = segment_of(&message.body) else { return false };
        let (id, last_lost) = (agent.id, agent.lost_reported);
        let lost = u32::try_from(agent.session.lost()).unwrap_or(u32::MAX);
        let Some(session) = agent.session_mut(message.session) else { return false };
        if segment.number <= session.applied {
            return segment.number > session.durable;
        }
        let queue = &mut self.context.uncommitted_work;
        if !queue.has_room() {
            self.context.work_shed += 1;
            return false;
        }
        session.applied = segment.number;
        let ticket = queue.next_ticket();
        let added = WorkTotals {
            ok: segment.ok,
            failed: segment.failed,
            cost_nano_usd: segment.cost_nano_usd,
            tokens_in: segment.tokens_in,
            tokens_out: segment.tokens_out,
        };
        let (index, session, segment_number) = (self.index, message.session, segment.number);
        queue.push(UncommittedWork { ticket, index, id, session, segment: segment_number, added });
        // A reordered message lowers the number of lost ones again; what was reported must not fall, or a
        // loss would be reported twice.
        agent.lost_reported = lost.max(last_lost);
        agent.totals = agent.totals.saturating_add(&added);
        agent.count_outcomes(&segment, self.context.thresholds.get(agent.thresholds), now);
        let row = WorkRow {
            ticket,
            id,
            session,
            segment: segment_number,
            at: now,
            work: added,
            latency: segment.latency.as_bytes().into(),
            quality: QualityRecord::of(agent, now),
            // This message is counted with the next row: it has not been judged yet.
            beats: std::mem::take(&mut agent.beats_since_row),
            lost: lost.saturating_sub(last_lost),
        };
        self.context.record(HistoryDbRow::Work(Box::new(row)));
        self.spend(&added, ticket);
        true
    }

    /// Records that a row is committed; `is_known`: it was there before, so it counts no further.
    fn on_work_stored(&mut self, row: &UncommittedWork, is_known: bool, now: MonoTime) {
        if is_known {
            self.agent.totals = self.agent.totals.saturating_sub(&row.added);
            self.unspend(&row.added, row.ticket);
            self.mark_changed();
        }
        let Some(session) = self.agent.session_mut(row.session) else { return };
        session.durable = session.durable.max(row.segment);
        if session.durable == row.segment {
            self.send_pending_ack(|pending| pending.session == row.session, now);
        }
    }
}

impl Fleet {
    /// Confirms everything that was committed up to `ticket` to the agents that wait for it.
    pub(crate) fn on_stored(&mut self, ticket: WriteTicket, known: &[WriteTicket], now: MonoTime) {
        while let Some(row) = self.context.uncommitted_work.pop_through(ticket) {
            if let Some(mut agent) = self.agent_mut_if(row.index, row.id) {
                agent.on_work_stored(&row, known.contains(&row.ticket), now);
            }
        }
    }
}
