//! One agent against its expectation: a live message, and the state that is shown.

use std::time::Duration;

use heartline_fleet::{AgentView, Message, MonoTime};

use heartline_protocol::Body;
use heartline_vocabulary::SessionEnd;

use super::oracle::{NO_SESSION, REMEMBERED};
use super::violation::{Checked, hold};
use super::watched::Watched;

impl Watched {
    /// A message that is proven fresh, and came for the first time.
    pub(super) fn live(
        &mut self,
        message: &Message<'_>,
        view: &AgentView<'_>,
        now: MonoTime,
    ) -> Checked {
        let current = self.sessions.first().copied();
        self.newcomer = None;
        let is_switch = view.session() == message.session && current != Some(message.session);
        if is_switch {
            let at = self.sessions.iter().position(|&known| known == message.session);
            hold!(
                at.is_none_or(|at| at > REMEMBERED)
                    || current == Some(NO_SESSION)
                    || self.ended.is_some()
                    || now >= self.late_at(),
                "an old session took over from one that lives"
            );
            self.newcomer = at.is_none().then_some(message.session);
            self.sessions.retain(|&known| known != message.session && known != NO_SESSION);
            self.sessions.insert(0, message.session);
            self.ended = None;
            self.strangers.clear();
            self.told_sequence = 0;
            self.taken.insert((message.session, message.sequence));
        }
        if view.session() != message.session {
            hold!(
                self.sessions.contains(&message.session),
                "a live message of a new session did not make it the current one"
            );
            if let Body::Beat(beat) = &message.body {
                let shown_until = now + Watched::late_after(beat.interval_ms);
                self.conflict_until = self.conflict_until.max(shown_until);
            }
            return Ok(());
        }
        (self.heard_at, self.silent_from, self.settled) = (now, now, true);
        self.hasty = None;
        let is_news = message.sequence > self.told_sequence;
        self.told_sequence = self.told_sequence.max(message.sequence);
        match &message.body {
            Body::Beat(beat) if is_news && self.ended.is_none() => self.tell(beat, now),
            Body::Goodbye(_) => self.ended = Some(SessionEnd::Shutdown),
            Body::ExitReport(_) => self.ended = Some(SessionEnd::Crashed),
            _ => {}
        }
        Ok(())
    }

    /// Checks the agent's state as it is shown now; `swept_to`: until then nothing may be overdue.
    pub(super) fn check(
        &mut self,
        view: &AgentView<'_>,
        stall_after: Duration,
        swept_to: MonoTime,
        now: MonoTime,
    ) -> Checked {
        let shown = view.status();
        if shown != self.status {
            hold!(
                self.restored.take() == Some(shown),
                "{} is {shown:?} and history says {:?}",
                view.name(),
                self.status
            );
            self.status = shown;
        }
        let overdue = self.boundaries().into_iter().filter(|&at| swept_to <= at && at <= now);
        let allowed =
            overdue.chain([now, swept_to]).any(|at| self.expected(at, stall_after) == shown);
        hold!(
            allowed || self.hasty == Some(shown),
            "{} is {shown:?} and should be {:?}: {self:?}",
            view.name(),
            self.expected(now, stall_after)
        );
        let generation = view.desired().map_or(0, |desired| desired.generation);
        hold!(
            generation == self.generation,
            "{} has generation {generation}, durable is {}",
            view.name(),
            self.generation
        );
        Ok(())
    }
}
