//! Going on where the last collector ended.

use crate::agent::Agent;
use crate::fleet::Fleet;
use crate::gap::Gap;
use crate::input::RestoredAgent;
use crate::pauses::Pauses;
use crate::process::{ProcessEnd, ProcessExit};
use crate::session::{Session, SupersededSessions};
use crate::thresholds::IdleRule;
use crate::time::MonoTime;
use heartline_vocabulary::{AgentRowId, AgentStatus, GapCause, Reason, SessionEnd};

impl Fleet {
    pub(crate) fn on_restore(&mut self, restored: RestoredAgent, now: MonoTime) {
        if self.agents.is_full() || self.agents.find(&restored.agent).is_some() {
            return;
        }
        let mut sessions = restored.sessions.into_iter();
        let newest = sessions.next();
        let session =
            newest.map_or(Session::new(0, 0), |it| Session::new(it.session, it.applied_segment));
        let thresholds = self.context.thresholds.intern(&restored.agent);
        let mut agent = Agent::new(&restored.agent, restored.id, thresholds, session, now);
        let superseded = SupersededSessions::restored(
            sessions.map(|old| Session::new(old.session, old.applied_segment)),
        );
        agent.superseded = (!superseded.is_empty()).then(|| Box::new(superseded));
        match newest.and_then(|it| it.ended) {
            Some(SessionEnd::Shutdown) => agent.set_ended(ProcessEnd::Shutdown),
            Some(SessionEnd::Crashed) => {
                agent.set_ended(ProcessEnd::Crashed(ProcessExit::default()));
            }
            Some(SessionEnd::Superseded) | None => {}
        }
        // Stored times are wall-clock times: if the clock was set back, they convert to times after
        // `now`.
        agent.restored = Some(Box::new((restored.status, restored.since.min(now))));
        agent.last_live = restored.last_live.unwrap_or(MonoTime::NEVER_YET).min(now);
        agent.interval_ms = restored.interval_ms;
        agent.first_seen = restored.first_seen.min(now);
        agent.starts = restored.starts.max(u32::from(newest.is_some()));
        agent.identity_known = restored.identity.is_some();
        agent.identity = restored.identity;
        agent.generation = restored.desired.as_ref().map_or(0, |desired| desired.generation);
        agent.desired = restored.desired.map(|mut desired| {
            desired.at = desired.at.min(now);
            desired
        });
        agent.totals = restored.totals;
        agent.restore_quality(&restored.quality, restored.status.reason);
        let age = now.since(agent.last_live);
        let observed = self.context.clock.observed(now);
        agent.pauses = Pauses::restored(restored.quality.pauses, age, observed);
        let rule = self.context.thresholds.get(agent.thresholds).health.idle;
        if restored.status.reason == Some(Reason::Idle) && matches!(rule, IdleRule::Expected(_)) {
            agent.restore_idle();
        }
        agent.is_stored = true;
        self.next_row_id = self.next_row_id.max(AgentRowId(restored.id.0 + 1));
        let index = self.agents.insert(agent);
        let identity = self.agents.get(index).and_then(|agent| agent.identity());
        self.context.population.update((index, AgentStatus::UNKNOWN), None, identity);
        self.context.state_counts.add(AgentStatus::UNKNOWN);
    }

    /// Starts the judgement: each agent gets its full unreachable limit from now.
    pub(crate) fn on_begin(
        &mut self,
        last_alive: Option<MonoTime>,
        next_id: AgentRowId,
        now: MonoTime,
    ) {
        self.next_row_id = self.next_row_id.max(next_id);
        self.gap_detector.begin(now);
        if let Some(from) = last_alive {
            self.record_gap(Gap { from: from.min(now), to: now, cause: GapCause::Down });
        }
        self.for_each_agent(|mut it| {
            it.agent.silent_since = it.context.clock.observed(now);
            it.agent.pauses.restart(it.agent.silent_since);
            it.agent.since = now;
            it.rejudge(now, None);
            it.mark_changed();
        });
        self.begin_alerts(now);
    }
}
