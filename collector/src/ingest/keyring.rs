//! Which key proves which datagram, and which challenge makes it fresh.
//!
//! Deriving a key costs a dozen hashes, so an agent's keys are kept once a datagram of it has been
//! proven. They stand in an array parallel to the fleet's, 104 bytes an agent: raw keys, because the
//! prepared form would cost more memory than the two hash blocks it saves cost time.

use std::collections::{BTreeMap, BTreeSet};

use heartline_fleet::{AgentIndex, MonoTime};
use heartline_protocol::challenge::{ChallengeKey, step_ms};
use heartline_protocol::envelope::Datagram;
use heartline_protocol::limits::CHALLENGE_LEN;
use heartline_protocol::{
    AgentKey, DatagramError, Direction, Header, KeyEpoch, MasterKey, VerifiedDatagram,
};

/// What is kept of one agent.
#[derive(Clone, Copy)]
struct Slot {
    up: [u8; 32],
    down: [u8; 32],
    challenge: [u8; CHALLENGE_LEN],
    session: u64,
    step: u32,
    interval_ms: u32,
    epoch: u8,
    scope_len: u8,
    state: SlotState,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum SlotState {
    Empty,
    Keyed,
}

const EMPTY: Slot = Slot {
    up: [0; 32],
    down: [0; 32],
    challenge: [0; CHALLENGE_LEN],
    session: 0,
    step: 0,
    interval_ms: 0,
    epoch: 0,
    scope_len: 0,
    state: SlotState::Empty,
};

impl Slot {
    fn new(header: &Header<'_>, derived: &Derived) -> Self {
        Self {
            up: derived.up,
            down: derived.down,
            epoch: header.epoch.0,
            scope_len: header.scope_len,
            state: SlotState::Keyed,
            ..EMPTY
        }
    }
}

/// Keys that were derived for a datagram of an agent without a slot.
pub struct Derived {
    up: [u8; 32],
    down: [u8; 32],
}

/// All keys of a running collector.
pub struct Keyring {
    masters: Vec<(KeyEpoch, MasterKey)>,
    revoked: BTreeSet<(u8, Box<str>)>,
    boot: ChallengeKey,
    started: MonoTime,
    slots: Vec<Slot>,
    /// Keys of messages that were authentic, but proved nothing fresh: good for their answers, and
    /// for nothing else. A recording must not change the key that an agent is spoken to with.
    lent: BTreeMap<(AgentIndex, u64), Slot>,
}

impl Keyring {
    /// A ring of the valid master keys, with a boot key drawn for this start alone.
    #[must_use]
    pub fn new(masters: Vec<(KeyEpoch, MasterKey)>, boot: ChallengeKey, started: MonoTime) -> Self {
        Self {
            masters,
            revoked: BTreeSet::new(),
            boot,
            started,
            slots: Vec::new(),
            lent: BTreeMap::new(),
        }
    }

    /// From now on refuses a scope's key, or takes it again.
    pub fn set_revoked(&mut self, epoch: u8, scope: &str, is_revoked: bool) {
        if is_revoked {
            self.revoked.insert((epoch, scope.into()));
        } else {
            self.revoked.remove(&(epoch, scope.into()));
        }
        // Whoever is kept might be of that scope: all prove themselves again.
        self.slots.fill(EMPTY);
    }

    /// Checks the tag of a datagram with the key that its header names. `Some` keys were derived
    /// for it and are worth keeping ([`Self::keep`]) once its agent has a place.
    ///
    /// # Errors
    /// The [`DatagramError`] that applies.
    pub fn verify<'a>(
        &self,
        index: Option<AgentIndex>,
        datagram: Datagram<'a>,
    ) -> Result<(VerifiedDatagram<'a>, Option<Derived>), DatagramError> {
        let header = datagram.claimed();
        if !header.kind.is_upward() {
            return Err(DatagramError::BadKind);
        }
        if let Some(slot) = index.and_then(|index| self.slot(index))
            && slot.scope_len == header.scope_len
            && slot.epoch == header.epoch.0
        {
            let verified = datagram.verify(&AgentKey::new(&slot.up))?;
            return Ok((verified, None));
        }
        let derived = self.derive(header)?;
        let verified = datagram.verify(&AgentKey::new(&derived.up))?;
        Ok((verified, Some(derived)))
    }

    /// Loads what is kept of these agents, all at once: see [`heartline_fleet::Fleet::find_all`].
    pub fn touch(&self, indices: &[Option<AgentIndex>]) {
        let slots = indices.iter().flatten().filter_map(|index| self.slots.get(index.get()));
        let sum = slots.fold(0, |sum, slot| sum ^ slot.up[0] ^ slot.down[0] ^ slot.scope_len);
        // They are loaded only if something comes of it.
        std::hint::black_box(sum);
    }

    fn slot(&self, index: AgentIndex) -> Option<&Slot> {
        self.slots.get(index.get()).filter(|slot| slot.state == SlotState::Keyed)
    }

    fn derive(&self, header: &Header<'_>) -> Result<Derived, DatagramError> {
        let scope = header.scope();
        let (_, master) = self
            .masters
            .iter()
            .find(|(epoch, _)| *epoch == header.epoch)
            .ok_or(DatagramError::UnknownEpoch)?;
        if self.revoked.contains(&(header.epoch.0, scope.into())) {
            // Only its owner may learn nothing: whoever lacks the key has a wrong tag anyway.
            return Err(DatagramError::Revoked);
        }
        let scope_key = master.scope_key(header.epoch, scope);
        Ok(Derived {
            up: scope_key.agent_key_bytes(Direction::Up, header.agent),
            down: scope_key.agent_key_bytes(Direction::Down, header.agent),
        })
    }

    /// Keeps the keys of an agent.
    pub fn keep(&mut self, index: AgentIndex, header: &Header<'_>, derived: &Derived) {
        if self.slots.len() <= index.get() {
            self.slots.resize(index.get() + 1, EMPTY);
        }
        self.slots[index.get()] = Slot::new(header, derived);
    }

    /// Whether any keys of an agent are kept.
    #[must_use]
    pub fn has(&self, index: AgentIndex) -> bool {
        self.slot(index).is_some()
    }

    /// Lends keys to the answers of one session, until [`Self::end_lending`].
    pub fn lend(&mut self, index: AgentIndex, header: &Header<'_>, derived: &Derived) {
        self.lent.insert((index, header.session), Slot::new(header, derived));
    }

    /// Forgets all keys that were lent: their messages were answered.
    pub fn end_lending(&mut self) {
        self.lent.clear();
    }

    /// Drops the keys of an agent that was forgotten.
    pub fn forget(&mut self, index: AgentIndex) {
        if let Some(slot) = self.slots.get_mut(index.get()) {
            *slot = EMPTY;
        }
    }

    /// The key for speaking to one session of an agent, with the epoch and scope that it uses.
    #[must_use]
    pub fn down(&self, index: AgentIndex, session: u64) -> Option<(AgentKey, KeyEpoch, u8)> {
        let lent = if self.lent.is_empty() { None } else { self.lent.get(&(index, session)) };
        let slot = lent.or_else(|| self.slot(index))?;
        Some((AgentKey::new(&slot.down), KeyEpoch(slot.epoch), slot.scope_len))
    }

    /// The epoch and scope length of the key that an agent uses.
    #[must_use]
    pub fn scope_of(&self, index: AgentIndex) -> Option<(KeyEpoch, u8)> {
        self.slot(index).map(|slot| (KeyEpoch(slot.epoch), slot.scope_len))
    }

    /// Whether a verified datagram echoes the current or the previous challenge of its session.
    pub fn is_fresh(
        &mut self,
        index: Option<AgentIndex>,
        header: &Header<'_>,
        interval_ms: u32,
        now: MonoTime,
    ) -> bool {
        if header.challenge == [0; CHALLENGE_LEN] {
            return false;
        }
        let step = self.step(interval_ms, now);
        // Nearly every beat echoes what its agent was last answered: then nothing is hashed.
        if let Some(slot) = index.and_then(|index| self.slot(index))
            && (slot.session, slot.interval_ms) == (header.session, interval_ms)
            && (slot.step == step || slot.step + 1 == step)
            && slot.challenge == header.challenge
        {
            return true;
        }
        let steps = [Some(step), step.checked_sub(1)];
        let echoed = steps.into_iter().flatten().find(|&step| {
            let (step, step_ms) = (u64::from(step), step_ms(interval_ms));
            let challenge = self.boot.challenge(header.agent, header.session, step, step_ms);
            challenge == header.challenge
        });
        let slot = index.and_then(|index| self.slots.get_mut(index.get()));
        if let (Some(slot), Some(step)) = (slot, echoed) {
            // Its next beats echo the same until it has a newer answer.
            (slot.session, slot.step, slot.interval_ms) = (header.session, step, interval_ms);
            slot.challenge = header.challenge;
        }
        echoed.is_some()
    }

    /// The current challenge of a session.
    pub fn challenge(
        &mut self,
        index: Option<AgentIndex>,
        agent: &str,
        session: u64,
        interval_ms: u32,
        now: MonoTime,
    ) -> [u8; CHALLENGE_LEN] {
        let step = self.step(interval_ms, now);
        let slot = index.and_then(|index| self.slots.get_mut(index.get()));
        if let Some(slot) = &slot
            && (slot.session, slot.step, slot.interval_ms) == (session, step, interval_ms)
        {
            return slot.challenge;
        }
        let challenge = self.boot.challenge(agent, session, u64::from(step), step_ms(interval_ms));
        if let Some(slot) = slot {
            (slot.session, slot.step, slot.interval_ms) = (session, step, interval_ms);
            slot.challenge = challenge;
        }
        challenge
    }

    fn step(&self, interval_ms: u32, now: MonoTime) -> u32 {
        (now.millis_since(self.started) / step_ms(interval_ms)) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP_MS: i64 = 90_000;
    const INTERVAL_MS: u32 = 30_000;

    fn ring(kept: bool) -> (Keyring, Option<AgentIndex>) {
        let start = MonoTime::from_millis(0);
        let masters = vec![(KeyEpoch(1), MasterKey::new([1; 32]))];
        let mut ring = Keyring::new(masters, ChallengeKey::new(&[2; 32]), start);
        if kept {
            ring.keep(AgentIndex(3), &beat(7, [0; 16]), &Derived { up: [0; 32], down: [0; 32] });
        }
        (ring, kept.then_some(AgentIndex(3)))
    }

    fn beat(session: u64, challenge: [u8; CHALLENGE_LEN]) -> Header<'static> {
        let (kind, agent) = (heartline_protocol::MessageType::Beat, "mail.3");
        Header { kind, epoch: KeyEpoch(1), scope_len: 0, agent, session, sequence: 1, challenge }
    }

    #[test]
    fn a_challenge_is_fresh_in_its_step_and_the_next_kept_or_not() {
        for kept in [false, true] {
            for (asked, echoed, fresh) in [(5, 5, true), (5, 6, true), (5, 7, false), (5, 4, false)]
            {
                let (mut ring, index) = ring(kept);
                let at = |step| MonoTime::from_millis(step * STEP_MS + 1);
                let challenge = ring.challenge(index, "mail.3", 7, INTERVAL_MS, at(asked));
                let is_fresh = |ring: &mut Keyring, session, now| {
                    ring.is_fresh(index, &beat(session, challenge), INTERVAL_MS, now)
                };
                assert!(!is_fresh(&mut ring, 8, at(asked)), "of another session");
                assert_eq!(is_fresh(&mut ring, 7, at(echoed)), fresh, "{kept} {asked} {echoed}");
                // Having been answered anew in between changes nothing.
                ring.challenge(index, "mail.3", 7, INTERVAL_MS, at(echoed));
                assert_eq!(is_fresh(&mut ring, 7, at(echoed)), fresh, "{kept} {asked} {echoed}");
            }
        }
    }

    #[test]
    fn no_challenge_is_never_fresh() {
        let (mut ring, index) = ring(true);
        assert!(!ring.is_fresh(index, &beat(0, [0; 16]), 0, MonoTime::from_millis(0)));
    }
}
