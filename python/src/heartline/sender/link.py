"""Link to one collector: a session, a socket, and what was sent of the counters."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..counters import DeltaReader
from ..engine.applied import AppliedStates
from ..engine.connection import Connection
from ..engine.engine import Engine, EngineConfig
from ..engine.metrics import Vitals, Work
from ..engine.schedule import MS, SECOND
from ..engine.spending_limit import SpendingLimit
from ..problem import Problem
from ..protocol.envelope import SESSION_LENGTH
from ..protocol.keys import AgentKeys
from ..protocol.refused import Refused
from .socket import CollectorSocket
from .state import LinkStatus
from .watchdog import Alarm, AnswerWatchdog

if TYPE_CHECKING:
    from ..core import Core

# Most datagrams received in one turn.
_RECEIVE_BATCH = 64
# Longest goodbye to a collector that has answered before, and to one that never has. The first second
# of a session is left for its first answer, unless the address refuses.
_GOODBYE_TIMEOUT = SECOND
_GOODBYE_TIMEOUT_UNANSWERED = 250 * MS


class CollectorMetrics:
    """The agent's metrics, as the engine of one collector reads them."""

    __slots__ = ("_core", "_deltas")

    def __init__(self, core: Core) -> None:
        self._core = core
        self._deltas = DeltaReader(core.counters)

    def vitals(self, now: int) -> Vitals:
        return self._core.vitals(now)

    def take(self) -> Work | None:
        return self._deltas.take()


class CollectorLink:
    """Link to one collector, to which the emitter speaks as if it were the only one."""

    def __init__(self, collector: str, interval: int, core: Core) -> None:
        # None until there is a token.
        self._engine: Engine | None = None
        # When the session was started.
        self._started_at = 0
        self._socket = CollectorSocket(collector, core.wake_sender)
        self._metrics = CollectorMetrics(core)
        self._watchdog = AnswerWatchdog(collector, interval)
        self._refused_datagrams = 0

    def fileno(self) -> int | None:
        """Returns the open socket, to wait for."""
        return self._socket.fileno()

    def start_session(self, config: EngineConfig, now: int) -> None:
        """Starts a session."""
        self._started_at = now
        self._engine = Engine(config, now)

    def rekey(self, keys: AgentKeys) -> None:
        """Replaces the keys."""
        if self._engine is not None:
            self._engine.rekey(keys)

    def receive(self, now: int) -> bool:
        """Receives what is queued; returns whether the applied states changed."""
        self._socket.poll_lookup()
        engine, has_changed = self._engine, False
        if engine is None:
            return False
        for _ in range(_RECEIVE_BATCH):
            datagram = self._socket.receive()
            if datagram is None:
                break
            try:
                has_changed = engine.handle_datagram(datagram, now) or has_changed
            except Refused:
                self._refused_datagrams += 1
            if engine.is_session_taken:
                engine.begin_session(draw_session(), now)
        return has_changed

    @property
    def applied(self) -> AppliedStates | None:
        """The desired states that are applied."""
        return None if self._engine is None else self._engine.applied

    @property
    def control(self) -> int:
        """Control id of the collector, once it was received; 0 before."""
        return 0 if self._engine is None else self._engine.control

    @property
    def spending_limit(self) -> SpendingLimit | None:
        """Limit of the tightest budget, while there is one."""
        return None if self._engine is None else self._engine.spending_limit

    def set_other_controls(self, controls: frozenset[int]) -> None:
        """Keeps this collector from lifting the kills of others that are heard."""
        if self._engine is not None:
            self._engine.set_other_controls(controls - {self._engine.control})

    def set_applied(self, applied: AppliedStates, now: int) -> None:
        """Takes over what another collector has changed."""
        if self._engine is not None:
            self._engine.set_applied(applied, now)

    def notify_change(self, now: int) -> None:
        """Makes the next beat due at once."""
        if self._engine is not None:
            self._engine.notify_change(now)

    def say_goodbye(self, now: int) -> None:
        """Begins to say goodbye, if that has not begun."""
        if self._engine is None:
            return
        timeout = _GOODBYE_TIMEOUT
        if self._engine.connection is Connection.UNANSWERED:
            # A short program gives a slow collector the time for its first answer.
            is_refused = self._socket.problem is not None
            left = 0 if is_refused else _GOODBYE_TIMEOUT - (now - self._started_at)
            timeout = max(left, _GOODBYE_TIMEOUT_UNANSWERED)
        self._engine.close(now, timeout)

    def transmit(self, now: int) -> None:
        """Sends what is due."""
        if self._engine is None:
            return
        while (datagram := self._engine.poll_transmit(now, self._metrics)) is not None:
            self._socket.send(datagram)

    def poll_timeout(self) -> int | None:
        """Returns when there is next something to send; None without a session, or after its end."""
        return None if self._engine is None else self._engine.poll_timeout()

    def check_answers(self, now: int) -> Alarm:
        """Checks for missing answers. Where they are missing for long, tries another address."""
        alarm = self._watchdog.check(self._engine, now)
        if alarm is not Alarm.NONE:
            self._socket.reopen()
        return alarm

    def status(self) -> LinkStatus:
        """Returns the status, with its problems worst first."""
        engine = self._engine
        problems: list[Problem | None] = [self._watchdog.problem, self._socket.problem]
        return LinkStatus(
            collector=self._socket.collector,
            connection=None if engine is None else engine.connection,
            last_answer=None if engine is None else engine.last_answer,
            refused_datagrams=self._refused_datagrams,
            problems=[problem for problem in problems if problem is not None],
        )

    def close(self) -> None:
        """Closes the socket."""
        self._socket.close()


def draw_session() -> bytes:
    """Draws the id of a session, from the operating system: copies of this process must differ."""
    return os.urandom(SESSION_LENGTH)
