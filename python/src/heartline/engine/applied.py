"""The desired states that an agent has applied (`SPEC.md`, section 12)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..protocol.bodies import DesiredState

STATES_MAX = 16


class AppliedStates:
    """The newest desired state of each control id that an agent has heard of.

    The agent is killed while any of them says so: a collector that lost its database does not undo a
    kill that it knows nothing of.
    """

    __slots__ = ("_lifted", "_states")

    def __init__(self, states: Iterable[DesiredState] = ()) -> None:
        self._states: dict[int, DesiredState] = {}
        # Generations whose kill another command has lifted: it takes a newer one to kill again.
        self._lifted: dict[int, int] = {}
        for state in states:
            self.apply(state, 0)

    def __iter__(self) -> Iterator[DesiredState]:
        """Yields the states, those applied last at the end."""
        return iter(self._states.values())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, AppliedStates):
            return NotImplemented
        return list(self) == list(other) and self._lifted == other._lifted

    def copy(self) -> AppliedStates:
        """Returns the same states, which change no more with these."""
        other = AppliedStates()
        other._states = dict(self._states)
        other._lifted = dict(self._lifted)
        return other

    @property
    def is_killed(self) -> bool:
        """Whether the agent is to start no work."""
        return any(state.killed for state in self)

    def of(self, control: int) -> DesiredState:
        """Returns the state of a control id."""
        return self._states.get(control) or DesiredState(control)

    def blocked_by(self, control: int) -> int:
        """Returns the control id of the newest kill by another one; 0: none."""
        for state in reversed(self._states.values()):
            if state.killed and state.control != control:
                return state.control
        return 0

    def apply(self, state: DesiredState, lifts: int) -> bool:
        """Applies a state if it outranks the one of its control id, and lifts the kill of `lifts`
        then; returns whether anything changed."""
        known = self.of(state.control)
        is_lifted = self._lifted.get(state.control) == state.generation
        if state.control == 0 or is_lifted or not state.outranks(known):
            return False
        self._lifted.pop(state.control, None)
        self._states.pop(state.control, None)
        if len(self._states) == STATES_MAX:
            self._forget_one()
        self._states[state.control] = state
        if not state.killed:
            self._lift(lifts)
        return True

    def _forget_one(self) -> None:
        # A kill is forgotten only when nothing else is left to forget.
        running = (state.control for state in self if not state.killed)
        control = next(running, next(iter(self._states)))
        del self._states[control]
        self._lifted.pop(control, None)

    def _lift(self, control: int) -> None:
        kill = self._states.get(control)
        if kill is not None and kill.killed:
            self._states[control] = kill._replace(killed=False)
            self._lifted[control] = kill.generation
