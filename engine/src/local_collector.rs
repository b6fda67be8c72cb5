//! The collector that a supervisor is to the emitters of its own process (`SPEC.md`, section 13.1).

use std::collections::BTreeMap;
use std::time::Duration;

use heartline_protocol::body::{Ack, Beat, Body, COUNT_MAX, SegmentView};
use heartline_protocol::challenge::ChallengeKey;
use heartline_protocol::limits::CHALLENGE_LEN;
use heartline_protocol::wire::UntrustedText;
use heartline_protocol::{
    AgentName, BudgetLeft, Datagram, DatagramError, DatagramWriter, Direction, Header, MessageType,
    Phase, ReplayWindow,
};

use crate::config::AgentKeys;
use crate::identity::IdentityConfig;
use crate::metrics::{BeatVitals, InMemoryMetrics, MetricsSource as _};
use crate::segment::SegmentBuilder;
use crate::time::MonoNanos;

/// Most emitters of one process and its children.
const EMITTERS_MAX: usize = 64;
/// An emitter that says nothing for so many of its intervals is silent…
const SILENT_INTERVALS: u32 = 3;
/// …and for so many, beside another one that speaks, gone with its process.
const GONE_INTERVALS: u32 = 10;

/// Takes the messages of emitters that speak for the supervised agent, and answers them as a collector
/// would. Their work is in [`Self::take`], what they do in [`Self::vitals`].
#[derive(Debug)]
pub struct LocalCollector {
    agent: AgentName,
    keys: AgentKeys,
    challenge_key: ChallengeKey,
    emitters: BTreeMap<u64, LocalEmitter>,
    /// Work that was acknowledged and not taken.
    work: InMemoryMetrics,
    /// The newest identity, until it is taken.
    identity: Option<IdentityConfig>,
    /// What is left of the supervisor's budget after the work that was taken.
    budget: Option<BudgetLeft>,
}

/// One session of an emitter of the process.
#[derive(Debug)]
struct LocalEmitter {
    window: ReplayWindow,
    /// Highest segment that was counted.
    counted: u64,
    last_sequence: u64,
    interval: Duration,
    heard_at: MonoNanos,
    /// It has sent its identity.
    is_known: bool,
    /// As of its newest beat; `None` before the first live one, and after its end.
    vitals: Option<BeatVitals>,
}

impl LocalCollector {
    /// Creates a collector for the emitters of `agent`. `challenge_key` is random.
    pub fn new(agent: AgentName, keys: AgentKeys, challenge_key: &[u8; 32]) -> Self {
        Self {
            agent,
            keys,
            challenge_key: ChallengeKey::new(challenge_key),
            emitters: BTreeMap::new(),
            work: InMemoryMetrics::default(),
            identity: None,
            budget: None,
        }
    }

    /// Sets what is left of the supervisor's budget after all work that was taken.
    pub fn set_budget(&mut self, budget: Option<BudgetLeft>) {
        self.budget = budget;
    }

    /// Returns what is left of the budget after the work that was not taken yet, too.
    pub fn budget_left(&self) -> Option<BudgetLeft> {
        let budget = self.budget?;
        let amount = budget.amount.saturating_sub(budget.unit.of(&self.work.open.sums()));
        Some(BudgetLeft { amount, ..budget })
    }

    /// Replaces the keys, after the token was replaced.
    pub fn rekey(&mut self, keys: AgentKeys) {
        self.keys = keys;
    }

    /// Handles a datagram of the process, and writes its answer into `reply`. Returns whether there is
    /// one.
    ///
    /// # Errors
    /// [`DatagramError`] when it is not of an emitter of this agent.
    pub fn handle_datagram(
        &mut self,
        bytes: &[u8],
        now: MonoNanos,
        reply: &mut Vec<u8>,
    ) -> Result<bool, DatagramError> {
        let datagram = Datagram::parse(bytes)?.check_direction(Direction::Up)?;
        if datagram.claimed().agent != self.agent.as_str() {
            return Err(DatagramError::BadAgent);
        }
        let verified = datagram.verify(&self.keys.up)?;
        let body = verified.decode()?;
        let header = verified.header;
        let challenge = self.challenge_key.challenge(header.agent, header.session, 0, 0);
        let is_live = header.challenge == challenge;
        if !self.make_room(header.session, now) {
            return Ok(false);
        }
        let emitter = self.emitters.entry(header.session).or_insert_with(|| LocalEmitter::new(now));
        if !emitter.window.accept(header.sequence) {
            return Ok(false);
        }
        if is_live {
            emitter.take(&header, &body, now, &mut self.work);
            if let Body::Beat(Beat { identity: Some(identity), .. }) = &body {
                emitter.is_known = true;
                self.identity = Some(IdentityConfig::from_view(identity));
            }
        }
        let mut ack = Ack {
            durable_segment: emitter.counted,
            unconfirmed: !is_live,
            wants_identity: is_live && !emitter.is_known,
            highest_sequence: emitter.window.highest(),
            ..Ack::default()
        };
        ack.budget = self.share_of_budget(now);
        Ok(self.write_ack(&header, challenge, ack, reply))
    }

    /// Returns the share of one emitter in what is left. One that has used up its share beats at once,
    /// and is told the next: so what the last task of each costs is all that may be used beyond it.
    fn share_of_budget(&self, now: MonoNanos) -> Option<BudgetLeft> {
        let budget = self.budget_left()?;
        let speaking = self.present(now).filter(|emitter| emitter.vitals.is_some()).count();
        let amount = budget.amount.div_ceil(speaking.max(1) as u64);
        Some(BudgetLeft { amount, ..budget })
    }

    /// Makes room for one more session, in the place of one that has ended: of others it must be known
    /// which segments were counted. Returns whether there is room.
    fn make_room(&mut self, session: u64, now: MonoNanos) -> bool {
        if self.emitters.len() < EMITTERS_MAX || self.emitters.contains_key(&session) {
            return true;
        }
        let ended = self.emitters.iter().filter(|(_, it)| it.vitals.is_none() || it.is_gone(now));
        let oldest = ended.min_by_key(|(_, emitter)| emitter.heard_at).map(|(&id, _)| id);
        oldest.is_some_and(|id| self.emitters.remove(&id).is_some())
    }

    fn write_ack(
        &self,
        asked: &Header<'_>,
        challenge: [u8; CHALLENGE_LEN],
        ack: Ack,
        reply: &mut Vec<u8>,
    ) -> bool {
        let header = Header { kind: MessageType::Ack, challenge, ..*asked };
        let mut writer = DatagramWriter::new(reply, &header);
        ack.write(writer.body());
        writer.seal(&self.keys.down).is_ok()
    }

    /// Ends all emitters, after the process has ended. Their work stays.
    pub fn end_emitters(&mut self) {
        self.emitters.values_mut().for_each(|emitter| emitter.vitals = None);
    }

    /// Returns what the emitters last reported, ages counted on; `None` while there is none. Of several,
    /// tasks are added up, the oldest task and the newest progress count, and the rest is of the newest
    /// beat.
    pub fn vitals(&self, now: MonoNanos) -> Option<BeatVitals> {
        let mut sum: Option<BeatVitals> = None;
        for emitter in self.present(now) {
            let Some(vitals) = &emitter.vitals else { continue };
            let age = now.since(emitter.heard_at);
            let oldest = vitals.oldest_in_flight.map(|oldest| oldest + age);
            let progress = vitals.progress_age.map(|progress| progress + age);
            let before = sum.take().unwrap_or_default();
            sum = Some(BeatVitals {
                in_flight: before.in_flight.saturating_add(vitals.in_flight),
                oldest_in_flight: before.oldest_in_flight.max(oldest),
                progress_age: match (before.progress_age, progress) {
                    (Some(before), Some(progress)) => Some(before.min(progress)),
                    (before, progress) => before.or(progress),
                },
                lost_observations: before
                    .lost_observations
                    .saturating_add(vitals.lost_observations),
                ..vitals.clone()
            });
        }
        sum
    }

    /// Returns for how long the process' emitters have said nothing, if it has any and they are silent.
    pub fn silent_for(&self, now: MonoNanos) -> Option<Duration> {
        let speaking = |emitter: &&LocalEmitter| emitter.vitals.is_some();
        let newest = self.emitters.values().filter(speaking).max_by_key(|it| it.heard_at)?;
        let silence = now.since(newest.heard_at);
        (silence > newest.interval * SILENT_INTERVALS).then_some(silence)
    }

    /// Takes the identity that an emitter has reported since it was last taken.
    pub fn take_identity(&mut self) -> Option<IdentityConfig> {
        self.identity.take()
    }

    /// Returns whether there is work that was not taken.
    pub fn has_work(&self) -> bool {
        self.work.open != SegmentBuilder::default() || !self.work.latency.is_empty()
    }

    /// Moves work into `segment`, as [`MetricsSource::take`](crate::MetricsSource::take) does.
    pub fn take(&mut self, segment: &mut SegmentBuilder) -> bool {
        self.work.take(segment)
    }

    /// Returns the emitters that count, the one heard last at the end: not those that are gone beside
    /// others that speak.
    fn present(&self, now: MonoNanos) -> impl Iterator<Item = &LocalEmitter> {
        let mut emitters: Vec<_> = self.emitters.values().collect();
        emitters.sort_by_key(|emitter| emitter.heard_at);
        let newest = emitters.last().map(|emitter| emitter.heard_at);
        emitters
            .into_iter()
            .filter(move |emitter| !emitter.is_gone(now) || Some(emitter.heard_at) == newest)
    }
}

impl LocalEmitter {
    fn new(now: MonoNanos) -> Self {
        Self {
            window: ReplayWindow::default(),
            counted: 0,
            last_sequence: 0,
            interval: Duration::ZERO,
            heard_at: now,
            is_known: false,
            vitals: None,
        }
    }

    fn is_gone(&self, now: MonoNanos) -> bool {
        now.since(self.heard_at) > self.interval * GONE_INTERVALS
    }

    /// Takes a live message.
    fn take(
        &mut self,
        header: &Header<'_>,
        body: &Body<'_>,
        now: MonoNanos,
        work: &mut InMemoryMetrics,
    ) {
        self.heard_at = now;
        let is_newest = header.sequence > self.last_sequence;
        self.last_sequence = self.last_sequence.max(header.sequence);
        let segment = match body {
            Body::Beat(beat) => {
                if is_newest {
                    self.interval = Duration::from_millis(u64::from(beat.interval_ms));
                    self.vitals = Some(vitals_of(beat));
                }
                beat.segment
            }
            Body::Goodbye(goodbye) => {
                self.vitals = None;
                goodbye.segment
            }
            Body::ExitReport(report) => {
                self.vitals = None;
                report.segment
            }
            Body::Ack(_) | Body::Push(_) => None,
        };
        if let Some(segment) = segment.filter(|segment| segment.number > self.counted) {
            self.counted = segment.number;
            add(work, &segment);
        }
    }
}

fn vitals_of(beat: &Beat<'_>) -> BeatVitals {
    BeatVitals {
        phase: if beat.phase == Phase::Stopping { Phase::Running } else { beat.phase },
        in_flight: beat.in_flight,
        oldest_in_flight: beat.oldest_in_flight_ms.map(Duration::from_millis),
        progress_age: beat.progress_age_ms.map(Duration::from_millis),
        queue: beat.queue,
        step: beat.step.map(UntrustedText::scrubbed),
        lost_observations: beat.lost_observations,
        stall_after: beat.stall_after_ms.map(|after_ms| Duration::from_millis(u64::from(after_ms))),
        process: None,
    }
}

/// Adds a segment to open work. A sum at its limit stays there.
fn add(work: &mut InMemoryMetrics, segment: &SegmentView<'_>) {
    let open = &mut work.open;
    let sums = [
        (&mut open.ok, segment.ok),
        (&mut open.failed, segment.failed),
        (&mut open.cost_nano_usd, segment.cost_nano_usd),
        (&mut open.tokens_in, segment.tokens_in),
        (&mut open.tokens_out, segment.tokens_out),
    ];
    for (open, more) in sums {
        *open = open.saturating_add(more);
    }
    for (bucket, count) in segment.latency.pairs() {
        let open = work.latency.entry(bucket).or_default();
        *open = open.saturating_add(count).min(COUNT_MAX);
    }
}
