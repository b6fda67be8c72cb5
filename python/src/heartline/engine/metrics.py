"""Metrics that beats carry, and where the engine reads them."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from ..protocol.bodies import PHASE_RUNNING


class Vitals(NamedTuple):
    """Vitals of an agent, as a beat reports them; ages in nanoseconds."""

    phase: int = PHASE_RUNNING
    in_flight: int = 0
    oldest_in_flight: int | None = None
    progress_age: int | None = None
    queue: int | None = None
    step: str | None = None
    lost_observations: int = 0


class Work(NamedTuple):
    """Sums and packed latencies of one segment, in the order of its fields."""

    ok: int
    failed: int
    cost_nano_usd: int
    tokens_in: int
    tokens_out: int
    latency: bytes


class MetricsSource(Protocol):
    """Source of the metrics that an engine sends; read once for each message."""

    def vitals(self, now: int) -> Vitals:
        """Returns the agent's vitals."""
        ...

    def take(self) -> Work | None:
        """Moves work that fits one segment out of the source; None if there is none. What does not
        fit stays for the next call; what was taken is never returned again."""
        ...
