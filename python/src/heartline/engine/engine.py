"""An emitter's side of the protocol, in one session at a time."""

from __future__ import annotations

from typing import NamedTuple

from ..protocol import bodies
from ..protocol.bodies import Ack, Beat, DesiredState, Push
from ..protocol.envelope import (
    BEAT,
    DATAGRAM_MAX,
    ENVELOPE_LENGTH,
    GOODBYE,
    NO_CHALLENGE,
    Envelope,
    parse,
    seal,
    verify,
)
from ..protocol.keys import AgentKeys
from ..protocol.refused import Refused
from .applied import AppliedStates
from .connection import Connection
from .identity import Identity
from .metrics import MetricsSource, Vitals
from .schedule import MS, SECOND, SendSchedule
from .segment import PendingSegment
from .spending_limit import SpendingLimit, amount

# Number of first beats that carry the identity, unless an answer confirms it earlier.
_IDENTITY_BEATS = 3
# First retry of a beat while no answer was ever received.
_RETRY_UNANSWERED = SECOND
# First retry of a beat that was not live (section 5), or of a goodbye.
_RETRY_UNCONFIRMED = 100 * MS
# First retry of a beat with an urgent change: longer than the collector may take to commit the work
# in the same beat.
_RETRY_CHANGE = 400 * MS


class EngineConfig(NamedTuple):
    """What an engine begins with. `session` is random, 8 bytes, and never used before."""

    agent: str
    keys: AgentKeys
    session: bytes
    interval_ms: int = bodies.INTERVAL_DEFAULT_MS
    stall_after_ms: int | None = None
    identity: Identity = Identity()
    applied: AppliedStates = AppliedStates()


class _Closing:
    """Progress of a session's end."""

    __slots__ = ("acked", "deadline", "first_goodbye")

    def __init__(self, deadline: int) -> None:
        self.deadline = deadline
        # Sequence of the first goodbye that carries the segment now pending.
        self.first_goodbye: int | None = None
        # That goodbye was acknowledged, and its segment is durable.
        self.acked = False


class Engine:
    """A session with one collector; see the package for how it is driven."""

    def __init__(self, config: EngineConfig, now: int) -> None:
        self._agent = config.agent
        self._keys = config.keys
        self._interval_ms = config.interval_ms
        self._stall_after_ms = config.stall_after_ms
        self._identity = config.identity.fields()
        self._started = now
        self._applied = config.applied.copy()
        self._other_controls: frozenset[int] = frozenset()
        self._segment = PendingSegment()
        seed = int.from_bytes(config.session, "big")
        self._schedule = SendSchedule(config.interval_ms * MS, seed, now)
        self._closing: _Closing | None = None
        self.is_closed = False
        self.spending_limit: SpendingLimit | None = None
        """Limit of the tightest budget, while there is one."""
        self.control = 0
        """Control id of the collector, once it was received; 0 before."""
        self.last_answer: int | None = None
        """When the collector last answered."""
        self.unanswered_since: int | None = None
        """When the first message after the last answer was sent."""
        self._reset(config.session)

    def _reset(self, session: bytes) -> None:
        self._session = session
        self._last_sent = 0
        self._highest_acked = 0
        self._highest_live = 0
        self._challenge = NO_CHALLENGE
        self._was_confirmed = False
        self._identity_beats = _IDENTITY_BEATS if self._identity else 0
        # First sequence that carries an urgent change, while none from there on is acknowledged.
        self._unacked_change: int | None = None
        self.connection = Connection.UNANSWERED
        self.is_session_taken = False
        """Whether another process was found to speak in this session (section 5): this one was
        restored from a snapshot of memory, or is a copy. `begin_session` ends that."""

    @property
    def applied(self) -> AppliedStates:
        """The desired states that are applied."""
        return self._applied

    @property
    def session(self) -> bytes:
        """The session's id."""
        return self._session

    def poll_timeout(self) -> int | None:
        """Returns when `poll_transmit` next has something to do; None once closed."""
        if self.is_closed:
            return None
        if self._closing is not None:
            return min(self._schedule.next_due, self._closing.deadline)
        return self._schedule.next_due

    def notify_change(self, now: int) -> None:
        """Makes the next beat due at once, and repeats it soon while unacknowledged: something has
        changed that the collector should learn before the interval is over."""
        if self._closing is None:
            self._unacked_change = self._last_sent + 1
            self._schedule.retry_early(now)

    def close(self, now: int, timeout: int) -> None:
        """Begins to end the session: goodbyes carry the remaining work until it is durable or
        `timeout` is over."""
        if self._closing is None:
            self._closing = _Closing(now + timeout)
            self._schedule.send_now(now)

    def begin_session(self, session: bytes, now: int) -> None:
        """Goes on in a session of its own, whose id must be drawn anew: what other copies of this
        process draw must differ."""
        self._segment.begin_session(self._highest_live)
        self._reset(session)
        if self._closing is not None:
            self._closing.first_goodbye, self._closing.acked = None, False
        self._schedule.retry_early(now)

    def rekey(self, keys: AgentKeys) -> None:
        """Replaces the keys, after the token was replaced."""
        self._keys = keys

    def set_other_controls(self, others: frozenset[int]) -> None:
        """Sets the control ids of the other collectors that the emitter hears. Those lift their
        kills themselves: no command of this collector does."""
        self._other_controls = others

    def set_applied(self, applied: AppliedStates, now: int) -> None:
        """Replaces the desired states that are applied, after the engine of another collector has
        applied one, and reports that soon."""
        if self._applied != applied:
            self._applied = applied.copy()
            self.notify_change(now)

    # Receiving

    def handle_datagram(self, data: bytes, now: int) -> bool:
        """Handles a received datagram. Returns whether the applied states changed: they must be
        stored before anything more is sent.

        Raises `Refused` when it is not from this agent's collector; nothing has changed then.
        """
        envelope = parse(data)
        if not envelope.is_downward:
            raise Refused("BadKind", "direction")
        if envelope.agent != self._agent:
            raise Refused("BadAgent", "direction")
        verify(data, self._keys.down)
        message = bodies.decode(envelope)
        if envelope.session != self._session:
            return False
        if isinstance(message, Push):
            return self._on_push(message, now)
        return self._on_ack(envelope, message, now)

    def _on_push(self, push: Push, now: int) -> bool:
        known = self._applied.of(push.desired.control)
        if known == push.desired and self._unacked_change is not None:
            # A repeated push: the beat that reported this state was lost.
            self._schedule.expedite(now)
        return self._apply(push.desired, push.lifts, now)

    def _on_ack(self, envelope: Envelope, ack: Ack, now: int) -> bool:
        sequence = envelope.sequence
        if sequence > self._last_sent:
            return False
        self.last_answer = now
        self.unanswered_since = None
        if ack.session_taken or ack.highest_sequence > self._last_sent:
            # Another process has this session: it is of no more use to this one.
            self.is_session_taken = True
            return self._apply(ack.desired, ack.lifts, now)
        if not ack.unconfirmed:
            self._highest_live = max(self._highest_live, sequence)
        self._segment.acknowledge(ack.durable_segment)
        has_changed = self._apply(ack.desired, ack.lifts, now)
        # A late or replayed ack must not bring back an older challenge, nor the control id of before.
        if sequence >= self._highest_acked:
            self._highest_acked = sequence
            self.control = ack.desired.control or self.control
            if ack.unconfirmed:
                self._on_unconfirmed(envelope, ack, now)
            else:
                self._on_confirmed(envelope, ack, now)
        return has_changed

    def _on_unconfirmed(self, envelope: Envelope, ack: Ack, now: int) -> None:
        before, self.connection = self.connection, Connection.UNCONFIRMED
        if ack.wants_identity:
            self._identity_beats = max(self._identity_beats, 1)
        if self._challenge == envelope.challenge:
            return
        self._challenge = envelope.challenge
        # A second unconfirmed answer in a row waits for the retry already scheduled.
        if before is not Connection.UNCONFIRMED:
            self._schedule.retry_early(now)

    def _on_confirmed(self, envelope: Envelope, ack: Ack, now: int) -> None:
        self._challenge = envelope.challenge
        self._was_confirmed = True
        self._identity_beats = int(ack.wants_identity)
        was_retrying = self._first_retry() is not None
        self.connection = Connection.CONFIRMED
        self._adopt_budget(ack)
        if self._unacked_change is not None and envelope.sequence >= self._unacked_change:
            self._unacked_change = None
        closing = self._closing
        if closing is None:
            if was_retrying and self._first_retry() is None:
                self._schedule.stop_retrying()
        elif closing.first_goodbye is None:
            # The session is confirmed, so the goodbye may follow.
            self._schedule.send_now(now)
        elif closing.first_goodbye <= envelope.sequence and not self._segment.is_pending:
            closing.first_goodbye, closing.acked = None, True
            self._schedule.send_now(now)

    def _adopt_budget(self, ack: Ack) -> None:
        """Adopts what is left of the budget (section 12.1, rule 2)."""
        budget = ack.budget
        if budget is None:
            self.spending_limit = None
            return
        taken = self._segment.taken_up_to(ack.durable_segment + budget.counts_pending)
        if taken is not None:
            total = amount(budget.unit, *taken) + budget.amount
            self.spending_limit = SpendingLimit(budget.unit, total)

    def _apply(self, state: DesiredState, lifts: int, now: int) -> bool:
        if lifts in self._other_controls:
            lifts = 0
        has_changed = self._applied.apply(state, lifts)
        if has_changed:
            self.notify_change(now)
        return has_changed

    # Sending

    def poll_transmit(self, now: int, source: MetricsSource) -> bytes | None:
        """Returns the datagram that is due, if there is one."""
        closing = self._closing
        if self.is_closed:
            return None
        if closing is not None and now >= closing.deadline:
            self.is_closed = True
            return None
        if now < self._schedule.next_due:
            return None
        is_pending = self._segment.fill(source, self._last_sent + 1)
        if closing is not None and closing.acked and not is_pending:
            self.is_closed = True
            return None
        if closing is not None and self._was_confirmed:
            if closing.first_goodbye is None:
                closing.first_goodbye = self._last_sent + 1
            closing.acked = False
            body = bodies.pack_goodbye((now - self._started) // MS, self._segment.segment)
            datagram = self._seal(GOODBYE, body)
        else:
            # A session that was never live is introduced by a beat, even if it is about to end.
            datagram = self._seal(BEAT, self._beat(now, source.vitals(now)))
        self._last_sent += 1
        if self.unanswered_since is None:
            self.unanswered_since = now
        self._schedule.on_sent(now, self._first_retry())
        return datagram

    def _first_retry(self) -> int | None:
        """Returns the first backoff of the next message, if it is not to wait for its interval."""
        if self._closing is not None or self.connection is Connection.UNCONFIRMED:
            return _RETRY_UNCONFIRMED
        if self.connection is Connection.UNANSWERED:
            return _RETRY_UNANSWERED
        return None if self._unacked_change is None else _RETRY_CHANGE

    def _beat(self, now: int, vitals: Vitals) -> bytes:
        state = self._applied.of(self.control)
        with_identity = self._identity_beats > 0
        self._identity_beats = max(0, self._identity_beats - 1)
        beat = Beat(
            interval_ms=self._interval_ms,
            uptime_ms=(now - self._started) // MS,
            phase=vitals.phase if self._closing is None else bodies.PHASE_STOPPING,
            in_flight=vitals.in_flight,
            oldest_in_flight_ms=_millis(vitals.oldest_in_flight),
            progress_age_ms=_millis(vitals.progress_age),
            queue=vitals.queue,
            step=vitals.step,
            generation=state.generation,
            killed=state.killed,
            control=self.control,
            blocked_by=self._applied.blocked_by(self.control),
            lost_observations=vitals.lost_observations,
            segment=self._segment.segment,
            identity=self._identity if with_identity else None,
            stall_after_ms=self._stall_after_ms,
        )
        body = beat.pack()
        if with_identity and ENVELOPE_LENGTH + len(self._agent) + len(body) > DATAGRAM_MAX:
            # There is no room for both: the segment goes with the next beat.
            body = beat._replace(segment=None).pack()
        return body

    def _seal(self, kind: int, body: bytes) -> bytes:
        envelope = Envelope(
            type=kind,
            epoch=self._keys.epoch,
            scope_length=self._keys.scope_length,
            agent=self._agent,
            session=self._session,
            sequence=self._last_sent + 1,
            challenge=self._challenge,
            body=body,
        )
        return seal(envelope, self._keys.up)


def _millis(nanos: int | None) -> int | None:
    return None if nanos is None else max(nanos, 0) // MS
