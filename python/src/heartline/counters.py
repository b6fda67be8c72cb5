"""Counters that the agent's threads write and the sender reads.

Each thread adds to a shard of its own, without locks. A thread that ends leaves its shard, counts and
all, to the next one.

Nothing is lost or counted twice, whenever the sender reads:

1. A shard has one writer at a time: its thread. What interrupts that thread (a signal handler, a
   finalizer) runs between two statements of it, never inside `shard[n] += 1`.
2. The sender never writes a shard. It takes differences to what it took before, so what is added
   while it reads is in this difference or in the next.
3. The parts of one report may go out in two segments; each part goes out once. The count of tasks is
   added last.
"""

from __future__ import annotations

from typing import Any

from .engine.metrics import Work
from .native import thread_local
from .protocol.buckets import BUCKETS, COUNT_MAX, pack_number

# A shard: sums, then a counter for each bucket of latencies.
Shard = list[int]

OK, FAILED, COST_NANO_USD, TOKENS_IN, TOKENS_OUT, LOST = range(6)
LATENCY = 6
LAST_BUCKET = LATENCY + BUCKETS - 1

# Longest packed histogram of one segment, in bytes: a beat always has room for it beside its longest
# step, its largest numbers and the longest agent id (`SPEC.md`, section 9).
_PACKED_MAX = 800


class Counters:
    """All shards of one emitter."""

    __slots__ = ("_free", "_shards", "local")

    def __init__(self) -> None:
        self._shards: list[Shard] = []
        # Shards of threads that have ended.
        self._free: list[Shard] = []
        # `local.shard` is the calling thread's, once it has claimed one.
        self.local: Any = thread_local()

    def claim_shard(self) -> Shard:
        """Returns the calling thread's shard, a new one or that of a thread that has ended."""
        try:
            return self.local.shard  # type: ignore[no-any-return]
        except AttributeError:
            pass
        try:
            shard = self._free.pop()
        except IndexError:
            shard = [0] * (LAST_BUCKET + 1)
            self._shards.append(shard)
        self.local.lease = _Lease(self._free, shard)
        self.local.shard = shard
        return shard

    def total(self, counter: int) -> int:
        """Returns the sum of one counter over all threads."""
        return sum(shard[counter] for shard in list(self._shards))

    def done(self) -> int:
        """Returns the tasks and reports counted so far."""
        return sum(shard[OK] + shard[FAILED] for shard in list(self._shards))

    def changes(self) -> int:
        """Returns a number that grows with each thing to send: with each task, cost and token."""
        return sum(sum(shard[:LOST]) for shard in list(self._shards))

    def totals(self) -> Shard:
        """Returns the sums of all counters over all threads."""
        shards = list(self._shards)
        if len(shards) == 1:
            return list(shards[0])
        return list(map(sum, zip(*shards))) or [0] * (LAST_BUCKET + 1)


class _Lease:
    """Gives a shard back when the thread that holds it has ended."""

    __slots__ = ("_free", "_shard")

    def __init__(self, free: list[Shard], shard: Shard) -> None:
        self._free = free
        self._shard = shard

    def __del__(self) -> None:
        self._free.append(self._shard)


class DeltaReader:
    """Reader of differences, for one collector: the counters only grow, and this holds how much of
    them was taken. What a full segment has no room for stays for the next one."""

    __slots__ = ("_counters", "_changes", "_taken")

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._taken: Shard = [0] * (LAST_BUCKET + 1)
        # What the counters held when nothing was left to take.
        self._changes = 0

    def take(self) -> Work | None:
        """Takes what was not taken yet, as far as it fits a segment; None if there is nothing."""
        changes = self._counters.changes()
        if changes == self._changes:
            return None
        totals, taken = self._counters.totals(), self._taken
        sums: list[int] = []
        is_all = True
        for at in range(LOST):
            open_ = totals[at] - taken[at]
            sums.append(min(open_, COUNT_MAX))
            taken[at] += sums[at]
            is_all = is_all and open_ <= COUNT_MAX
        latency, fits = self._take_latencies(totals)
        if is_all and fits:
            self._changes = changes
        if not any(sums) and not latency:
            return None
        ok, failed, cost_nano_usd, tokens_in, tokens_out = sums
        return Work(ok, failed, cost_nano_usd, tokens_in, tokens_out, latency)

    def _take_latencies(self, totals: Shard) -> tuple[bytes, bool]:
        """Takes latencies, lowest buckets first; returns them packed, and whether they all fitted."""
        taken, packed = self._taken, bytearray()
        last, room = LATENCY, COUNT_MAX
        if totals[LATENCY:] == taken[LATENCY:]:
            return b"", True
        for at in range(LATENCY, LAST_BUCKET + 1):
            count = totals[at] - taken[at]
            if not count:
                continue
            part = min(count, room)
            before = len(packed)
            if part:
                pack_number(at - last, packed)
                pack_number(part, packed)
            if not part or len(packed) > _PACKED_MAX:
                del packed[before:]
                return bytes(packed), False
            taken[at] += part
            room -= part
            last = at
            if part < count:
                return bytes(packed), False
        return bytes(packed), True
