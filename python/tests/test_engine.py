"""The engine, with time, sessions and answers given: sections 5, 9, 11, 12 and 13 of the specification."""

from __future__ import annotations

from typing import Any

import pytest
import uplink
from heartline.engine.applied import STATES_MAX, AppliedStates
from heartline.engine.connection import Connection
from heartline.engine.engine import Engine, EngineConfig
from heartline.engine.identity import Identity
from heartline.engine.metrics import Vitals, Work
from heartline.engine.schedule import MS, SECOND, SendSchedule
from heartline.protocol.bodies import DesiredState
from heartline.protocol.envelope import BEAT, DATAGRAM_MAX, GOODBYE, Envelope, parse
from heartline.protocol.refused import Refused
from heartline.protocol.token import read_token

KEYS = read_token("hl1.AQDWY7_eMsMupq8FPr8mQwpVHN6xyZrFnWRSHmvjhH9pve1G5IM").agent_keys("a1")
CHALLENGE, NEXT_CHALLENGE = b"c" * 16, b"n" * 16
UNCONFIRMED, WANTS_IDENTITY, SESSION_TAKEN = 1, 2, 4


class Source:
    """Work and vitals in plain fields."""

    def __init__(self) -> None:
        self.open: list[Work] = []
        self.now = Vitals()

    def vitals(self, now: int) -> Vitals:
        return self.now

    def take(self) -> Work | None:
        return self.open.pop(0) if self.open else None


class Fixture:
    """An engine, its clock, and what it sends."""

    def __init__(self, **config: Any) -> None:
        self.now = 10 * SECOND
        self.source = Source()
        self.engine = Engine(
            EngineConfig(agent="a1", keys=KEYS, session=b"session1", **config), self.now
        )
        self.sent: list[tuple[Envelope, Any]] = []

    def transmit(self) -> int:
        """Sends what is due; returns how many messages there were."""
        count = 0
        while (datagram := self.engine.poll_transmit(self.now, self.source)) is not None:
            assert len(datagram) <= DATAGRAM_MAX
            envelope = parse(datagram)
            self.sent.append((envelope, uplink.decode(envelope)))
            count += 1
        return count

    def due_in_ms(self) -> int:
        timeout = self.engine.poll_timeout()
        assert timeout is not None
        return (timeout - self.now) // MS

    def until_next(self) -> int:
        """Lets time pass until the next message; returns how long, in ms."""
        wait = self.due_in_ms()
        timeout = self.engine.poll_timeout()
        assert timeout is not None
        self.now = max(self.now, timeout)
        self.transmit()
        return wait

    def connection(self) -> Connection:
        return self.engine.connection

    @property
    def last(self) -> Any:
        return self.sent[-1][1]

    def ack(self, at: int = -1, challenge: bytes = CHALLENGE, **fields: Any) -> bool:
        datagram = uplink.seal_ack(self.sent[at][0], KEYS, challenge, **fields)
        return self.engine.handle_datagram(datagram, self.now)

    def connect(self) -> None:
        self.transmit()
        self.ack(flags=UNCONFIRMED)
        self.transmit()
        self.ack()


def work(ok: int = 1) -> Work:
    return Work(ok, 0, 0, 0, 0, b"")


def test_a_session_is_live_after_two_round_trips_and_then_beats_once_an_interval() -> None:
    it = Fixture(interval_ms=1_000)
    assert it.transmit() == 1
    assert it.sent[0][0].challenge == bytes(16) and it.connection() is Connection.UNANSWERED
    it.ack(flags=UNCONFIRMED)
    assert it.connection() is Connection.UNCONFIRMED
    assert it.transmit() == 1, "it beats again at once"
    assert it.sent[1][0].challenge == CHALLENGE
    it.ack()
    assert it.connection() is Connection.CONFIRMED
    waits = [it.until_next() for _ in range(50)]
    assert all(900 <= wait <= 1_100 for wait in waits) and len(set(waits)) > 20


def test_a_declared_stall_limit_is_in_every_beat() -> None:
    it = Fixture(stall_after_ms=1_200_000, identity=Identity(host="h"))
    it.connect()
    for _ in range(3):
        it.until_next()
    limits = [(fields["stall_after_ms"], bool(fields["identity"])) for _, fields in it.sent]
    assert limits == [(1_200_000, True)] * 2 + [(1_200_000, False)] * 3
    it = Fixture()
    it.transmit()
    assert it.last["stall_after_ms"] is None


def test_an_unanswered_first_beat_is_repeated_at_doubling_distances() -> None:
    it = Fixture()
    it.transmit()
    assert [it.until_next() for _ in range(4)] == [1_000, 2_000, 4_000, 8_000]


def test_of_unconfirmed_acks_in_a_row_only_the_first_makes_it_beat_at_once() -> None:
    it = Fixture()
    it.transmit()
    it.ack(flags=UNCONFIRMED)
    it.transmit()
    waits = []
    for number in range(4):
        it.ack(challenge=bytes([number]) * 16, flags=UNCONFIRMED)
        assert it.transmit() == 0
        waits.append(it.until_next())
        assert it.sent[-1][0].challenge == bytes([number]) * 16
    assert waits == [100, 200, 400, 800]


def test_at_most_ten_beats_a_second_are_out_of_turn() -> None:
    it = Fixture(interval_ms=60_000)
    it.connect()
    end, sent = it.now + 10 * SECOND, 0
    while it.now < end:
        it.engine.notify_change(it.now)
        sent += it.transmit()
        if sent:
            it.ack()
        it.now += MS
    assert 100 <= sent <= 110


def test_a_late_ack_brings_back_no_older_challenge_and_a_forged_sequence_changes_nothing() -> None:
    it = Fixture()
    it.connect()
    it.until_next()
    it.ack(challenge=NEXT_CHALLENGE)
    it.ack(at=1, challenge=CHALLENGE)
    it.until_next()
    assert it.sent[-1][0].challenge == NEXT_CHALLENGE
    ahead = it.sent[-1][0]._replace(sequence=99)
    assert not it.engine.handle_datagram(uplink.seal_ack(ahead, KEYS, CHALLENGE), it.now)
    it.until_next()
    assert it.sent[-1][0].challenge == NEXT_CHALLENGE


def test_what_is_not_for_it_is_refused_or_ignored() -> None:
    it = Fixture()
    it.transmit()
    envelope = it.sent[0][0]
    good = uplink.seal_ack(envelope, KEYS, CHALLENGE)
    other_agent = uplink.seal_ack(envelope._replace(agent="a2"), KEYS, CHALLENGE)
    for datagram, reason in (
        (good[:-1] + bytes([good[-1] ^ 1]), "BadTag"), (good[:60], "BadLength"), (b"", "BadLength"),
        (other_agent, "BadAgent"), (b"x" * 100, "BadMagic"),
    ):  # fmt: skip
        with pytest.raises(Refused) as refused:
            it.engine.handle_datagram(datagram, it.now)
        assert refused.value.reason == reason
    other_session = uplink.seal_ack(envelope._replace(session=b"session2"), KEYS, CHALLENGE)
    assert not it.engine.handle_datagram(other_session, it.now)
    assert it.connection() is Connection.UNANSWERED


def test_a_segment_rides_unchanged_until_it_is_durable() -> None:
    it = Fixture()
    it.connect()
    it.source.open = [work(1), work(2)]
    for _ in range(3):
        it.until_next()
        assert (it.last["segment"]["number"], it.last["segment"]["ok"]) == (1, 1)
        it.ack()
    it.ack(durable=1)
    it.until_next()
    assert (it.last["segment"]["number"], it.last["segment"]["ok"]) == (2, 2)
    it.ack(durable=1)
    it.until_next()
    assert it.last["segment"]["number"] == 2, "a smaller number changes nothing"
    it.ack(durable=2)
    it.until_next()
    assert it.last["segment"] is None


def test_the_identity_rides_until_it_is_confirmed_and_again_when_it_is_wanted() -> None:
    it = Fixture(identity=Identity(host="h", pid=1))
    it.connect()
    assert [fields["identity"] is not None for _, fields in it.sent] == [True, True]
    it.until_next()
    assert not it.last["identity"]
    it.ack(flags=WANTS_IDENTITY)
    it.until_next()
    assert (it.last["identity"]["host"], it.last["identity"]["pid"]) == ("h", 1)


def test_an_identity_and_a_segment_that_do_not_fit_together_go_one_after_the_other() -> None:
    labels = {f"key{n:02}": "v" * 128 for n in range(16)}
    it = Fixture(identity=Identity(host="h" * 128, labels=labels).fitted())
    it.source.open = [Work(1, 0, 0, 0, 0, bytes([1, 1]) * 400)]
    it.transmit()
    first = it.last
    assert first["segment"] is None and first["identity"]["labels"]
    for _ in range(3):
        it.until_next()
    assert it.last["segment"]["number"] == 1 and it.last["identity"] is None


def test_a_kill_is_reported_at_once_and_again_until_that_is_answered() -> None:
    it = Fixture(interval_ms=60_000)
    it.connect()
    push = uplink.seal_push(it.sent[-1][0], KEYS, 4, True, 7)
    assert it.engine.handle_datagram(push, it.now), "it changed"
    assert it.engine.applied.is_killed and it.transmit() == 1
    assert (it.last["generation"], it.last["killed"], it.last["control"]) == (4, True, 7)
    assert not it.engine.handle_datagram(push, it.now), "it is a level, not an event"
    assert it.until_next() <= 400
    it.ack(generation=4, killed=True)
    assert it.due_in_ms() > 50_000


def test_a_kill_by_a_push_of_another_control_id_blocks_until_it_is_lifted() -> None:
    it = Fixture()
    it.connect()
    it.engine.handle_datagram(uplink.seal_push(it.sent[-1][0], KEYS, 1, True, 9), it.now)
    it.transmit()
    assert (it.last["killed"], it.last["blocked_by"]) == (False, 9)
    it.ack(generation=1, control=7, lifts=9)
    assert not it.engine.applied.is_killed
    it.engine.set_other_controls(frozenset({9}))
    it.engine.handle_datagram(uplink.seal_push(it.sent[-1][0], KEYS, 2, True, 9), it.now)
    it.ack(generation=2, control=7, lifts=9)
    assert it.engine.applied.is_killed, "a collector that is heard lifts its kills itself"


def test_another_process_in_its_session_makes_it_draw_a_new_one() -> None:
    it = Fixture(identity=Identity(host="h"))
    it.connect()
    it.source.open = [work(5)]
    it.until_next()
    it.ack(highest=99, generation=3, killed=True)
    assert it.engine.is_session_taken and it.engine.applied.is_killed
    it.engine.begin_session(b"session2", it.now)
    it.until_next()
    envelope, fields = it.sent[-1]
    assert (envelope.session, envelope.sequence, envelope.challenge) == (b"session2", 1, bytes(16))
    assert (fields["segment"]["number"], fields["segment"]["ok"]) == (1, 5)
    assert fields["identity"] is not None


def test_a_segment_that_a_live_message_has_brought_is_not_taken_along() -> None:
    it = Fixture()
    it.connect()
    it.source.open = [work(5)]
    it.until_next()
    it.ack()
    it.until_next()
    it.ack(flags=SESSION_TAKEN)
    it.engine.begin_session(b"session2", it.now)
    it.until_next()
    assert it.last["segment"] is None


def test_a_goodbye_is_repeated_until_all_work_is_durable() -> None:
    it = Fixture()
    it.connect()
    it.source.open = [work(1), work(2)]
    it.engine.close(it.now, SECOND)
    it.transmit()
    first, fields = it.sent[-1]
    assert first.type == GOODBYE and fields["segment"]["number"] == 1
    assert [it.until_next(), it.until_next()] == [100, 200]
    it.ack(durable=1)
    it.transmit()
    assert it.last["segment"]["number"] == 2
    it.ack(durable=2)
    it.transmit()
    assert it.engine.is_closed and it.engine.poll_timeout() is None


def test_a_session_that_was_never_live_beats_before_its_goodbye_and_ends_in_time() -> None:
    it = Fixture()
    it.engine.close(it.now, SECOND)
    it.transmit()
    assert it.sent[-1][0].type == BEAT and it.last["phase"] == 3
    while not it.engine.is_closed:
        it.until_next()
    assert it.now == 11 * SECOND


def test_an_everyday_beat_is_small() -> None:
    it = Fixture()
    it.source.now = Vitals(1, 3, 10**10, 10**9, 7, "planning", 0)
    it.source.open = [Work(8, 1, 270_000_000, 9_000, 1_200, bytes([1, 1]) * 8)]
    datagram = it.engine.poll_transmit(it.now, it.source)
    assert datagram is not None and len(datagram) <= 197


def test_of_many_control_ids_the_kills_are_kept() -> None:
    applied = AppliedStates([DesiredState(1, 1, True), DesiredState(0, 9, True)])
    for control in range(2, 100):
        applied.apply(DesiredState(control, 1), 0)
    assert len(list(applied)) == STATES_MAX and applied.is_killed


def test_a_lifted_kill_takes_a_newer_generation_to_kill_again() -> None:
    applied = AppliedStates([DesiredState(1, 4, True)])
    assert applied.apply(DesiredState(2, 2), 1) and not applied.is_killed
    assert not applied.apply(DesiredState(1, 4, True), 0)
    assert applied.apply(DesiredState(1, 5, True), 0) and applied.is_killed
    assert applied.apply(DesiredState(1, 6), 0) and not applied.is_killed
    assert applied.apply(DesiredState(1, 6, True), 0), "of two with one generation the kill wins"
    assert not applied.apply(DesiredState(1, 6), 0)


def test_the_schedule_counts_from_the_last_message_when_it_stops_to_repeat() -> None:
    schedule = SendSchedule(SECOND, 7, 0)
    schedule.on_sent(0, 100 * MS)
    assert schedule.next_due == 100 * MS
    schedule.stop_retrying()
    assert 900 * MS <= schedule.next_due <= 1_100 * MS


COUNTS_PENDING = 8
TASKS, TOKENS, COST = 1, 2, 3


def test_what_is_left_counts_from_the_durable_segment_or_the_one_after_it() -> None:
    it = Fixture(interval_ms=1_000)
    it.connect()
    it.source.open = [work(5)]
    it.until_next()
    it.ack(durable=0, budget=(TASKS, 9))
    assert it.engine.spending_limit == (TASKS, 9), "the pending segment is not among what was counted"
    it.until_next()
    it.ack(durable=0, flags=COUNTS_PENDING, budget=(TASKS, 9))
    assert it.engine.spending_limit == (TASKS, 14)
    it.source.open = [Work(1, 1, 70, 3, 4, b"")]
    it.until_next()
    it.ack(durable=1, budget=(TASKS, 9))
    it.until_next()
    assert it.last["segment"]["number"] == 2
    it.ack(durable=2, budget=(COST, 30))
    assert it.engine.spending_limit == (COST, 100)
    it.until_next()
    it.ack(durable=2, budget=(TOKENS, 3))
    assert it.engine.spending_limit == (TOKENS, 10)
    it.until_next()
    it.ack(durable=1, budget=(TASKS, 0))
    assert it.engine.spending_limit == (TOKENS, 10), "more is durable than it knows of"
    it.ack(durable=2, flags=UNCONFIRMED)
    assert it.engine.spending_limit == (TOKENS, 10), "an unconfirmed ack says nothing of it"
    it.until_next()
    it.ack(durable=2)
    assert it.engine.spending_limit is None


def test_what_is_left_goes_along_to_a_session_of_its_own() -> None:
    it = Fixture(interval_ms=1_000)
    it.connect()
    it.source.open = [work(5)]
    it.until_next()
    it.ack(durable=1, budget=(TASKS, 2))
    it.engine.begin_session(b"session2", it.now)
    assert it.engine.spending_limit == (TASKS, 7)
    it.connect()
    it.until_next()
    it.ack(budget=(TASKS, 2))
    assert it.engine.spending_limit == (TASKS, 7)
