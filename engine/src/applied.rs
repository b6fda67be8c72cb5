//! The desired states that an agent has applied.

use heartline_protocol::{ControlId, DesiredState};

/// Most control ids that are remembered.
const STATES_MAX: usize = 16;

/// The newest desired state of each control id that an agent has heard of. The agent is killed
/// while any of them says so: a collector that lost its database does not undo a kill that it knows
/// nothing of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AppliedStates {
    states: Vec<DesiredState>,
    /// Control ids whose kill another command has lifted: it takes a newer generation to kill again.
    lifted: Vec<ControlId>,
}

impl AppliedStates {
    /// Restores states from an earlier session; those without a control id are left out.
    pub fn restored(states: impl IntoIterator<Item = DesiredState>) -> Self {
        let mut restored = Self::default();
        for state in states {
            restored.apply(state, None);
        }
        restored
    }

    /// Returns the states, those applied last at the end.
    pub fn as_slice(&self) -> &[DesiredState] {
        &self.states
    }

    /// Returns whether the agent is to start no work.
    pub fn is_killed(&self) -> bool {
        self.states.iter().any(|state| state.killed)
    }

    /// Returns the state of a control id; without one, none was applied.
    pub fn of(&self, control: Option<ControlId>) -> DesiredState {
        let known = self.states.iter().find(|state| state.control == control);
        known.copied().unwrap_or(DesiredState { control, ..DesiredState::default() })
    }

    /// Returns the newest kill by another control id.
    pub fn blocked_by(&self, control: Option<ControlId>) -> Option<ControlId> {
        let kills = self.states.iter().rev().filter(|state| state.killed);
        kills.map(|state| state.control).find(|other| *other != control).flatten()
    }

    /// Applies a state if it outranks the one of its control id, and lifts the kill of `lifts` then.
    /// Returns whether anything changed.
    pub fn apply(&mut self, state: DesiredState, lifts: Option<ControlId>) -> bool {
        let Some(control) = state.control else { return false };
        let known = self.of(state.control);
        let is_lifted = self.lifted.contains(&control) && state.generation == known.generation;
        if is_lifted || !state.outranks(&known) {
            return false;
        }
        self.lifted.retain(|lifted| *lifted != control);
        self.states.retain(|known| known.control != state.control);
        if self.states.len() == STATES_MAX {
            // A kill is forgotten only when nothing else is left to forget.
            self.states.remove(self.states.iter().position(|state| !state.killed).unwrap_or(0));
        }
        self.states.push(state);
        if !state.killed {
            self.lift(lifts);
        }
        true
    }

    fn lift(&mut self, control: Option<ControlId>) {
        let kill = self.states.iter_mut().find(|known| known.control == control && known.killed);
        if let (Some(kill), Some(control)) = (kill, control) {
            kill.killed = false;
            self.lifted.push(control);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(control: u64, generation: u64, killed: bool) -> DesiredState {
        DesiredState { control: ControlId::new(control), generation, killed }
    }

    #[test]
    fn a_kill_holds_until_its_own_control_id_or_a_lift_ends_it() {
        let (a, b) = (ControlId::new(1), ControlId::new(2));
        let mut applied = AppliedStates::default();
        assert!(applied.apply(state(1, 4, true), None));
        assert!(applied.apply(state(2, 1, false), None), "b knows nothing of the kill");
        assert!(applied.is_killed());
        assert_eq!((applied.blocked_by(b), applied.blocked_by(a)), (a, None));
        assert!(!applied.apply(state(2, 1, false), a), "only a newer command lifts");
        assert!(applied.apply(state(2, 2, false), a));
        assert!(!applied.is_killed());
        assert!(!applied.apply(state(1, 3, true), None), "an older kill changes nothing");
        assert!(!applied.apply(state(1, 4, true), None), "the lifted kill is in every ack of a");
        assert!(applied.apply(state(1, 5, true), None));
        assert!(applied.apply(state(1, 6, false), None) && !applied.is_killed());
    }

    #[test]
    fn memory_is_bounded_and_keeps_the_kills() {
        let mut applied = AppliedStates::restored([state(1, 1, true), state(0, 1, true)]);
        assert_eq!(applied.as_slice().len(), 1, "a state without a control id is of no use");
        for control in 2..100 {
            applied.apply(state(control, 1, false), None);
        }
        assert_eq!(applied.as_slice().len(), STATES_MAX);
        assert!(applied.is_killed());
    }
}
