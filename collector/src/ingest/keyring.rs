//! The keys that verify and seal an agent's datagrams, and the challenges that prove them fresh.
//!
//! Deriving a key costs a dozen hashes, so an agent's keys are cached once one of its datagrams was
//! verified. The cache is an array parallel to the fleet's, 104 bytes an agent. It holds raw keys:
//! prepared HMAC contexts would save two hash blocks a datagram and take five times the memory.

use std::collections::{BTreeMap, BTreeSet};

use heartline_fleet::{AgentIndex, MonoTime};
use heartline_protocol::challenge::{ChallengeKey, step_ms};
use heartline_protocol::envelope::Datagram;
use heartline_protocol::limits::CHALLENGE_LEN;
use heartline_protocol::{
    AgentKey, DatagramError, Direction, Header, KeyEpoch, MasterKey, VerifiedDatagram,
};

/// The cached keys of one agent, and its last challenge.
#[derive(Clone, Copy)]
struct AgentKeySlot {
    up: [u8; 32],
    down: [u8; 32],
    challenge: [u8; CHALLENGE_LEN],
    session: u64,
    step: u32,
    terms: ChallengeTerms,
    epoch: u8,
    scope_len: u8,
    has_keys: bool,
}

/// What an agent's challenges depend on, beside its session and the time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChallengeTerms {
    /// The interval that their steps follow.
    pub interval_ms: u32,
    /// How often those before were voided.
    pub voided: u32,
}

const EMPTY_SLOT: AgentKeySlot = AgentKeySlot {
    up: [0; 32],
    down: [0; 32],
    challenge: [0; CHALLENGE_LEN],
    session: 0,
    step: 0,
    terms: ChallengeTerms { interval_ms: 0, voided: 0 },
    epoch: 0,
    scope_len: 0,
    has_keys: false,
};

impl AgentKeySlot {
    fn new(header: &Header<'_>, derived: &DerivedAgentKeys) -> Self {
        Self {
            up: derived.up,
            down: derived.down,
            epoch: header.epoch.0,
            scope_len: header.scope_len,
            has_keys: true,
            ..EMPTY_SLOT
        }
    }
}

/// Keys that were derived from a master key because none were cached for their agent.
pub struct DerivedAgentKeys {
    up: [u8; 32],
    down: [u8; 32],
}

/// The keys of a running collector: its master keys, its challenge key and those of its agents.
pub struct Keyring {
    masters: Vec<(KeyEpoch, MasterKey)>,
    revoked: BTreeSet<(u8, Box<str>)>,
    boot: ChallengeKey,
    started: MonoTime,
    slots: Vec<AgentKeySlot>,
    /// Keys of sessions whose datagrams were authentic but not fresh, for the acks to the current
    /// batch only. A replayed datagram must not replace the keys that an agent's pushes are sealed
    /// with.
    transient: BTreeMap<(AgentIndex, u64), AgentKeySlot>,
}

impl Keyring {
    /// Creates a keyring of the valid master keys and a challenge key drawn for this start alone.
    pub fn new(masters: Vec<(KeyEpoch, MasterKey)>, boot: ChallengeKey, started: MonoTime) -> Self {
        Self {
            masters,
            revoked: BTreeSet::new(),
            boot,
            started,
            slots: Vec::new(),
            transient: BTreeMap::new(),
        }
    }

    /// Revokes a scope's key, or accepts it again.
    pub fn set_revoked(&mut self, epoch: u8, scope: &str, is_revoked: bool) {
        if is_revoked {
            self.revoked.insert((epoch, scope.into()));
        } else {
            self.revoked.remove(&(epoch, scope.into()));
        }
        // Any cached key may be of that scope: all are derived again.
        self.slots.fill(EMPTY_SLOT);
    }

    /// Verifies the tag of a datagram with the key that its header names. Also returns that key if it
    /// had to be derived, to be cached with [`Self::cache`] once the agent has an index.
    ///
    /// # Errors
    /// The [`DatagramError`] that applies.
    pub fn verify<'a>(
        &self,
        index: Option<AgentIndex>,
        datagram: Datagram<'a>,
    ) -> Result<(VerifiedDatagram<'a>, Option<DerivedAgentKeys>), DatagramError> {
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

    /// Loads the slots of these agents into the processor's cache, all misses at once: see
    /// [`heartline_fleet::Fleet::find_all`].
    pub fn prefetch(&self, indices: &[Option<AgentIndex>]) {
        let slots = indices.iter().flatten().filter_map(|index| self.slots.get(index.get()));
        let sum = slots.fold(0, |sum, slot| sum ^ slot.up[0] ^ slot.down[0] ^ slot.scope_len);
        // Without a use of the sum the compiler would remove the loads.
        std::hint::black_box(sum);
    }

    fn slot(&self, index: AgentIndex) -> Option<&AgentKeySlot> {
        self.slots.get(index.get()).filter(|slot| slot.has_keys)
    }

    fn derive(&self, header: &Header<'_>) -> Result<DerivedAgentKeys, DatagramError> {
        let scope = header.scope();
        let (_, master) = self
            .masters
            .iter()
            .find(|(epoch, _)| *epoch == header.epoch)
            .ok_or(DatagramError::UnknownEpoch)?;
        if self.revoked.contains(&(header.epoch.0, scope.into())) {
            return Err(DatagramError::Revoked);
        }
        let scope_key = master.scope_key(header.epoch, scope);
        Ok(DerivedAgentKeys {
            up: scope_key.agent_key_bytes(Direction::Up, header.agent),
            down: scope_key.agent_key_bytes(Direction::Down, header.agent),
        })
    }

    /// Caches the keys of an agent.
    pub fn cache(&mut self, index: AgentIndex, header: &Header<'_>, derived: &DerivedAgentKeys) {
        if self.slots.len() <= index.get() {
            self.slots.resize(index.get() + 1, EMPTY_SLOT);
        }
        self.slots[index.get()] = AgentKeySlot::new(header, derived);
    }

    /// Returns `true` if keys of an agent are cached.
    pub fn has_keys(&self, index: AgentIndex) -> bool {
        self.slot(index).is_some()
    }

    /// Keeps keys for the acks to one session, until [`Self::clear_transient`].
    pub fn keep_transient(
        &mut self,
        index: AgentIndex,
        header: &Header<'_>,
        derived: &DerivedAgentKeys,
    ) {
        self.transient.insert((index, header.session), AgentKeySlot::new(header, derived));
    }

    /// Drops all transient keys, after their batch was answered.
    pub fn clear_transient(&mut self) {
        self.transient.clear();
    }

    /// Drops the keys of an agent that was forgotten.
    pub fn forget(&mut self, index: AgentIndex) {
        if let Some(slot) = self.slots.get_mut(index.get()) {
            *slot = EMPTY_SLOT;
        }
    }

    /// Returns the key that seals datagrams to one session of an agent, with its epoch and the length
    /// of its scope.
    pub fn down_key(&self, index: AgentIndex, session: u64) -> Option<(AgentKey, KeyEpoch, u8)> {
        let transient =
            if self.transient.is_empty() { None } else { self.transient.get(&(index, session)) };
        let slot = transient.or_else(|| self.slot(index))?;
        Some((AgentKey::new(&slot.down), KeyEpoch(slot.epoch), slot.scope_len))
    }

    /// Returns epoch and scope length of the key that an agent uses.
    pub fn scope_of(&self, index: AgentIndex) -> Option<(KeyEpoch, u8)> {
        self.slot(index).map(|slot| (KeyEpoch(slot.epoch), slot.scope_len))
    }

    /// Returns `true` if a verified datagram echoes the current or the previous challenge of its
    /// session.
    pub fn is_fresh(
        &mut self,
        index: Option<AgentIndex>,
        header: &Header<'_>,
        terms: ChallengeTerms,
        now: MonoTime,
    ) -> bool {
        if header.challenge == [0; CHALLENGE_LEN] {
            return false;
        }
        let step = self.step(terms.interval_ms, now);
        // Nearly every beat echoes the challenge of the last ack: then nothing is hashed.
        if let Some(slot) = index.and_then(|index| self.slot(index))
            && (slot.session, slot.terms) == (header.session, terms)
            && (slot.step == step || slot.step + 1 == step)
            && slot.challenge == header.challenge
        {
            return true;
        }
        let steps = [Some(step), step.checked_sub(1)];
        let echoed = steps
            .into_iter()
            .flatten()
            .find(|&step| self.hash(header.agent, header.session, step, terms) == header.challenge);
        let slot = index.and_then(|index| self.slots.get_mut(index.get()));
        if let (Some(slot), Some(step)) = (slot, echoed) {
            // The next beats echo the same challenge until an ack brings a newer one.
            (slot.session, slot.step, slot.terms) = (header.session, step, terms);
            slot.challenge = header.challenge;
        }
        echoed.is_some()
    }

    /// Returns the current challenge of a session.
    pub fn challenge(
        &mut self,
        index: Option<AgentIndex>,
        agent: &str,
        session: u64,
        terms: ChallengeTerms,
        now: MonoTime,
    ) -> [u8; CHALLENGE_LEN] {
        let step = self.step(terms.interval_ms, now);
        let slot = index.and_then(|index| self.slots.get(index.get()));
        if let Some(slot) = slot
            && (slot.session, slot.step, slot.terms) == (session, step, terms)
        {
            return slot.challenge;
        }
        let challenge = self.hash(agent, session, step, terms);
        if let Some(slot) = index.and_then(|index| self.slots.get_mut(index.get())) {
            (slot.session, slot.step, slot.terms) = (session, step, terms);
            slot.challenge = challenge;
        }
        challenge
    }

    fn hash(
        &self,
        agent: &str,
        session: u64,
        step: u32,
        terms: ChallengeTerms,
    ) -> [u8; CHALLENGE_LEN] {
        let (step, step_ms) = (u64::from(step), step_ms(terms.interval_ms));
        self.boot.challenge_after_voiding(terms.voided, agent, session, step, step_ms)
    }

    fn step(&self, interval_ms: u32, now: MonoTime) -> u32 {
        (now.millis_since(self.started) / step_ms(interval_ms)) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP_MS: i64 = 90_000;
    const TERMS: ChallengeTerms = ChallengeTerms { interval_ms: 30_000, voided: 0 };

    fn keyring(is_cached: bool) -> (Keyring, Option<AgentIndex>) {
        let start = MonoTime::from_millis(0);
        let masters = vec![(KeyEpoch(1), MasterKey::new([1; 32]))];
        let mut keyring = Keyring::new(masters, ChallengeKey::new(&[2; 32]), start);
        if is_cached {
            let derived = DerivedAgentKeys { up: [0; 32], down: [0; 32] };
            keyring.cache(AgentIndex(3), &beat_header(7, [0; 16]), &derived);
        }
        (keyring, is_cached.then_some(AgentIndex(3)))
    }

    fn beat_header(session: u64, challenge: [u8; CHALLENGE_LEN]) -> Header<'static> {
        let (kind, agent) = (heartline_protocol::MessageType::Beat, "mail.3");
        Header { kind, epoch: KeyEpoch(1), scope_len: 0, agent, session, sequence: 1, challenge }
    }

    #[test]
    fn a_challenge_is_fresh_in_its_step_and_the_next_with_and_without_cached_keys() {
        for is_cached in [false, true] {
            for (issued, echoed, fresh) in
                [(5, 5, true), (5, 6, true), (5, 7, false), (5, 4, false)]
            {
                let case = format!("cached: {is_cached}, issued: {issued}, echoed: {echoed}");
                let (mut keyring, index) = keyring(is_cached);
                let at = |step| MonoTime::from_millis(step * STEP_MS + 1);
                let challenge = keyring.challenge(index, "mail.3", 7, TERMS, at(issued));
                let is_fresh = |keyring: &mut Keyring, session, now| {
                    keyring.is_fresh(index, &beat_header(session, challenge), TERMS, now)
                };
                assert!(!is_fresh(&mut keyring, 8, at(issued)), "another session: {case}");
                assert_eq!(is_fresh(&mut keyring, 7, at(echoed)), fresh, "{case}");
                // A newer ack in between changes nothing.
                keyring.challenge(index, "mail.3", 7, TERMS, at(echoed));
                assert_eq!(is_fresh(&mut keyring, 7, at(echoed)), fresh, "{case}");
            }
        }
    }

    #[test]
    fn a_datagram_without_a_challenge_is_not_fresh() {
        let (mut keyring, index) = keyring(true);
        let terms = ChallengeTerms::default();
        assert!(!keyring.is_fresh(
            index,
            &beat_header(0, [0; 16]),
            terms,
            MonoTime::from_millis(0)
        ));
    }

    #[test]
    fn a_challenge_from_before_the_last_voiding_proves_nothing() {
        for is_cached in [false, true] {
            let (mut keyring, index) = keyring(is_cached);
            let now = MonoTime::from_millis(STEP_MS);
            let voided = ChallengeTerms { voided: 1, ..TERMS };
            let before = keyring.challenge(index, "mail.3", 7, TERMS, now);
            assert!(keyring.is_fresh(index, &beat_header(7, before), TERMS, now));
            assert!(!keyring.is_fresh(index, &beat_header(7, before), voided, now));
            let after = keyring.challenge(index, "mail.3", 7, voided, now);
            assert!(keyring.is_fresh(index, &beat_header(7, after), voided, now));
        }
    }
}
