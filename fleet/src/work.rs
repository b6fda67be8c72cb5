//! Segments of work on their way to the disk.

use std::collections::VecDeque;

use crate::fleet::Fleet;
use crate::input::Message;
use crate::message::{Freshness, segment_of};
use crate::output::{HistoryDbRow, Output, WorkRow, WriteTicket};
use crate::roster::AgentIndex;
use crate::time::MonoTime;
use heartline_vocabulary::AgentRowId;
use heartline_vocabulary::WorkTotals;

/// Most rows under way to the disk. Past it, segments are not applied: they stay pending in their
/// emitters, which send them again. That is how the store sheds load without losing anything.
pub(crate) const UNDER_WAY_MAX: usize = 65_536;

/// A row that has been handed to the store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UnconfirmedWork {
    pub(crate) ticket: WriteTicket,
    pub(crate) index: AgentIndex,
    pub(crate) id: AgentRowId,
    pub(crate) session: u64,
    pub(crate) segment: u64,
    /// What it added to the agent's totals.
    pub(crate) added: WorkTotals,
}

/// Rows under way, oldest first, and the numbers they get.
#[derive(Debug, Default)]
pub(crate) struct UnconfirmedWorkQueue {
    under_way: VecDeque<UnconfirmedWork>,
    last: WriteTicket,
}

impl UnconfirmedWorkQueue {
    pub(crate) fn has_room(&self) -> bool {
        self.under_way.len() < UNDER_WAY_MAX
    }

    pub(crate) fn len(&self) -> usize {
        self.under_way.len()
    }

    pub(crate) fn next_ticket(&self) -> WriteTicket {
        WriteTicket(self.last.0 + 1)
    }

    pub(crate) fn push(&mut self, row: UnconfirmedWork) {
        debug_assert_eq!(row.ticket, self.next_ticket());
        self.last = row.ticket;
        self.under_way.push_back(row);
    }

    /// The oldest row, if it is done by `ticket`.
    pub(crate) fn pop_through(&mut self, ticket: WriteTicket) -> Option<UnconfirmedWork> {
        if self.under_way.front()?.ticket > ticket { None } else { self.under_way.pop_front() }
    }
}

impl Fleet {
    /// Counts the segment that a live message carries, if it is new, and says whether the answer
    /// must wait for the disk.
    pub(crate) fn count_segment(
        &mut self,
        index: AgentIndex,
        message: &Message<'_>,
        now: MonoTime,
    ) -> bool {
        let Some(segment) = segment_of(&message.body) else { return false };
        let Some(agent) = self.roster.get_mut(index) else { return false };
        let (id, last_lost) = (agent.id, agent.lost_noted);
        let lost = u32::try_from(agent.session.lost()).unwrap_or(u32::MAX);
        let Some(session) = agent.session_mut(message.session) else { return false };
        if segment.number <= session.applied {
            return segment.number > session.durable;
        }
        if !self.pipeline.has_room() {
            self.counters.work_shed += 1;
            return false;
        }
        session.applied = segment.number;
        let ticket = self.pipeline.next_ticket();
        let added = WorkTotals {
            ok: segment.ok,
            failed: segment.failed,
            cost_nano_usd: segment.cost_nano_usd,
            tokens_in: segment.tokens_in,
            tokens_out: segment.tokens_out,
        };
        let (session, number) = (message.session, segment.number);
        self.pipeline.push(UnconfirmedWork { ticket, index, id, session, segment: number, added });
        // One that was overtaken had been counted as lost, and the next that is lost stands for it.
        agent.lost_noted = lost.max(last_lost);
        let row = WorkRow {
            ticket,
            id,
            session,
            segment: number,
            at: now,
            ok: segment.ok,
            failed: segment.failed,
            cost_nano_usd: segment.cost_nano_usd,
            tokens_in: segment.tokens_in,
            tokens_out: segment.tokens_out,
            latency: segment.latency.as_bytes().into(),
            // This message is counted with the next row: it has not been judged yet.
            beats: std::mem::take(&mut agent.beats),
            lost: lost.saturating_sub(last_lost),
        };
        agent.totals = agent.totals.saturating_add(&added);
        self.outputs.push_back(Output::Record(HistoryDbRow::Work(Box::new(row))));
        true
    }

    /// The disk has everything up to `ticket`: confirms it to the agents that wait.
    pub(crate) fn on_stored(&mut self, ticket: WriteTicket, known: &[WriteTicket], now: MonoTime) {
        while let Some(row) = self.pipeline.pop_through(ticket) {
            let agent = self.roster.get_mut(row.index).filter(|agent| agent.id == row.id);
            let Some(agent) = agent else {
                self.forgotten.stored(&row);
                continue;
            };
            // The disk had it from before: what was added for it here was too much.
            if known.contains(&row.ticket) {
                agent.totals = agent.totals.saturating_sub(&row.added);
                self.note_changed(row.index);
            }
            let Some(agent) = self.roster.get_mut(row.index) else { continue };
            let Some(session) = agent.session_mut(row.session) else { continue };
            session.durable = session.durable.max(row.segment);
            let durable = session.durable;
            if durable == row.segment
                && let Some(agent) = self.roster.get_mut(row.index)
                && let Some(question) = agent.question.take_if(|it| it.session == row.session)
            {
                self.answer(row.index, *question, Freshness::Live, now);
            }
        }
    }
}
