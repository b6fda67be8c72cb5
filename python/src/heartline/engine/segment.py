"""Segments of work: numbered, sent until durable, counted once (`SPEC.md`, section 9)."""

from __future__ import annotations

from operator import add, sub
from typing import NamedTuple

from ..protocol.bodies import Segment
from .metrics import MetricsSource, Work


# Of a segment: all but its latencies.
_SUMS = 5


class _Frozen(NamedTuple):
    work: Work
    # Sequence of the first message that carried it.
    first_sequence: int


class PendingSegment:
    """The one segment that may be in flight.

    Its numbers stay as they are until the collector has it on disk, so an ack that is lost, late or
    duplicated changes no sum.
    """

    __slots__ = ("_frozen", "_last_number", "_taken")

    def __init__(self) -> None:
        self._last_number = 0
        self._frozen: _Frozen | None = None
        # Sums of all work that was taken so far, the pending segment's included. They go on in new
        # sessions.
        self._taken = (0,) * _SUMS

    def fill(self, source: MetricsSource, sequence: int) -> bool:
        """Takes open work under the next number if no segment is pending, to be sent in the message
        of `sequence`; returns whether one is now."""
        if self._frozen is None:
            work = source.take()
            if work is not None:
                self._last_number += 1
                self._frozen = _Frozen(work, sequence)
                self._taken = tuple(map(add, self._taken, work[:_SUMS]))
        return self._frozen is not None

    def acknowledge(self, durable: int) -> None:
        """Drops the pending segment if the collector has all up to `durable` on disk."""
        if durable >= self._last_number:
            self._frozen = None

    def taken_up_to(self, number: int) -> tuple[int, ...] | None:
        """Returns the sums of all work that was taken up to the end of a segment; None where more is
        durable."""
        if self._frozen is not None and number == self._last_number - 1:
            return tuple(map(sub, self._taken, self._frozen.work[:_SUMS]))
        return self._taken if number >= self._last_number else None

    def begin_session(self, live_sequence: int) -> None:
        """Begins the numbers of a new session, after another process was found to have this one too.

        The pending segment goes along, unless a live message has brought it: the highest of those
        that were acknowledged is `live_sequence`.
        """
        if self._frozen is not None:
            brought = self._frozen.first_sequence <= live_sequence
            self._frozen = None if brought else self._frozen._replace(first_sequence=1)
        self._last_number = int(self._frozen is not None)

    @property
    def is_pending(self) -> bool:
        return self._frozen is not None

    @property
    def segment(self) -> Segment | None:
        """The pending segment as a message carries it."""
        if self._frozen is None:
            return None
        return Segment(self._last_number, *self._frozen.work)
